//! Finds access rules that are due and not on the target.

use towpath_plugin::{
    AclBinding, AclChecker, Config, Descriptor, Failure, Finding, Plugin, Severity, export_plugin,
};

struct DueArePresent;

impl Plugin for DueArePresent {
    fn describe() -> Descriptor {
        Descriptor::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            "Finds access rules that are due and not on the target.",
        )
    }

    fn init(_config: &mut Config) -> Option<Self> {
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
                subject: format!(
                    "{} {} on {} {}",
                    binding.principal, binding.operation, binding.resource_type, binding.resource_name
                ),
                message: "is not on the target".to_owned(),
                expected: Some(binding.permission),
                found: None,
                remedy: Some("add it there".to_owned()),
            })
            .collect())
    }
}

export_plugin!(acl_checker: DueArePresent);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_what_the_cases_say() {
        towpath_plugin::testing::cases::acl_checker::<DueArePresent>("cases");
    }
}
