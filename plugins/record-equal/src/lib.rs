//! Rejects pairs of records that differ: see README.md.
#![forbid(unsafe_code)]

use towpath_plugin::{
    Batch, Config, ConfigKey, ConfigType, Descriptor, Failure, Needs, Pair, Plugin, Rejection, Validator,
    export_plugin,
};

mod parts;

use parts::Parts;

/// The configured plugin.
pub struct RecordEqual {
    /// those compared
    parts: Parts,
}

// === impl RecordEqual ===

impl Plugin for RecordEqual {
    fn describe() -> Descriptor {
        let documentation = "Rejects pairs of records that differ in key, value, headers or timestamp, and records that are missing on one side.";
        Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), documentation).key(
            ConfigKey::optional("ignore", ConfigType::List)
                .valid_values(&["key", "value", "headers", "timestamp"])
                .documentation(
                    "Parts that may differ, separated by commas: those that a transformation changes. A missing record is rejected all the same.",
                ),
        )
    }

    fn init(config: &mut Config) -> Option<Self> {
        let ignored = match config.get("ignore") {
            Some(_) => config.list("ignore")?,
            None => Vec::new(),
        };
        match Parts::except(&ignored) {
            Ok(parts) => Some(Self { parts }),
            Err(mistake) => config.mistake("ignore", mistake),
        }
    }

    fn needs(&self) -> Needs {
        self.parts.needs()
    }
}

impl Validator for RecordEqual {
    fn validate(
        &mut self,
        source: &Batch<'_>,
        target: &Batch<'_>,
        pairs: &[Pair],
    ) -> Result<Vec<Rejection>, Failure> {
        let columns = self.parts.columns(source, target);
        let mut rejections = Vec::new();
        for (index, pair) in (0..).zip(pairs) {
            let reason = match (pair.source, pair.target) {
                (Some(one), Some(other)) => match columns.difference(one, other) {
                    None => continue,
                    Some(reason) => reason,
                },
                (Some(_), None) => "there is no such record on the target".to_owned(),
                (None, _) => "there is no such record at the source".to_owned(),
            };
            rejections.push(Rejection { index, reason });
        }
        Ok(rejections)
    }
}

export_plugin!(validator: RecordEqual);

#[cfg(test)]
mod tests {
    use towpath_plugin::testing::{Harness, cases};

    use super::*;

    #[test]
    fn does_what_the_cases_say() {
        cases::validator::<RecordEqual>("cases");
    }

    #[test]
    fn what_is_ignored_is_not_read() {
        let reads = |ignore| {
            Harness::<RecordEqual>::new(&[("ignore", ignore)])
                .unwrap()
                .needs()
        };
        assert_eq!(
            reads("value,headers"),
            Needs::none().reads_key().reads_timestamp()
        );
        assert_eq!(reads("key,value,headers,timestamp"), Needs::none());
    }
}
