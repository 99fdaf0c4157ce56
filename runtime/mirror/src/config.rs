//! The configuration of a `MirrorSource` connector: Connect's and MirrorMaker 2's keys where they have one.

use std::{num::NonZeroU64, time::Duration};

use regex::RegexSet;
use towpath_domain::config::{Config, Definition, Key, Presence, Problem, Shape, Values};
use towpath_wire::{Isolation, Security};

mod clusters;
mod transforms;

use crate::throttle::Limits;
use clusters::Target;

pub use clusters::Defaults;
pub use transforms::Transform;

/// Limits, which are changed without a restart.
pub const SOURCE_LIMIT: &str = "source.max.bytes.per.second";
pub const TARGET_LIMIT: &str = "target.max.bytes.per.second";

/// Every key of a `MirrorSource` connector besides `transforms.*`.
pub const DEFINITION: Definition = Definition {
    keys: &[
        Key {
            name: "name",
            shape: Shape::Text,
            presence: Presence::Optional,
            documentation: "the connector's name, the same as beside `config`",
        },
        Key {
            name: "connector.class",
            shape: Shape::OneOf(&["MirrorSource"]),
            presence: Presence::Required,
            documentation: "the kind of connector: MirrorSource",
        },
        Key {
            name: "tasks.max",
            shape: Shape::Int { min: 1, max: 1000 },
            presence: Presence::Default("1"),
            documentation: "most tasks that the partitions are divided among; one task is one core's work",
        },
        Key {
            name: "source.cluster.bootstrap.servers",
            shape: Shape::Servers,
            presence: Presence::Required,
            documentation: "brokers of the cluster to read from, host:port",
        },
        Key {
            name: "source.cluster.client.dns.lookup",
            shape: Shape::OneOf(&["use_all_dns_ips"]),
            presence: Presence::Default("use_all_dns_ips"),
            documentation: "use_all_dns_ips: all addresses of a name are tried, and it is resolved anew for each connection",
        },
        Key {
            name: "target.cluster.bootstrap.servers",
            shape: Shape::Servers,
            presence: Presence::Optional,
            documentation: "brokers of the cluster to write to, host:port; the worker's bootstrap.servers when missing",
        },
        Key {
            name: "target.cluster.client.dns.lookup",
            shape: Shape::OneOf(&["use_all_dns_ips"]),
            presence: Presence::Default("use_all_dns_ips"),
            documentation: "use_all_dns_ips: all addresses of a name are tried, and it is resolved anew for each connection",
        },
        Key {
            name: "topics",
            shape: Shape::List,
            presence: Presence::Required,
            documentation: "topics to mirror: regular expressions that match whole names, separated by commas",
        },
        Key {
            name: "topics.exclude",
            shape: Shape::List,
            presence: Presence::Default(r".*[\-\.]internal,.*\.replica,__.*"),
            documentation: "topics to leave out even when `topics` matches them",
        },
        Key {
            name: "refresh.topics.interval.seconds",
            shape: Shape::Int { min: 1, max: 86_400 },
            presence: Presence::Default("30"),
            documentation: "how often new topics and partitions are looked for, s; they are mirrored from their first record",
        },
        Key {
            name: "replication.factor",
            shape: Shape::Int { min: -1, max: 32_767 },
            presence: Presence::Default("-1"),
            documentation: "replicas of topics created on the target; -1: the target's default.replication.factor",
        },
        Key {
            name: "source.consumer.auto.offset.reset",
            shape: Shape::OneOf(&["earliest", "latest"]),
            presence: Presence::Default("earliest"),
            documentation: "where a partition without a stored position starts; topics and partitions that appear later start at their first record",
        },
        Key {
            name: "source.consumer.isolation.level",
            shape: Shape::OneOf(&["read_committed", "read_uncommitted"]),
            presence: Presence::Default("read_committed"),
            documentation: "read_committed: aborted records are left out, and nothing is mirrored past an open transaction",
        },
        Key {
            name: "source.consumer.fetch.max.bytes",
            shape: Shape::Int {
                min: 1024,
                max: 104_857_600,
            },
            presence: Presence::Default("4194304"),
            documentation: "most bytes of one fetch answer; a larger first batch still comes whole",
        },
        Key {
            name: "source.consumer.max.partition.fetch.bytes",
            shape: Shape::Int {
                min: 1024,
                max: 104_857_600,
            },
            presence: Presence::Default("1048576"),
            documentation: "most bytes of one partition in a fetch answer; a larger first batch still comes whole",
        },
        Key {
            name: "source.consumer.fetch.max.wait.ms",
            shape: Shape::Int { min: 1, max: 10_000 },
            presence: Presence::Default("500"),
            documentation: "how long the source holds a fetch back while there is nothing to read, ms",
        },
        Key {
            name: "source.consumer.client.rack",
            shape: Shape::Text,
            presence: Presence::Optional,
            documentation: "the rack this worker is in (the brokers' broker.rack): partitions are read from a replica in it, where the source's replica.selector.class provides for that",
        },
        Key {
            name: "source.consumer.metadata.max.age.ms",
            shape: Shape::Int {
                min: 1000,
                max: 86_400_000,
            },
            presence: Presence::Default("300000"),
            documentation: "after how long leaders are looked up again though nothing seems to have changed, and a replica that is read instead of the leader is chosen anew, ms",
        },
        Key {
            name: "target.producer.metadata.max.age.ms",
            shape: Shape::Int {
                min: 1000,
                max: 86_400_000,
            },
            presence: Presence::Default("300000"),
            documentation: "after how long leaders are looked up again though nothing seems to have changed, ms",
        },
        Key {
            name: "target.producer.buffer.memory",
            shape: Shape::Int {
                min: 1_048_576,
                max: 17_179_869_184,
            },
            presence: Presence::Default("12582912"),
            documentation: "bytes of a task between fetch and acknowledgement; a batch above it is admitted alone",
        },
        Key {
            name: SOURCE_LIMIT,
            shape: Shape::Int {
                min: 0,
                max: 1_000_000_000_000,
            },
            presence: Presence::Default("0"),
            documentation: "most bytes a second that the connector reads, all tasks together, as compressed as they are; 0: no limit. A file in which only this changes is applied without a restart",
        },
        Key {
            name: TARGET_LIMIT,
            shape: Shape::Int {
                min: 0,
                max: 1_000_000_000_000,
            },
            presence: Presence::Default("0"),
            documentation: "most bytes a second that the connector writes, all tasks together; 0: no limit. A file in which only this changes is applied without a restart",
        },
        Key {
            name: "plugin.instances",
            shape: Shape::Int { min: 1, max: 1024 },
            presence: Presence::Optional,
            documentation: "instances of the transformations per task, working on different partitions; cores divided by tasks when missing",
        },
        Key {
            name: "transforms",
            shape: Shape::List,
            presence: Presence::Optional,
            documentation: "aliases of transformations and routers, in order; each has transforms.<alias>.type",
        },
        Key {
            name: "errors.tolerance",
            shape: Shape::OneOf(&["none"]),
            presence: Presence::Default("none"),
            documentation: "none: a record that a plugin rejects or breaks on stops its partition",
        },
    ],
};

