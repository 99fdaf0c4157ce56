//! Adds a header to every record that says which topic it came from.

use towpath_plugin::{
    Batch, Config, ConfigKey, ConfigType, Descriptor, Edits, Failure, Needs, Plugin, Transformation,
    export_plugin,
};

struct MarkTopic {
    header: String,
}

impl Plugin for MarkTopic {
    fn describe() -> Descriptor {
        Descriptor::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            "Adds a header that says which topic a record came from.",
        )
        .key(
            ConfigKey::default("header", ConfigType::String, "source.topic")
                .documentation("The header's key."),
        )
    }

    fn init(config: &mut Config) -> Option<Self> {
        let header = config.string_as("header", |text| match text {
            "" => Err("must not be empty; such as source.topic"),
            text => Ok(text.to_owned()),
        });
        Some(Self { header: header? })
    }

    /// What it reads and changes, as configured: the host gives no more, and allows no more.
    fn needs(&self) -> Needs {
        Needs::none().changes_headers()
    }
}

impl Transformation for MarkTopic {
    fn transform(&mut self, batch: &Batch<'_>) -> Result<Edits, Failure> {
        let topic = batch.topic();
        let mut edits = Edits::new();
        for index in 0..batch.len() {
            edits.append_header(index, self.header.as_str(), Some(topic.clone().into_bytes()));
        }
        Ok(edits)
    }
}

export_plugin!(transformation: MarkTopic);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_what_the_cases_say() {
        towpath_plugin::testing::cases::transformation::<MarkTopic>("cases");
    }
}
