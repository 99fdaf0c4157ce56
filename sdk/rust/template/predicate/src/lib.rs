//! Matches records with large values.

use towpath_plugin::{
    Batch, Config, ConfigKey, ConfigType, Descriptor, Failure, Needs, Plugin, Predicate, export_plugin,
};

struct LargeValue {
    bytes: usize,
}

impl Plugin for LargeValue {
    fn describe() -> Descriptor {
        Descriptor::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            "Matches records whose value has at least so many bytes.",
        )
        .key(
            ConfigKey::required("bytes", ConfigType::Int).documentation("From so many bytes on, at least 1."),
        )
    }

    fn init(config: &mut Config) -> Option<Self> {
        let bytes = config.string_as("bytes", |text| match text.trim().parse() {
            Ok(bytes) if bytes > 0 => Ok(bytes),
            _ => Err("must be a number of bytes, at least 1"),
        });
        Some(Self { bytes: bytes? })
    }

    /// What it reads, as configured: the host gives no more.
    fn needs(&self) -> Needs {
        Needs::none().reads_value()
    }
}

impl Predicate for LargeValue {
    fn matching(&mut self, batch: &Batch<'_>) -> Result<Vec<u32>, Failure> {
        let mut matching = Vec::new();
        for (index, value) in (0..).zip(batch.values().iter()) {
            // null: a tombstone
            if value.is_some_and(|value| value.len() >= self.bytes) {
                matching.push(index);
            }
        }
        Ok(matching)
    }
}

export_plugin!(predicate: LargeValue);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_what_the_cases_say() {
        towpath_plugin::testing::cases::predicate::<LargeValue>("cases");
    }
}
