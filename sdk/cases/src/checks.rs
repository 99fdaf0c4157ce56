//! What checkers are called with, and what they find.

use serde::{Deserialize, Serialize};

/// `{"source": subject, "target": subject}`, of a schema checker; one of them may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subjects {
    #[serde(default)]
    pub source: Option<Subject>,
    #[serde(default)]
    pub target: Option<Subject>,
}

/// `{"subject", "compatibility", "mode", "versions": [version]}`: a subject as one registry has it. All but `subject` may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    pub subject: String,
    /// `BACKWARD` when left out
    #[serde(default = "backward")]
    pub compatibility: String,
    /// `READWRITE` when left out
    #[serde(default = "readwrite")]
    pub mode: String,
    #[serde(default)]
    pub versions: Vec<SchemaVersion>,
}

/// `{"version", "id", "guid", "schema-type", "schema", "references", "metadata", "rule-set", "deleted"}`. All but `version`, `id` and `schema` may be left out;
/// `schema` is a text, or JSON that becomes one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SchemaVersion {
    pub version: u32,
    pub id: u32,
    #[serde(default)]
    pub guid: Option<String>,
    /// `AVRO` when left out
    #[serde(default = "avro")]
    pub schema_type: String,
    #[serde(deserialize_with = "text")]
    pub schema: String,
    #[serde(default)]
    pub references: Vec<SchemaReference>,
    #[serde(default)]
    pub metadata: Option<String>,
    #[serde(default)]
    pub rule_set: Option<String>,
    #[serde(default)]
    pub deleted: bool,
}

/// What a schema refers to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaReference {
    pub name: String,
    pub subject: String,
    pub version: u32,
}

/// `{"due": [binding], "pending": [binding], "target": [binding]}`, of an ACL checker; each may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acls {
    #[serde(default)]
    pub due: Vec<Binding>,
    #[serde(default)]
    pub pending: Vec<Binding>,
    #[serde(default)]
    pub target: Vec<Binding>,
}

/// `{"resource-type", "resource-name", "pattern-type", "principal", "host", "operation", "permission"}`: a binding in Kafka's words. Left out, they are
/// `TOPIC`, `LITERAL`, `*` and `ALLOW`; name, principal and operation must be given.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Binding {
    #[serde(default = "topic")]
    pub resource_type: String,
    pub resource_name: String,
    #[serde(default = "literal")]
    pub pattern_type: String,
    pub principal: String,
    #[serde(default = "any")]
    pub host: String,
    pub operation: String,
    #[serde(default = "allow")]
    pub permission: String,
}

/// `{"findings": [finding]}`, of a checker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Checked {
    pub findings: Vec<Finding>,
}

/// `{"severity": "info" | "warning" | "blocking", "subject", "message", "expected", "found", "remedy"}`; the last three where they are said.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    pub severity: String,
    pub subject: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

pub(crate) fn text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => text,
        json => json.to_string(),
    })
}

fn backward() -> String {
    "BACKWARD".to_owned()
}

fn readwrite() -> String {
    "READWRITE".to_owned()
}

pub(crate) fn avro() -> String {
    "AVRO".to_owned()
}

fn topic() -> String {
    "TOPIC".to_owned()
}

fn literal() -> String {
    "LITERAL".to_owned()
}

fn any() -> String {
    "*".to_owned()
}

fn allow() -> String {
    "ALLOW".to_owned()
}
