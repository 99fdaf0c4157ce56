//! The herder: what the compacted topic says is run, whatever becomes of it, by one event loop.
//!
//! What is wanted comes from [`storage`], what is there are the connectors' lives, and `reconcile` says what to do. Nothing here waits for a broker:
//! connectors are checked and run by tasks of their own, and so is the storage read.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use towpath_mirror::{config::Class, config::Defaults, connector::Worker, status::ConnectorStatus};
use towpath_wire::Client;

mod changing;
mod desired;
mod handle;
mod life;
mod loggers;
mod offsets;
mod plugins;
mod reconcile;
mod shared;
mod status;

use crate::{
    herder::Health,
    storage::{self, Storage},
};
use desired::WrittenLimits;
use life::{End, Life, Phase, live};
use reconcile::{Action, reconcile};
use shared::Shared;

pub use handle::Handle;
pub use loggers::Loggers;

/// What a herder is made of.
pub struct Options {
    /// its `id` is what Connect calls `worker_id`
    pub worker: Worker,
    pub defaults: Defaults,
    /// of the cluster that the topic is on
    pub client: Client,
    /// `config.storage.topic`
    pub topic: String,
    /// `config.storage.replication.factor`
    pub replication_factor: i16,
    pub loggers: Loggers,
}

/// To be [run](Herd::run).
pub struct Herd {
    shared: Arc<Shared>,
    lives: JoinSet<End>,
    /// whose life each task is
    names: HashMap<Id, String>,
    refresh: JoinSet<Result<(), storage::Error>>,
}

/// How often the topic is looked at: a worker that has taken it over is noticed within this time.
const REFRESH: Duration = Duration::from_millis(500);

// === impl Herd ===

impl Herd {
    /// Reads what is stored, and takes it over from any other worker.
    pub async fn open(options: Options) -> Result<Self, storage::Error> {
        let cluster_id = options.client.cluster_id().0;
        let storage = Storage::open(
            options.client,
            &options.topic,
            options.replication_factor,
            &options.worker.id,
        )
        .await?;
        let connectors = storage.table().connectors.len();
        tracing::info!(
            topic = options.topic,
            connectors,
            "the connectors that are stored"
        );
        let shared = Shared::new(
            (options.worker, options.defaults),
            cluster_id,
            storage,
            options.loggers,
        );
        Ok(Self {
            shared: Arc::new(shared),
            lives: JoinSet::new(),
            names: HashMap::new(),
            refresh: JoinSet::new(),
        })
    }

