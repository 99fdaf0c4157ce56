//! What lives beside a guest in its store, and the host functions it may call.

use std::{collections::VecDeque, sync::Arc};

use wasmtime::component::{Resource, ResourceTable};

use crate::{
    batch::Batch,
    bindings::{host, types},
    limits::{Limiter, Limits},
    registries::Asking,
    voice::Voice,
    wasi::{Output, Wasi},
};

/// One per instance.
pub(crate) struct State {
    pub(crate) limiter: Limiter,
    pub(crate) batches: ResourceTable,
    pub(crate) wasi: Wasi,
    /// the last error the guest logged during this call
    last_words: Option<String>,
    /// its last lines on stderr: the message of a panic, the end of a traceback
    complaints: VecDeque<String>,
    /// none: not granted, or not yet
    pub(crate) asking: Option<Asking>,
    voice: Arc<Voice>,
}

/// As many lines of stderr are told when a guest breaks: a traceback ends with place, code and error.
const COMPLAINTS: usize = 3;

// === impl State ===

impl State {
    pub(crate) fn new(limits: &Limits, voice: Arc<Voice>) -> Self {
        Self {
            limiter: Limiter::new(limits),
            batches: ResourceTable::new(),
            wasi: Wasi::default(),
            last_words: None,
            asking: None,
            complaints: VecDeque::new(),
            voice,
        }
    }

    /// Before each call of the guest. Its randomness starts anew: an answer must not depend on the calls before.
    pub(crate) fn begin(&mut self) {
        self.limiter.reset();
        self.wasi.random.restart();
        self.last_words = None;
        self.complaints.clear();
    }

    /// After each call, also one that broke: what was written without an end of line is a line.
    pub(crate) fn end(&mut self) {
        for level in [host::Level::Info, host::Level::Warn] {
            if let Some(line) = self.stream(level).end() {
                self.say(level, &line);
            }
        }
    }

    /// What a guest that broke had to say about it.
    pub(crate) fn last_words(&self) -> Option<String> {
        let complaints = || self.complaints.iter().cloned().collect::<Vec<_>>().join("; ");
        self.last_words
            .clone()
            .or_else(|| (!self.complaints.is_empty()).then(complaints))
    }

    /// Bytes on stdout (`info`) or stderr (`warn`).
    pub(crate) fn print(&mut self, level: host::Level, bytes: &[u8]) {
        let (most, line_bytes) = (self.voice.lines_per_second(), self.voice.line_bytes());
        let found = self.stream(level).write(bytes, most, line_bytes);
        for line in found.lines {
            self.say(level, &line);
        }
        self.voice.leave_out(found.left_out);
    }

    fn stream(&mut self, level: host::Level) -> &mut Output {
        match level {
            host::Level::Warn => &mut self.wasi.stderr,
            _ => &mut self.wasi.stdout,
        }
    }

    fn say(&mut self, level: host::Level, line: &str) {
        let line = self.voice.clean(line);
        self.voice.log(level, &line);
        if matches!(level, host::Level::Warn) {
            self.complaints.push_back(line.trim().to_owned());
            if self.complaints.len() > COMPLAINTS {
                self.complaints.pop_front();
            }
        }
    }

    pub(crate) fn batch(&self, batch: &Resource<Batch>) -> wasmtime::Result<&Batch> {
        Ok(self.batches.get(batch)?)
    }
}

impl types::Host for State {}

impl host::Host for State {
    fn log(&mut self, level: host::Level, message: String) -> wasmtime::Result<()> {
        let line = self.voice.clean(&message);
        self.voice.log(level, &line);
        if matches!(level, host::Level::Error) {
            self.last_words = Some(line);
        }
        Ok(())
    }

    fn count(&mut self, name: String, by: u64) -> wasmtime::Result<()> {
        self.voice.count(&name, by);
        Ok(())
    }
}
