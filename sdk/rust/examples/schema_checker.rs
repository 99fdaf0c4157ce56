//! A schema checker: the subject must be on the target with as many versions.

use towpath_plugin::{
    Config, Descriptor, Failure, Finding, Plugin, SchemaChecker, Severity, SubjectState, export_plugin,
};

struct SameVersions;

impl Plugin for SameVersions {
    fn describe() -> Descriptor {
        Descriptor::new(
            "example-same-versions",
            "0.1.0",
            "Compares the number of versions of a subject.",
        )
    }

    fn init(_: &mut Config) -> Option<Self> {
        Some(Self)
    }
}

impl SchemaChecker for SameVersions {
    fn check(
        &mut self,
        source: Option<SubjectState>,
        target: Option<SubjectState>,
    ) -> Result<Vec<Finding>, Failure> {
        let versions = |state: &Option<SubjectState>| state.as_ref().map_or(0, |state| state.versions.len());
        if versions(&source) == versions(&target) {
            return Ok(Vec::new());
        }
        let name = source
            .as_ref()
            .or(target.as_ref())
            .map(|state| state.subject.clone());
        Ok(vec![Finding {
            severity: Severity::Blocking,
            subject: name.unwrap_or_default(),
            message: "the number of versions differs".to_owned(),
            expected: Some(versions(&source).to_string()),
            found: Some(versions(&target).to_string()),
            remedy: Some("copy the subject's versions".to_owned()),
        }])
    }
}

export_plugin!(schema_checker: SameVersions);
