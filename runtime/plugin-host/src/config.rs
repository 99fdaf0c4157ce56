//! Checking a plugin's configuration against its descriptor: all mistakes at once, before the guest is asked.

use std::fmt;

use serde::Serialize;
use towpath_domain::config::nearest;

use crate::{ConfigKey, ConfigType, Descriptor, Presence, bindings::plugin as wit};

/// One mistake in the configuration of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigError {
    /// Without the user's prefix. Empty: several keys together.
    pub key: String,
    /// As given; none: not given. A password's is `[hidden]`.
    pub value: Option<String>,
    /// What is wrong, and what would be right.
    pub message: String,
}

// === impl ConfigError ===

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.key.as_str(), &self.value) {
            ("", _) => f.write_str(&self.message),
            (key, Some(value)) => write!(f, "`{key}` = {value:?}: {}", self.message),
            (key, None) => write!(f, "`{key}`: {}", self.message),
        }
    }
}

impl ConfigError {
    /// A mistake that the guest found, with the value that the user gave.
    pub(crate) fn from_wit(
        error: wit::ConfigError,
        descriptor: &Descriptor,
        config: &[(String, String)],
    ) -> Self {
        let value = config
            .iter()
            .find(|(key, _)| *key == error.key)
            .map(|(_, value)| value.clone());
        let key = descriptor.config.iter().find(|key| key.name == error.key);
        Self {
            value: value.map(|value| shown(key, value)),
            key: error.key,
            message: error.message,
        }
    }
}

/// What `init` is given: known keys in the descriptor's order, with defaults filled in.
pub(crate) fn check(
    descriptor: &Descriptor,
    given: &[(String, String)],
) -> Result<Vec<(String, String)>, Vec<ConfigError>> {
    let mut errors: Vec<ConfigError> = given
        .iter()
        .enumerate()
        .filter_map(|(index, (name, value))| misplaced(descriptor, name, value, &given[..index]))
        .collect();
    let mut config = Vec::with_capacity(descriptor.config.len());
    for key in &descriptor.config {
        let value = match (given.iter().find(|(name, _)| *name == key.name), &key.presence) {
            (Some((_, value)), _) => value,
            (None, Presence::Default(value)) => value,
            (None, Presence::Optional) => continue,
            (None, Presence::Required) => {
                let message = match key.documentation.split_once(". ") {
                    Some((summary, _)) => format!("must be given: {summary}"),
                    None => format!("must be given: {}", key.documentation.trim_end_matches('.')),
                };
                errors.push(ConfigError {
                    key: key.name.clone(),
                    value: None,
                    message,
                });
                continue;
            }
        };
        match check_value(key, value) {
            Ok(()) => config.push((key.name.clone(), value.clone())),
            Err(message) => {
                errors.push(ConfigError {
                    key: key.name.clone(),
                    value: Some(shown(Some(key), value.clone())),
                    message,
                });
            }
        }
    }
    if errors.is_empty() {
        Ok(config)
    } else {
        Err(errors)
    }
}

/// A key that is not known, or that was given before.
fn misplaced(
    descriptor: &Descriptor,
    name: &str,
    value: &str,
    before: &[(String, String)],
) -> Option<ConfigError> {
    let known = descriptor.config.iter().find(|key| key.name == name);
    let message = match known {
        Some(_) if before.iter().any(|(other, _)| other == name) => "is given twice".to_owned(),
        Some(_) => return None,
        None => {
            let names: Vec<&str> = descriptor.config.iter().map(|key| key.name.as_str()).collect();
            match nearest(name, names.iter().copied()) {
                Some(near) => format!("is not a key of {}; did you mean `{near}`?", descriptor.name),
                None if names.is_empty() => format!("{} has no configuration keys", descriptor.name),
                None => format!(
                    "is not a key of {}; there are {}",
                    descriptor.name,
                    names.join(", ")
                ),
            }
        }
    };
    // a misspelt password's value is not shown either: nobody knows what it is
    let value = known.map(|key| shown(Some(key), value.to_owned()));
    Some(ConfigError {
        key: name.to_owned(),
        value,
        message,
    })
}

