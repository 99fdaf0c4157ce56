//! What lives beside a guest in its store, and the host functions it may call.

use std::sync::Arc;

use wasmtime::component::{Resource, ResourceTable};

use crate::{
    batch::Batch,
    bindings::{host, types},
    limits::{Limiter, Limits},
    registries::Asking,
    voice::Voice,
};

/// One per instance.
pub(crate) struct State {
    pub(crate) limiter: Limiter,
    pub(crate) batches: ResourceTable,
    /// the last error the guest logged during this call
    pub(crate) last_words: Option<String>,
    /// none: not granted, or not yet
    pub(crate) asking: Option<Asking>,
    voice: Arc<Voice>,
}

// === impl State ===

impl State {
    pub(crate) fn new(limits: &Limits, voice: Arc<Voice>) -> Self {
        Self {
            limiter: Limiter::new(limits),
            batches: ResourceTable::new(),
            last_words: None,
            asking: None,
            voice,
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
