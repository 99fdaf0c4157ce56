//! Which plugin each alias means: the one the connector was accepted with, for as long as the alias is configured as it was then.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use towpath_domain::{
    config::{Problem, sounds_secret},
    plugin::Kind,
};
use towpath_plugin_host as host;
use towpath_wire::positions::{Accepted, AcceptedPlugin};

use crate::{
    config::{self, Attached},
    registries::Registries,
    stages::Watch,
    status::PluginStatus,
};

/// Finds the plugins of one connector, and notes what it found.
pub(super) struct Resolver<'a> {
    connector: &'a str,
    host: &'a host::Host,
    /// what is stored on the target
    stored: &'a Accepted,
    found: Vec<AcceptedPlugin>,
    grants: Grants,
    uses: Vec<Arc<InUse>>,
}

/// What plugins may be given, by the worker's configuration.
pub(super) struct Grants {
    /// names of the plugins that may ask the registries
    pub(super) registries_to: Vec<String>,
    /// the error is what the connector's configuration lacks
    pub(super) registries: Result<Arc<Registries>, config::Registries>,
}

/// A plugin as one alias has it, and what it is seen to do.
pub(super) struct InUse {
    pub alias: String,
    pub plugin: Arc<host::Plugin>,
    pub watch: Arc<Watch>,
}

// === impl Resolver ===

impl<'a> Resolver<'a> {
    pub(super) fn new(
        connector: &'a str,
        host: &'a host::Host,
        stored: &'a Accepted,
        grants: Grants,
    ) -> Self {
        Self {
            connector,
            host,
            stored,
            found: Vec::new(),
            grants,
            uses: Vec::new(),
        }
    }

    /// What is to be stored once the configuration is accepted, and the plugins in the order in which they were asked for.
    pub(super) fn end(mut self) -> (Accepted, Vec<Arc<InUse>>) {
        self.found.sort();
        (Accepted { plugins: self.found }, self.uses)
    }

    pub(super) fn resolve(&mut self, attached: &Attached) -> Result<Arc<InUse>, Vec<Problem>> {
        let plugin = match self.former(attached) {
            None => self.newest(attached).map_err(|error| {
                at_type(
                    attached,
                    error.to_string(),
                    "name a plugin that is in plugin.path, or put it there",
                )
            })?,
            Some(former) => match self.host.find(&former.digest) {
                Some(plugin) => {
                    self.mention_newer(attached, &plugin);
                    plugin
                }
                None => return Err(self.gone(attached, former)),
            },
        };
        self.found.push(entry(attached, &plugin));
        let in_use = Arc::new(InUse {
            alias: attached.alias.clone(),
            plugin: self.granted(attached, plugin.attached())?,
            watch: Arc::default(),
        });
        self.uses.push(Arc::clone(&in_use));
        Ok(in_use)
    }

    /// With the registries, where the plugin asks for them and was granted them; one that was not is refused when it is configured.
    fn granted(
        &self,
        attached: &Attached,
        plugin: Arc<host::Plugin>,
    ) -> Result<Arc<host::Plugin>, Vec<Problem>> {
        let is_granted = self.grants.registries_to.iter().any(|name| name == plugin.name());
        if !plugin.wants_registries() || !is_granted {
            return Ok(plugin);
        }
        match &self.grants.registries {
            Ok(registries) => Ok(Arc::new(
                plugin.granted(Arc::clone(registries) as Arc<dyn host::Registries>),
            )),
            Err(lacking) => Err(lacking.missing(&attached.key("type"))),
        }
    }

    fn newest(&self, attached: &Attached) -> Result<Arc<host::Plugin>, host::ResolveError> {
        self.host.resolve(&attached.plugin)
    }

