//! `--status-file`: the state of everything, whole at any moment it is read.

use std::{io, path::Path};

use super::connectors::Status;

#[derive(serde::Serialize)]
struct Document<'a> {
    /// of this document's shape
    version: u32,
    connectors: &'a [Status],
}

/// Writes beside the file and renames: a reader never sees half of it.
pub(super) fn write(path: &Path, statuses: &[Status]) -> io::Result<()> {
    let document = serde_json::to_vec(&Document {
        version: 1,
        connectors: statuses,
    })?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, document)?;
    std::fs::rename(&beside, path)
}
