//! What a record is asked.

use regex_lite::Regex;
use serde_json::Value;
use serde_json_path::JsonPath;
use towpath_plugin::{Batch, Column, Config, pattern};

/// What a record is asked.
pub(crate) enum Condition {
    /// Does the query select something?
    Json { query: JsonPath, part: Part },
    /// Is there a value, and does it match?
    Header { name: String, pattern: Option<Regex> },
}

/// The part of a record that is read as JSON.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Value,
    Key,
}

/// What the answer is.
pub(crate) enum Verdict {
    Matches,
    Differs,
    /// there is nothing to ask
    Null,
    /// what there is is not JSON, for this reason
    Invalid(String),
}

// === impl Condition ===

impl Condition {
    /// Reads the keys of both ways to ask; the mistakes of all are noted.
    pub(crate) fn from_config(config: &mut Config) -> Option<Self> {
        let given = |key: &str| config.get(key).is_some();
        let (json, header, expression) = (given("condition"), given("header"), given("header.pattern"));
        let query = json.then(|| config.string_as("condition", parse)).flatten();
        let part = config.string_as("part", |text| match text.trim() {
            "value" => Ok(Part::Value),
            "key" => Ok(Part::Key),
            _ => Err("must be one of value, key"),
        });
        let name = header.then(|| config.string_as("header", name)).flatten();
        let pattern = match expression {
            true => config.string_as("header.pattern", pattern::whole).map(Some),
            false => Some(None),
        };
        if expression && !header {
            config.mistake::<()>("header.pattern", "has no header to match: give header as well");
        }
        match (json, header) {
            (true, false) => Some(Self::Json {
                query: query?,
                part: part?,
            }),
            (false, true) => Some(Self::Header {
                name: name?,
                pattern: pattern?,
            }),
            (true, true) => config.mistake(
                "",
                "both condition and header are given: one filter asks one of them, two filters ask both",
            ),
            (false, false) => config.mistake(
                "",
                "neither condition nor header is given: one of them says which records match",
            ),
        }
    }

    /// What is asked, as the operator knows it.
    pub(crate) fn part(&self) -> &'static str {
        match self {
            Self::Json {
                part: Part::Value, ..
            } => "value",
            Self::Json { part: Part::Key, .. } => "key",
            Self::Header { .. } => "header",
        }
    }

    pub(crate) fn column(&self, batch: &Batch<'_>) -> Column {
        match self {
            Self::Json {
                part: Part::Value, ..
            } => batch.values(),
            Self::Json { part: Part::Key, .. } => batch.keys(),
            Self::Header { name, .. } => batch.header_column(name),
        }
    }

    pub(crate) fn ask(&self, item: Option<&[u8]>) -> Verdict {
        let matches = match (self, item) {
            (Self::Header { .. }, None) => false,
            (Self::Json { .. }, None) => return Verdict::Null,
            (Self::Header { pattern: None, .. }, Some(_)) => true,
            (
                Self::Header {
                    pattern: Some(pattern),
                    ..
                },
                Some(value),
            ) => std::str::from_utf8(value).is_ok_and(|value| pattern.is_match(value)),
            (Self::Json { query, .. }, Some(text)) => match serde_json::from_slice::<Value>(text) {
                Ok(value) => !query.query(&value).is_empty(),
                Err(error) => return Verdict::Invalid(place(&error)),
            },
        };
        if matches {
            Verdict::Matches
        } else {
            Verdict::Differs
        }
    }
}

fn parse(text: &str) -> Result<JsonPath, String> {
    JsonPath::parse(text).map_err(|error| {
        format!(
            "is not a JSONPath query (RFC 9535): {} at character {}; write for example $[?$.country == 'DE']",
            error.message(),
            error.position() + 1
        )
    })
}

fn name(text: &str) -> Result<String, &'static str> {
    match text {
        "" => Err("must not be empty; a header's key, such as mirrored-from"),
        text => Ok(text.to_owned()),
    }
}

/// Where the text stops being JSON. The library's own sentence may quote the record.
fn place(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "the text ends too early",
        _ => "it stops making sense",
    };
    format!("{what} at line {}, column {}", error.line(), error.column())
}
