//! Adds a header to every record: see README.md.
#![forbid(unsafe_code)]

use towpath_plugin::{
    Batch, Config, ConfigKey, ConfigType, Descriptor, Edits, Failure, Needs, Plugin, Transformation,
    export_plugin,
};

/// The configured plugin.
pub struct InsertHeader {
    header: String,
    value: Vec<u8>,
    existing: Existing,
}

/// What becomes of headers that have this key already.
#[derive(Clone, Copy)]
enum Existing {
    Append,
    Keep,
    Replace,
}

// === impl InsertHeader ===

impl Plugin for InsertHeader {
    fn describe() -> Descriptor {
        let documentation = "Adds a header with a fixed value to every record, as Connect's InsertHeader does. What becomes of headers \
            that are there already can be chosen.";
        Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), documentation)
            .key(ConfigKey::required("header", ConfigType::String).documentation("The header's key."))
            .key(ConfigKey::required("value.literal", ConfigType::String).documentation(
                "The header's value. Its UTF-8 bytes are written as they are.",
            ))
            .key(
                ConfigKey::default("existing", ConfigType::String, "append")
                    .valid_values(&["append", "keep", "replace"])
                    .documentation(
                        "What becomes of a record that has headers of this key: append adds one more behind them, keep leaves such a record \
                         as it is (a null value counts as none), replace removes them.",
                    ),
            )
    }

    fn init(config: &mut Config) -> Option<Self> {
        let header = config.string_as("header", |text| match text {
            "" => Err("must not be empty; a header's key, such as mirrored-from"),
            text => Ok(text.to_owned()),
        });
        let value = config.string("value.literal");
        let existing = config.string_as("existing", |text| match text.trim() {
            "append" => Ok(Existing::Append),
            "keep" => Ok(Existing::Keep),
            "replace" => Ok(Existing::Replace),
            _ => Err("must be one of append, keep, replace"),
        });
        Some(Self {
            header: header?,
            value: value?.into_bytes(),
            existing: existing?,
        })
    }

    fn needs(&self) -> Needs {
        let needs = Needs::none().changes_headers();
        match self.existing {
            Existing::Keep => needs.reads_headers(),
            Existing::Append | Existing::Replace => needs,
        }
    }
}

impl Transformation for InsertHeader {
    fn transform(&mut self, batch: &Batch<'_>) -> Result<Edits, Failure> {
        let mut edits = Edits::new();
        match self.existing {
            Existing::Append => (0..batch.len()).for_each(|index| self.append(&mut edits, index)),
            Existing::Keep => {
                for (index, present) in (0..).zip(batch.header_column(&self.header).iter()) {
                    if present.is_none() {
                        self.append(&mut edits, index);
                    }
                }
            }
            Existing::Replace => {
                // to remove what is not there costs less than to look: that would be a call for each record
                for index in 0..batch.len() {
                    edits.remove_headers(index, self.header.as_str());
                    self.append(&mut edits, index);
                }
            }
        }
        Ok(edits)
    }
}

impl InsertHeader {
    fn append(&self, edits: &mut Edits, index: u32) {
        edits.append_header(index, self.header.as_str(), Some(self.value.clone()));
    }
}

export_plugin!(transformation: InsertHeader);

#[cfg(test)]
mod tests {
    use towpath_plugin::testing::{Harness, cases};

    use super::*;

    #[test]
    fn does_what_the_cases_say() {
        cases::transformation::<InsertHeader>("cases");
    }

    #[test]
    fn records_are_looked_at_only_to_keep_headers() {
        let reads = |existing| {
            let config = [("header", "h"), ("value.literal", "v"), ("existing", existing)];
            Harness::<InsertHeader>::new(&config)
                .unwrap()
                .needs()
                .reads
                .header
        };
        assert_eq!(["append", "replace", "keep"].map(reads), [false, false, true]);
    }
}
