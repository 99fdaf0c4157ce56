//! What is to be run: what the storage says, with a number that grows where a connector has to begin anew.

use std::collections::BTreeMap;

use towpath_domain::config::Config;
use towpath_mirror::config::{SOURCE_LIMIT, TARGET_LIMIT};

use crate::{herder::Target, storage::Table};

/// Every connector that there is.
#[derive(Default)]
pub(super) struct Desired {
    pub connectors: BTreeMap<String, Wanted>,
    last: Generation,
}

/// A connector as it is wanted.
#[derive(Clone)]
pub(super) struct Wanted {
    pub config: Config,
    pub target: Target,
    /// what runs of another one is not this
    pub generation: Generation,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Generation(pub u64);

/// Limits as they are written: these alone are changed without a restart.
pub(super) type WrittenLimits = [Option<String>; 2];

// === impl Desired ===

impl Desired {
    /// Takes over what is stored. A connector whose configuration is another begins anew, but for its limits.
    pub(super) fn take_over(&mut self, table: &Table) {
        self.connectors
            .retain(|name, _| table.connectors.contains_key(name));
        for (name, config) in &table.connectors {
            let target = table.target(name);
            match self.connectors.get_mut(name) {
                Some(wanted) => {
                    wanted.target = target;
                    if without_limits(&wanted.config).ne(without_limits(config)) {
                        wanted.generation = self.last.next();
                    }
                    if wanted.config != *config {
                        wanted.config.clone_from(config);
                    }
                }
                None => {
                    let generation = self.last.next();
                    let config = config.clone();
                    self.connectors.insert(
                        name.clone(),
                        Wanted {
                            config,
                            target,
                            generation,
                        },
                    );
                }
            }
        }
    }

    /// The connector begins anew as it is.
    pub(super) fn restart(&mut self, name: &str) {
        if let Some(wanted) = self.connectors.get_mut(name) {
            wanted.generation = self.last.next();
        }
    }
}

// === impl Wanted ===

impl Wanted {
    pub(super) fn limits(&self) -> WrittenLimits {
        limits(&self.config)
    }
}

// === impl Generation ===

impl Generation {
    fn next(&mut self) -> Self {
        self.0 += 1;
        *self
    }
}

pub(super) fn limits(config: &Config) -> WrittenLimits {
    [SOURCE_LIMIT, TARGET_LIMIT].map(|key| config.get(key).cloned())
}

fn without_limits(config: &Config) -> impl Iterator<Item = (&String, &String)> {
    config
        .iter()
        .filter(|(key, _)| ![SOURCE_LIMIT, TARGET_LIMIT].contains(&key.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(connectors: &[(&str, &[(&str, &str)])]) -> Table {
        let config = |keys: &[(&str, &str)]| -> Config {
            let keys = keys
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            keys.collect()
        };
        let mut table = Table::default();
        for (name, keys) in connectors {
            table.connectors.insert((*name).to_owned(), config(keys));
        }
        table
    }

    fn generation(desired: &Desired, name: &str) -> u64 {
        desired.connectors[name].generation.0
    }

    #[test]
    fn a_connector_begins_anew_when_more_than_its_limits_changes() {
        let mut desired = Desired::default();
        desired.take_over(&table(&[("a", &[("topics", "t")]), ("b", &[("topics", "t")])]));
        let (a, b) = (generation(&desired, "a"), generation(&desired, "b"));
        assert_ne!(a, b);
        desired.take_over(&table(&[
            ("a", &[("topics", "t"), (SOURCE_LIMIT, "7")]),
            ("b", &[("topics", "u")]),
        ]));
        assert_eq!(generation(&desired, "a"), a);
        let limits = desired.connectors["a"].limits();
        assert_eq!(limits, [Some("7".to_owned()), None]);
        assert!(generation(&desired, "b") > b);
        desired.restart("a");
        assert!(generation(&desired, "a") > a);
        // One of the same name and words is another one, when the first is gone.
        let before = generation(&desired, "b");
        desired.take_over(&table(&[]));
        assert!(desired.connectors.is_empty());
        desired.take_over(&table(&[("b", &[("topics", "u")])]));
        assert!(generation(&desired, "b") > before);
    }
}
