//! Plugins, their configuration keys, and what is wrong with a configuration (KIP-769).

use serde::Serialize;
use utoipa::ToSchema;

/// Which plugins are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plugins {
    Connectors,
    All,
}

/// A plugin of the worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PluginInfo)]
pub struct Plugin {
    /// its name
    #[schema(examples("org.apache.kafka.connect.mirror.MirrorSourceConnector"))]
    pub class: String,
    #[serde(rename = "type")]
    pub kind: PluginType,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub version: Option<String>,
}

/// What a plugin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConfigKeyInfo {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: KeyType,
    pub required: bool,
    /// taken when the key is left out
    #[schema(required)]
    pub default_value: Option<String>,
    pub importance: Importance,
    pub documentation: String,
    /// where a form shows it
    #[schema(required)]
    pub group: Option<String>,
    /// from 1; -1 without a group
    pub order_in_group: i32,
    /// of the field in a form
    pub width: Width,
    pub display_name: String,
    /// keys whose values depend on this one
    pub dependents: Vec<String>,
}

/// Kafka's `ConfigDef.Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = ConfigType)]
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

/// Kafka's `ConfigDef.Importance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Importance {
    High,
    Medium,
    Low,
}

/// Kafka's `ConfigDef.Width`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Width {
    None,
    Short,
    Medium,
    Long,
}

/// A value of a configuration and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConfigValueInfo {
    pub name: String,
    /// never a password
    #[schema(required)]
    pub value: Option<String>,
    pub recommended_values: Vec<String>,
    /// all mistakes, each with its remedy
    pub errors: Vec<String>,
    /// whether a form should show it
    pub visible: bool,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ConfigInfo)]
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
