//! Which buckets of which connectors a worker has. Several workers that share a connector have different ones.
//!
//! Who decides is outside; here it is only followed. That two workers are told the same bucket for a while does no harm: whoever claims it last has it.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::watch;
use towpath_domain::Buckets;

/// By connector; who is not named has nothing.
pub type Assigned = Arc<HashMap<String, Buckets>>;

/// What a worker has, now and later.
#[derive(Clone, Debug, Default)]
pub struct Ownership(Option<watch::Receiver<Assigned>>);

// === impl Ownership ===

impl Ownership {
    /// All of every connector, for good: the worker is alone.
    pub fn everything() -> Self {
        Self(None)
    }

    pub fn assigned(receiver: watch::Receiver<Assigned>) -> Self {
        Self(Some(receiver))
    }

    /// Whether somebody else may have the rest.
    pub(crate) fn is_shared(&self) -> bool {
        self.0.is_some()
    }

    /// With what a connector starts: what may be another worker's, too, is taken over while it runs.
    pub(crate) fn at_start(&self) -> Buckets {
        match self.is_shared() {
            true => Buckets::NONE,
            false => Buckets::ALL,
        }
    }

    pub(crate) fn of(&self, connector: &str) -> Buckets {
        match &self.0 {
            None => Buckets::ALL,
            Some(assigned) => assigned.borrow().get(connector).copied().unwrap_or_default(),
        }
    }

    /// Returns when something may have changed since the last call.
    pub(crate) async fn changed(&mut self) {
        if let Some(assigned) = &mut self.0
            && assigned.changed().await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}
