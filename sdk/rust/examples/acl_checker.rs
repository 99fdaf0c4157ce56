//! An ACL checker: every binding that is due must be on the target.

use towpath_plugin::{
    AclBinding, AclChecker, Config, Descriptor, Failure, Finding, Plugin, Severity, export_plugin,
};

struct DueArePresent;

impl Plugin for DueArePresent {
    fn describe() -> Descriptor {
        Descriptor::new(
            "example-due-are-present",
            "0.1.0",
            "Finds bindings that are due and missing.",
        )
    }

    fn init(_: &mut Config) -> Option<Self> {
        Some(Self)
    }
}

impl AclChecker for DueArePresent {
    fn check(
        &mut self,
        due: Vec<AclBinding>,
        _pending: Vec<AclBinding>,
        target: Vec<AclBinding>,
    ) -> Result<Vec<Finding>, Failure> {
        let missing = due.into_iter().filter(|binding| !target.contains(binding));
        Ok(missing
            .map(|binding| Finding {
                severity: Severity::Blocking,
                subject: format!("{} on {}", binding.principal, binding.resource_name),
                message: format!("{} {} is not granted", binding.permission, binding.operation),
                expected: None,
                found: None,
                remedy: Some("grant it".to_owned()),
            })
            .collect())
    }
}

export_plugin!(acl_checker: DueArePresent);
