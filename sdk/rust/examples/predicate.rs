//! A predicate: records that have a header of a given key.

use towpath_plugin::{
    Batch, Config, ConfigKey, ConfigType, Descriptor, Failure, Needs, Plugin, Predicate, export_plugin,
};

struct HasHeader {
    key: String,
}

impl Plugin for HasHeader {
    fn describe() -> Descriptor {
        Descriptor::new(
            "example-has-header",
            "0.1.0",
            "Matches records that have a header.",
        )
        .key(ConfigKey::required("name", ConfigType::String).documentation("The header's key."))
    }

    fn init(config: &mut Config) -> Option<Self> {
        Some(Self {
            key: config.string("name")?,
        })
    }

    fn needs(&self) -> Needs {
        Needs::none().reads_headers()
    }
}

impl Predicate for HasHeader {
    fn matching(&mut self, batch: &Batch<'_>) -> Result<Vec<u32>, Failure> {
        let has = |index: &u32| batch.headers(*index).iter().any(|header| header.key == self.key);
        Ok((0..batch.len()).filter(has).collect())
    }
}

export_plugin!(predicate: HasHeader);
