//! Who a plugin says it is.

use semver::Version;
use serde::Serialize;

use crate::bindings::plugin as wit;

/// What `describe` answered, checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Descriptor {
    /// 1-64 of `a-z 0-9 -`, starting with a letter.
    pub name: String,
    pub version: Version,
    /// First sentence: the summary.
    pub documentation: String,
    pub config: Vec<ConfigKey>,
}

/// A configuration key, as in Kafka's `ConfigDef`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigKey {
    pub name: String,
    pub config_type: ConfigType,
    pub presence: Presence,
    pub importance: Importance,
    pub documentation: String,
    pub display_name: String,
    pub group: String,
    pub order: u32,
    /// Empty: any.
    pub valid_values: Vec<String>,
    /// Proposed, not enforced.
    pub recommended: Vec<String>,
}

/// Kafka's `ConfigDef.Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ConfigType {
    Boolean,
    Int,
    Long,
    Double,
    String,
    List,
    Class,
    Password,
}

/// Kafka's `ConfigDef.Importance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Importance {
    Low,
    Medium,
    High,
}

/// Whether a key must be given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    Required,
    Optional,
    Default(String),
}

// === impl Descriptor ===

impl Descriptor {
    /// Checks what a guest says about itself. The error completes "it describes itself wrongly: ...".
    pub(crate) fn from_wit(descriptor: wit::Descriptor) -> Result<Self, String> {
        let name = descriptor.name;
        let legal = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.len() > 64 || !name.bytes().all(legal)
        {
            return Err(format!(
                "the name {name:?} is not 1 to 64 of a-z 0-9 -, starting with a letter"
            ));
        }
        let version = Version::parse(&descriptor.version).map_err(|error| {
            format!(
                "the version {:?} is not one like 1.2.0: {error}",
                descriptor.version
            )
        })?;
        let config: Vec<ConfigKey> = descriptor.config.into_iter().map(ConfigKey::from_wit).collect();
        for (index, key) in config.iter().enumerate() {
            let legal = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b".-_".contains(&c);
            if key.name.is_empty() || !key.name.bytes().all(legal) {
                return Err(format!(
                    "the configuration key {:?} is not made of a-z 0-9 . - _",
                    key.name
                ));
            }
            if config[..index].iter().any(|other| other.name == key.name) {
                return Err(format!("the configuration key `{}` is there twice", key.name));
            }
        }
        Ok(Self {
            name,
            version,
            documentation: descriptor.documentation,
            config,
        })
    }
}

// === impl ConfigKey ===

impl ConfigKey {
    fn from_wit(key: wit::ConfigKey) -> Self {
        Self {
            name: key.name,
            config_type: match key.config_type {
                wit::ConfigType::Boolean => ConfigType::Boolean,
                wit::ConfigType::Int => ConfigType::Int,
                wit::ConfigType::Long => ConfigType::Long,
                wit::ConfigType::Double => ConfigType::Double,
                wit::ConfigType::String => ConfigType::String,
                wit::ConfigType::List => ConfigType::List,
                wit::ConfigType::Class => ConfigType::Class,
                wit::ConfigType::Password => ConfigType::Password,
            },
            presence: match key.presence {
                wit::Presence::Required => Presence::Required,
                wit::Presence::Optional => Presence::Optional,
                wit::Presence::Default(value) => Presence::Default(value),
            },
            importance: match key.importance {
                wit::Importance::Low => Importance::Low,
                wit::Importance::Medium => Importance::Medium,
                wit::Importance::High => Importance::High,
            },
            documentation: key.documentation,
            display_name: key.display_name,
            group: key.group,
            order: key.order,
            valid_values: key.valid_values,
            recommended: key.recommended,
        }
    }
}
