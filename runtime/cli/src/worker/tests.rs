//! What users read must be what the worker does: the reference of keys, and the examples.

mod configuration;
mod examples;

use std::path::PathBuf;

/// A file or folder of the repository.
fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}
