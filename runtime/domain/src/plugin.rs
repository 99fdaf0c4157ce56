//! Plugins by name: `name[@version]`, and the kinds there are.

use std::fmt;

use serde::Serialize;

/// What a component is, read from what it exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Transformation,
    Router,
    Predicate,
    Validator,
    SchemaChecker,
    AclChecker,
}

/// How a configuration names a plugin: `mask-field` (the newest there is) or `mask-field@1.2.0`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    pub name: String,
    pub version: Option<String>,
}

// === impl Kind ===

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::Transformation,
        Self::Router,
        Self::Predicate,
        Self::Validator,
        Self::SchemaChecker,
        Self::AclChecker,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transformation => "transformation",
            Self::Router => "router",
            Self::Predicate => "predicate",
            Self::Validator => "validator",
            Self::SchemaChecker => "schema-checker",
            Self::AclChecker => "acl-checker",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Reference ===

impl Reference {
    pub fn parse(text: &str) -> Self {
        match text.split_once('@') {
            Some((name, version)) => Self {
                name: name.to_owned(),
                version: Some(version.to_owned()),
            },
            None => Self {
                name: text.to_owned(),
                version: None,
            },
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{}@{version}", self.name),
            None => f.write_str(&self.name),
        }
    }
}
