//! Renames topics by a regular expression, both ways: see README.md.
#![forbid(unsafe_code)]

use towpath_plugin::{Config, ConfigKey, ConfigType, Descriptor, Failure, Plugin, Router, export_plugin};

mod rule;

use rule::Rule;

/// The configured plugin.
pub struct RouteByRegex {
    forward: Rule,
    reverse: Rule,
}

// === impl RouteByRegex ===

impl Plugin for RouteByRegex {
    fn describe() -> Descriptor {
        let documentation = "Renames topics by a regular expression. Works as Connect's RegexRouter, but both ways, and a topic \
            that does not match is not routed.";
        Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), documentation)
            .key(ConfigKey::required("regex", ConfigType::String).documentation(
                "Matches the whole name of a source topic. Others are not routed, and refused by name.",
            ))
            .key(ConfigKey::required("replacement", ConfigType::String).documentation(
                "The name on the target. $1 is what the first group matched, ${name} a named group, \\$ a dollar sign.",
            ))
            .key(ConfigKey::required("reverse.regex", ConfigType::String).documentation(
                "Matches the whole name of a target topic: the way back, for offsets, ACLs and the rollback. It is not guessed.",
            ))
            .key(ConfigKey::required("reverse.replacement", ConfigType::String).documentation(
                "The name at the source. For every topic routed it must give back the name that was mapped.",
            ))
    }

    fn init(config: &mut Config) -> Option<Self> {
        let forward = Rule::from_config(config, "regex", "replacement");
        let reverse = Rule::from_config(config, "reverse.regex", "reverse.replacement");
        Some(Self {
            forward: forward?,
            reverse: reverse?,
        })
    }
}

impl Router for RouteByRegex {
    fn map_topic(&mut self, topic: &str) -> Result<Option<String>, Failure> {
        Ok(self.forward.apply(topic))
    }

    fn unmap_topic(&mut self, topic: &str) -> Result<Option<String>, Failure> {
        Ok(self.reverse.apply(topic))
    }
}

export_plugin!(router: RouteByRegex);

#[cfg(test)]
mod tests {
    use towpath_plugin::testing::{Harness, cases};

    use super::*;

    const REMAP: [(&str, &str); 4] = [
        ("regex", r"^legacy\.(.*)"),
        ("replacement", "$1"),
        ("reverse.regex", "^(.*)$"),
        ("reverse.replacement", "legacy.$1"),
    ];

    #[test]
    fn does_what_the_cases_say() {
        cases::router::<RouteByRegex>("cases");
    }

    #[test]
    fn maps_there_and_back() {
        let mut router = Harness::<RouteByRegex>::new(&REMAP).unwrap();
        assert_eq!(
            router.map_topic("legacy.orders").unwrap().as_deref(),
            Some("orders")
        );
        assert_eq!(
            router.unmap_topic("orders").unwrap().as_deref(),
            Some("legacy.orders")
        );
        assert_eq!(router.map_topic("orders").unwrap(), None, "not routed");
        assert!(
            router.needs() == towpath_plugin::Needs::none(),
            "records are never decoded for a router"
        );
    }

    #[test]
    fn every_mistake_is_reported_by_key() {
        let config = [
            ("regex", "legacy.("),
            ("replacement", "$"),
            ("reverse.regex", "(.*)"),
            ("reverse.replacement", "legacy.$2"),
        ];
        let errors = Harness::<RouteByRegex>::new(&config).err().unwrap();
        let keys: Vec<&str> = errors.iter().map(|error| error.key.as_str()).collect();
        assert_eq!(keys, ["regex", "replacement", "reverse.replacement"]);
    }

    #[test]
    fn the_way_back_is_required() {
        let errors = Harness::<RouteByRegex>::new(&REMAP[..2]).err().unwrap();
        let keys: Vec<&str> = errors.iter().map(|error| error.key.as_str()).collect();
        assert_eq!(keys, ["reverse.regex", "reverse.replacement"]);
    }
}
