//! The configuration of connectors: Connect's and MirrorMaker 2's keys where they have one.

use std::{num::NonZeroU64, time::Duration};

use regex::RegexSet;
use serde::Serialize;
use towpath_domain::config::{Config, Problem, Values};
use towpath_wire::{Isolation, Security};

mod checkpoint;
mod clusters;
mod errors;
mod keys;
mod plugins;
mod registries;
mod start;

use crate::throttle::Limits;
use clusters::Target;

pub use checkpoint::{CHECKPOINT_DEFINITION, MirrorCheckpoint};
pub use clusters::Defaults;
pub use errors::{DeadLetters, Errors, Tolerance};
pub(crate) use keys::START;
pub use keys::{DEFINITION, SOURCE_LIMIT, TARGET_LIMIT};
pub use plugins::{Attached, Condition, OnReject, Plugins, Transform, Validator};
pub use registries::Registries;
pub use start::{Start, Starts};

/// A connector's configuration, checked, by its `connector.class`.
#[derive(Clone, Debug)]
pub enum Class {
    MirrorSource(Box<MirrorSource>),
    MirrorCheckpoint(Box<MirrorCheckpoint>),
}

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
    pub starts: Starts,
    pub delivery: Delivery,
    pub offsets: Offsets,
    pub isolation: Isolation,
    pub fetch: Fetch,
    pub rack: Option<String>,
    pub source_metadata_max_age: Duration,
    pub target_metadata_max_age: Duration,
    pub buffer_memory: usize,
    pub limits: Limits,
    pub plugin_instances: Option<usize>,
    pub plugins: Plugins,
    pub errors: Errors,
    pub checkers_interval: Duration,
    /// subjects that are checked beside those of the topics
    pub subjects: Option<Selection>,
    pub registries: Registries,
}

/// How often a record may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// once where that is possible; `required`: or not at all
    ExactlyOnce {
        required: bool,
    },
    AtLeastOnce,
}

/// Which offsets records have on the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Offsets {
    /// by topic: the source's where that is possible and cheap
    Auto,
    /// the next ones; a map says which
    Translate,
    /// the source's
    Preserve,
}

/// Which topics are mirrored, or which groups synced.
#[derive(Clone, Debug)]
pub struct Selection {
    /// as written, to say which one matches nothing
    pub patterns: Vec<String>,
    include: RegexSet,
    exclude: RegexSet,
}

/// Sizes of a fetch.
#[derive(Clone, Copy, Debug)]
pub struct Fetch {
    pub max_bytes: usize,
    pub max_partition_bytes: i32,
    pub max_wait: Duration,
}

// === impl Class ===

impl Class {
    /// Checks a configuration; all mistakes at once. One of an unknown class is checked as that of a `MirrorSource`.
    pub fn parse(config: &Config, defaults: &Defaults) -> Result<Self, Vec<Problem>> {
        match config.get("connector.class").map(|class| class.trim()) {
            Some("MirrorCheckpoint") => MirrorCheckpoint::parse(config, defaults)
                .map(|checkpoint| Self::MirrorCheckpoint(Box::new(checkpoint))),
            _ => MirrorSource::parse(config, defaults).map(|source| Self::MirrorSource(Box::new(source))),
        }
    }
}

// === impl MirrorSource ===

impl MirrorSource {
    /// Checks a configuration; all mistakes at once. Reads what secrets refer to, and opens no store yet.
    pub fn parse(config: &Config, defaults: &Defaults) -> Result<Self, Vec<Problem>> {
        let (values, mut problems) = DEFINITION.parse(config, |key| {
            Plugins::owns(key) || clusters::is_cluster(key) || Security::owns(key)
        });
        let topics = Selection::of(&values, ("topics", "topics.exclude"), &mut problems);
        let starts = Starts::parse(&values, &mut problems);
        check_delivery(&values, &mut problems);
        let plugins = Plugins::parse(config, &values, &mut problems);
        let errors = Errors::parse(&values, &plugins, &mut problems);
        let registries = Registries::parse(config, defaults, &plugins, &mut problems);
        let subjects = Selection::subjects(&values, &mut problems);
        let source_security = clusters::source(config, defaults, &mut problems);
        let target = clusters::target(config, &values, defaults, &mut problems);
        match topics.zip(starts) {
            Some(topics) if problems.is_empty() => Ok(Self::from_values(
                &values,
                topics,
                source_security,
                target,
                (plugins, errors),
                (registries, subjects),
            )),
            _ => Err(problems),
        }
    }

