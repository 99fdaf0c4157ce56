//! Cases that cannot be read.

use std::{fmt, io, path::PathBuf};

use crate::Kind;

/// A case that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{}: {message}", path.display())]
    Json { path: PathBuf, message: String },
    #[error("{}: `{field}`: {message}", path.display())]
    Field {
        path: PathBuf,
        /// such as `records[2].value`
        field: String,
        message: String,
    },
    #[error("{} is no file of a case: config.json, input.json, and expected.json or error.txt", .0.display())]
    Stray(PathBuf),
    #[error("{} is missing: what the plugin is called with", .0.display())]
    NoInput(PathBuf),
    #[error("{} has neither expected.json nor error.txt: BLESS=1 writes what the plugin does now", .0.display())]
    NothingExpected(PathBuf),
    #[error("{} has both expected.json and error.txt: a configuration is accepted or it is not", .0.display())]
    BothExpected(PathBuf),
    #[error("{} says what an outcome of kind {found} is, the plugin is a {expected}", path.display())]
    Kind {
        path: PathBuf,
        expected: Kind,
        found: Kind,
    },
    #[error("{} has no cases: a folder each, with config.json, input.json and expected.json", .0.display())]
    Empty(PathBuf),
}

/// Every case of a folder that cannot be read.
#[derive(Debug)]
pub struct Errors(pub Vec<Error>);

// === impl Errors ===

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}
