//! Between the cases' words of checkers and this crate's.

use towpath_plugin_cases::{self as golden, Checked, Outcome};

use crate::{AclBinding, Finding, SchemaReference, SchemaVersion, Severity, SubjectState};

pub(super) fn checked(findings: Vec<Finding>) -> Outcome {
    let finding = |finding: Finding| golden::Finding {
        severity: match finding.severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Blocking => "blocking",
        }
        .to_owned(),
        subject: finding.subject,
        message: finding.message,
        expected: finding.expected,
        found: finding.found,
        remedy: finding.remedy,
    };
    Outcome::Checked(Checked {
        findings: findings.into_iter().map(finding).collect(),
    })
}

pub(super) fn binding(binding: golden::Binding) -> AclBinding {
    AclBinding {
        resource_type: binding.resource_type,
        resource_name: binding.resource_name,
        pattern_type: binding.pattern_type,
        principal: binding.principal,
        host: binding.host,
        operation: binding.operation,
        permission: binding.permission,
    }
}

pub(super) fn subject(subject: golden::Subject) -> SubjectState {
    SubjectState {
        subject: subject.subject,
        compatibility: subject.compatibility,
        mode: subject.mode,
        versions: subject.versions.into_iter().map(version).collect(),
    }
}

fn version(version: golden::SchemaVersion) -> SchemaVersion {
    let reference = |reference: golden::SchemaReference| SchemaReference {
        name: reference.name,
        subject: reference.subject,
        version: reference.version,
    };
    SchemaVersion {
        version: version.version,
        id: version.id,
        guid: version.guid,
        schema_type: version.schema_type,
        schema: version.schema,
        references: version.references.into_iter().map(reference).collect(),
        metadata: version.metadata,
        rule_set: version.rule_set,
        deleted: version.deleted,
    }
}
