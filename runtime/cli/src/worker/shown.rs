//! What a worker shows while it runs: its progress, and its status file.

use std::path::Path;

use anyhow::Context;

use super::{connectors::Status, progress::Progress, status_file};

pub(super) struct Shown<'a> {
    progress: Progress,
    file: Option<&'a Path>,
    /// The file could be written the last time: that it cannot is told once.
    was_written: bool,
}

// === impl Shown ===

impl<'a> Shown<'a> {
    pub(super) fn new(file: Option<&'a Path>) -> Self {
        Self {
            progress: Progress::new(),
            file,
            was_written: true,
        }
    }

    pub(super) fn show(&mut self, statuses: &[Status]) {
        self.progress.show(statuses);
        let Some(path) = self.file else { return };
        let written = status_file::write(path, statuses);
        if let Err(error) = &written
            && self.was_written
        {
            tracing::error!(path = %path.display(), %error, "the status file cannot be written");
        }
        self.was_written = written.is_ok();
    }

    pub(super) fn end(&mut self, statuses: &[Status]) -> anyhow::Result<()> {
        self.progress.end(statuses);
        match self.file {
            None => Ok(()),
            Some(path) => status_file::write(path, statuses)
                .with_context(|| format!("{}: cannot be written", path.display())),
        }
    }
}
