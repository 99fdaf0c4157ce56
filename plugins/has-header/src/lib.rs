//! Matches records that have a header: see README.md.
#![forbid(unsafe_code)]

use towpath_plugin::{
    Batch, Config, ConfigKey, ConfigType, Descriptor, Failure, Needs, Plugin, Predicate, export_plugin,
};

/// The configured plugin.
pub struct HasHeader {
    name: String,
    null_values: NullValues,
}

/// What a header counts as whose value is null.
#[derive(Clone, Copy)]
enum NullValues {
    Missing,
    Present,
}

// === impl HasHeader ===

impl Plugin for HasHeader {
    fn describe() -> Descriptor {
        let documentation =
            "Matches records that have a header of a given key, as Connect's HasHeaderKey does.";
        Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), documentation)
            .key(ConfigKey::required("name", ConfigType::String).documentation("The header's key."))
            .key(
                ConfigKey::default("null.values", ConfigType::String, "missing")
                    .valid_values(&["missing", "present"])
                    .documentation(
                        "What a header counts as whose (last) value is null. present is what Connect does, and costs a call for each record \
                         without a value.",
                    ),
            )
    }

    fn init(config: &mut Config) -> Option<Self> {
        let name = config.string_as("name", |text| match text {
            "" => Err("must not be empty; a header's key, such as mirrored-from"),
            text => Ok(text.to_owned()),
        });
        let null_values = config.string_as("null.values", |text| match text.trim() {
            "missing" => Ok(NullValues::Missing),
            "present" => Ok(NullValues::Present),
            _ => Err("must be one of missing, present"),
        });
        Some(Self {
            name: name?,
            null_values: null_values?,
        })
    }

    fn needs(&self) -> Needs {
        Needs::none().reads_headers()
    }
}

impl Predicate for HasHeader {
    fn matching(&mut self, batch: &Batch<'_>) -> Result<Vec<u32>, Failure> {
        let mut matching = Vec::new();
        for (index, value) in (0..).zip(batch.header_column(&self.name).iter()) {
            // a column's null is no header, or one with a null value
            if value.is_some() || self.has_null(batch, index) {
                matching.push(index);
            }
        }
        Ok(matching)
    }
}

impl HasHeader {
    fn has_null(&self, batch: &Batch<'_>, index: u32) -> bool {
        match self.null_values {
            NullValues::Missing => false,
            NullValues::Present => batch.headers(index).iter().any(|header| header.key == self.name),
        }
    }
}

export_plugin!(predicate: HasHeader);

#[cfg(test)]
mod tests {
    use towpath_plugin::testing::cases;

    use super::*;

    #[test]
    fn does_what_the_cases_say() {
        cases::predicate::<HasHeader>("cases");
    }
}
