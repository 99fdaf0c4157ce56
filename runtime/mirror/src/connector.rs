//! A `MirrorSource` connector: checked first, then run until it is told to stop.

use std::{
    any::Any,
    num::NonZeroUsize,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::{FutureExt, future::BoxFuture};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use towpath_domain::{Buckets, TopicId, config::Problem, state::Run};
use towpath_plugin_host as host;
use towpath_wire::{
    Client, Error,
    positions::{Accepted, Positions, Table},
};

mod attach;
mod checking;
mod circle;
mod owning;
mod permissions;
mod prepare;
mod resolve;
mod resolving;

use prepare::Purpose;
pub(crate) use prepare::{connect, onto_itself};

use crate::{
    checks,
    claims::{Claimed, Claims},
    config::{Delivery, MirrorSource, Offsets},
    delivery::{self, Delivered},
    discovery::{Discovery, Exact},
    ownership::Ownership,
    registries::Registries,
    route::Routes,
    stages::Stages,
    status::{
        ConnectorStatus, DeliveryStatus, Lag, Mirrored, PartitionStatus, RunStatus, Snapshot, TaskStatus,
    },
    targets::Creation,
    task::{self, Assignment, Order, Task, Transactions},
    throttle::{Limits, Throttles},
    withheld::Withheld,
};

/// What a worker gives to its connectors.
#[derive(Clone)]
pub struct Worker {
    pub id: String,
    pub client_id: String,
    pub request_timeout: Duration,
    /// the compacted topic on the target that positions are kept in
    pub positions_topic: String,
    pub positions_replication_factor: i16,
    /// how old an acknowledged record may be before its position is stored
    pub flush_interval: Duration,
    /// how long a transaction of the source is waited for until status tells who has it open: mostly [`OPEN_TRANSACTION_TOLD_AFTER`]
    pub open_transaction_told_after: Duration,
    pub host: Arc<host::Host>,
    /// names of the plugins that may ask the schema registries
    pub registries_granted_to: Vec<String>,
    /// what its connectors write to
    pub claims: Claims,
    /// what it has of each connector
    pub ownership: Ownership,
}

/// A connector whose configuration, plugins, clusters and topics were checked.
pub struct Connector {
    name: String,
    config: MirrorSource,
    worker: Worker,
    source: Client,
    target: Client,
    routes: Arc<Mutex<Routes>>,
    /// the plugins, to make instances of
    pipeline: Arc<attach::Pipeline>,
    /// the plugins, as they are stored before the first record
    accepted: Accepted,
    dead_letters: Option<Arc<task::Queue>>,
    registries: Option<Arc<Registries>>,
    claimed: Arc<Claimed>,
    withheld: Arc<Withheld>,
    shared: Arc<Shared>,
}

/// Asks a running connector how it is.
#[derive(Clone)]
pub struct Handle {
    name: String,
    worker_id: String,
    is_shared: bool,
    shared: Arc<Shared>,
}

struct Shared {
    plugins: Vec<Arc<resolve::InUse>>,
    throttles: Throttles,
    tasks: Mutex<Vec<TaskHandle>>,
    /// what keeps the connector from finding and preparing topics
    trouble: Mutex<Vec<String>>,
    delivery: Mutex<Option<DeliveryStatus>>,
    /// which records go in transactions
    transactions: Mutex<Transactions>,
    failed: Mutex<Option<String>>,
    checks: checks::Shown,
    owned: Mutex<Buckets>,
    /// what keeps plugins from their answers
    registries: Option<Arc<Registries>>,
}

struct TaskHandle {
    orders: mpsc::UnboundedSender<Order>,
    snapshot: watch::Receiver<Snapshot>,
    partitions: usize,
    /// set when the task ended without being told to
    failed: Option<String>,
}

/// What a connector begins with.
struct Opened {
    positions: Arc<Positions>,
    table: Table,
    delivered: Delivered,
}

/// A task's id, and what it panicked with.
type Ended = (usize, Result<(), String>);

/// As long as transactions may mostly be open: Java's producers have their `transaction.timeout.ms` at a minute.
pub const OPEN_TRANSACTION_TOLD_AFTER: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_secs(1);
/// How often it is looked whether topics may have their last configs.
const WITHHELD: Duration = Duration::from_secs(5);

// === impl Shared ===

impl Shared {
    fn new(limits: Limits, plugins: Vec<Arc<resolve::InUse>>, registries: Option<Arc<Registries>>) -> Self {
        Self {
            plugins,
            throttles: Throttles::new(limits, Instant::now()),
            tasks: Mutex::default(),
            trouble: Mutex::default(),
            delivery: Mutex::default(),
            transactions: Mutex::default(),
            failed: Mutex::default(),
            checks: checks::Shown::default(),
            owned: Mutex::default(),
            registries,
        }
    }
}

// === impl Connector ===

impl Connector {
    /// Checks everything that can be wrong before the first record; all mistakes at once. Changes nothing on either cluster.
    pub async fn prepare(name: String, config: MirrorSource, worker: Worker) -> Result<Self, Vec<Problem>> {
        prepare::prepare(name, config, worker, Purpose::Run).await
    }

    /// As [`prepare`](Self::prepare), of one that is not run: [`resolve`](Self::resolve) and [`change_offsets`](Self::change_offsets) are for it.
    pub async fn prepare_to_decide(
        name: String,
        config: MirrorSource,
        worker: Worker,
    ) -> Result<Self, Vec<Problem>> {
        prepare::prepare(name, config, worker, Purpose::Decide).await
    }

    pub fn handle(&self) -> Handle {
        Handle {
            name: self.name.clone(),
            worker_id: self.worker.id.clone(),
            is_shared: self.worker.ownership.is_shared(),
            shared: Arc::clone(&self.shared),
        }
    }

    /// Mirrors until cancelled. Ends when every task has stored its last positions.
    pub fn run(self, token: CancellationToken) -> BoxFuture<'static, ()> {
        let shared = Arc::clone(&self.shared);
        let name = self.name.clone();
        Box::pin(async move {
            if let Err(error) = self.work(token).await {
                tracing::error!(connector = name, %error, "the connector failed");
                *lock(&shared.failed) = Some(error.to_string());
            }
        })
    }

    async fn work(self, token: CancellationToken) -> Result<(), Error> {
        let Some((positions, mut discovery)) = self.open(token.clone()).await? else {
            return Ok(());
        };
        let mut accepted_in = positions.topic_id();
        let mut checks = self.checks(&token).await;
        let mut tasks: JoinSet<Ended> = JoinSet::new();
        let mut refresh = tokio::time::interval(self.config.refresh_topics_interval);
        refresh.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut withheld = tokio::time::interval(WITHHELD);
        withheld.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut ownership = self.worker.ownership.clone();
        loop {
            tokio::select! {
                () = token.cancelled() => break,
                () = ownership.changed() => refresh.reset_immediately(),
                _ = refresh.tick() => match token.run_until_cancelled(self.round(&mut discovery, &positions)).await {
                    None => break,
                    Some(Ok(assignments)) => {
                        *lock(&self.shared.trouble) = discovery.troubles();
                        if let Some(delivery) = &mut *lock(&self.shared.delivery) {
                            delivery.topics = discovery.chosen();
                        }
                        self.distribute(assignments, &positions, &mut tasks, &token).await;
                        self.accept_again(&positions, &mut accepted_in).await;
                        if discovery.is_unfinished() {
                            refresh.reset_after(RETRY);
                        }
                    }
                    Some(Err(what)) => {
                        self.trouble(&what);
                        refresh.reset_after(RETRY);
                    }
                },
                _ = withheld.tick(), if self.config.offsets != Offsets::Translate => {
                    let others = self.worker.ownership.is_shared().then_some(&*positions);
                    let Some(troubles) = token.run_until_cancelled(self.withheld.apply(&self.target, others)).await else {
                        break;
                    };
                    for trouble in troubles {
                        self.trouble(&trouble);
                    }
                },
                Some(ended) = tasks.join_next() => self.ended(ended),
            }
        }
        while let Some(ended) = tasks.join_next().await {
            self.ended(ended);
        }
        // Not before: what waits for a registry must not be taken for what a plugin cannot pass.
        if let Some(registries) = &self.registries {
            registries.close();
        }
        while checks.join_next().await.is_some() {}
        Ok(())
    }

    /// What is there that no task has yet, of the buckets that are this worker's by now.
    async fn round(
        &self,
        discovery: &mut Discovery,
        positions: &Positions,
    ) -> Result<Vec<Assignment>, String> {
        let followed = self.follow_ownership(discovery, positions).await;
        followed.map_err(|error| format!("taking buckets over: {error}"))?;
        let found = discovery.round(&self.config.topics).await;
        found.map_err(|error| format!("looking for topics: {error}"))
    }

    /// Opens the table of positions and reads it, as often as it takes. None: told to stop.
    async fn open(&self, token: CancellationToken) -> Result<Option<(Arc<Positions>, Discovery)>, Error> {
        loop {
            let owned = self.worker.ownership.at_start();
            let attempt = read_positions(
                self.target.clone(),
                self.worker.positions_topic.clone(),
                self.worker.positions_replication_factor,
                (self.name.clone(), owned, self.accepted.clone()),
                (self.config.delivery, self.config.offsets),
            );
            let result = tokio::select! {
                () = token.cancelled() => return Ok(None),
                result = attempt => result,
            };
            match result {
                Ok(Opened {
                    positions,
                    table,
                    delivered,
                }) => {
                    *lock(&self.shared.delivery) = Some(delivered.status());
                    *lock(&self.shared.transactions) = delivered.transactions();
                    if let Some(registries) = &self.registries {
                        registries.open(Arc::clone(&positions), positions.schema_ids(&table, &self.name));
                    }
                    let discovery = Discovery::new(
                        self.name.clone(),
                        (self.source.clone(), self.target.clone()),
                        Creation {
                            replication_factor: self.config.replication_factor,
                            model: self.worker.positions_topic.as_str().into(),
                        },
                        self.config.starts.clone(),
                        (Arc::clone(&self.routes), Arc::clone(&self.claimed)),
                        (owned, table.positions),
                    )
                    .withholding(Arc::clone(&self.withheld))
                    .exactly_once(delivered.exactly().map(|exactly| Exact {
                        positions: Arc::clone(&positions),
                        buckets: exactly.buckets,
                        has_plugins: !self.pipeline.is_empty(),
                        offsets: exactly.offsets,
                        isolation: self.config.isolation,
                        translates: exactly.translates,
                    }));
                    return Ok(Some((positions, discovery)));
                }
                Err(error) if error.is_retriable() || error.is_fenced() => {
                    self.trouble(&format!("reading positions: {error}"));
                }
                Err(error) => return Err(error),
            }
            tokio::select! {
                () = token.cancelled() => return Ok(None),
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    /// A table that was deleted and created again lacks the row about our plugins.
    async fn accept_again(&self, positions: &Positions, accepted_in: &mut TopicId) {
        let known = *accepted_in;
        let found = self.target.topic_id(positions.topic()).unwrap_or(known);
        if found == known || self.accepted.plugins.is_empty() {
            return;
        }
        match positions.accept(&self.name, &self.accepted).await {
            Ok(()) => *accepted_in = found,
            Err(error) => self.trouble(&format!("storing which plugins were accepted: {error}")),
        }
    }

    fn trouble(&self, what: &str) {
        tracing::warn!(connector = self.name, "retrying: {what}");
        *lock(&self.shared.trouble) = vec![what.to_owned()];
    }

    /// Gives each new partition to the task with the fewest; starts tasks up to `tasks.max`.
    async fn distribute(
        &self,
        assignments: Vec<Assignment>,
        positions: &Arc<Positions>,
        running: &mut JoinSet<Ended>,
        token: &CancellationToken,
    ) {
        let (mut count, assigned) = {
            let tasks = lock(&self.shared.tasks);
            (
                tasks.len(),
                tasks.iter().map(|task| task.partitions).sum::<usize>(),
            )
        };
        while count < self.config.tasks_max.min(assigned + assignments.len()) {
            match self.start(count, positions, running, token).await {
                Ok(task) => lock(&self.shared.tasks).push(task),
                Err(what) => {
                    *lock(&self.shared.failed) = Some(format!("task {count} cannot start: {what}"));
                    return;
                }
            }
            count += 1;
        }
        let mut tasks = lock(&self.shared.tasks);
        let mut shares: Vec<Vec<Assignment>> = tasks.iter().map(|_| Vec::new()).collect();
        for assignment in assignments {
            let alive = (0..tasks.len()).filter(|index| tasks[*index].failed.is_none());
            if let Some(index) = alive.min_by_key(|index| tasks[*index].partitions) {
                tasks[index].partitions += 1;
                shares[index].push(assignment);
            }
        }
        for (task, share) in tasks.iter().zip(shares).filter(|(_, share)| !share.is_empty()) {
            // A task that has just ended is shown as failed, and these partitions are with it.
            let _ = task.orders.send(Order::Take(share));
        }
    }

    async fn start(
        &self,
        id: usize,
        positions: &Arc<Positions>,
        running: &mut JoinSet<Ended>,
        token: &CancellationToken,
    ) -> Result<TaskHandle, String> {
        let task = Task::new(task::Options {
            connector: self.name.clone(),
            id,
            source: self.source.clone(),
            target: self.target.clone(),
            source_cluster: self.source.cluster_id(),
            positions: Arc::clone(positions),
            isolation: self.config.isolation,
            rack: self.config.rack.clone(),
            fetch: self.config.fetch,
            buffer_memory: self.config.buffer_memory,
            throttles: self.shared.throttles.clone(),
            flush_interval: self.worker.flush_interval,
            open_transaction_told_after: self.worker.open_transaction_told_after,
            stages: self.stages().await?,
            dead_letters: self.dead_letters.clone(),
            withheld: Arc::clone(&self.withheld),
            transactions: *lock(&self.shared.transactions),
        });
        let (orders, ordered) = mpsc::unbounded_channel();
        let (show, snapshot) = watch::channel(Snapshot::default());
        let token = token.child_token();
        running.spawn(async move {
            // A panic is a bug of ours. What was acknowledged and stored stays so; the task must not look as if it ran.
            let result = AssertUnwindSafe(task.run(ordered, show, token))
                .catch_unwind()
                .await;
            (id, result.map_err(|panic| panic_text(panic.as_ref())))
        });
        Ok(TaskHandle {
            orders,
            snapshot,
            partitions: 0,
            failed: None,
        })
    }

    /// Instances of the plugins, made on a thread that may block: guests are called.
    async fn stages(&self) -> Result<Vec<Stages>, String> {
        if self.pipeline.is_empty() {
            return Ok(Vec::new());
        }
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let count = self
            .config
            .plugin_instances
            .unwrap_or((cores / self.config.tasks_max).max(1));
        let pipeline = Arc::clone(&self.pipeline);
        let work = tokio::task::spawn_blocking(move || (0..count).map(|_| pipeline.stages()).collect());
        work.await.map_err(|error| error.to_string())?
    }

    fn ended(&self, result: Result<Ended, tokio::task::JoinError>) {
        if let Ok((id, Err(what))) = result {
            tracing::error!(connector = self.name, task = id, what, "a task ended");
            if let Some(task) = lock(&self.shared.tasks).get_mut(id) {
                task.failed = Some(format!(
                    "the task ended: {what}; restart the worker and report this"
                ));
            }
        }
    }
}

// === impl Handle ===

impl Handle {
    /// Other limits, from now on. Nothing is interrupted.
    pub fn limit(&self, limits: Limits) {
        self.shared.throttles.set(limits, Instant::now());
    }

    pub fn status(&self) -> ConnectorStatus {
        let tasks = lock(&self.shared.tasks);
        let failed = lock(&self.shared.failed).clone();
        let registries = self
            .shared
            .registries
            .as_ref()
            .and_then(|registries| registries.trouble());
        let trouble: Vec<String> = lock(&self.shared.trouble)
            .iter()
            .cloned()
            .chain(registries)
            .collect();
        let trouble = trouble.join("\n");
        let run = |trace: Option<String>| RunStatus {
            state: if trace.is_some() {
                Run::Failed
            } else {
                Run::Running
            },
            worker_id: self.worker_id.clone(),
            trace,
        };
        let mut lag = Lag::default();
        let mut mirrored = Mirrored::default();
        let tasks: Vec<TaskStatus> = tasks
            .iter()
            .enumerate()
            .map(|(id, task)| {
                let snapshot = task.snapshot.borrow().clone();
                let partitions: Vec<PartitionStatus> = snapshot.partitions.into_iter().flatten().collect();
                partitions.iter().for_each(|partition| lag.add(partition));
                mirrored.add(snapshot.mirrored);
                let has_stopped = partitions.iter().any(PartitionStatus::has_stopped);
                // What has stopped first.
                let mut told: Vec<&PartitionStatus> = partitions.iter().collect();
                told.sort_by_key(|partition| !partition.has_stopped());
                let told: Vec<String> = told.into_iter().filter_map(PartitionStatus::trace).collect();
                let trace = (!told.is_empty()).then(|| told.join("\n"));
                let mut run = run(task.failed.clone().or(trace));
                if task.failed.is_none() && !has_stopped {
                    run.state = Run::Running;
                }
                TaskStatus {
                    id,
                    run,
                    retrying: snapshot.retrying,
                    partitions,
                }
            })
            .collect();
        let mut delivery = lock(&self.shared.delivery).clone();
        let mut partitions = tasks.iter().flat_map(|task| &task.partitions);
        if let Some(delivery) = &mut delivery
            && partitions.any(|partition| partition.readers.is_some())
        {
            delivery.is_for_committed(delivery::OLD);
        }
        ConnectorStatus {
            name: self.name.clone(),
            kind: "source",
            connector: run(failed),
            trouble: (!trouble.is_empty()).then_some(trouble),
            delivery,
            buckets: self.is_shared.then(|| {
                let owned = *lock(&self.shared.owned);
                owned.iter().map(|bucket| bucket.0).collect()
            }),
            throttled: self.shared.throttles.holding_back(Instant::now()),
            tasks,
            lag,
            mirrored,
            checks: lock(&self.shared.checks).clone(),
            plugins: self.shared.plugins.iter().map(|plugin| plugin.status()).collect(),
            groups: None,
        }
    }
}

/// Opens, claims and reads the table, and stores in it which plugins the connector is accepted with: nothing has gone through them yet.
///
/// Boxed: the compiler does not see by itself that the whole of it can move between threads.
fn read_positions(
    client: Client,
    topic: String,
    replication_factor: i16,
    (connector, owned, accepted): (String, Buckets, Accepted),
    delivery: (Delivery, Offsets),
) -> BoxFuture<'static, Result<Opened, Error>> {
    Box::pin(async move {
        let positions = Positions::open(client.clone(), &topic, replication_factor).await?;
        // Before the table is read: whoever had it writes nothing more from here on.
        let delivered = delivery::begin(&client, &positions, (&connector, owned), delivery).await?;
        let table = positions.load().await?;
        if positions.accepted(&table, &connector)? != accepted {
            positions.accept(&connector, &accepted).await?;
        }
        Ok(Opened {
            positions: Arc::new(positions),
            table,
            delivered,
        })
    })
}

pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".to_owned())
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
