//! Replaces fields of JSON values, without parsing them into a tree: see README.md.
#![forbid(unsafe_code)]

use towpath_plugin::{
    Batch, Config, ConfigKey, ConfigType, Descriptor, Edits, Failure, Needs, Plugin, Transformation,
    export_plugin,
    json::{Found, PathError, Paths},
};

/// The configured plugin.
pub struct MaskField {
    paths: Paths,
    /// as JSON, with its quotes
    replacement: Vec<u8>,
    on_invalid: OnInvalid,
    /// reused from record to record
    found: Vec<Found>,
}

/// What to do with a value that is not JSON.
#[derive(Clone, Copy)]
enum OnInvalid {
    Reject,
    Pass,
}

// === impl MaskField ===

impl Plugin for MaskField {
    fn describe() -> Descriptor {
        let documentation = "Replaces fields of JSON values. Whatever a field holds (a string, a number, an object, null), it is \
            replaced by one JSON string; everything else in the value stays byte for byte. Tombstones pass.";
        Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), documentation)
            .key(ConfigKey::required("fields", ConfigType::List).documentation(
                "Paths of the fields, separated by commas, such as customer.card,items[*].card. A field that is not there is no mistake; \
                 a key that occurs twice is replaced twice.",
            ))
            .key(ConfigKey::default("replacement", ConfigType::String, "***").documentation(
                "What the fields hold afterwards: a text, put in as a JSON string with whatever escapes it needs.",
            ))
            .key(
                ConfigKey::default("on.invalid.json", ConfigType::String, "reject")
                    .valid_values(&["reject", "pass"])
                    .documentation(
                        "What becomes of a record whose value is not JSON: reject leaves it to errors.tolerance, pass writes it unchanged, \
                         with whatever it holds.",
                    ),
            )
    }

    fn init(config: &mut Config) -> Option<Self> {
        let fields = config.list("fields");
        let paths = fields.and_then(|fields| {
            let sentences = |errors: Vec<PathError>| {
                errors
                    .iter()
                    .map(PathError::to_string)
                    .collect::<Vec<_>>()
                    .join("; ")
            };
            Paths::parse(fields)
                .map_err(|errors| config.mistake::<()>("fields", sentences(errors)))
                .ok()
        });
        let replacement = config.string("replacement");
        let on_invalid = config.string_as("on.invalid.json", |text| match text {
            "reject" => Ok(OnInvalid::Reject),
            "pass" => Ok(OnInvalid::Pass),
            _ => Err("must be reject or pass"),
        });
        let replacement = quoted(&replacement?);
        Some(Self {
            paths: paths?,
            replacement,
            on_invalid: on_invalid?,
            found: Vec::new(),
        })
    }

    fn needs(&self) -> Needs {
        Needs::none().reads_value().changes_value()
    }
}

impl Transformation for MaskField {
    fn transform(&mut self, batch: &Batch<'_>) -> Result<Edits, Failure> {
        let values = batch.values();
        let mut edits = Edits::new();
        for (index, value) in (0..).zip(values.iter()) {
            let Some(value) = value else { continue };
            match (self.paths.find(value, &mut self.found), self.on_invalid) {
                (Ok(()), _) if self.found.is_empty() => {}
                (Ok(()), _) => {
                    if edits.is_empty() {
                        edits.reserve_values(values.len(), values.data.len());
                    }
                    edits.write_value(index, |out| splice(value, &self.found, &self.replacement, out));
                }
                (Err(error), OnInvalid::Reject) => {
                    edits.reject(
                        index,
                        format!("the value is not JSON: {error} (on.invalid.json=reject)"),
                    );
                }
                (Err(_), OnInvalid::Pass) => {}
            }
        }
        Ok(edits)
    }
}

fn splice(value: &[u8], found: &[Found], replacement: &[u8], out: &mut Vec<u8>) {
    let mut from = 0;
    for found in found {
        out.extend_from_slice(&value[from..found.range.start]);
        out.extend_from_slice(replacement);
        from = found.range.end;
    }
    out.extend_from_slice(&value[from..]);
}

/// A text as a JSON string (RFC 8259, section 7).
fn quoted(text: &str) -> Vec<u8> {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out.into_bytes()
}

