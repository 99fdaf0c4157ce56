//! What a plugin is called with.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;

use crate::{
    Acls, Header, Record, Subjects, bytes,
    checks::{avro, text},
};

/// The kinds of plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Transformation,
    Router,
    Predicate,
    Validator,
    SchemaChecker,
    AclChecker,
}

/// What a plugin is called with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Of transformations and predicates.
    Records(Records),
    /// Of routers.
    Topics(Topics),
    /// Of validators.
    Pairs(Pairs),
    /// Of schema checkers.
    Subjects(Subjects),
    /// Of ACL checkers.
    Acls(Acls),
}

/// `{"topic", "partition", "timestamp-type", "records": [{"offset", "timestamp", "key", "value", "headers": [{"key", "value"}]}]}`: one batch. All but
/// `records` may be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    /// `test` when left out
    pub topic: String,
    /// 0 when left out
    pub partition: u32,
    /// `create-time` when left out
    pub timestamp_type: TimestampType,
    /// At least one.
    pub records: Vec<Record>,
    /// What the registries hold, for plugins that ask them: nothing when left out.
    pub registry: Registry,
}

/// `{"ids": {"7": 12}, "source": {"7": schema}, "target": {"12": schema}}`, beside `records`: each may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// The target's ids by the source's.
    #[serde(default)]
    pub ids: BTreeMap<u32, u32>,
    #[serde(default)]
    pub source: BTreeMap<u32, Schema>,
    #[serde(default)]
    pub target: BTreeMap<u32, Schema>,
}

/// `{"schema-type", "schema", "references": [["name", "schema"]]}`: all but `schema` may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Schema {
    /// `AVRO` when left out
    #[serde(default = "avro")]
    pub schema_type: String,
    /// A text, or JSON that becomes one.
    #[serde(deserialize_with = "text")]
    pub schema: String,
    #[serde(default)]
    pub references: Vec<(String, String)>,
}

/// `{"map": ["topic"], "unmap": ["topic"]}`; either may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topics {
    /// Asked for their names on the target.
    #[serde(default)]
    pub map: Vec<String>,
    /// Asked for their names at the source.
    #[serde(default)]
    pub unmap: Vec<String>,
}

/// `{"topic", "partition", "timestamp-type", "target": {"topic", "timestamp-type", "offsets"}, "pairs": [{"source": record, "target": record}]}`. All but `pairs`
/// may be left out, and so may one side of a pair, or be null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairs {
    /// The source batch: the records of all pairs that have one, in order.
    pub source: Records,
    /// The target batch. Its topic and timestamp type are the source's when left out.
    pub target: Records,
    /// False: the target's records are about to be written, and have no offsets; true (`"offsets": true`): they were read back.
    pub target_offsets: bool,
    pub pairs: Vec<Pair>,
}

/// A record of the source and what became of it, by index into the batches. Never both are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    pub source: Option<u32>,
    pub target: Option<u32>,
}

/// Where timestamps come from (KIP-32): `create-time` or `log-append-time`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimestampType {
    #[default]
    CreateTime,
    LogAppendTime,
}

/// A batch as in the file.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct RecordsFile {
    #[serde(default = "test_topic")]
    topic: String,
    #[serde(default)]
    partition: u32,
    #[serde(default)]
    timestamp_type: TimestampType,
    records: Vec<RecordFile>,
    #[serde(default)]
    registry: Registry,
}

/// Pairs as in the file.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct PairsFile {
    #[serde(default = "test_topic")]
    topic: String,
    #[serde(default)]
    partition: u32,
    #[serde(default)]
    timestamp_type: TimestampType,
    #[serde(default)]
    target: TargetFile,
    pairs: Vec<PairFile>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct TargetFile {
    topic: Option<String>,
    timestamp_type: Option<TimestampType>,
    #[serde(default)]
    offsets: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PairFile {
    source: Option<RecordFile>,
    target: Option<RecordFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordFile {
    offset: Option<i64>,
    #[serde(default)]
    timestamp: i64,
    #[serde(default, with = "bytes")]
    key: Option<Vec<u8>>,
    #[serde(default, with = "bytes")]
    value: Option<Vec<u8>>,
    #[serde(default)]
    headers: Vec<Header>,
}

fn test_topic() -> String {
    "test".to_owned()
}

// === impl Kind ===

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transformation => "transformation",
            Self::Router => "router",
            Self::Predicate => "predicate",
            Self::Validator => "validator",
            Self::SchemaChecker => "schema-checker",
            Self::AclChecker => "acl-checker",
        })
    }
}

// === impl RecordsFile ===

impl RecordsFile {
    /// The error is a field and what is wrong with it.
    pub(crate) fn into_records(self) -> Result<Records, (String, String)> {
        let mut records = Vec::with_capacity(self.records.len());
        for (index, record) in self.records.into_iter().enumerate() {
            record.append_to(&mut records, &format!("records[{index}]"))?;
        }
        if records.is_empty() {
            return Err(("records".to_owned(), "a batch has at least one record".to_owned()));
        }
        Ok(Records {
            topic: self.topic,
            partition: self.partition,
            timestamp_type: self.timestamp_type,
            records,
            registry: self.registry,
        })
    }
}

// === impl PairsFile ===

impl PairsFile {
    /// The error is a field and what is wrong with it.
    pub(crate) fn into_pairs(self) -> Result<Pairs, (String, String)> {
        let (mut source, mut target, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
        let push = |record: Option<RecordFile>, records: &mut Vec<Record>, field: String| {
            let index = records.len() as u32;
            record
                .map(|record| record.append_to(records, &field).map(|()| index))
                .transpose()
        };
        for (index, pair) in self.pairs.into_iter().enumerate() {
            if pair.source.is_none() && pair.target.is_none() {
                return Err((
                    format!("pairs[{index}]"),
                    "has neither a source nor a target".to_owned(),
                ));
            }
            if !self.target.offsets && pair.target.as_ref().is_some_and(|record| record.offset.is_some()) {
                let message = "a record about to be written has none; \"target\": {\"offsets\": true} is for records read back";
                return Err((format!("pairs[{index}].target.offset"), message.to_owned()));
            }
            pairs.push(Pair {
                source: push(pair.source, &mut source, format!("pairs[{index}].source"))?,
                target: push(pair.target, &mut target, format!("pairs[{index}].target"))?,
            });
        }
        if pairs.is_empty() {
            return Err(("pairs".to_owned(), "there is at least one".to_owned()));
        }
        let target = Records {
            topic: self.target.topic.unwrap_or_else(|| self.topic.clone()),
            partition: self.partition,
            timestamp_type: self.target.timestamp_type.unwrap_or(self.timestamp_type),
            records: target,
            registry: Registry::default(),
        };
        let source = Records {
            topic: self.topic,
            partition: self.partition,
            timestamp_type: self.timestamp_type,
            records: source,
            registry: Registry::default(),
        };
        Ok(Pairs {
            source,
            target,
            target_offsets: self.target.offsets,
            pairs,
        })
    }
}

// === impl RecordFile ===

impl RecordFile {
    fn append_to(self, records: &mut Vec<Record>, field: &str) -> Result<(), (String, String)> {
        let next = records.last().map_or(0, |last: &Record| last.offset + 1);
        let offset = self.offset.unwrap_or(next);
        if offset < next {
            let message = format!("offsets ascend from 0: at least {next}");
            return Err((format!("{field}.offset"), message));
        }
        records.push(Record {
            offset,
            timestamp: self.timestamp,
            key: self.key,
            value: self.value,
            headers: self.headers,
        });
        Ok(())
    }
}
