//! Rejects records whose value is not JSON, or lacks a field.

use towpath_plugin::{
    Batch, Config, ConfigKey, ConfigType, Descriptor, Failure, Needs, Pair, Plugin, Rejection, Validator,
    export_plugin, json::Paths,
};

struct HasField {
    field: String,
    paths: Paths,
}

impl Plugin for HasField {
    fn describe() -> Descriptor {
        Descriptor::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            "Rejects records whose value on the target is not JSON, or lacks a field.",
        )
        .key(
            ConfigKey::required("field", ConfigType::String)
                .documentation("The field, such as id or customer.id."),
        )
    }

    fn init(config: &mut Config) -> Option<Self> {
        let field = config.string("field")?;
        if field.is_empty() {
            return config.mistake("field", "must not be empty; such as id or customer.id");
        }
        match Paths::parse([&field]) {
            Ok(paths) => Some(Self { field, paths }),
            Err(errors) => errors
                .iter()
                .find_map(|error| config.mistake("field", error.to_string())),
        }
    }

    /// What it reads, as configured: the host gives no more.
    fn needs(&self) -> Needs {
        Needs::none().reads_value()
    }
}

impl Validator for HasField {
    fn validate(
        &mut self,
        _source: &Batch<'_>,
        target: &Batch<'_>,
        pairs: &[Pair],
    ) -> Result<Vec<Rejection>, Failure> {
        Ok(Rejection::of_target_values(target, pairs, |value| {
            self.judge(value)
        }))
    }
}

impl HasField {
    /// The error is the reason, without what the record holds.
    fn judge(&self, value: Option<&[u8]>) -> Result<(), String> {
        // a tombstone
        let Some(value) = value else { return Ok(()) };
        let mut found = Vec::new();
        match self.paths.find(value, &mut found) {
            Err(_) => Err("the value is not JSON".to_owned()),
            Ok(()) if found.is_empty() => Err(format!("the value has no field {}", self.field)),
            Ok(()) => Ok(()),
        }
    }
}

export_plugin!(validator: HasField);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_what_the_cases_say() {
        towpath_plugin::testing::cases::validator::<HasField>("cases");
    }
}
