//! The words of checks: what both clusters say about themselves, and what was found.

use serde::{Deserialize, Serialize};

/// What a finding does to the gate that asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// shown, nothing more
    Info,
    /// shown; the gate stays open
    Warning,
    /// the gate stays shut until it is gone or waived by name
    Blocking,
}

/// What a check found about one thing. No finding is a clean check.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Finding {
    pub severity: Severity,
    /// what it is about, as the user would name it: a subject, a topic, an ACL binding
    pub subject: String,
    /// what is wrong, one sentence, lower case
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// what a person can do about it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// An ACL binding in Kafka's own words (`AclBinding`): `TOPIC`, `LITERAL`, `READ`, `ALLOW`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
pub struct AclBinding {
    pub resource_type: String,
    /// a name, a prefix, or `*`
    pub resource_name: String,
    /// `LITERAL` or `PREFIXED`
    pub pattern_type: String,
    /// such as `User:alice`
    pub principal: String,
    /// an address or `*`
    pub host: String,
    pub operation: String,
    /// `ALLOW` or `DENY`
    pub permission: String,
}

/// A subject as one schema registry has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct SubjectState {
    pub subject: String,
    /// the effective level: `BACKWARD`, ...
    pub compatibility: String,
    /// the effective mode: `READWRITE`, ...; empty: the registry does not tell
    pub mode: String,
    /// ascending by version
    pub versions: Vec<SchemaVersion>,
}

/// One version of a subject.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct SchemaVersion {
    /// from 1, possibly with gaps
    pub version: u32,
    pub id: u32,
    pub guid: Option<String>,
    /// `AVRO`, `PROTOBUF` or `JSON`
    pub schema_type: String,
    /// byte for byte as the registry returns it
    pub schema: String,
    pub references: Vec<SchemaReference>,
    /// the registry's JSON
    pub metadata: Option<String>,
    /// the registry's JSON
    pub rule_set: Option<String>,
    /// soft-deleted
    pub deleted: bool,
}

/// What a schema refers to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub struct SchemaReference {
    pub name: String,
    pub subject: String,
    pub version: u32,
}
