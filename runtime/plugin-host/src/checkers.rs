//! Typed calls of the checkers: what both clusters say about themselves in, findings out.

use std::sync::Arc;

use towpath_domain::checks::{AclBinding, Finding, SchemaReference, SchemaVersion, Severity, SubjectState};

use crate::{
    CallError,
    bindings::{AclChecks, SchemaChecks, acl_checker as acls, findings, schema_checker as schemas},
    instance::{Keeper, Refusal},
    plugin::Plugin,
};

/// A configured checker of schemas.
pub struct SchemaChecker {
    keeper: Keeper<SchemaChecks>,
}

/// A configured checker of ACLs.
pub struct AclChecker {
    keeper: Keeper<AclChecks>,
}

// === impl SchemaChecker ===

impl SchemaChecker {
    pub(crate) fn start(plugin: Arc<Plugin>, config: Vec<(String, String)>) -> Result<Self, Refusal> {
        Ok(Self {
            keeper: Keeper::start(plugin, config)?,
        })
    }

    /// What it finds about one subject. None: it does not exist on that side; never on both.
    pub fn check(
        &mut self,
        source: Option<&SubjectState>,
        target: Option<&SubjectState>,
    ) -> Result<Vec<Finding>, CallError> {
        let (source, target) = (source.map(subject), target.map(subject));
        let answer = self.keeper.call("check", |store, exports| {
            exports
                .towpath_checks_schema_checker()
                .call_check(store, source.as_ref(), target.as_ref())
        })?;
        Ok(answer?.into_iter().map(finding).collect())
    }
}

// === impl AclChecker ===

impl AclChecker {
    pub(crate) fn start(plugin: Arc<Plugin>, config: Vec<(String, String)>) -> Result<Self, Refusal> {
        Ok(Self {
            keeper: Keeper::start(plugin, config)?,
        })
    }

    /// What it finds about the target's bindings: `due` must be there now, `pending` may be there, `target` is there.
    pub fn check(
        &mut self,
        due: &[AclBinding],
        pending: &[AclBinding],
        target: &[AclBinding],
    ) -> Result<Vec<Finding>, CallError> {
        let [due, pending, target] =
            [due, pending, target].map(|bindings| bindings.iter().map(binding).collect::<Vec<_>>());
        let answer = self.keeper.call("check", |store, exports| {
            exports
                .towpath_checks_acl_checker()
                .call_check(store, &due, &pending, &target)
        })?;
        Ok(answer?.into_iter().map(finding).collect())
    }
}

fn finding(finding: findings::Finding) -> Finding {
    Finding {
        severity: match finding.severity {
            findings::Severity::Info => Severity::Info,
            findings::Severity::Warning => Severity::Warning,
            findings::Severity::Blocking => Severity::Blocking,
        },
        subject: finding.subject,
        message: finding.message,
        expected: finding.expected,
        found: finding.found,
        remedy: finding.remedy,
    }
}

fn binding(binding: &AclBinding) -> acls::AclBinding {
    let AclBinding {
        resource_type,
        resource_name,
        pattern_type,
        principal,
        host,
        operation,
        permission,
    } = binding.clone();
    acls::AclBinding {
        resource_type,
        resource_name,
        pattern_type,
        principal,
        host,
        operation,
        permission,
    }
}

fn subject(state: &SubjectState) -> schemas::SubjectState {
    schemas::SubjectState {
        subject: state.subject.clone(),
        compatibility: state.compatibility.clone(),
        mode: state.mode.clone(),
        versions: state.versions.iter().map(version).collect(),
    }
}

fn version(version: &SchemaVersion) -> schemas::SchemaVersion {
    let reference = |reference: &SchemaReference| schemas::Reference {
        name: reference.name.clone(),
        subject: reference.subject.clone(),
        version: reference.version,
    };
    schemas::SchemaVersion {
        version: version.version,
        id: version.id,
        guid: version.guid.clone(),
        schema_type: version.schema_type.clone(),
        schema: version.schema.clone(),
        references: version.references.iter().map(reference).collect(),
        metadata: version.metadata.clone(),
        rule_set: version.rule_set.clone(),
        deleted: version.deleted,
    }
}
