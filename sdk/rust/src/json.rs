//! Finds values in JSON text by path, without building a tree: one pass, no allocation per record.
//!
//! The whole text is checked against RFC 8259, also where no path leads, so that a truncated or damaged record is never taken for a sound one. Two
//! things are laxer than in `serde_json`: numbers may be out of any range, and `\u` escapes may be lone surrogates. Containers nest at
//! most [`MAX_DEPTH`] deep.
//!
//! ```
//! use towpath_plugin::json::Paths;
//!
//! let paths = Paths::parse(["$.customer.card", "items[*].card"]).unwrap();
//! let text = br#"{"customer": {"card": 17}, "items": [{"card": "a"}, {"card": "b"}]}"#;
//! let mut found = Vec::new();
//! paths.find(text, &mut found).unwrap();
//! let values: Vec<&[u8]> = found.iter().map(|found| &text[found.range.clone()]).collect();
//! assert_eq!(values, [&b"17"[..], b"\"a\"", b"\"b\""]);
//! ```

use std::{fmt, ops::Range};

mod path;
mod scan;
mod text;
mod window;

pub use path::{PathError, Paths};

/// How deep objects and arrays may be inside of each other: as in `serde_json`, so that a hostile record cannot exhaust the stack.
pub const MAX_DEPTH: u32 = 127;

/// A value that a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which of the paths, by its place in the list given to [`Paths::parse`]; the first one where several lead here.
    pub path: usize,
    /// Where the value's text is, in bytes, without the whitespace around it.
    pub range: Range<usize>,
}

/// The text is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// In bytes from the start: where the text stops making sense.
    pub position: usize,
    pub problem: Problem,
}

/// What is wrong at that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// the text ends in the middle
    End,
    /// another character should be there
    Expected(&'static str),
    /// a control character within a string
    Control,
    /// an unknown escape, or a bad `\u`
    Escape,
    /// leading zeros, or digits missing
    Number,
    /// containers nest deeper than [`MAX_DEPTH`]
    Depth,
    /// more text after the value
    Trailing,
    /// bytes that are not UTF-8
    Utf8,
}

// === impl Error ===

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem {
            Problem::End => f.write_str("the text ends too early")?,
            Problem::Expected(what) => write!(f, "expected {what}")?,
            Problem::Control => f.write_str("control character in a string")?,
            Problem::Escape => f.write_str("bad escape in a string")?,
            Problem::Number => f.write_str("bad number")?,
            Problem::Depth => write!(f, "nested deeper than {MAX_DEPTH}")?,
            Problem::Trailing => f.write_str("more text after the value")?,
            Problem::Utf8 => f.write_str("not UTF-8")?,
        }
        write!(f, " at byte {}", self.position)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests;
