//! The two clusters of a connector: `source.cluster.*`, and `target.cluster.*` or what its worker writes to.

use towpath_domain::config::{Config, Problem, Values};
use towpath_registry::Settings;
use towpath_wire::{Environment, Security};

/// What a connector takes from its worker.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// The target of connectors that name none.
    pub bootstrap_servers: Vec<String>,
    /// For that target.
    pub security: Security,
    /// For `${env:NAME}` in the values.
    pub environment: Environment,
}

pub(super) struct Target {
    pub(super) servers: Vec<String>,
    pub(super) security: Security,
}

pub(super) const SOURCE: &str = "source.cluster.";
pub(super) const TARGET: &str = "target.cluster.";

/// Whether the key is one of [`towpath_wire::security::keys`] for one of the clusters, or of its schema registry.
pub(super) fn is_cluster(key: &str) -> bool {
    [SOURCE, TARGET].iter().any(|prefix| {
        key.strip_prefix(prefix)
            .is_some_and(|name| Security::owns(name) || Settings::owns(name))
    })
}

pub(super) fn source(config: &Config, defaults: &Defaults, problems: &mut Vec<Problem>) -> Security {
    for key in config.keys().filter(|key| Security::owns(key)) {
        problems.push(Problem::new(
            key,
            None,
            "is about one of two clusters, and does not say which",
            format!("write {SOURCE}{key}, or {TARGET}{key}"),
        ));
    }
    parse(SOURCE, config, defaults, problems)
}

pub(super) fn target(
    config: &Config,
    values: &Values,
    defaults: &Defaults,
    problems: &mut Vec<Problem>,
) -> Target {
    let security = parse(TARGET, config, defaults, problems);
    if values.get("target.cluster.bootstrap.servers").is_some() {
        return Target {
            servers: values.list("target.cluster.bootstrap.servers"),
            security,
        };
    }
    let own = |key: &&String| key.strip_prefix(TARGET).is_some_and(Security::owns);
    for key in config.keys().filter(own) {
        problems.push(Problem::new(
            key,
            None,
            "has no effect: target.cluster.bootstrap.servers is missing, so the worker's cluster is the target, as worker.properties says it",
            "name target.cluster.bootstrap.servers too, or put the key into worker.properties without its prefix",
        ));
    }
    if defaults.bootstrap_servers.is_empty() && !config.contains_key("target.cluster.bootstrap.servers") {
        problems.push(Problem::new(
            "target.cluster.bootstrap.servers",
            None,
            "missing, and the worker has no bootstrap.servers to write to instead",
            "name the target's brokers, host:port",
        ));
    }
    Target {
        servers: defaults.bootstrap_servers.clone(),
        security: defaults.security.clone(),
    }
}

fn parse(prefix: &str, config: &Config, defaults: &Defaults, problems: &mut Vec<Problem>) -> Security {
    match Security::parse(config, prefix, &defaults.environment) {
        Ok(security) => security,
        Err(mistakes) => {
            problems.extend(mistakes);
            Security::default()
        }
    }
}