    fn from_values(
        values: &Values,
        (topics, starts): (Selection, Starts),
        source_security: Security,
        target: Target,
        (plugins, errors): (Plugins, Errors),
        (registries, subjects): (Registries, Option<Selection>),
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
            starts,
            delivery: match values.text(keys::GUARANTEE) {
                "at-least-once" => Delivery::AtLeastOnce,
                _ => Delivery::ExactlyOnce {
                    required: values.text(keys::EXACTLY_ONCE) == "required",
                },
            },
            offsets: match values.text(keys::OFFSETS) {
                "preserve" => Offsets::Preserve,
                "translate" => Offsets::Translate,
                _ => Offsets::Auto,
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
            plugins,
            errors,
            checkers_interval: Duration::from_secs(values.int("checkers.interval.seconds").unsigned_abs()),
            subjects,
            registries,
        }
    }
}

// === impl Selection ===

impl Selection {
    /// Of what the first key includes, without what the second one excludes.
    fn of(values: &Values, keys: (&str, &str), problems: &mut Vec<Problem>) -> Option<Self> {
        let patterns = values.list(keys.0);
        let include = regexes(keys.0, &patterns, problems)?;
        let exclude = regexes(keys.1, &values.list(keys.1), problems)?;
        Some(Self {
            patterns,
            include,
            exclude,
        })
    }

    /// `schema.subjects`
    fn subjects(values: &Values, problems: &mut Vec<Problem>) -> Option<Self> {
        let patterns = values.list(keys::SUBJECTS);
        if patterns.is_empty() {
            return None;
        }
        Some(Self {
            include: regexes(keys::SUBJECTS, &patterns, problems)?,
            exclude: RegexSet::empty(),
            patterns,
        })
    }

    pub fn contains(&self, name: &str) -> bool {
        self.include.is_match(name) && !self.exclude.is_match(name)
    }

    /// The patterns that none of the topics matches.
    pub fn unmatched<'a>(&self, topics: impl Iterator<Item = &'a str>) -> Vec<&str> {
        let topics = topics.filter(|topic| !self.exclude.is_match(topic));
        unmatched(&self.include, self.patterns.iter(), topics)
    }
}

/// The patterns of a set that none of the topics matches.
fn unmatched<'p, 't>(
    set: &RegexSet,
    patterns: impl Iterator<Item = &'p String>,
    topics: impl Iterator<Item = &'t str>,
) -> Vec<&'p str> {
    let mut seen = vec![false; set.len()];
    for topic in topics {
        for index in set.matches(topic) {
            seen[index] = true;
        }
    }
    let patterns = patterns.zip(seen).filter(|(_, seen)| !seen);
    patterns.map(|(pattern, _)| pattern.as_str()).collect()
}

fn check_delivery(values: &Values, problems: &mut Vec<Problem>) {
    if values.text(keys::OFFSETS) == "preserve" && values.text(keys::GUARANTEE) == "at-least-once" {
        problems.push(Problem::new(
            keys::OFFSETS,
            Some("preserve"),
            format!(
                "{} is at-least-once: a record that is doubled moves all behind it",
                keys::GUARANTEE
            ),
            "leave one of both out",
        ));
    }
    if values.text(keys::EXACTLY_ONCE) == "required" && values.text(keys::GUARANTEE) == "at-least-once" {
        problems.push(Problem::new(
            keys::GUARANTEE,
            Some("at-least-once"),
            format!("{} is required", keys::EXACTLY_ONCE),
            "leave one of both out",
        ));
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

#[cfg(test)]
mod tests;
