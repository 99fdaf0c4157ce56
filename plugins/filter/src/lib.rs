//! Keeps or drops records by a condition: see README.md.
#![forbid(unsafe_code)]

use towpath_plugin::{
    Batch, Config, ConfigKey, ConfigType, Descriptor, Edits, Failure, Needs, Plugin, Transformation,
    export_plugin,
};

mod condition;

use condition::{Condition, Part, Verdict};

/// The configured plugin.
pub struct Filter {
    condition: Condition,
    action: Action,
    on_invalid_json: Otherwise,
    on_null: Otherwise,
}

/// What becomes of records that match; the others get the opposite.
#[derive(Clone, Copy)]
enum Action {
    Keep,
    Drop,
}

/// What becomes of a record that the condition cannot be asked of.
#[derive(Clone, Copy)]
enum Otherwise {
    Reject,
    Keep,
    Drop,
}

// === impl Filter ===

impl Plugin for Filter {
    fn describe() -> Descriptor {
        let documentation = "Keeps or drops records by a JSONPath condition (RFC 9535) on the value or the key, or by a header.";
        let outcomes = ["reject", "keep", "drop"];
        Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), documentation)
            .key(
                ConfigKey::required("action", ConfigType::String)
                    .valid_values(&["keep", "drop"])
                    .documentation("What becomes of records that match: keep drops all others, drop keeps all others."),
            )
            .key(ConfigKey::optional("condition", ConfigType::String).documentation(
                "A JSONPath query (RFC 9535): a record matches when it selects something, such as $.customer.card or \
                 $[?$.country == 'DE' && $.total > 100]. One of condition and header must be given.",
            ))
            .key(
                ConfigKey::default("part", ConfigType::String, "value")
                    .valid_values(&["value", "key"])
                    .documentation("What the condition is asked of, as JSON."),
            )
            .key(ConfigKey::optional("header", ConfigType::String).documentation(
                "A header's key: a record matches when the last header of this key has a value, and header.pattern matches it.",
            ))
            .key(ConfigKey::optional("header.pattern", ConfigType::String).documentation(
                "A regular expression that the header's whole value matches. Any value does without it.",
            ))
            .key(ConfigKey::default("on.invalid.json", ConfigType::String, "reject").valid_values(&outcomes).documentation(
                "What becomes of a record that the condition cannot be asked of, because its value (or key) is not JSON: reject leaves it to \
                 errors.tolerance.",
            ))
            .key(ConfigKey::default("on.null", ConfigType::String, "keep").valid_values(&outcomes).documentation(
                "What becomes of a record whose value (or key) is null, such as a tombstone, where there is a condition.",
            ))
    }

    fn init(config: &mut Config) -> Option<Self> {
        let condition = Condition::from_config(config);
        let action = config.string_as("action", |text| match text.trim() {
            "keep" => Ok(Action::Keep),
            "drop" => Ok(Action::Drop),
            _ => Err("must be one of keep, drop"),
        });
        let on_invalid_json = config.string_as("on.invalid.json", Otherwise::parse);
        let on_null = config.string_as("on.null", Otherwise::parse);
        Some(Self {
            condition: condition?,
            action: action?,
            on_invalid_json: on_invalid_json?,
            on_null: on_null?,
        })
    }

    fn needs(&self) -> Needs {
        let needs = Needs::none().drops();
        match self.condition {
            Condition::Header { .. } => needs.reads_headers(),
            Condition::Json {
                part: Part::Value, ..
            } => needs.reads_value(),
            Condition::Json { part: Part::Key, .. } => needs.reads_key(),
        }
    }
}

impl Transformation for Filter {
    fn transform(&mut self, batch: &Batch<'_>) -> Result<Edits, Failure> {
        let mut edits = Edits::new();
        for (index, item) in (0..).zip(self.condition.column(batch).iter()) {
            match (self.condition.ask(item), self.action) {
                (Verdict::Matches, Action::Keep) | (Verdict::Differs, Action::Drop) => {}
                (Verdict::Matches, Action::Drop) | (Verdict::Differs, Action::Keep) => edits.drop(index),
                (Verdict::Null, _) => {
                    self.on_null.apply(&mut edits, index, || {
                        format!("the {} is null (on.null=reject)", self.condition.part())
                    });
                }
                (Verdict::Invalid(error), _) => self.on_invalid_json.apply(&mut edits, index, || {
                    format!(
                        "the {} is not JSON: {error} (on.invalid.json=reject)",
                        self.condition.part()
                    )
                }),
            }
        }
        Ok(edits)
    }
}

// === impl Otherwise ===

impl Otherwise {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text.trim() {
            "reject" => Ok(Self::Reject),
            "keep" => Ok(Self::Keep),
            "drop" => Ok(Self::Drop),
            _ => Err("must be one of reject, keep, drop"),
        }
    }

    fn apply(self, edits: &mut Edits, index: u32, reason: impl FnOnce() -> String) {
        match self {
            Self::Reject => edits.reject(index, reason()),
            Self::Keep => {}
            Self::Drop => edits.drop(index),
        }
    }
}

export_plugin!(transformation: Filter);

#[cfg(test)]
mod tests {
    use towpath_plugin::testing::{Harness, cases};

    use super::*;

    #[test]
    fn does_what_the_cases_say() {
        cases::transformation::<Filter>("cases");
    }

    #[test]
    fn only_what_the_condition_is_asked_of_is_read() {
        let needs = |config: &[(&str, &str)]| Harness::<Filter>::new(config).unwrap().needs();
        let drops = Needs::none().drops();
        assert_eq!(
            needs(&[("action", "keep"), ("condition", "$")]),
            drops.reads_value()
        );
        assert_eq!(
            needs(&[("action", "keep"), ("condition", "$"), ("part", "key")]),
            drops.reads_key()
        );
        assert_eq!(
            needs(&[("action", "keep"), ("header", "h")]),
            drops.reads_headers()
        );
    }
}
