//! Matches tombstones: see README.md.
#![forbid(unsafe_code)]

use towpath_plugin::{Batch, Config, Descriptor, Failure, Needs, Plugin, Predicate, export_plugin};

/// The plugin; it has no configuration.
pub struct IsTombstone;

// === impl IsTombstone ===

impl Plugin for IsTombstone {
    fn describe() -> Descriptor {
        let documentation =
            "Matches tombstones: records whose value is null, as Connect's RecordIsTombstone does.";
        Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), documentation)
    }

    fn init(_: &mut Config) -> Option<Self> {
        Some(Self)
    }

    fn needs(&self) -> Needs {
        Needs::none().reads_value()
    }
}

impl Predicate for IsTombstone {
    fn matching(&mut self, batch: &Batch<'_>) -> Result<Vec<u32>, Failure> {
        // the contract's column of values says which are null, by ascending index: the answer
        Ok(batch.values().nulls)
    }
}

export_plugin!(predicate: IsTombstone);

#[cfg(test)]
mod tests {
    use towpath_plugin::testing::cases;

    use super::*;

    #[test]
    fn does_what_the_cases_say() {
        cases::predicate::<IsTombstone>("cases");
    }
}
