//! Offsets as a body, held against MirrorMaker 2's shape with its sentences (`MirrorUtils`).

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::super::error::Error;
use crate::herder::{Offset, SourceOffset, SourcePartition};

/// Positions to set or to take away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AlterOffsets {
    /// each partition once
    #[serde(default)]
    #[schema(required, min_items = 1)]
    offsets: Vec<Entry>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = AlterOffset)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[schema(value_type = SourcePartition)]
    partition: Map<String, Value>,
    /// `null` takes it away; it must be there, so that nothing is taken away by a slip
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(value_type = Option<SourceOffset>, required)]
    offset: Option<Map<String, Value>>,
}

// === impl AlterOffsets ===

impl AlterOffsets {
    /// All mistakes at once.
    pub(super) fn offsets(self) -> Result<Vec<Offset>, Error> {
        if self.offsets.is_empty() {
            return Err(Error::bad_request(
                "Partitions / offsets need to be provided for an alter offsets request",
            ));
        }
        let mut offsets = Vec::new();
        let mut seen = BTreeSet::new();
        let mut mistakes = Vec::new();
        for entry in &self.offsets {
            match entry.offset() {
                Ok(offset) if seen.insert(offset.partition.clone()) => offsets.push(offset),
                Ok(_) => mistakes.push(format!(
                    "Source partition {} is there twice: give it one offset",
                    java(&entry.partition)
                )),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if mistakes.is_empty() {
            Ok(offsets)
        } else {
            Err(Error::bad_request(mistakes.join("\n")))
        }
    }
}

// === impl Entry ===

impl Entry {
    fn offset(&self) -> Result<Offset, String> {
        let subject = format!("Source partition {}", java(&self.partition));
        known(&subject, &self.partition, &["cluster", "topic", "partition"])?;
        let partition = SourcePartition {
            cluster: string(&subject, &self.partition, "cluster")?,
            topic: string(&subject, &self.partition, "topic")?,
            partition: integer(&subject, &self.partition, "partition")?,
        };
        let offset = match &self.offset {
            None => None,
            Some(offset) => {
                let subject = format!(
                    "Source offset {} for source partition {}",
                    java(offset),
                    java(&self.partition)
                );
                known(&subject, offset, &["offset"])?;
                Some(SourceOffset {
                    offset: integer(&subject, offset, "offset")?,
                })
            }
        };
        Ok(Offset { partition, offset })
    }
}

fn known(subject: &str, map: &Map<String, Value>, keys: &[&str]) -> Result<(), String> {
    for key in keys {
        if map.get(*key).is_none_or(Value::is_null) {
            return Err(format!("{subject} is missing the '{key}' key, which is required"));
        }
    }
    match map.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(format!(
            "{subject} has the key '{key}', which is unknown: write {}",
            keys.join(", ")
        )),
        None => Ok(()),
    }
}

fn string(subject: &str, map: &Map<String, Value>, key: &str) -> Result<String, String> {
    match &map[key] {
        Value::String(text) => Ok(text.clone()),
        other => Err(format!(
            "{subject} has an invalid value {} for the '{key}' key, which must be a string",
            plain(other)
        )),
    }
}

fn integer<T: TryFrom<i64>>(subject: &str, map: &Map<String, Value>, key: &str) -> Result<T, String> {
    let value = &map[key];
    let invalid = |what: &str| {
        format!(
            "{subject} has an invalid value {} for the '{key}' key, which {what}",
            plain(value)
        )
    };
    let number = value.as_i64().ok_or_else(|| invalid("must be an integer"))?;
    if number < 0 {
        return Err(invalid("cannot be negative"));
    }
    T::try_from(number).map_err(|_| invalid("is too large"))
}

/// As Java prints a map.
fn java(map: &Map<String, Value>) -> String {
    let pairs: Vec<String> = map
        .iter()
        .map(|(key, value)| format!("{key}={}", plain(value)))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Offset>, String> {
        let body: AlterOffsets = serde_json::from_str(text).map_err(|error| error.to_string())?;
        body.offsets().map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn offsets_are_taken_and_taken_away() {
        let offsets = parse(
            r#"{"offsets": [{"partition": {"cluster": "a", "topic": "t", "partition": 0}, "offset": {"offset": 5}},
                {"partition": {"cluster": "a", "topic": "t", "partition": 1}, "offset": null}]}"#,
        )
        .expect("right");
        let found: Vec<(i32, Option<i64>)> = offsets
            .iter()
            .map(|one| (one.partition.partition, one.offset.map(|offset| offset.offset)))
            .collect();
        assert_eq!(found, [(0, Some(5)), (1, None)]);
    }

    #[test]
    fn every_mistake_is_told() {
        let found = parse(
            r#"{"offsets": [{"partition": {"cluster": 1, "topic": "t", "partition": 0}, "offset": null},
                {"partition": {"cluster": "a", "topic": "t", "partition": -1}, "offset": null},
                {"partition": {"cluster": "a", "topic": "t", "partition": 3000000000}, "offset": null},
                {"partition": {"cluster": "a", "topic": "t", "partition": 0}, "offset": {"offset": 1.5}},
                {"partition": {"cluster": "a", "topic": "t", "partition": 0}, "offset": {}},
                {"partition": {"cluster": "a", "topic": "t", "partition": 0, "x": 1}, "offset": null},
                {"partition": {"cluster": "a", "topic": "t", "partition": 0}, "offset": null},
                {"partition": {"cluster": "a", "topic": "t", "partition": 0}, "offset": null}]}"#,
        )
        .expect_err("wrong");
        for part in [
            "{cluster=1, topic=t, partition=0} has an invalid value 1 for the 'cluster' key, which must be a string",
            "has an invalid value -1 for the 'partition' key, which cannot be negative",
            "has an invalid value 3000000000 for the 'partition' key, which is too large",
            "Source offset {offset=1.5} for source partition {cluster=a, topic=t, partition=0} has an invalid value 1.5",
            "is missing the 'offset' key",
            "has the key 'x', which is unknown: write cluster, topic, partition",
            "is there twice",
        ] {
            assert!(found.contains(part), "{part}: {found}");
        }
    }

    #[test]
    fn an_offset_that_was_forgotten_is_not_one_to_take_away() {
        let found = parse(r#"{"offsets": [{"partition": {"cluster": "a", "topic": "t", "partition": 0}}]}"#);
        assert!(found.expect_err("wrong").contains("missing field `offset`"));
    }
}
