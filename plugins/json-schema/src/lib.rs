//! Rejects records whose value on the target does not fit a JSON Schema: see README.md.

use jsonschema::{Draft, ReferencingError, ValidationError, Validator as Schema, error::ValidationErrorKind};
use serde_json::Value;
use towpath_plugin::{
    Batch, Config, ConfigKey, ConfigType, Descriptor, Failure, Needs, Pair, Plugin, Rejection, Validator,
    export_plugin,
};

#[cfg(target_arch = "wasm32")]
mod entropy;

/// The configured plugin.
pub struct JsonSchema {
    schema: Schema,
    on_null: OnNull,
}

/// What becomes of tombstones.
#[derive(Clone, Copy)]
enum OnNull {
    Accept,
    Reject,
}

// === impl JsonSchema ===

impl Plugin for JsonSchema {
    fn describe() -> Descriptor {
        let documentation =
            "Rejects records whose value on the target is not JSON, or does not fit a JSON Schema.";
        Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), documentation)
            .key(ConfigKey::required("schema", ConfigType::String).documentation(
                "The JSON Schema itself, as text. Its $schema says which draft it is, 2020-12 otherwise. It cannot refer to other documents.",
            ))
            .key(
                ConfigKey::default("on.null", ConfigType::String, "accept")
                    .valid_values(&["accept", "reject"])
                    .documentation("What becomes of a record whose value is null, such as a tombstone."),
            )
    }

    fn init(config: &mut Config) -> Option<Self> {
        let text = config.string("schema")?;
        let schema = compile(&text).map_err(|mistakes| {
            for mistake in mistakes {
                config.mistake::<()>("schema", mistake);
            }
        });
        let on_null = config.string_as("on.null", |text| match text.trim() {
            "accept" => Ok(OnNull::Accept),
            "reject" => Ok(OnNull::Reject),
            _ => Err("must be one of accept, reject"),
        });
        Some(Self {
            schema: schema.ok()?,
            on_null: on_null?,
        })
    }

    fn needs(&self) -> Needs {
        Needs::none().reads_value()
    }
}

impl Validator for JsonSchema {
    fn validate(
        &mut self,
        _source: &Batch<'_>,
        target: &Batch<'_>,
        pairs: &[Pair],
    ) -> Result<Vec<Rejection>, Failure> {
        // a record that is not on the target: record-equal looks for those
        Ok(Rejection::of_target_values(target, pairs, |value| {
            self.judge(value)
        }))
    }
}

impl JsonSchema {
    /// The error is the reason, without what the record holds.
    fn judge(&self, value: Option<&[u8]>) -> Result<(), String> {
        let text = match (value, self.on_null) {
            (Some(text), _) => text,
            (None, OnNull::Accept) => return Ok(()),
            (None, OnNull::Reject) => return Err("the value is null (on.null=reject)".to_owned()),
        };
        let value: Value = serde_json::from_slice(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!("the value is not JSON from line {line}, column {column} on")
        })?;
        self.schema
            .validate(&value)
            .map_err(|error| format!("the value does not fit {} of the schema", error.schema_path()))
    }
}

/// The error is every mistake in the schema.
fn compile(text: &str) -> Result<Schema, Vec<String>> {
    let schema: Value = serde_json::from_str(text)
        .map_err(|error| vec![format!("is not JSON: {error}; write the schema itself")])?;
    if matches!(Draft::default().detect(&schema), Draft::Unknown) {
        let drafts = "of JSON Schema: such as https://json-schema.org/draft/2020-12/schema";
        return Err(vec![format!(
            "is no JSON Schema at /$schema: that is no draft {drafts}"
        )]);
    }
    let meta = jsonschema::meta::validator_for(&schema)
        .map_err(|error| vec![format!("is no JSON Schema: {error}")])?;
    let mistakes: Vec<String> = meta
        .iter_errors(&schema)
        .map(|error| match error.instance_path().as_str() {
            "" => format!("is no JSON Schema: {error}"),
            place => format!("is no JSON Schema at {place}: {error}"),
        })
        .collect();
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    jsonschema::validator_for(&schema).map_err(|error| vec![explain(&error)])
}

/// The library proposes a feature of its own where a document is missing.
fn explain(error: &ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::Referencing(ReferencingError::Unretrievable { uri, .. }) => {
            format!(
                "names {uri}, which is neither in it nor a draft of JSON Schema: a plugin has no network, put it under $defs"
            )
        }
        _ => format!("cannot be used: {error}"),
    }
}

export_plugin!(validator: JsonSchema);

#[cfg(test)]
mod tests {
    use towpath_plugin::testing::cases;

    use super::*;

    #[test]
    fn does_what_the_cases_say() {
        cases::validator::<JsonSchema>("cases");
    }
}