    /// For the REST API.
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.shared))
    }

    /// Runs what is wanted until it is cancelled, or somebody else has taken the topic over. Ends when every connector has stored its last positions.
    pub async fn run(mut self, token: CancellationToken) -> Result<(), storage::Error> {
        let running = token.child_token();
        let mut changes = self.shared.changes();
        let mut tick = tokio::time::interval(REFRESH);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let result = loop {
            self.reconcile(&running);
            tokio::select! {
                () = token.cancelled() => break Ok(()),
                // The sender is in `shared`.
                _ = changes.changed() => {}
                Some(ended) = self.lives.join_next_with_id() => self.ended(ended),
                Some(refreshed) = self.refresh.join_next() => if let Err(error) = self.refreshed(refreshed) {
                    break Err(error);
                },
                _ = tick.tick() => if self.refresh.is_empty() {
                    let shared = Arc::clone(&self.shared);
                    self.refresh.spawn(async move { refresh(&shared).await });
                },
            }
        };
        if let Err(error) = &result {
            tracing::error!(%error, "everything is stopped");
            self.shared.state().health = Health::Unhealthy {
                why: error.to_string(),
            };
        }
        running.cancel();
        while let Some(ended) = self.lives.join_next_with_id().await {
            self.ended(ended);
        }
        result
    }

    fn reconcile(&mut self, running: &CancellationToken) {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        let now = Instant::now();
        let observed: BTreeMap<_, _> = state
            .lives
            .iter()
            .map(|(name, life)| (name.clone(), life.observed(now)))
            .collect();
        for action in reconcile(&state.desired, &observed) {
            match action {
                Action::Start(name) => {
                    let Some(wanted) = state.desired.connectors.get(&name) else {
                        continue;
                    };
                    let (config, generation) = (wanted.config.clone(), wanted.generation);
                    let before = state.lives.get(&name).and_then(Life::trace);
                    let phase = Phase::Checking {
                        before: before.map(str::to_owned),
                    };
                    let token = running.child_token();
                    let work = live(
                        Arc::clone(&self.shared),
                        name.clone(),
                        config,
                        generation,
                        token.clone(),
                    );
                    self.names.insert(self.lives.spawn(work).id(), name.clone());
                    state.lives.insert(
                        name,
                        Life::Living {
                            generation,
                            token,
                            phase,
                        },
                    );
                }
                Action::End(name) => {
                    let Some(Life::Living { token, phase, .. }) = state.lives.remove(&name) else {
                        continue;
                    };
                    tracing::debug!(connector = name, "the connector is told to end");
                    token.cancel();
                    let handle = match phase {
                        Phase::Running { handle, .. } => Some(handle),
                        Phase::Checking { .. } => None,
                    };
                    state.lives.insert(name, Life::Ending { handle });
                }
                Action::Limit(name) => {
                    let Some(wanted) = state.desired.connectors.get(&name).cloned() else {
                        continue;
                    };
                    let parsed = Class::parse(&wanted.config, &shared.defaults);
                    if let Some(Life::Living {
                        phase: Phase::Running { handle, limits },
                        ..
                    }) = state.lives.get_mut(&name)
                    {
                        apply(&name, handle, (limits, wanted.limits()), parsed);
                    }
                }
                Action::Forget(name) => drop(state.lives.remove(&name)),
            }
        }
    }

    fn ended(&mut self, ended: Result<(Id, End), JoinError>) {
        let (id, end) = match ended {
            Ok((id, end)) => (id, end),
            Err(error) => (error.id(), End::Panicked(error.to_string())),
        };
        let Some(name) = self.names.remove(&id) else {
            return;
        };
        let told = match &end {
            End::Told | End::ByItself => None,
            End::Refused(what) | End::Panicked(what) => Some(what.clone()),
        };
        let mut state = self.shared.state();
        if let Some(life) = state.lives.remove(&name) {
            // What is tried again and again is told once.
            if let Some(what) = told.filter(|what| life.trace() != Some(what)) {
                tracing::error!(connector = name, "the connector does not run: {what}");
            }
            state.lives.insert(name, life.ended(end, Instant::now()));
        }
        drop(state);
        self.shared.tell();
    }

    /// The error ends the worker.
    fn refreshed(
        &mut self,
        refreshed: Result<Result<(), storage::Error>, JoinError>,
    ) -> Result<(), storage::Error> {
        let health = match refreshed {
            Ok(Ok(())) => Health::Healthy,
            Ok(Err(error @ storage::Error::Fenced { .. })) => return Err(error),
            Ok(Err(error)) => Health::Unhealthy {
                why: error.to_string(),
            },
            Err(error) => Health::Unhealthy {
                why: format!("reading the stored connectors: {error}"),
            },
        };
        let mut state = self.shared.state();
        if let Health::Unhealthy { why } = &health
            && state.health == Health::Healthy
        {
            tracing::error!("the stored connectors cannot be read, what runs goes on: {why}");
        }
        state.health = health;
        Ok(())
    }
}

/// What was stored by somebody else, as by hand, is taken over too.
async fn refresh(shared: &Shared) -> Result<(), storage::Error> {
    let mut storage = shared.storage.lock().await;
    storage.refresh().await?;
    shared.state().desired.take_over(storage.table());
    Ok(())
}

fn apply(
    name: &str,
    handle: &crate::class::Handle,
    (limits, wanted): (&mut WrittenLimits, WrittenLimits),
    parsed: Result<Class, Vec<towpath_domain::config::Problem>>,
) {
    *limits = wanted;
    match parsed {
        Ok(Class::MirrorSource(config)) => {
            tracing::info!(connector = name, limits = ?config.limits, "the changed limits are applied");
            handle.limit(config.limits);
        }
        Ok(Class::MirrorCheckpoint(_)) => {}
        // Only what somebody has stored by hand is wrong.
        Err(problems) => {
            let problems = life::sentences(&problems);
            tracing::error!(connector = name, "the changed limits are not applied: {problems}");
        }
    }
}

// === impl Handle ===

impl Handle {
    /// Of connectors that run, as the status file has them.
    pub fn statuses(&self) -> Vec<ConnectorStatus> {
        let state = self.shared().state();
        let handles = state.lives.values().filter_map(Life::handle);
        handles.map(crate::class::Handle::status).collect()
    }
}
