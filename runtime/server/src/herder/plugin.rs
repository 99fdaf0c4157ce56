//! Plugins, their configuration keys, and what is wrong with a configuration (KIP-769).

use serde::Serialize;

/// Which plugins are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plugins {
    Connectors,
    All,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plugin {
    pub class: String,
    #[serde(rename = "type")]
    pub kind: PluginType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginType {
    Source,
    Sink,
    Transformation,
    Predicate,
    Converter,
    HeaderConverter,
}

/// A key of a configuration, as Connect describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigKeyInfo {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: KeyType,
    pub required: bool,
    pub default_value: Option<String>,
    pub importance: Importance,
    pub documentation: String,
    pub group: Option<String>,
    pub order_in_group: i32,
    pub width: Width,
    pub display_name: String,
    pub dependents: Vec<String>,
}

/// Kafka's `ConfigDef.Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum KeyType {
    Boolean,
    String,
    Int,
    Short,
    Long,
    Double,
    List,
    Class,
    Password,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Importance {
    High,
    Medium,
    Low,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Width {
    None,
    Short,
    Medium,
    Long,
}

/// A value of a configuration and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigValueInfo {
    pub name: String,
    /// never a password
    pub value: Option<String>,
    pub recommended_values: Vec<String>,
    /// all mistakes, each with its remedy
    pub errors: Vec<String>,
    /// whether a form should show it
    pub visible: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    pub definition: ConfigKeyInfo,
    pub value: ConfigValueInfo,
}

/// A configuration held against its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// the class
    pub name: String,
    pub groups: Vec<String>,
    pub rows: Vec<Row>,
}
