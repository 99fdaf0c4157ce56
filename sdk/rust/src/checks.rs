//! The words of checkers: what both clusters say about themselves, and what was found.

/// What a finding does to the gate that asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Info,
    Warning,
    /// The gate stays shut.
    Blocking,
}

/// What a check found about one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    /// What it is about, as the user would name it.
    pub subject: String,
    pub message: String,
    pub expected: Option<String>,
    pub found: Option<String>,
    /// What a person can do about it.
    pub remedy: Option<String>,
}

/// A subject as one registry has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectState {
    pub subject: String,
    /// The effective level: `BACKWARD`, ...
    pub compatibility: String,
    /// The effective mode: `READWRITE`, ...
    pub mode: String,
    /// Ascending by version.
    pub versions: Vec<SchemaVersion>,
}

/// One version of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaVersion {
    pub version: u32,
    pub id: u32,
    pub guid: Option<String>,
    /// `AVRO`, `PROTOBUF` or `JSON`
    pub schema_type: String,
    pub schema: String,
    pub references: Vec<SchemaReference>,
    /// As the registry's JSON.
    pub metadata: Option<String>,
    /// As the registry's JSON.
    pub rule_set: Option<String>,
    /// Soft-deleted.
    pub deleted: bool,
}

/// What a schema refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaReference {
    pub name: String,
    pub subject: String,
    pub version: u32,
}

/// An ACL binding in Kafka's own words: `TOPIC`, `LITERAL`, `ALLOW`, ...
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AclBinding {
    pub resource_type: String,
    pub resource_name: String,
    pub pattern_type: String,
    pub principal: String,
    pub host: String,
    pub operation: String,
    pub permission: String,
}