/// A `MirrorSource` connector's configuration, checked.
#[derive(Clone, Debug)]
pub struct MirrorSource {
    pub tasks_max: usize,
    pub source: Vec<String>,
    pub source_security: Security,
    pub target: Vec<String>,
    pub target_security: Security,
    pub topics: Selection,
    pub refresh_topics_interval: Duration,
    pub replication_factor: i16,
    pub start: Start,
    pub isolation: Isolation,
    pub fetch: Fetch,
    pub rack: Option<String>,
    pub source_metadata_max_age: Duration,
    pub target_metadata_max_age: Duration,
    pub buffer_memory: usize,
    pub limits: Limits,
    pub plugin_instances: Option<usize>,
    pub transforms: Vec<Transform>,
}

/// Which topics are mirrored.
#[derive(Clone, Debug)]
pub struct Selection {
    /// as written, to say which one matches nothing
    pub patterns: Vec<String>,
    include: RegexSet,
    exclude: RegexSet,
}

/// Where a partition without a stored position starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Earliest,
    Latest,
}

/// Sizes of a fetch.
#[derive(Clone, Copy, Debug)]
pub struct Fetch {
    pub max_bytes: usize,
    pub max_partition_bytes: i32,
    pub max_wait: Duration,
}

// === impl MirrorSource ===

impl MirrorSource {
    /// Checks a configuration; all mistakes at once. Reads what secrets refer to, and opens no store yet.
    pub fn parse(config: &Config, defaults: &Defaults) -> Result<Self, Vec<Problem>> {
        let (values, mut problems) = DEFINITION.parse(config, |key| {
            key.starts_with("transforms.")
                || is_later_kind(key)
                || clusters::is_security(key)
                || Security::owns(key)
        });
        for (key, value) in config.iter().filter(|(key, _)| is_later_kind(key)) {
            problems.push(Problem::new(
                key,
                Some(value),
                "this kind of plugin cannot be attached to a pipeline in this version",
                "remove the key; transformations and routers under `transforms` can be",
            ));
        }
        let topics = Selection::parse(&values, &mut problems);
        let transforms = transforms::parse(config, &values, &mut problems);
        let source_security = clusters::source(config, defaults, &mut problems);
        let target = clusters::target(config, &values, defaults, &mut problems);
        match topics {
            Some(topics) if problems.is_empty() => Ok(Self::from_values(
                &values,
                topics,
                source_security,
                target,
                transforms,
            )),
            _ => Err(problems),
        }
    }

