//! Renames topics by a table, both ways: see README.md.
#![forbid(unsafe_code)]

use towpath_plugin::{Config, ConfigKey, ConfigType, Descriptor, Failure, Plugin, Router, export_plugin};

mod table;

use table::Table;

/// The configured plugin.
pub struct RouteByTable {
    table: Table,
    unlisted: Unlisted,
}

/// What becomes of topics that the table does not name.
#[derive(Clone, Copy)]
enum Unlisted {
    Keep,
    Refuse,
}

// === impl RouteByTable ===

impl Plugin for RouteByTable {
    fn describe() -> Descriptor {
        let documentation = "Renames topics by a table of names, both ways. Topics that are not in it keep their names or are not routed.";
        Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), documentation)
            .key(ConfigKey::required("topics", ConfigType::List).documentation(
                "Pairs source:target, separated by commas, such as legacy.orders:orders,legacy.users:customers. Each name once on its side.",
            ))
            .key(
                ConfigKey::default("unlisted", ConfigType::String, "refuse")
                    .valid_values(&["keep", "refuse"])
                    .documentation(
                        "What becomes of topics that are not in the table: refuse does not route them, keep leaves them their names, unless \
                         another topic goes to that name.",
                    ),
            )
    }

    fn init(config: &mut Config) -> Option<Self> {
        let table = config.list("topics").and_then(|pairs| {
            let mut note = |mistakes: Vec<String>| {
                for mistake in mistakes {
                    config.mistake::<()>("topics", mistake);
                }
            };
            Table::parse(&pairs).map_err(&mut note).ok()
        });
        let unlisted = config.string_as("unlisted", |text| match text.trim() {
            "keep" => Ok(Unlisted::Keep),
            "refuse" => Ok(Unlisted::Refuse),
            _ => Err("must be one of keep, refuse"),
        });
        Some(Self {
            table: table?,
            unlisted: unlisted?,
        })
    }
}

impl Router for RouteByTable {
    fn map_topic(&mut self, topic: &str) -> Result<Option<String>, Failure> {
        let listed = self.table.target(topic);
        // a name that the table gives to another topic is taken: two topics would meet in it
        Ok(listed
            .or_else(|| self.unlisted(topic, self.table.source(topic)))
            .map(str::to_owned))
    }

    fn unmap_topic(&mut self, topic: &str) -> Result<Option<String>, Failure> {
        let listed = self.table.source(topic);
        // the source topic of this name goes elsewhere
        Ok(listed
            .or_else(|| self.unlisted(topic, self.table.target(topic)))
            .map(str::to_owned))
    }
}

impl RouteByTable {
    /// The name of a topic that is not listed on this side; `other` is what it stands for on the other one.
    fn unlisted<'a>(&self, topic: &'a str, other: Option<&str>) -> Option<&'a str> {
        match self.unlisted {
            Unlisted::Keep if other.is_none() => Some(topic),
            Unlisted::Keep | Unlisted::Refuse => None,
        }
    }
}

export_plugin!(router: RouteByTable);

#[cfg(test)]
mod tests {
    use towpath_plugin::testing::{Harness, cases};

    use super::*;

    #[test]
    fn does_what_the_cases_say() {
        cases::router::<RouteByTable>("cases");
    }

    /// What the host checks of every topic, for every topic there could be around the table.
    #[test]
    fn every_routed_topic_leads_back_and_no_two_meet() {
        let names = ["a", "b", "c", "d", "e"];
        for table in ["a:b", "a:b,b:a", "a:b,b:c,c:a", "a:b,b:c", "a:a,b:c", "a:b,c:d"] {
            for unlisted in ["keep", "refuse"] {
                let config = [("topics", table), ("unlisted", unlisted)];
                let mut router = Harness::<RouteByTable>::new(&config).unwrap();
                let mut targets = Vec::new();
                for name in names {
                    if let Some(target) = router.map_topic(name).unwrap() {
                        assert_eq!(
                            router.unmap_topic(&target).unwrap().as_deref(),
                            Some(name),
                            "{table}"
                        );
                        targets.push(target);
                    }
                    if let Some(source) = router.unmap_topic(name).unwrap() {
                        assert_eq!(
                            router.map_topic(&source).unwrap().as_deref(),
                            Some(name),
                            "{table}"
                        );
                    }
                }
                let routed = targets.len();
                targets.sort();
                targets.dedup();
                assert_eq!(targets.len(), routed, "{table}: {targets:?}");
            }
        }
    }
}
