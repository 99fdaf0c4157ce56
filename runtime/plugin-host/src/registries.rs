//! The registries' schemas and ids, for plugins that were granted them.

use std::{collections::HashMap, sync::Arc};

use crate::{
    bindings::{schema_registry as wit, types},
    state::State,
};

/// What a plugin asks. Answers that exist never change, so they may be kept for good.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// The schema of an id.
    Schema { side: Side, id: u32 },
    /// The target's id of a source's id. `subject` tells schemas apart where ids are not global.
    TranslateId { id: u32, subject: Option<String> },
}

/// Which registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    Source,
    Target,
}

/// What a registry says. None: it does not have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Schema(Option<SchemaText>),
    Id(Option<u32>),
}

/// A schema as registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaText {
    /// `AVRO`, `PROTOBUF` or `JSON`
    pub schema_type: String,
    pub schema: String,
    /// (name, schema) of what it refers to, dependencies first
    pub references: Vec<(String, String)>,
}

/// Whoever knows the registries of both clusters.
pub trait Registries: Send + Sync {
    /// An answer that is stored: a retry of a call must be given the same.
    fn known(&self, ask: &Ask) -> Option<Answer>;

    /// Asks a registry, and stores what exists before it answers. Blocks. The error says what to do: a registry that is down is waited for.
    fn fetch(&self, ask: &Ask) -> Result<Answer, String>;
}

/// What an instance's calls can ask.
pub(crate) struct Asking {
    registries: Arc<dyn Registries>,
    /// what was fetched for this call; a missing schema may be there by the next one
    fetched: HashMap<Ask, Answer>,
    /// what this call was stopped for
    missed: Option<Ask>,
}

/// Stops a call whose answer must be fetched first.
#[derive(Debug, thiserror::Error)]
#[error("the registries have not been asked this yet")]
struct Missed;

/// A call that asks for more than this many unknown things does not look at records.
pub(crate) const MOST_FETCHED: usize = 1000;

// === impl Asking ===

impl Asking {
    /// For one try of a call, with what was fetched for it before.
    pub(crate) fn new(registries: Arc<dyn Registries>, fetched: HashMap<Ask, Answer>) -> Self {
        Self {
            registries,
            fetched,
            missed: None,
        }
    }

    /// What was fetched, for another try, and what must be fetched first.
    pub(crate) fn end(self) -> (HashMap<Ask, Answer>, Option<Ask>) {
        (self.fetched, self.missed)
    }

    fn ask(&mut self, ask: Ask) -> wasmtime::Result<Answer> {
        if let Some(answer) = self.fetched.get(&ask) {
            return Ok(answer.clone());
        }
        match self.registries.known(&ask) {
            Some(answer) => Ok(answer),
            None => {
                self.missed = Some(ask);
                Err(Missed.into())
            }
        }
    }
}

impl wit::Host for State {
    fn schema(
        &mut self,
        side: wit::Side,
        id: u32,
    ) -> wasmtime::Result<Result<Option<wit::SchemaText>, types::Failure>> {
        let Some(asking) = &mut self.asking else {
            return Ok(Err(not_now()));
        };
        let side = match side {
            wit::Side::Source => Side::Source,
            wit::Side::Target => Side::Target,
        };
        let text = |text: SchemaText| wit::SchemaText {
            schema_type: text.schema_type,
            schema: text.schema,
            references: text.references,
        };
        Ok(Ok(match asking.ask(Ask::Schema { side, id })? {
            Answer::Schema(schema) => schema.map(text),
            Answer::Id(_) => None,
        }))
    }

    fn translate_id(
        &mut self,
        source_id: u32,
        subject: Option<String>,
    ) -> wasmtime::Result<Result<Option<u32>, types::Failure>> {
        let Some(asking) = &mut self.asking else {
            return Ok(Err(not_now()));
        };
        let ask = Ask::TranslateId {
            id: source_id,
            subject,
        };
        Ok(Ok(match asking.ask(ask)? {
            Answer::Id(id) => id,
            Answer::Schema(_) => None,
        }))
    }
}

/// In `describe` and `init` nothing is granted: they must not depend on what registries say.
fn not_now() -> types::Failure {
    types::Failure {
        message:
            "schema-registry answers in calls about records and subjects alone, not in describe and init"
                .to_owned(),
        retriable: false,
    }
}