    fn from_values(
        values: &Values,
        topics: Selection,
        source_security: Security,
        target: Target,
        transforms: Vec<Transform>,
    ) -> Self {
        let bytes = |key| usize::try_from(values.int(key)).unwrap_or(usize::MAX);
        let millis = |key| Duration::from_millis(values.int(key).unsigned_abs());
        Self {
            tasks_max: bytes("tasks.max"),
            source: values.list("source.cluster.bootstrap.servers"),
            source_security,
            target: target.servers,
            target_security: target.security,
            topics,
            refresh_topics_interval: Duration::from_secs(
                values.int("refresh.topics.interval.seconds").unsigned_abs(),
            ),
            replication_factor: values.int("replication.factor") as i16,
            start: match values.text("source.consumer.auto.offset.reset") {
                "latest" => Start::Latest,
                _ => Start::Earliest,
            },
            isolation: match values.text("source.consumer.isolation.level") {
                "read_uncommitted" => Isolation::ReadUncommitted,
                _ => Isolation::ReadCommitted,
            },
            fetch: Fetch {
                max_bytes: bytes("source.consumer.fetch.max.bytes"),
                max_partition_bytes: values.int("source.consumer.max.partition.fetch.bytes") as i32,
                max_wait: millis("source.consumer.fetch.max.wait.ms"),
            },
            rack: values.get("source.consumer.client.rack").map(str::to_owned),
            source_metadata_max_age: millis("source.consumer.metadata.max.age.ms"),
            target_metadata_max_age: millis("target.producer.metadata.max.age.ms"),
            buffer_memory: bytes("target.producer.buffer.memory"),
            limits: Limits {
                source: rate(values, SOURCE_LIMIT),
                target: rate(values, TARGET_LIMIT),
            },
            plugin_instances: values.get("plugin.instances").map(|_| bytes("plugin.instances")),
            transforms,
        }
    }
}

// === impl Selection ===

impl Selection {
    fn parse(values: &Values, problems: &mut Vec<Problem>) -> Option<Self> {
        let patterns = values.list("topics");
        let include = regexes("topics", &patterns, problems)?;
        let exclude = regexes("topics.exclude", &values.list("topics.exclude"), problems)?;
        Some(Self {
            patterns,
            include,
            exclude,
        })
    }

    pub fn contains(&self, topic: &str) -> bool {
        self.include.is_match(topic) && !self.exclude.is_match(topic)
    }

    /// The patterns that none of the topics matches.
    pub fn unmatched<'a>(&self, topics: impl Iterator<Item = &'a str>) -> Vec<&str> {
        let mut seen = vec![false; self.patterns.len()];
        for topic in topics.filter(|topic| !self.exclude.is_match(topic)) {
            for index in self.include.matches(topic) {
                seen[index] = true;
            }
        }
        self.patterns
            .iter()
            .zip(seen)
            .filter(|(_, seen)| !seen)
            .map(|(pattern, _)| pattern.as_str())
            .collect()
    }
}

/// None for 0, which is no limit.
fn rate(values: &Values, key: &str) -> Option<NonZeroU64> {
    NonZeroU64::new(values.int(key).unsigned_abs())
}

fn regexes(key: &str, patterns: &[String], problems: &mut Vec<Problem>) -> Option<RegexSet> {
    let before = problems.len();
    for pattern in patterns {
        if let Err(error) = regex::Regex::new(&whole(pattern)) {
            let message = format!("not a regular expression: {}", last_line(&error.to_string()));
            problems.push(Problem::new(
                key,
                Some(pattern),
                message,
                "correct it; a literal name needs no escapes but for its dots",
            ));
        }
    }
    if problems.len() > before {
        None
    } else {
        RegexSet::new(patterns.iter().map(|pattern| whole(pattern))).ok()
    }
}

/// A pattern matches whole names, as in MirrorMaker 2.
fn whole(pattern: &str) -> String {
    format!("^(?:{pattern})$")
}

/// The regex crate draws a picture over several lines; the last one is the sentence.
fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or(text).trim_start_matches("error: ")
}

fn is_later_kind(key: &str) -> bool {
    ["predicates", "validators", "schema.checkers", "acl.checkers"]
        .iter()
        .any(|kind| {
            key.strip_prefix(kind)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
}

#[cfg(test)]
mod tests;