export_plugin!(transformation: MaskField);

#[cfg(test)]
mod tests {
    use towpath_plugin::testing::{Harness, Outcome, TestBatch, TestRecord, cases};

    use super::*;

    fn mask(config: &[(&str, &str)], value: &str) -> String {
        let batch = TestBatch::of([TestRecord::new("k", value)]);
        match Harness::<MaskField>::new(config)
            .unwrap()
            .transform(&batch)
            .unwrap()
            .remove(0)
        {
            Outcome::Written(record) => String::from_utf8(record.value.unwrap()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn does_what_the_cases_say() {
        cases::transformation::<MaskField>("cases");
    }

    #[test]
    fn whatever_a_field_holds_becomes_the_replacement_and_the_rest_stays() {
        let config = [("fields", "$.customer.card, items[*].card, note")];
        let value = "{ \"customer\" : {\"card\": {\"no\": [1, 2]}, \"name\": \"a\\u00e9\"},\n\"items\":[{\"card\":17},{\"card\":null,\"card\":true},{}], \"note\":\"n\"}";
        assert_eq!(
            mask(&config, value),
            "{ \"customer\" : {\"card\": \"***\", \"name\": \"a\\u00e9\"},\n\"items\":[{\"card\":\"***\"},{\"card\":\"***\",\"card\":\"***\"},{}], \"note\":\"***\"}"
        );
    }

    #[test]
    fn the_replacement_is_a_sound_json_string() {
        let replacement = "a\"b\\c\n\u{1}é";
        let masked = mask(&[("fields", "a"), ("replacement", replacement)], "{\"a\":1}");
        let value: serde_json::Value = serde_json::from_str(&masked).unwrap();
        assert_eq!(value["a"], replacement);
        assert_eq!(
            mask(&[("fields", "a"), ("replacement", "")], "{\"a\":1}"),
            "{\"a\":\"\"}"
        );
    }

    #[test]
    fn untouched_records_are_not_edited_and_new_values_come_as_one_column() {
        let mut plugin = Harness::<MaskField>::new(&[("fields", "a")]).unwrap();
        let batch = TestBatch::of([
            TestRecord::tombstone("k"),
            TestRecord::new("k", "{\"b\":1}"),
            TestRecord::new("k", "{\"a\":1}"),
            TestRecord::new("k", "[1]"),
        ]);
        let mut expected = Edits::new();
        expected.set_value(2, Some(b"{\"a\":\"***\"}"));
        assert_eq!(plugin.edits(&batch).unwrap(), expected);
    }

    #[test]
    fn values_that_are_not_json_are_rejected_or_passed() {
        let batch = TestBatch::of([
            TestRecord::new("k", "{\"a\":1"),
            TestRecord::new("k", ""),
            TestRecord::new("k", "{\"a\":1}"),
        ]);
        let transform = |config: &[(&str, &str)]| {
            Harness::<MaskField>::new(config)
                .unwrap()
                .transform(&batch)
                .unwrap()
        };
        let masked = Outcome::Written(TestRecord::new("k", "{\"a\":\"***\"}"));
        let outcomes = transform(&[("fields", "a")]);
        let reason = "the value is not JSON: the text ends too early at byte 6 (on.invalid.json=reject)";
        assert_eq!(outcomes[0], Outcome::Rejected(reason.into()));
        assert!(matches!(outcomes[1], Outcome::Rejected(_)));
        assert_eq!(outcomes[2], masked);
        let outcomes = transform(&[("fields", "a"), ("on.invalid.json", "pass")]);
        let unchanged = [batch.records[0].clone(), batch.records[1].clone()].map(Outcome::Written);
        assert_eq!((&outcomes[..2], &outcomes[2]), (&unchanged[..], &masked));
    }

    #[test]
    fn mistakes_are_reported_together() {
        let config = [("fields", "a, b..c, d[x]"), ("on.invalid.json", "drop")];
        let errors = Harness::<MaskField>::new(&config).err().unwrap();
        assert_eq!(errors.len(), 2);
        assert!(
            errors[0].message.contains("\"b..c\"") && errors[0].message.contains("\"d[x]\""),
            "{errors:?}"
        );
        assert!(Harness::<MaskField>::new(&[]).is_err());
    }
}
