//! A `MirrorCheckpoint` connector: the committed offsets of consumer groups are synced from source to target, exactly, by the offset maps that `MirrorSource`
//! connectors store with their positions.
//!
//! Nothing is guessed: an offset that has no place on the target yet waits until it has. And nothing of somebody else's is overwritten: not of a group that has
//! members on the target, and not a commit that is not this connector's own.

mod candidates;
mod decide;
mod locate;
mod read;
mod sync;

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use tokio_util::sync::CancellationToken;
use towpath_domain::{config::Problem, state::Run};
use towpath_wire::{Client, Error, Options, positions::Positions};

use crate::{
    config::MirrorCheckpoint,
    connector::{self, Worker, lock, panic_text},
    status::{ConnectorStatus, GroupState, GroupStatus, Lag, Mirrored, RunStatus},
};
use sync::{Round, Sync};

/// A connector whose configuration and clusters were checked.
pub struct Connector {
    name: String,
    config: MirrorCheckpoint,
    worker: Worker,
    source: Client,
    target: Client,
    shared: Arc<Shared>,
}

/// Asks a running connector how it is.
#[derive(Clone)]
pub struct Handle {
    name: String,
    worker_id: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    groups: Mutex<Vec<GroupStatus>>,
    /// what is tried again
    troubles: Mutex<Vec<String>>,
    failed: Mutex<Option<String>>,
}

const RETRY: Duration = Duration::from_secs(1);
/// Troubles that are shown; with many groups there may be as many of them.
const SHOWN: usize = 5;

// === impl Connector ===

impl Connector {
    /// Checks everything that can be wrong before the first commit; all mistakes at once. Changes nothing on either cluster.
    pub async fn prepare(
        name: String,
        config: MirrorCheckpoint,
        worker: Worker,
    ) -> Result<Self, Vec<Problem>> {
        let age = Options::default().metadata_max_age;
        let (source, target) = tokio::join!(
            connector::connect(
                "source.cluster.bootstrap.servers",
                &config.source,
                &config.source_security,
                age,
                &worker
            ),
            connector::connect(
                "target.cluster.bootstrap.servers",
                &config.target,
                &config.target_security,
                age,
                &worker
            )
        );
        let (source, target) = match (source, target) {
            (Ok(source), Ok(target)) => (source, target),
            (source, target) => {
                return Err([source.err(), target.err()]
                    .into_iter()
                    .flatten()
                    .flatten()
                    .collect());
            }
        };
        if let Some(problem) = connector::onto_itself(&source, &target, &config.target) {
            return Err(vec![problem]);
        }
        Ok(Self {
            name,
            config,
            worker,
            source,
            target,
            shared: Arc::default(),
        })
    }

    pub fn handle(&self) -> Handle {
        Handle {
            name: self.name.clone(),
            worker_id: self.worker.id.clone(),
            shared: Arc::clone(&self.shared),
        }
    }

    /// Syncs until cancelled.
    pub fn run(self, token: CancellationToken) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let shared = Arc::clone(&self.shared);
            let name = self.name.clone();
            // A panic is a bug of ours; the connector must not look as if it ran.
            let failed = match AssertUnwindSafe(self.work(token)).catch_unwind().await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(panic) => panic_text(panic.as_ref()),
            };
            tracing::error!(connector = name, error = failed, "the connector failed");
            *lock(&shared.failed) = Some(failed);
        })
    }

    async fn work(self, token: CancellationToken) -> Result<(), Error> {
        let Some(positions) = self.open(&token).await? else {
            return Ok(());
        };
        let mut sync = Sync::new(
            self.name.clone(),
            (self.source.clone(), self.target.clone()),
            (self.config.groups.clone(), self.config.refresh_groups_interval),
        );
        let mut chunks = None;
        let mut interval = tokio::time::interval(self.config.sync_interval);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if token.run_until_cancelled(interval.tick()).await.is_none() {
                return Ok(());
            }
            match token
                .run_until_cancelled(sync.round(&positions, &mut chunks))
                .await
            {
                None => return Ok(()),
                Some(Ok(round)) => self.show(round),
                Some(Err(error)) => self.trouble(vec![error.to_string()]),
            }
        }
    }

    /// Opens the table of positions, as often as it takes. None: told to stop.
    async fn open(&self, token: &CancellationToken) -> Result<Option<Positions>, Error> {
        loop {
            let opened = Positions::open(
                self.target.clone(),
                &self.worker.positions_topic,
                self.worker.positions_replication_factor,
            );
            match token.run_until_cancelled(opened).await {
                None => return Ok(None),
                Some(Ok(positions)) => return Ok(Some(positions)),
                Some(Err(error)) if error.is_retriable() => {
                    self.trouble(vec![format!("reading positions: {error}")]);
                }
                Some(Err(error)) => return Err(error),
            }
            if token
                .run_until_cancelled(tokio::time::sleep(RETRY))
                .await
                .is_none()
            {
                return Ok(None);
            }
        }
    }

    /// Shows what an interval came to. Of a group that could not be looked at, what was shown before stays.
    fn show(&self, round: Round) {
        let mut groups = lock(&self.shared.groups);
        let former: HashMap<_, _> = groups
            .iter()
            .map(|former| (former.place(), former.state))
            .collect();
        for shown in &round.groups {
            let was = former.get(&shown.place());
            if was != Some(&shown.state) && shown.state == GroupState::Conflict {
                tracing::warn!(
                    connector = self.name, group = %shown.group, topic = %shown.topic, partition = shown.partition,
                    reason = shown.reason, "the group's offset is not synced"
                );
            }
        }
        let seen: HashSet<_> = round.groups.iter().map(GroupStatus::place).collect();
        let mut next: Vec<GroupStatus> = std::mem::take(&mut *groups)
            .into_iter()
            .filter(|former| round.unknown.contains(&former.group) && !seen.contains(&former.place()))
            .collect();
        next.extend(round.groups.iter().cloned());
        next.sort_by(|a, b| a.place().cmp(&b.place()));
        *groups = next;
        drop(groups);
        self.trouble(round.troubles);
    }

    fn trouble(&self, troubles: Vec<String>) {
        let mut shown = lock(&self.shared.troubles);
        for trouble in troubles
            .iter()
            .filter(|trouble| !shown.contains(trouble))
            .take(SHOWN)
        {
            tracing::warn!(connector = self.name, "retrying: {trouble}");
        }
        *shown = troubles;
    }
}

// === impl Handle ===

impl Handle {
    pub fn status(&self) -> ConnectorStatus {
        let failed = lock(&self.shared.failed).clone();
        let troubles = lock(&self.shared.troubles);
        let mut trouble = troubles[..troubles.len().min(SHOWN)].join("\n");
        if troubles.len() > SHOWN {
            trouble.push_str(&format!("\nand {} more", troubles.len() - SHOWN));
        }
        ConnectorStatus {
            name: self.name.clone(),
            // Connect's type of whatever is no sink.
            kind: "source",
            connector: RunStatus {
                state: if failed.is_some() {
                    Run::Failed
                } else {
                    Run::Running
                },
                worker_id: self.worker_id.clone(),
                trace: failed,
            },
            trouble: (!trouble.is_empty()).then_some(trouble),
            delivery: None,
            buckets: None,
            throttled: Vec::new(),
            tasks: Vec::new(),
            lag: Lag::default(),
            mirrored: Mirrored::default(),
            checks: Vec::new(),
            plugins: Vec::new(),
            groups: Some(lock(&self.shared.groups).clone()),
        }
    }
}
