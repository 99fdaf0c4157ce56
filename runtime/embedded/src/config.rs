//! Configurations of topics and brokers: what there is, Kafka 4.3.1's defaults, and what a value may be.

use std::collections::BTreeMap;

use towpath_wire::batch::{Compression, TimestampType};

mod broker;
mod topic;

pub(crate) use broker::BROKER;
pub(crate) use topic::TOPIC;

/// One key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: Option<&'static str>,
    /// The broker's key that a topic's key falls back to.
    pub(crate) broker: Option<&'static str>,
    check: Check,
}

/// As DescribeConfigs numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub(crate) enum Kind {
    Boolean = 1,
    String = 2,
    Int = 3,
    Long = 5,
    Double = 6,
    List = 7,
    Class = 8,
}

/// What a value may be beyond its kind.
#[derive(Clone, Copy, Debug)]
enum Check {
    Any,
    AtLeast(i64),
    OneOf(&'static [&'static str]),
}

/// Where a value comes from, as DescribeConfigs numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub(crate) enum Source {
    Topic = 1,
    Broker = 2,
    BrokerDefault = 3,
    Static = 4,
    Default = 5,
}

/// The configurations of brokers.
#[derive(Clone, Debug, Default)]
pub(crate) struct BrokerConfigs {
    /// What the cluster was started with.
    pub(crate) fixed: BTreeMap<String, String>,
    /// Altered for all brokers at once.
    pub(crate) default: BTreeMap<String, String>,
    /// Altered for one broker.
    pub(crate) own: BTreeMap<i32, BTreeMap<String, String>>,
}

/// A topic's configuration as produce and retention need it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) max_message_bytes: usize,
    /// `None`: as the producer compressed it.
    pub(crate) compression: Option<Compression>,
    pub(crate) timestamp_type: TimestampType,
    /// `None`: however old.
    pub(crate) timestamp_before_max_ms: Option<i64>,
    pub(crate) timestamp_after_max_ms: i64,
    pub(crate) compacts: bool,
    pub(crate) deletes: bool,
    pub(crate) retention_ms: Option<i64>,
    pub(crate) retention_bytes: Option<u64>,
    pub(crate) min_insync_replicas: usize,
}

// === impl Definition ===

impl Definition {
    const fn new(name: &'static str, kind: Kind, default: &'static str) -> Self {
        Self {
            name,
            kind,
            default: Some(default),
            broker: None,
            check: Check::Any,
        }
    }

    const fn broker(mut self, name: &'static str) -> Self {
        self.broker = Some(name);
        self
    }

    const fn at_least(mut self, least: i64) -> Self {
        self.check = Check::AtLeast(least);
        self
    }

    const fn one_of(mut self, values: &'static [&'static str]) -> Self {
        self.check = Check::OneOf(values);
        self
    }

    /// Why a value is not one of this key's, in Kafka's words.
    pub(crate) fn refuse(&self, value: &str) -> Option<String> {
        let invalid = |why: &str| {
            Some(format!(
                "Invalid value {value} for configuration {}: {why}",
                self.name
            ))
        };
        let number = value.trim().parse::<i64>();
        match self.kind {
            Kind::Boolean if !value.eq_ignore_ascii_case("true") && !value.eq_ignore_ascii_case("false") => {
                return invalid("Expected value to be either true or false");
            }
            Kind::Int
                if number
                    .as_ref()
                    .map_or(true, |number| i32::try_from(*number).is_err()) =>
            {
                return invalid("Not a number of type INT");
            }
            Kind::Long if number.is_err() => return invalid("Not a number of type LONG"),
            Kind::Double if value.trim().parse::<f64>().is_err() => {
                return invalid("Not a number of type DOUBLE");
            }
            _ => {}
        }
        match self.check {
            Check::AtLeast(least) if number.is_ok_and(|number| number < least) => {
                invalid(&format!("Value must be at least {least}"))
            }
            Check::OneOf(values) => {
                let mut parts: Vec<&str> = vec![value];
                if self.kind == Kind::List {
                    parts = value.split(',').map(str::trim).collect();
                }
                let wrong = parts.iter().any(|part| !values.contains(part));
                wrong.then(|| invalid(&format!("String must be one of: {}", values.join(", "))))?
            }
            _ => None,
        }
    }
}

