//! `source.cluster.schema.registry.*` and `target.cluster.schema.registry.*`.

use std::time::Duration;

use towpath_domain::config::{Config, Problem};
use towpath_registry::Settings;

use super::{
    Defaults, Plugins,
    clusters::{SOURCE, TARGET},
};

/// The registries of both clusters, where they have one.
#[derive(Clone, Debug, Default)]
pub struct Registries {
    pub source: Option<Settings>,
    pub target: Option<Settings>,
}

const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

// === impl Registries ===

impl Registries {
    pub(super) fn parse(
        config: &Config,
        defaults: &Defaults,
        plugins: &Plugins,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut side = |prefix| {
            Settings::parse(config, prefix, REQUEST_TIMEOUT, &defaults.environment).unwrap_or_else(
                |mistakes| {
                    problems.extend(mistakes);
                    None
                },
            )
        };
        let registries = Self {
            source: side(SOURCE),
            target: side(TARGET),
        };
        if let (Some(checker), true) = (plugins.schema_checkers.first(), problems.is_empty()) {
            problems.extend(registries.missing(&checker.key("type")));
        }
        registries
    }

    /// What whoever needs both lacks. `needed` is the key of the plugin that does.
    pub fn missing(&self, needed: &str) -> Vec<Problem> {
        [(SOURCE, &self.source), (TARGET, &self.target)]
            .into_iter()
            .filter(|(_, settings)| settings.is_none())
            .map(|(prefix, _)| {
                Problem::new(
                    format!("{prefix}schema.registry.url"),
                    None,
                    format!("missing, and {needed} needs the registries of both clusters"),
                    "name the registry, http://host:port",
                )
            })
            .collect()
    }

    /// Opens the stores of both; all mistakes at once. Blocks.
    pub fn check(&self) -> Vec<Problem> {
        let all = self.source.iter().chain(&self.target);
        all.flat_map(Settings::check).collect()
    }
}
