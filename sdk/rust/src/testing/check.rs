//! What the host checks before a plugin's `init` is called, in its words.

use crate::{ConfigError, ConfigKey, ConfigType, Descriptor, Presence};

/// Missing keys and values of the wrong type: the plugin is not asked then. Keys that are not known have a word of their own.
pub(super) fn check(descriptor: &Descriptor, config: &[(String, String)]) -> Vec<ConfigError> {
    let mut mistakes = Vec::new();
    for key in &descriptor.config {
        let message = match (config.iter().find(|(name, _)| name == key.name), key.presence) {
            (Some((_, value)), _) => check_value(key, value),
            (None, Presence::Required) => {
                let documentation = key.documentation;
                let summary = documentation.split_once(". ").map(|(summary, _)| summary);
                let summary = summary.unwrap_or(documentation.trim_end_matches('.'));
                Err(format!("must be given: {summary}"))
            }
            (None, _) => Ok(()),
        };
        if let Err(message) = message {
            let key = key.name.to_owned();
            mistakes.push(ConfigError { key, message });
        }
    }
    mistakes
}

fn check_value(key: &ConfigKey, value: &str) -> Result<(), String> {
    let text = value.trim();
    let wrong = match key.config_type {
        ConfigType::Boolean => (!text.eq_ignore_ascii_case("true") && !text.eq_ignore_ascii_case("false"))
            .then_some("must be true or false"),
        ConfigType::Int => text
            .parse::<i32>()
            .is_err()
            .then_some("must be a whole number of 32 bits"),
        ConfigType::Long => text
            .parse::<i64>()
            .is_err()
            .then_some("must be a whole number of 64 bits"),
        ConfigType::Double => text.parse::<f64>().is_err().then_some("must be a number"),
        _ => None,
    };
    if let Some(wrong) = wrong {
        return Err(wrong.to_owned());
    }
    let valid = |item: &str| key.valid_values.is_empty() || key.valid_values.contains(&item);
    let all = match key.config_type {
        ConfigType::List => text.split(',').all(|item| valid(item.trim())),
        _ => valid(text),
    };
    if all {
        Ok(())
    } else {
        Err(format!("must be one of {}", key.valid_values.join(", ")))
    }
}
