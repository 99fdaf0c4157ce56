//! Puts the target registry's schema ids in place of the source's: see README.md.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use towpath_plugin::{
    Batch, Column, Config, ConfigKey, ConfigType, Descriptor, Edits, Failure, Needs, Plugin, Transformation,
    export_plugin, registry,
};

/// The configured plugin.
pub struct SchemaIdRemap {
    parts: Vec<Part>,
    by_topic: bool,
    unframed: Unframed,
    /// what exists never changes; by part, because a subject may tell ids apart
    known: HashMap<(Part, String, u32), u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Key,
    Value,
}

/// What becomes of bytes without a schema id.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unframed {
    Pass,
    Reject,
}

/// Of Confluent's wire format: a zero byte, the schema's id in 4 bytes (big endian), the data.
const MAGIC: u8 = 0;

// === impl SchemaIdRemap ===

impl Plugin for SchemaIdRemap {
    fn describe() -> Descriptor {
        let documentation = "Puts the target registry's schema ids in place of the source's, in keys and values of Confluent's wire format.";
        Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), documentation)
            .key(
                ConfigKey::default("apply.to", ConfigType::List, "value")
                    .valid_values(&["key", "value"])
                    .documentation("What has a schema id: value, or key,value."),
            )
            .key(
                ConfigKey::default("subject.name.strategy", ConfigType::String, "topic")
                    .valid_values(&["topic", "none"])
                    .documentation(
                        "topic: the schema is looked for under <topic>-key or <topic>-value (TopicNameStrategy). none: under every subject that the \
                         source has it under, for records of RecordNameStrategy.",
                    ),
            )
            .key(
                ConfigKey::default("unframed", ConfigType::String, "pass")
                    .valid_values(&["pass", "reject"])
                    .documentation("What becomes of a record whose bytes have no schema id: pass leaves it as it is."),
            )
    }

    fn init(config: &mut Config) -> Option<Self> {
        let parts = config.list("apply.to").and_then(|parts| match parts.is_empty() {
            true => config.mistake("apply.to", "must name key, value or both"),
            false => Some(parts),
        });
        let strategy = config.string("subject.name.strategy");
        let unframed = config.string("unframed");
        let part = |part: &String| match part.as_str() {
            "key" => Part::Key,
            _ => Part::Value,
        };
        Some(Self {
            parts: parts?.iter().map(part).collect(),
            by_topic: strategy? == "topic",
            unframed: match unframed?.as_str() {
                "reject" => Unframed::Reject,
                _ => Unframed::Pass,
            },
            known: HashMap::new(),
        })
    }

    fn needs(&self) -> Needs {
        let mut needs = Needs::none();
        if self.parts.contains(&Part::Key) {
            needs = needs.reads_key().changes_key();
        }
        if self.parts.contains(&Part::Value) {
            needs = needs.reads_value().changes_value();
        }
        needs
    }
}

impl Transformation for SchemaIdRemap {
    fn transform(&mut self, batch: &Batch<'_>) -> Result<Edits, Failure> {
        let topic = batch.topic();
        let has = |part| self.parts.contains(&part);
        let keys = has(Part::Key).then(|| batch.keys());
        let values = has(Part::Value).then(|| batch.values());
        let mut edits = Edits::new();
        for index in 0..batch.len() {
            let key = self.remapped(Part::Key, &topic, column(&keys, index))?;
            let value = self.remapped(Part::Value, &topic, column(&values, index))?;
            match (key, value) {
                (Remapped::Rejected(reason), _) | (_, Remapped::Rejected(reason)) => {
                    edits.reject(index, reason)
                }
                (key, value) => {
                    if let (Remapped::To(id), Some(old)) = (key, column(&keys, index)) {
                        edits.set_key(index, Some(with_id(id, old)));
                    }
                    if let (Remapped::To(id), Some(old)) = (value, column(&values, index)) {
                        edits.set_value(index, Some(&with_id(id, old)));
                    }
                }
            }
        }
        Ok(edits)
    }
}

enum Remapped {
    Same,
    To(u32),
    Rejected(String),
}

impl SchemaIdRemap {
    fn remapped(&mut self, part: Part, topic: &str, bytes: Option<&[u8]>) -> Result<Remapped, Failure> {
        let Some(bytes) = bytes else {
            return Ok(Remapped::Same);
        };
        let name = part.name();
        let Some(id) = framed(bytes) else {
            return Ok(match self.unframed {
                Unframed::Pass => Remapped::Same,
                Unframed::Reject => Remapped::Rejected(format!("its {name} has no schema id")),
            });
        };
        let Some(target) = self.target(part, topic, id)? else {
            let reason = format!("the schema of its {name}, id {id} at the source, is not on the target");
            return Ok(Remapped::Rejected(reason));
        };
        if target == id {
            return Ok(Remapped::Same);
        }
        Ok(Remapped::To(target))
    }

    fn target(&mut self, part: Part, topic: &str, id: u32) -> Result<Option<u32>, Failure> {
        let subject = match self.by_topic {
            true => format!("{topic}-{}", part.name()),
            false => String::new(),
        };
        let key = (part, subject, id);
        if let Some(known) = self.known.get(&key) {
            return Ok(Some(*known));
        }
        let subject = self.by_topic.then_some(key.1.as_str());
        let found = registry::translate_id(id, subject)?;
        if let Some(found) = found {
            self.known.insert(key, found);
        }
        Ok(found)
    }
}

// === impl Part ===

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Value => "value",
        }
    }
}

fn column(column: &Option<Column>, index: u32) -> Option<&[u8]> {
    column.as_ref()?.get(index as usize)
}

fn framed(bytes: &[u8]) -> Option<u32> {
    match bytes {
        [MAGIC, a, b, c, d, ..] => Some(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => None,
    }
}

/// Framed bytes, with another id.
fn with_id(id: u32, framed: &[u8]) -> Vec<u8> {
    let mut changed = framed.to_vec();
    changed[1..5].copy_from_slice(&id.to_be_bytes());
    changed
}

export_plugin!(transformation: SchemaIdRemap);

#[cfg(test)]
mod tests {
    use towpath_plugin::testing::cases;

    use super::*;

    #[test]
    fn does_what_the_cases_say() {
        cases::transformation::<SchemaIdRemap>("cases");
    }
}
