//! The registries of native tests: what a test, or a case's input, says they hold.

use std::{cell::RefCell, collections::HashMap};

use crate::{
    Failure,
    registry::{SchemaText, Side},
};

/// What both registries hold.
#[derive(Clone, Debug, Default)]
pub struct Registries {
    pub source: HashMap<u32, SchemaText>,
    pub target: HashMap<u32, SchemaText>,
    /// The target's ids by the source's.
    pub ids: HashMap<u32, u32>,
}

thread_local! {
    static REGISTRIES: RefCell<Registries> = RefCell::default();
}

/// From now on, in this thread.
pub fn hold(registries: Registries) {
    REGISTRIES.set(registries);
}

pub(crate) fn schema(side: Side, id: u32) -> Result<Option<SchemaText>, Failure> {
    REGISTRIES.with_borrow(|registries| {
        let schemas = match side {
            Side::Source => &registries.source,
            Side::Target => &registries.target,
        };
        Ok(schemas.get(&id).cloned())
    })
}

pub(crate) fn translate_id(source_id: u32, _subject: Option<&str>) -> Result<Option<u32>, Failure> {
    REGISTRIES.with_borrow(|registries| Ok(registries.ids.get(&source_id).copied()))
}
