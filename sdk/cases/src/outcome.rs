//! What comes of a case: the contents of `expected.json` and `error.txt`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Checked, Header, Kind, bytes};

/// What comes of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The configuration was refused: `key: message` for each mistake, in the order reported (`error.txt`).
    Refused(Vec<String>),
    /// The call as a whole failed.
    Failed(Failure),
    Transformed(Transformed),
    Routed(Routed),
    Matched(Matched),
    Judged(Judged),
    Checked(Checked),
}

/// `{"failure": {"message", "retriable"}}`, of every kind.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    pub message: String,
    pub retriable: bool,
}

/// `{"records": [{"topic", "key", "value", "headers"}], "rejected": [{"index", "reason"}]}`, of a transformation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Transformed {
    /// What is written, in order: without those that were dropped or rejected, replaced ones in their place.
    pub records: Vec<Outgoing>,
    /// Records that the transformation could not handle, by index into the input.
    #[serde(default)]
    pub rejected: Vec<Rejection>,
}

/// A record to be written. Its timestamp is that of the record it comes from: no edit can change it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Outgoing {
    /// The topic that an edit set; left out where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    #[serde(default, with = "bytes")]
    pub key: Option<Vec<u8>>,
    #[serde(default, with = "bytes")]
    pub value: Option<Vec<u8>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Header>,
}

/// A record, or a pair, that is refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    pub index: u32,
    pub reason: String,
}

/// `{"map": {"topic": "name" or null}, "unmap": {...}}`, of a router: for each topic asked, null where there is no answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Routed {
    #[serde(default)]
    pub map: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub unmap: BTreeMap<String, Option<String>>,
}

/// `{"matching": [index]}`, of a predicate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Matched {
    pub matching: Vec<u32>,
}

/// `{"rejections": [{"index", "reason"}]}`, of a validator: by index into the pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Judged {
    pub rejections: Vec<Rejection>,
}

/// `expected.json` of a call that fails.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FailedFile {
    pub(crate) failure: Failure,
}

// === impl Outcome ===

impl Outcome {
    /// The file that says so.
    pub(crate) fn file(&self) -> &'static str {
        match self {
            Self::Refused(_) => "error.txt",
            _ => "expected.json",
        }
    }

    /// The kind of plugin that this can come of; none: any.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Refused(_) | Self::Failed(_) => None,
            Self::Transformed(_) => Some(Kind::Transformation),
            Self::Routed(_) => Some(Kind::Router),
            Self::Matched(_) => Some(Kind::Predicate),
            Self::Judged(_) => Some(Kind::Validator),
            Self::Checked(_) => Some(Kind::SchemaChecker),
        }
    }

    /// Whether a plugin of this kind can answer so. Both kinds of checkers answer with findings.
    pub(crate) fn is_of(&self, kind: Kind) -> bool {
        match self {
            Self::Checked(_) => matches!(kind, Kind::SchemaChecker | Kind::AclChecker),
            _ => self.kind().is_none_or(|own| own == kind),
        }
    }

    /// What the file holds.
    pub(crate) fn text(&self) -> String {
        let json = match self {
            Self::Refused(mistakes) => {
                return mistakes.iter().map(|mistake| format!("{mistake}\n")).collect();
            }
            Self::Failed(failure) => serde_json::to_string_pretty(&FailedFile {
                failure: failure.clone(),
            }),
            Self::Transformed(transformed) => serde_json::to_string_pretty(transformed),
            Self::Routed(routed) => serde_json::to_string_pretty(routed),
            Self::Matched(matched) => serde_json::to_string_pretty(matched),
            Self::Judged(judged) => serde_json::to_string_pretty(judged),
            Self::Checked(checked) => serde_json::to_string_pretty(checked),
        };
        json.expect("texts, numbers and byte strings have a form in JSON") + "\n"
    }
}
