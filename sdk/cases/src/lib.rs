//! Golden cases of plugins: folders that say what a plugin does with a configuration and some records.
//!
//! A plugin's folder `cases/` has a folder for each case:
//!
//! | file | holds |
//! |---|---|
//! | `config.json` | the keys under the plugin's prefix, without it: an object of strings |
//! | `input.json` | what the plugin is called with, see [`Input`]; may be left out beside `error.txt` |
//! | `expected.json` | what comes of it, see [`Outcome`]; or |
//! | `error.txt` | the mistakes of the configuration, a line each, as reported: `key: message` |
//!
//! Byte strings are written as `"text"` (UTF-8), `{"base64": "..."}`, `{"json": ...}` (that value as compact JSON text) or `null`.
//!
//! This crate reads cases, strictly, compares and writes them. It knows neither WebAssembly nor the SDK: whoever runs a plugin makes an
//! [`Outcome`] of what it answered.
//!
//! ```no_run
//! # fn call(_: &towpath_plugin_cases::Case) -> towpath_plugin_cases::Outcome { towpath_plugin_cases::Outcome::Refused(vec![]) }
//! use towpath_plugin_cases::{Kind, read_all};
//!
//! for case in read_all("plugins/mask-field/cases".as_ref(), Kind::Transformation)? {
//!     if let Err(mismatch) = case.compare(&call(&case)) {
//!         eprintln!("{mismatch}");
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod bytes;
mod case;
mod checks;
mod error;
mod input;
mod mismatch;
mod outcome;

pub use case::{Case, read_all};
pub use checks::{Acls, Binding, Checked, Finding, SchemaReference, SchemaVersion, Subject, Subjects};
pub use error::{Error, Errors};
pub use input::{Input, Kind, Pair, Pairs, Records, Registry, Schema, TimestampType, Topics};
pub use mismatch::Mismatch;
pub use outcome::{Failure, Judged, Matched, Outcome, Outgoing, Rejection, Routed, Transformed};

/// A record header. A key may occur more than once.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub key: String,
    /// None: null, which is not the same as an empty value.
    #[serde(with = "bytes")]
    pub value: Option<Vec<u8>>,
}

/// A record as it is read. In a file, `key`, `value`, `headers` and `timestamp` may be left out: null, null, none and 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// In a file, one more than that of the record before; the first is 0.
    pub offset: i64,
    /// ms since the epoch; -1: none
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<Header>,
}
