//! A connector's configuration as a body: a map of strings.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::value::RawValue;
use towpath_domain::config::{Config, Problem};

use super::error::Error;
use crate::herder::Refusal;

mod schema;

/// Numbers and booleans are taken as they are written, as Connect's parser does; `null` where it takes a key away.
#[derive(Default)]
pub(super) struct ConfigMap(BTreeMap<String, Option<String>>);

/// What a [`ConfigMap`] is that changes another: `null` takes a key away.
pub(super) struct ConfigChanges;

// === impl ConfigMap ===

impl ConfigMap {
    /// A configuration of the connector of this name, which is filled in.
    pub(super) fn of(self, name: &str) -> Result<Config, Error> {
        check_name(name)?;
        let mut config = self.config()?;
        match config.get("name") {
            Some(other) if other != name => return Err(differs(other, name)),
            _ => drop(config.insert("name".to_owned(), name.to_owned())),
        }
        Ok(config)
    }

    /// A configuration of no connector yet.
    pub(super) fn config(self) -> Result<Config, Error> {
        let mut config = Config::new();
        for (key, value) in self.0 {
            let Some(value) = value else {
                return Err(Error::bad_request(format!(
                    "{key} is null: write a string, or leave the key out"
                )));
            };
            config.insert(key, value);
        }
        Ok(config)
    }

    /// Changes to the configuration of the connector of this name.
    pub(super) fn changes(self, name: &str) -> Result<BTreeMap<String, Option<String>>, Error> {
        match self.0.get("name") {
            Some(other) if other.as_deref() != Some(name) => {
                Err(differs(other.as_deref().unwrap_or("null"), name))
            }
            _ => Ok(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for ConfigMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = BTreeMap::<String, Box<RawValue>>::deserialize(deserializer)?;
        let mut values = BTreeMap::new();
        for (key, value) in raw {
            let text = match value.get().as_bytes().first() {
                Some(b'n') => None,
                Some(b'"') => Some(serde_json::from_str(value.get()).map_err(D::Error::custom)?),
                Some(b'{' | b'[') => {
                    return Err(D::Error::custom(format!(
                        "the value of {key:?} is an object or an array: write it as a string"
                    )));
                }
                _ => Some(value.get().to_owned()),
            };
            values.insert(key, text);
        }
        Ok(Self(values))
    }
}

/// What a connector may be called.
fn check_name(name: &str) -> Result<(), Error> {
    let refused = |message: &str| {
        let remedy = "give the connector a name that can stand in a path";
        let problem = Problem::new("name", Some(name), message, remedy);
        Err(Error::from(Refusal::Invalid(vec![problem])))
    };
    if name.trim().is_empty() {
        return refused("String may not be empty");
    }
    if name.chars().any(char::is_control) {
        return refused("String may not contain control characters");
    }
    // Clients resolve these away before they send a path.
    if name == "." || name == ".." {
        return refused("has another meaning in a path");
    }
    Ok(())
}

fn differs(other: &str, name: &str) -> Error {
    Error::bad_request(format!(
        "Connector name configuration ({other}) doesn't match connector name in the URL ({name})"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(text: &str) -> Result<ConfigMap, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn numbers_and_booleans_stay_as_they_are_written() {
        let map = map(r#"{"a": "x\"y", "b": 1e3, "c": true, "d": 123456789012345678901234567890, "e": 1.0}"#);
        let config = map.expect("it is a map").of("n").expect("it is a configuration");
        let values: Vec<&str> = config.values().map(String::as_str).collect();
        assert_eq!(
            values,
            [
                "x\"y",
                "1e3",
                "true",
                "123456789012345678901234567890",
                "1.0",
                "n"
            ]
        );
    }

    #[test]
    fn what_is_no_map_of_strings_is_refused_by_key() {
        let error = map(r#"{"a": "b", "config": {"c": "d"}}"#).err().expect("wrong");
        assert!(error.to_string().contains(r#"the value of "config""#), "{error}");
        let error = map(r#"{"a": null}"#).expect("a map").of("n").expect_err("wrong");
        assert!(format!("{error:?}").contains("a is null"), "{error:?}");
    }

    #[test]
    fn names_that_no_path_can_hold_are_refused() {
        for name in ["", " ", "a\nb", ".", ".."] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in ["a", "my conn/x", "ü", "..."] {
            assert!(check_name(name).is_ok(), "{name:?}");
        }
    }
}
