//! What lives beside a guest in its store, and the host functions it may call.

use std::sync::Arc;

use wasmtime::component::{Resource, ResourceTable};

use crate::{
    batch::Batch,
    bindings::{host, schema_registry, types},
    limits::{Limiter, Limits},
    voice::Voice,
};

/// One per instance.
pub(crate) struct State {
    pub(crate) limiter: Limiter,
    pub(crate) batches: ResourceTable,
    /// the last error the guest logged during this call
    pub(crate) last_words: Option<String>,
    voice: Arc<Voice>,
}

// === impl State ===

impl State {
    pub(crate) fn new(limits: &Limits, voice: Arc<Voice>) -> Self {
        Self {
            limiter: Limiter::new(limits),
            batches: ResourceTable::new(),
            last_words: None,
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

/// A plugin that imports the registries is refused before it is configured (`InitError::Grant`): these answers only serve `describe`,
/// which has no use for them.
impl schema_registry::Host for State {
    fn schema(
        &mut self,
        _side: schema_registry::Side,
        _id: u32,
    ) -> wasmtime::Result<Result<Option<schema_registry::SchemaText>, types::Failure>> {
        Ok(Err(not_granted()))
    }

    fn translate_id(
        &mut self,
        _source_id: u32,
        _subject: Option<String>,
    ) -> wasmtime::Result<Result<Option<u32>, types::Failure>> {
        Ok(Err(not_granted()))
    }
}

fn not_granted() -> types::Failure {
    types::Failure {
        message: "schema-registry was not granted to this plugin".to_owned(),
        retriable: false,
    }
}
