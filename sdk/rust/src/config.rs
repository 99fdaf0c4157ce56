//! Reading a plugin's configuration, all mistakes at once.

use std::{fmt, str::FromStr};

/// The configuration given to `init`: known keys, with defaults filled in.
///
/// Getters note mistakes and answer none; read every key before the first `?`, and the user learns of all mistakes at once:
///
/// ```
/// # use towpath_plugin::Config;
/// # fn init(config: &mut Config) -> Option<(u32, Vec<String>)> {
/// let size = config.parse("size");
/// let fields = config.list("fields");
/// Some((size?, fields?))
/// # }
/// ```
pub struct Config {
    values: Vec<(String, String)>,
    mistakes: Vec<ConfigError>,
}

/// One mistake in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Empty: several keys together.
    pub key: String,
    /// What is wrong and what would be right, without key and value: the host shows those.
    pub message: String,
}

// === impl Config ===

impl Config {
    pub fn new(values: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            values: values.into_iter().collect(),
            mistakes: Vec::new(),
        }
    }

    /// As given, or the default; none: an optional key that was not given.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// A text; a key that is not there is a mistake.
    pub fn string(&mut self, key: &str) -> Option<String> {
        match self.get(key) {
            Some(value) => Some(value.to_owned()),
            None => self.mistake(key, "must be given"),
        }
    }

    /// A text made into something else, as `f` says; its error is a mistake.
    pub fn string_as<T, E: fmt::Display>(
        &mut self,
        key: &str,
        f: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.string(key)?;
        f(&text)
            .map_err(|error| self.mistake::<()>(key, error.to_string()))
            .ok()
    }

    /// A number, or whatever else is written as one word.
    pub fn parse<T: FromStr<Err: fmt::Display>>(&mut self, key: &str) -> Option<T> {
        self.string_as(key, |text| text.trim().parse())
    }

    /// `true` or `false`, in any case.
    pub fn boolean(&mut self, key: &str) -> Option<bool> {
        self.string_as(key, |text| match text.trim().to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("must be true or false"),
        })
    }

    /// The items between commas, trimmed; empty ones are left out, as Kafka does, and a list without items is a mistake.
    pub fn list(&mut self, key: &str) -> Option<Vec<String>> {
        let items = |text: &str| -> Vec<String> {
            text.split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect()
        };
        self.string_as(key, |text| match items(text) {
            items if items.is_empty() => Err("names nothing"),
            items => Ok(items),
        })
    }

    /// Notes a mistake. Always none, to be returned where a value was expected.
    pub fn mistake<T>(&mut self, key: &str, message: impl Into<String>) -> Option<T> {
        self.mistakes.push(ConfigError {
            key: key.to_owned(),
            message: message.into(),
        });
        None
    }

    /// What `init` came to: mistakes count even if it gave a plugin.
    #[doc(hidden)]
    pub fn settle<T>(self, plugin: Option<T>) -> Result<T, Vec<ConfigError>> {
        match plugin {
            Some(plugin) if self.mistakes.is_empty() => Ok(plugin),
            None if self.mistakes.is_empty() => {
                let message = "the plugin refuses this configuration without saying why".to_owned();
                Err(vec![ConfigError {
                    key: String::new(),
                    message,
                }])
            }
            _ => Err(self.mistakes),
        }
    }
}

// === impl ConfigError ===

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.key, self.message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_are_noted() {
        let given = [("size", "x"), ("on", "maybe"), ("fields", " , "), ("ok", " 7 ")];
        let mut config = Config::new(given.map(|(key, value)| (key.into(), value.into())));
        assert_eq!(config.parse::<u8>("size"), None);
        assert_eq!(config.boolean("on"), None);
        assert_eq!(config.list("fields"), None);
        assert_eq!(config.string("name"), None);
        assert_eq!(config.parse::<u8>("ok"), Some(7));
        let mistakes = config.settle(Some(())).unwrap_err();
        let keys: Vec<&str> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
        assert_eq!(keys, ["size", "on", "fields", "name"]);
    }
}
