//! What the event loop and the callers of the REST API both have.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;
use towpath_mirror::{config::Defaults, connector::Worker};
use towpath_wire::compacted::Row;

use super::{
    desired::{Desired, Generation, WrittenLimits},
    life::{Life, Phase},
    loggers::Loggers,
};
use crate::{
    class::Handle,
    herder::{Health, Refusal},
    storage::{self, Storage, Table},
};

pub(super) struct Shared {
    pub(super) worker: Worker,
    pub(super) defaults: Defaults,
    pub(super) cluster_id: String,
    pub(super) loggers: Loggers,
    /// Writers wait for each other here, and for nothing else.
    pub(super) storage: tokio::sync::Mutex<Storage>,
    state: Mutex<State>,
    /// something of the state has changed
    changed: watch::Sender<()>,
}

pub(super) struct State {
    pub(super) desired: Desired,
    pub(super) lives: BTreeMap<String, Life>,
    /// connectors whose offsets are being changed: nothing else may be done about them
    pub(super) altering: HashSet<String>,
    /// by connector and topic: how far it was when the active topics were reset
    pub(super) reset: HashMap<String, BTreeMap<String, i64>>,
    pub(super) health: Health,
}

// === impl Shared ===

impl Shared {
    pub(super) fn new(
        (worker, defaults): (Worker, Defaults),
        cluster_id: String,
        storage: Storage,
        loggers: Loggers,
    ) -> Self {
        let mut desired = Desired::default();
        desired.take_over(storage.table());
        Self {
            worker,
            defaults,
            cluster_id,
            loggers,
            storage: tokio::sync::Mutex::new(storage),
            state: Mutex::new(State {
                desired,
                lives: BTreeMap::new(),
                altering: HashSet::new(),
                reset: HashMap::new(),
                health: Health::Healthy,
            }),
            changed: watch::Sender::new(()),
        }
    }

    /// Not to be held while something is waited for.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(super) fn tell(&self) {
        self.changed.send_replace(());
    }

    /// Stores what `change` makes of what is stored, and takes it over: what is read afterwards shows it.
    pub(super) async fn store(
        &self,
        change: impl FnOnce(&Table, &State) -> Result<Vec<Row>, Refusal>,
    ) -> Result<(), Refusal> {
        let mut storage = self.storage.lock().await;
        // A worker that was frozen for long, and whose place another one has taken, must find out before it writes: brokers forget who may.
        let is_current = storage.refresh().await;
        is_current.map_err(|error| Refusal::Unavailable(error.to_string()))?;
        let rows = change(storage.table(), &self.state())?;
        let written = storage.write(&rows).await;
        self.state().desired.take_over(storage.table());
        self.tell();
        written.map_err(|error| match error {
            storage::Error::Kafka(error) => Refusal::Unavailable(format!(
                "it could not be stored, and may be all the same in a moment: {error}"
            )),
            error => Refusal::Unavailable(error.to_string()),
        })
    }

    /// A connector that was checked begins its work.
    pub(super) fn runs(&self, name: &str, generation: Generation, (handle, limits): (Handle, WrittenLimits)) {
        if let Some(Life::Living {
            generation: living,
            phase,
            ..
        }) = self.state().lives.get_mut(name)
            && *living == generation
        {
            *phase = Phase::Running { handle, limits };
        }
        self.tell();
    }
}