    /// What the alias was accepted with, when it is configured as it was then.
    fn former(&self, attached: &Attached) -> Option<&'a AcceptedPlugin> {
        let former = self
            .stored
            .plugins
            .iter()
            .find(|one| one.stage == attached.name())?;
        (former.configuration == configuration(attached, &former.hidden)).then_some(former)
    }

    fn mention_newer(&self, attached: &Attached, plugin: &host::Plugin) {
        let Ok(newest) = self.newest(attached) else {
            return;
        };
        if newest.digest() != plugin.digest() {
            let (connector, stage) = (self.connector, attached.name());
            let (runs, found) = (plugin.reference(), newest.reference());
            let (key, digest) = (attached.key("type"), short(plugin.digest()));
            tracing::info!(
                connector,
                stage,
                runs,
                digest,
                found,
                "plugin.path has another version than the one this configuration was accepted with, which goes on running; to upgrade, write {key}={found}"
            );
        }
    }

    fn gone(&self, attached: &Attached, former: &AcceptedPlugin) -> Vec<Problem> {
        let AcceptedPlugin {
            name,
            version,
            digest,
            ..
        } = former;
        let accepted = format!(
            "connector {} was accepted with {name}@{version} (sha256 {}), which plugin.path does not have any more",
            self.connector,
            short(digest)
        );
        let restore = format!("put the file of {name}@{version} with that digest back");
        let (message, remedy) = match self.newest(attached) {
            Ok(newest) => {
                let found = newest.reference();
                let now = format!("{found} (sha256 {}) is in its place", short(newest.digest()));
                let written = attached.plugin.to_string();
                let upgrade = if found == written {
                    "build the new one under a version of its own, and name that".to_owned()
                } else {
                    format!("write {}={found} to change over to it", attached.key("type"))
                };
                (format!("{accepted}: {now}"), format!("{restore}, or {upgrade}"))
            }
            Err(error) => (
                format!("{accepted}, and nothing is in its place: {error}"),
                format!("{restore}, or name a plugin that is there"),
            ),
        };
        at_type(attached, message, &remedy)
    }
}

// === impl InUse ===

impl InUse {
    pub(super) fn status(&self) -> PluginStatus {
        let Self { alias, plugin, watch } = self;
        PluginStatus {
            alias: alias.clone(),
            kind: plugin.kind(),
            name: plugin.name().to_owned(),
            version: plugin.version().to_string(),
            digest: short(plugin.digest()).to_owned(),
            usage: plugin.figures().usage(),
            // Routers are asked about topics.
            records: matches!(
                plugin.kind(),
                Kind::Transformation | Kind::Predicate | Kind::Validator
            )
            .then(|| watch.flow()),
            counters: plugin.counters().into_iter().collect(),
        }
    }
}

pub(super) fn at_type(attached: &Attached, message: String, remedy: &str) -> Vec<Problem> {
    let name = attached.plugin.to_string();
    vec![Problem::new(attached.key("type"), Some(&name), message, remedy)]
}

fn entry(attached: &Attached, plugin: &host::Plugin) -> AcceptedPlugin {
    let declared = |key: &str| {
        let mut keys = plugin.descriptor().config.iter();
        keys.any(|known| known.name == key && known.config_type == host::ConfigType::Password)
    };
    let keys = attached.config.iter().map(|(key, _)| key);
    let hidden: Vec<String> = keys
        .filter(|key| declared(key) || sounds_secret(key))
        .cloned()
        .collect();
    AcceptedPlugin {
        stage: attached.name(),
        configuration: configuration(attached, &hidden),
        hidden,
        name: plugin.name().to_owned(),
        version: plugin.version().to_string(),
        digest: plugin.digest().to_owned(),
    }
}

/// Hex sha256 of what the user wrote for the alias: its type, and the plugin's keys. Values of `hidden` keys do not count.
fn configuration(attached: &Attached, hidden: &[String]) -> String {
    let mut keys: Vec<(&str, Option<&str>)> = attached
        .config
        .iter()
        .map(|(key, value)| (key.as_str(), (!hidden.contains(key)).then_some(value.as_str())))
        .collect();
    keys.sort_unstable();
    let text = serde_json::json!([attached.plugin.to_string(), keys]).to_string();
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As messages have it.
fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use towpath_domain::plugin::Reference;

    use super::*;

    fn attached(plugin: &str, config: &[(&str, &str)]) -> Attached {
        Attached {
            group: "transforms",
            alias: "a".to_owned(),
            plugin: Reference::parse(plugin),
            config: config
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn type_keys_and_values_make_the_configuration_and_passwords_do_not() {
        let hidden = ["token".to_owned()];
        let of = |plugin: &str, config: &[(&str, &str)]| configuration(&attached(plugin, config), &hidden);
        let base = of("p", &[("a", "1"), ("token", "x")]);
        assert_eq!(base.len(), 64);
        assert_eq!(base, of("p", &[("token", "y"), ("a", "1")]));
        for (plugin, other) in [
            ("p@1.0.0", &[("a", "1"), ("token", "x")][..]),
            ("p", &[("a", "2"), ("token", "x")]),
            ("p", &[("b", "1"), ("token", "x")]),
            ("p", &[("a", "1")]),
        ] {
            assert_ne!(base, of(plugin, other), "{plugin} {other:?}");
        }
    }
}
