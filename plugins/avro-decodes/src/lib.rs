//! Rejects records whose value on the target does not decode as Avro: see README.md.
#![forbid(unsafe_code)]

use towpath_plugin::{
    Batch, Config, ConfigKey, ConfigType, Descriptor, Failure, Needs, Pair, Plugin, Rejection, Validator,
    export_plugin,
};

mod datum;
mod schema;

use schema::Schema;

/// The configured plugin.
pub struct AvroDecodes {
    schema: Schema,
    on_null: OnNull,
}

/// What becomes of tombstones.
#[derive(Clone, Copy)]
enum OnNull {
    Accept,
    Reject,
}

// === impl AvroDecodes ===

impl Plugin for AvroDecodes {
    fn describe() -> Descriptor {
        let documentation = "Rejects records whose value on the target is not in Confluent's wire format (a zero, four bytes of a schema's id), or does \
            not decode completely as Avro.";
        Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), documentation)
            .key(ConfigKey::required("schema", ConfigType::String).documentation(
                "The Avro schema that values are written with, itself, as JSON text. All types that it names must be in it.",
            ))
            .key(
                ConfigKey::default("on.null", ConfigType::String, "accept")
                    .valid_values(&["accept", "reject"])
                    .documentation("What becomes of a record whose value is null, such as a tombstone."),
            )
    }

    fn init(config: &mut Config) -> Option<Self> {
        let schema = config.string_as("schema", Schema::parse);
        let on_null = config.string_as("on.null", |text| match text.trim() {
            "accept" => Ok(OnNull::Accept),
            "reject" => Ok(OnNull::Reject),
            _ => Err("must be one of accept, reject"),
        });
        Some(Self {
            schema: schema?,
            on_null: on_null?,
        })
    }

    fn needs(&self) -> Needs {
        Needs::none().reads_value()
    }
}

impl Validator for AvroDecodes {
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

impl AvroDecodes {
    /// The error is the reason, without what the record holds.
    fn judge(&self, value: Option<&[u8]>) -> Result<(), String> {
        let value = match (value, self.on_null) {
            (Some(value), _) => value,
            (None, OnNull::Accept) => return Ok(()),
            (None, OnNull::Reject) => return Err("the value is null (on.null=reject)".to_owned()),
        };
        match value {
            [0, _, _, _, _, datum @ ..] => datum::check(&self.schema, datum).map_err(|error| {
                format!(
                    "the value is not Avro of this schema: {error} at byte {}",
                    error.position + 5
                )
            }),
            [0, ..] | [] => {
                Err("the value is too short for a schema's id: not Confluent's wire format".to_owned())
            }
            _ => Err("the value does not start with a zero: not Confluent's wire format".to_owned()),
        }
    }
}

export_plugin!(validator: AvroDecodes);

#[cfg(test)]
mod tests {
    use towpath_plugin::testing::cases;

    use super::*;

    #[test]
    fn does_what_the_cases_say() {
        cases::validator::<AvroDecodes>("cases");
    }
}
