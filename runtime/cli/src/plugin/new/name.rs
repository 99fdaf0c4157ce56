//! A plugin's name.

use std::fmt;

/// 1 to 64 lower case letters, digits and `-`, a letter first: what every language's packages and the contract accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

// === impl Name ===

impl Name {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let wrong = if text.is_empty() {
            "is empty"
        } else if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
            "does not start with a lower case letter"
        } else if !text.chars().all(legal) {
            "has other characters than lower case letters, digits and `-`"
        } else if text.len() > 64 {
            "has more than 64 characters"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(format!("a plugin's name {wrong}; such as mask-cards"))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_every_package_manager_takes() {
        let longest = "a".repeat(64);
        for name in ["a", "mask-cards", "v2", &longest] {
            assert_eq!(Name::parse(name).unwrap().as_str(), name);
        }
        let too_long = "a".repeat(65);
        for name in ["", "-a", "2a", "Mask", "a_b", "a/b", "..", "a b", "é", &too_long] {
            assert!(Name::parse(name).is_err(), "{name}");
        }
    }
}
