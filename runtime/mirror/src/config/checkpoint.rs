//! The configuration of a `MirrorCheckpoint` connector: MirrorMaker 2's keys where it has one.

use std::time::Duration;

use towpath_domain::config::{Config, Definition, Key, Presence, Problem, Shape, Values};
use towpath_wire::Security;

use super::{
    Defaults, Selection,
    clusters::{self, SOURCE, TARGET},
    keys::{CLASSES, NAME, SOURCE_DNS, TARGET_DNS},
};

const GROUPS: &str = "groups";
const GROUPS_EXCLUDE: &str = "groups.exclude";
const SYNC_INTERVAL: &str = "sync.group.offsets.interval.seconds";
const REFRESH_INTERVAL: &str = "refresh.groups.interval.seconds";

/// A `MirrorCheckpoint` connector's configuration, checked.
#[derive(Clone, Debug)]
pub struct MirrorCheckpoint {
    pub source: Vec<String>,
    pub source_security: Security,
    pub target: Vec<String>,
    pub target_security: Security,
    pub groups: Selection,
    pub sync_interval: Duration,
    pub refresh_groups_interval: Duration,
}

/// Every key of a `MirrorCheckpoint` connector.
pub const CHECKPOINT_DEFINITION: Definition = Definition {
    keys: &[
        NAME,
        Key {
            name: "connector.class",
            shape: Shape::OneOf(CLASSES),
            presence: Presence::Required,
            documentation: "the kind of connector; here MirrorCheckpoint",
        },
        Key {
            name: "source.cluster.bootstrap.servers",
            shape: Shape::Servers,
            presence: Presence::Required,
            documentation: "brokers of the cluster that the groups are in now, host:port",
        },
        SOURCE_DNS,
        Key {
            name: "target.cluster.bootstrap.servers",
            shape: Shape::Servers,
            presence: Presence::Optional,
            documentation: "brokers of the cluster to commit to, host:port; the worker's bootstrap.servers when missing",
        },
        TARGET_DNS,
        Key {
            name: GROUPS,
            shape: Shape::List,
            presence: Presence::Default(".*"),
            documentation: "groups whose committed offsets are synced: regular expressions that match whole names, separated by commas",
        },
        Key {
            name: GROUPS_EXCLUDE,
            shape: Shape::List,
            presence: Presence::Default("console-consumer-.*,connect-.*,__.*"),
            documentation: "groups to leave out even when `groups` matches them",
        },
        Key {
            name: SYNC_INTERVAL,
            shape: Shape::Int { min: 1, max: 86_400 },
            presence: Presence::Default("1"),
            documentation: "how often committed offsets are read and synced, s (MirrorMaker 2's default is 60)",
        },
        Key {
            name: REFRESH_INTERVAL,
            shape: Shape::Int { min: 1, max: 86_400 },
            presence: Presence::Default("30"),
            documentation: "how often new groups are looked for, s (MirrorMaker 2's default is 600)",
        },
    ],
};

// === impl MirrorCheckpoint ===

impl MirrorCheckpoint {
    /// Checks a configuration; all mistakes at once. Reads what secrets refer to, and opens no store yet.
    pub fn parse(config: &Config, defaults: &Defaults) -> Result<Self, Vec<Problem>> {
        let of_cluster = |key: &str| {
            let name = key.strip_prefix(SOURCE).or_else(|| key.strip_prefix(TARGET));
            Security::owns(name.unwrap_or(key))
        };
        let (values, mut problems) = CHECKPOINT_DEFINITION.parse(config, of_cluster);
        let groups = Selection::of(&values, (GROUPS, GROUPS_EXCLUDE), &mut problems);
        let source_security = clusters::source(config, defaults, &mut problems);
        let target = clusters::target(config, &values, defaults, &mut problems);
        match groups {
            Some(groups) if problems.is_empty() => Ok(Self {
                source: values.list("source.cluster.bootstrap.servers"),
                source_security,
                target: target.servers,
                target_security: target.security,
                groups,
                sync_interval: seconds(&values, SYNC_INTERVAL),
                refresh_groups_interval: seconds(&values, REFRESH_INTERVAL),
            }),
            _ => Err(problems),
        }
    }
}

fn seconds(values: &Values, key: &str) -> Duration {
    Duration::from_secs(values.int(key).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Class;

    fn parse(more: &[(&str, &str)]) -> Result<Class, Vec<String>> {
        let good = [
            ("connector.class", "MirrorCheckpoint"),
            ("source.cluster.bootstrap.servers", "a:1"),
            ("target.cluster.bootstrap.servers", "b:2"),
        ];
        let pairs = good.iter().chain(more);
        let config = pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Class::parse(&config.collect(), &Defaults::default())
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn groups_match_whole_names_and_tools_are_left_out() {
        let Ok(Class::MirrorCheckpoint(parsed)) = parse(&[]) else {
            panic!("it is right");
        };
        assert!(parsed.groups.contains("billing") && parsed.groups.contains("my-connect-group"));
        for tool in ["console-consumer-123", "connect-jdbc", "__internal"] {
            assert!(!parsed.groups.contains(tool), "{tool}");
        }
        assert_eq!(parsed.sync_interval, Duration::from_secs(1));
        assert_eq!(parsed.refresh_groups_interval, Duration::from_secs(30));
        let Ok(Class::MirrorCheckpoint(parsed)) = parse(&[("groups", "billing,audit-.*")]) else {
            panic!("it is right");
        };
        assert!(parsed.groups.contains("audit-1") && !parsed.groups.contains("billing-2"));
    }

    #[test]
    fn every_mistake_is_reported_at_once_with_field_value_and_remedy() {
        let problems = parse(&[
            ("groups", "(open"),
            ("group.exclude", "x"),
            ("sync.group.offsets.interval.seconds", "0"),
            ("refresh.groups.interval.seconds", "often"),
            ("ssl.truststore.location", "/x"),
            ("topics", "orders"),
        ]);
        assert_eq!(
            problems.expect_err("wrong"),
            [
                r#"group.exclude = "x": unknown key; did you mean "groups.exclude"?"#,
                r#"topics = "orders": unknown key; remove it, or see the list of keys in the documentation"#,
                r#"sync.group.offsets.interval.seconds = "0": out of range; write a whole number from 1 to 86400"#,
                r#"refresh.groups.interval.seconds = "often": not a whole number; write a whole number from 1 to 86400"#,
                r#"groups = "(open": not a regular expression: unclosed group; correct it; a literal name needs no escapes but for its dots"#,
                "ssl.truststore.location: is about one of two clusters, and does not say which; write source.cluster.ssl.truststore.location, or target.cluster.ssl.truststore.location",
            ]
        );
    }

    #[test]
    fn an_unknown_class_lists_those_that_there_are() {
        let problems = parse(&[("connector.class", "MirrorHeartbeat"), ("topics", "orders")]);
        assert_eq!(
            problems.expect_err("wrong"),
            [
                r#"connector.class = "MirrorHeartbeat": not one of the choices; write one of MirrorSource, MirrorCheckpoint"#
            ]
        );
    }
}
