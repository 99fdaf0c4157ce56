//! Typed calls of a transformation.

use std::sync::Arc;

use crate::{
    CallError, Cause, Edit, Edits, Needs, Records,
    batch::{Batch, UNREADABLE_HEADER, unreadable_headers},
    bindings::Transforms,
    edits,
    instance::{Keeper, Refusal, lend},
    plugin::Plugin,
};

/// A configured transformation. One batch at a time; several of them, from [`Plugin::transformation`], run side by side.
pub struct Transformation {
    keeper: Keeper<Transforms>,
}

// === impl Transformation ===

impl Transformation {
    pub(crate) fn start(plugin: Arc<Plugin>, config: Vec<(String, String)>) -> Result<Self, Refusal> {
        Ok(Self {
            keeper: Keeper::start(plugin, config)?,
        })
    }

    /// What it declared for this configuration.
    pub fn needs(&self) -> Needs {
        self.keeper.needs()
    }

    /// What is to be done to the batch, checked against every rule of the contract. After `Broken` nothing of it counts; the same batch may be
    /// given again, to a fresh instance.
    pub fn transform(&mut self, batch: Arc<dyn Records>) -> Result<Edits, CallError> {
        let Ok(records @ 1..) = u32::try_from(batch.len()) else {
            return Ok(Edits::default());
        };
        let needs = self.keeper.needs();
        let answer = self.keeper.call("transform", |store, exports| {
            lend(store, Batch::new(&batch, needs.reads), |store, batch| {
                exports
                    .towpath_plugin_transformation()
                    .call_transform(store, batch)
            })
        })?;
        let mut edits = Edits::from_wit(answer?);
        edits::check(&edits, records, needs.effects).map_err(|fault| {
            let cause = match fault {
                edits::Fault::Undeclared(effect) => {
                    Cause::Undeclared(format!("it {effect}, which it did not declare after `init`"))
                }
                edits::Fault::Malformed(what) => Cause::Malformed(what),
            };
            self.keeper.discard("transform", cause)
        })?;
        if needs.reads.header {
            reject_unreadable_headers(&mut edits, batch.as_ref());
        }
        Ok(edits)
    }
}

fn reject_unreadable_headers(edits: &mut Edits, batch: &dyn Records) {
    for record in unreadable_headers(batch) {
        edits.remove(record);
        let at = edits.edits.partition_point(|(other, _)| *other < record);
        edits
            .edits
            .insert(at, (record, Edit::Reject(UNREADABLE_HEADER.to_owned())));
    }
}
