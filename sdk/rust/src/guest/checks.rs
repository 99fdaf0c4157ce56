//! Between the contract's words of checkers and this crate's.

use super::{
    acl_checkers::exports::towpath::checks::acl_checker, records::all,
    schema_checkers::exports::towpath::checks::schema_checker, schema_checkers::towpath::checks::findings,
    validators::exports::towpath::plugin::validator,
};
use crate::{AclBinding, Finding, Rejection, SchemaReference, SchemaVersion, Severity, SubjectState};

impl From<Rejection> for validator::Rejection {
    fn from(rejection: Rejection) -> Self {
        Self {
            index: rejection.index,
            reason: rejection.reason,
        }
    }
}

impl From<Finding> for findings::Finding {
    fn from(finding: Finding) -> Self {
        Self {
            severity: match finding.severity {
                Severity::Info => findings::Severity::Info,
                Severity::Warning => findings::Severity::Warning,
                Severity::Blocking => findings::Severity::Blocking,
            },
            subject: finding.subject,
            message: finding.message,
            expected: finding.expected,
            found: finding.found,
            remedy: finding.remedy,
        }
    }
}

impl From<schema_checker::SubjectState> for SubjectState {
    fn from(state: schema_checker::SubjectState) -> Self {
        Self {
            subject: state.subject,
            compatibility: state.compatibility,
            mode: state.mode,
            versions: all(state.versions),
        }
    }
}

impl From<schema_checker::SchemaVersion> for SchemaVersion {
    fn from(version: schema_checker::SchemaVersion) -> Self {
        Self {
            version: version.version,
            id: version.id,
            guid: version.guid,
            schema_type: version.schema_type,
            schema: version.schema,
            references: all(version.references),
            metadata: version.metadata,
            rule_set: version.rule_set,
            deleted: version.deleted,
        }
    }
}

impl From<schema_checker::Reference> for SchemaReference {
    fn from(reference: schema_checker::Reference) -> Self {
        Self {
            name: reference.name,
            subject: reference.subject,
            version: reference.version,
        }
    }
}

impl From<acl_checker::AclBinding> for AclBinding {
    fn from(binding: acl_checker::AclBinding) -> Self {
        Self {
            resource_type: binding.resource_type,
            resource_name: binding.resource_name,
            pattern_type: binding.pattern_type,
            principal: binding.principal,
            host: binding.host,
            operation: binding.operation,
            permission: binding.permission,
        }
    }
}