fn check_value(key: &ConfigKey, value: &str) -> Result<(), String> {
    let text = value.trim();
    match key.config_type {
        ConfigType::Boolean if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") => {}
        ConfigType::Boolean => return Err("must be true or false".to_owned()),
        ConfigType::Int if text.parse::<i32>().is_err() => {
            return Err("must be a whole number of 32 bits".to_owned());
        }
        ConfigType::Long if text.parse::<i64>().is_err() => {
            return Err("must be a whole number of 64 bits".to_owned());
        }
        ConfigType::Double if text.parse::<f64>().is_err() => return Err("must be a number".to_owned()),
        _ => {}
    }
    if key.valid_values.is_empty() {
        return Ok(());
    }
    let items: Vec<&str> = match key.config_type {
        ConfigType::List => text.split(',').map(str::trim).collect(),
        _ => vec![text],
    };
    match items
        .into_iter()
        .find(|item| !key.valid_values.iter().any(|valid| valid == item))
    {
        Some(_) => Err(format!("must be one of {}", key.valid_values.join(", "))),
        None => Ok(()),
    }
}

fn shown(key: Option<&ConfigKey>, value: String) -> String {
    match key.map(|key| key.config_type) {
        Some(ConfigType::Password) => "[hidden]".to_owned(),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Importance;

    fn key(name: &str, config_type: ConfigType, presence: Presence, valid: &[&str]) -> ConfigKey {
        ConfigKey {
            name: name.into(),
            config_type,
            presence,
            importance: Importance::High,
            documentation: "What it does. And more.".into(),
            display_name: String::new(),
            group: String::new(),
            order: 0,
            valid_values: valid.iter().map(|valid| valid.to_string()).collect(),
            recommended: vec![],
        }
    }

    fn descriptor() -> Descriptor {
        Descriptor {
            name: "sample".into(),
            version: semver::Version::new(1, 0, 0),
            documentation: String::new(),
            config: vec![
                key("fields", ConfigType::List, Presence::Required, &[]),
                key("size", ConfigType::Int, Presence::Default("7".into()), &[]),
                key("strict", ConfigType::Boolean, Presence::Optional, &[]),
                key(
                    "mode",
                    ConfigType::String,
                    Presence::Default("a".into()),
                    &["a", "b"],
                ),
                key("secret", ConfigType::Password, Presence::Optional, &["x"]),
            ],
        }
    }

    fn given(config: &[(&str, &str)]) -> Vec<(String, String)> {
        config
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect()
    }

    #[test]
    fn defaults_are_filled_in_and_optional_keys_left_out() {
        let config = check(&descriptor(), &given(&[("mode", "b"), ("fields", "a,b")])).unwrap();
        assert_eq!(config, given(&[("fields", "a,b"), ("size", "7"), ("mode", "b")]));
    }

    #[test]
    fn all_mistakes_are_reported_at_once_and_passwords_never_shown() {
        let config = [
            ("feilds", "x"),
            ("size", "x"),
            ("strict", "yes"),
            ("mode", "c"),
            ("secret", "hunter2"),
        ];
        let errors = check(&descriptor(), &given(&config)).unwrap_err();
        let text: Vec<String> = errors.iter().map(ConfigError::to_string).collect();
        assert_eq!(
            text,
            [
                "`feilds`: is not a key of sample; did you mean `fields`?",
                "`fields`: must be given: What it does",
                "`size` = \"x\": must be a whole number of 32 bits",
                "`strict` = \"yes\": must be true or false",
                "`mode` = \"c\": must be one of a, b",
                "`secret` = \"[hidden]\": must be one of x",
            ]
        );
    }
}
