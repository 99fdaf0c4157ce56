//! Typed calls of a router.

use std::sync::Arc;

use crate::{
    CallError,
    bindings::{Routes, types},
    instance::{Keeper, Refusal},
    plugin::Plugin,
};

/// A configured router. Answers are meant to be kept: it is asked once a topic, not once a record.
pub struct Router {
    keeper: Keeper<Routes>,
}

// === impl Router ===

impl Router {
    pub(crate) fn start(plugin: Arc<Plugin>, config: Vec<(String, String)>) -> Result<Self, Refusal> {
        Ok(Self {
            keeper: Keeper::start(plugin, config)?,
        })
    }

    /// The target's name of a source topic; none: not routed. Whether it is a legal name is for the caller to check.
    pub fn map_topic(&mut self, topic: &str) -> Result<Option<String>, CallError> {
        let answer = self.keeper.call("map-topic", |store, exports| {
            exports.towpath_plugin_router().call_map_topic(store, topic)
        })?;
        answer.map_err(CallError::from)
    }

    /// The source's name of a target topic; none: no source topic has that name on the target.
    pub fn unmap_topic(&mut self, topic: &str) -> Result<Option<String>, CallError> {
        let answer = self.keeper.call("unmap-topic", |store, exports| {
            exports.towpath_plugin_router().call_unmap_topic(store, topic)
        })?;
        answer.map_err(CallError::from)
    }
}

impl From<types::Failure> for CallError {
    fn from(failure: types::Failure) -> Self {
        Self::Failure {
            message: failure.message,
            retriable: failure.retriable,
        }
    }
}
