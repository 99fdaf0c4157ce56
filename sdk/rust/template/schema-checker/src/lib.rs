//! Finds subjects that have fewer versions on the target than at the source.

use towpath_plugin::{
    Config, Descriptor, Failure, Finding, Plugin, SchemaChecker, Severity, SubjectState, export_plugin,
};

struct AllVersions;

impl Plugin for AllVersions {
    fn describe() -> Descriptor {
        Descriptor::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            "Finds subjects that have fewer versions on the target than at the source.",
        )
    }

    fn init(_config: &mut Config) -> Option<Self> {
        Some(Self)
    }
}

impl SchemaChecker for AllVersions {
    fn check(
        &mut self,
        source: Option<SubjectState>,
        target: Option<SubjectState>,
    ) -> Result<Vec<Finding>, Failure> {
        // a subject on the target alone
        let Some(source) = source else {
            return Ok(Vec::new());
        };
        let expected = source.versions.len();
        let found = target.map_or(0, |target| target.versions.len());
        if found >= expected {
            return Ok(Vec::new());
        }
        Ok(vec![Finding {
            severity: Severity::Blocking,
            subject: source.subject,
            message: "has fewer versions on the target".to_owned(),
            expected: Some(expected.to_string()),
            found: Some(found.to_string()),
            remedy: Some("register the versions that are missing".to_owned()),
        }])
    }
}

export_plugin!(schema_checker: AllVersions);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_what_the_cases_say() {
        towpath_plugin::testing::cases::schema_checker::<AllVersions>("cases");
    }
}