/// A topic's key.
pub(crate) fn topic_key(name: &str) -> Option<&'static Definition> {
    TOPIC.iter().find(|definition| definition.name == name)
}

/// A broker's key.
pub(crate) fn broker_key(name: &str) -> Option<&'static Definition> {
    BROKER.iter().find(|definition| definition.name == name)
}

// === impl BrokerConfigs ===

impl BrokerConfigs {
    /// A broker's value and where it comes from. `None` when nobody has set it and it has no default.
    pub(crate) fn get(&self, broker: i32, key: &str) -> Option<(&str, Source)> {
        let own = self.own.get(&broker).and_then(|own| own.get(key));
        own.map(|value| (value.as_str(), Source::Broker))
            .or_else(|| {
                self.default
                    .get(key)
                    .map(|value| (value.as_str(), Source::BrokerDefault))
            })
            .or_else(|| self.fixed.get(key).map(|value| (value.as_str(), Source::Static)))
            .or_else(|| Some((broker_key(key)?.default?, Source::Default)))
    }

    /// Every value that a broker's key has, the one in force first.
    pub(crate) fn layers(&self, broker: i32, key: &'static str) -> Vec<(&'static str, String, Source)> {
        let own = self.own.get(&broker).and_then(|own| own.get(key));
        let default = broker_key(key).and_then(|definition| definition.default);
        let layers = [
            (own.map(String::as_str), Source::Broker),
            (self.default.get(key).map(String::as_str), Source::BrokerDefault),
            (self.fixed.get(key).map(String::as_str), Source::Static),
            (default, Source::Default),
        ];
        let set = layers
            .into_iter()
            .filter_map(|(value, source)| Some((key, value?.to_owned(), source)));
        set.collect()
    }

    /// A value of the cluster: the same for every broker.
    pub(crate) fn cluster(&self, key: &str) -> &str {
        self.get(-1, key).map_or("", |(value, _)| value)
    }

    /// A number of the cluster, by the default when the value is none.
    pub(crate) fn number(&self, key: &str) -> i64 {
        let default = || broker_key(key)?.default?.parse().ok();
        self.cluster(key)
            .trim()
            .parse()
            .ok()
            .or_else(default)
            .unwrap_or(0)
    }

    pub(crate) fn is_true(&self, key: &str) -> bool {
        self.cluster(key).eq_ignore_ascii_case("true")
    }

    /// A topic's value: its own, a broker's, or the default.
    pub(crate) fn topic<'a>(
        &'a self,
        own: &'a BTreeMap<String, String>,
        broker: i32,
        definition: &'static Definition,
    ) -> (&'a str, Source) {
        if let Some(value) = own.get(definition.name) {
            return (value, Source::Topic);
        }
        let set = definition.broker.and_then(|key| self.get(broker, key));
        match set {
            Some((value, source)) if source != Source::Default => (value, source),
            _ => (definition.default.unwrap_or(""), Source::Default),
        }
    }
}

// === impl Settings ===

impl Settings {
    pub(crate) fn of(own: &BTreeMap<String, String>, brokers: &BrokerConfigs) -> Self {
        let value =
            |name: &str| topic_key(name).map_or("", |definition| brokers.topic(own, -1, definition).0);
        let number = |name: &str| value(name).trim().parse::<i64>().unwrap_or(-1);
        let limit = |name: &str| Some(number(name)).filter(|number| *number >= 0);
        let policies = value("cleanup.policy");
        let has = |policy: &str| policies.split(',').any(|part| part.trim() == policy);
        let compression = value("compression.type");
        Self {
            max_message_bytes: limit("max.message.bytes").unwrap_or(0) as usize,
            compression: match compression {
                "uncompressed" => Some(Compression::None),
                name => Compression::ALL.into_iter().find(|codec| codec.as_str() == name),
            },
            timestamp_type: if value("message.timestamp.type") == "LogAppendTime" {
                TimestampType::LogAppendTime
            } else {
                TimestampType::CreateTime
            },
            timestamp_before_max_ms: limit("message.timestamp.before.max.ms").filter(|ms| *ms != i64::MAX),
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            compacts: has("compact"),
            deletes: has("delete"),
            retention_ms: limit("retention.ms"),
            retention_bytes: limit("retention.bytes").map(|bytes| bytes as u64),
            min_insync_replicas: limit("min.insync.replicas").unwrap_or(1) as usize,
        }
    }
}
