//! A validator: values must be equal on both sides.

use towpath_plugin::{
    Batch, Config, Descriptor, Failure, Needs, Pair, Plugin, Rejection, Validator, export_plugin,
};

struct SameValue;

impl Plugin for SameValue {
    fn describe() -> Descriptor {
        Descriptor::new(
            "example-same-value",
            "0.1.0",
            "Rejects pairs whose values differ.",
        )
    }

    fn init(_: &mut Config) -> Option<Self> {
        Some(Self)
    }

    fn needs(&self) -> Needs {
        Needs::none().reads_value()
    }
}

impl Validator for SameValue {
    fn validate(
        &mut self,
        source: &Batch<'_>,
        target: &Batch<'_>,
        pairs: &[Pair],
    ) -> Result<Vec<Rejection>, Failure> {
        let (source, target) = (source.values(), target.values());
        let mut rejections = Vec::new();
        for (index, pair) in (0..).zip(pairs) {
            let reason = match (pair.source, pair.target) {
                (Some(one), Some(other)) if source.get(one as usize) == target.get(other as usize) => {
                    continue;
                }
                (Some(_), Some(_)) => "values differ",
                (Some(_), None) => "there is no such record on the target",
                (None, _) => "there is no such record at the source",
            };
            rejections.push(Rejection {
                index,
                reason: reason.to_owned(),
            });
        }
        Ok(rejections)
    }
}

export_plugin!(validator: SameValue);
