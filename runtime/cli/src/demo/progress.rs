//! The live line.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use crate::number::grouped;

pub(super) struct Progress {
    total: u64,
    is_terminal: bool,
    /// when the rate was looked at, and how many records there were
    last: (Instant, u64),
    rate: f64,
    shown: Option<Instant>,
}

// === impl Progress ===

impl Progress {
    pub(super) fn new(total: u64) -> Self {
        Self {
            total,
            is_terminal: std::io::stderr().is_terminal(),
            last: (Instant::now(), 0),
            rate: 0.0,
            shown: None,
        }
    }

    /// Now and then, however often it is called.
    pub(super) fn show(&mut self, written: u64, mirrored: u64) {
        let interval = Duration::from_millis(if self.is_terminal { 250 } else { 2000 });
        if self.shown.is_some_and(|shown| shown.elapsed() < interval) {
            return;
        }
        self.shown = Some(Instant::now());
        let since = self.last.0.elapsed().as_secs_f64();
        if since > 0.9 {
            self.rate = mirrored.saturating_sub(self.last.1) as f64 / since;
            self.last = (Instant::now(), mirrored);
        }
        let line = format!(
            "written {} of {}, mirrored {} ({} records/s)",
            grouped(written),
            grouped(self.total),
            grouped(mirrored),
            grouped(self.rate as u64)
        );
        let mut stderr = std::io::stderr();
        // A closed terminal is no reason to stop mirroring.
        let _ = match self.is_terminal {
            true => write!(stderr, "\r\x1b[2K{line}"),
            false => writeln!(stderr, "{line}"),
        };
        let _ = stderr.flush();
    }

    pub(super) fn end(&self) {
        if self.is_terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }
}
