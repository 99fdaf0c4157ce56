//! A task: owns its partitions from fetch to position, in one loop, with no lock.
//!
//! ```text
//! fetch (one a source broker) -> convert (inline, or on a thread when records are decoded) -> lanes -> produce (up to 5 a target broker)
//!                                                                                               |
//!                                                          positions (one write at a time) <----'
//! ```
//! Everything that takes time is a future in `work`, and comes back as an [`Event`]; after each event [`Task::pump`] starts what can be
//! started. Nothing is waited for inside an event. An event looks at the lanes it is about and at no other: a task may have thousands.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use towpath_domain::{
    Bucket, Buckets, ClusterId, LeaderEpoch, Offset, TopicId, TopicName, TopicPartition,
    state::PartitionState,
};
use towpath_wire::{
    Backoff, Client, Connection, Error, FetchAnswer, FetchSession, Isolation, NodeId, ProduceAnswer,
    ProducerId, Tails, TopicMetadata,
    batch::{self, ProducerIdentity, Transactional},
    positions::{Held, Positions, Preserved},
};

mod budget;
mod checkpoint;
mod convert;
mod fetching;
mod gaps;
mod lane;
mod lanes;
mod leasing;
mod letters;
mod locating;
mod open_transactions;
mod placing;
mod producing;
mod recovery;
mod recreated;
mod releasing;
mod retention;
mod tombstones;
mod transacting;

use crate::{
    config::Fetch,
    stages::Stages,
    status::{Mirrored, Snapshot},
    throttle::Throttles,
    withheld::Withheld,
};
use budget::Budget;
pub(crate) use convert::converted;
pub(crate) use convert::{Aborted, first_hole};
use convert::{Chunk, Converted};
pub(crate) use lane::{Compacted, Plan, Transactions};
use lane::{Lane, Mark, Ticket};
use lanes::Lanes;
pub(crate) use letters::Queue;
pub(crate) use tombstones::since_1970;

/// What a task needs of its connector. Clients are shared; connections for fetching and producing are the task's own.
pub(crate) struct Options {
    pub connector: String,
    /// Connect's id of the task, from 0
    pub id: usize,
    pub source: Client,
    pub target: Client,
    pub source_cluster: ClusterId,
    pub positions: Arc<Positions>,
    pub isolation: Isolation,
    /// where the source is read (KIP-392)
    pub rack: Option<String>,
    pub fetch: Fetch,
    pub buffer_memory: usize,
    pub throttles: Throttles,
    pub flush_interval: Duration,
    /// how long a transaction of the source is waited for until it is told of
    pub open_transaction_told_after: Duration,
    /// one for each partition that may be converted at a time; none: records are not decoded for plugins
    pub stages: Vec<Stages>,
    pub dead_letters: Option<Arc<Queue>>,
    /// configs of target topics that wait until partitions are filled
    pub withheld: Arc<Withheld>,
    /// which records go in transactions, or have no protection by sequences where offsets are preserved
    pub transactions: Transactions,
}

/// A partition for a task.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub source: TopicPartition,
    pub topic_id: TopicId,
    pub target: TopicPartition,
    /// the topic of the target that is meant; zero when its brokers have no topic ids
    pub target_id: TopicId,
    /// what the target topic takes; none for a partition that stopped before it began
    pub batches: Option<batch::Target>,
    /// where to begin; the epoch is of the last record before it, -1 when that is not known
    pub start: (Offset, LeaderEpoch),
    /// the position in the table
    pub stored: Option<Stored>,
    /// a partition that stopped before it began
    pub state: PartitionState,
    /// exactly once, and how; else at least once
    pub plan: Option<Plan>,
    /// how many of the records that the first one becomes are on the target already
    pub skip: u64,
    /// the records have the source's offsets on the target
    pub preserved: Option<Preserved>,
    /// of a compacted source
    pub compacted: Option<Compacted>,
    /// a former owner may have batches on their way
    pub is_contested: bool,
}

/// What a task is told.
pub(crate) enum Order {
    /// Partitions to mirror.
    Take(Vec<Assignment>),
    /// To end the lanes of these buckets, as many as there are: it answers when nothing more comes of them.
    Release(Buckets, oneshot::Sender<usize>),
}

/// A position of an earlier run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    /// where this run begins
    pub offset: Offset,
    /// the target's offset up to which it is mirrored, when something was written
    pub target_next: Option<Offset>,
}

pub(crate) struct Task {
    options: Options,
    lanes: Lanes,
    /// places of lanes that were released, for new ones
    vacant: Vec<usize>,
    releases: Vec<releasing::Release>,
    by_source: HashMap<TopicPartition, usize>,
    targets: HashMap<TopicName, batch::Target>,
    sources: HashMap<NodeId, SourceBroker>,
    producers: HashMap<NodeId, TargetBroker>,
    budget: Budget,
    /// instances of the transformations that are not at work
    stages: Vec<Stages>,
    decodes: bool,
    chunks: VecDeque<(usize, Chunk)>,
    work: FuturesUnordered<BoxFuture<'static, Event>>,
    mirrored: Mirrored,
    retrying: Option<(Instant, String)>,
    next_ticket: u64,
    /// chunks that threads are at
    converting: usize,
    /// lanes whose position is to be stored
    moved: Vec<usize>,
    /// when the first of them is due
    store_at: Option<Instant>,
    storing: bool,
    /// lanes that have offsets without a record to be taken
    gapped: Vec<usize>,
    /// buckets whose markers are being written, and lanes that wait for one of them
    marking: HashSet<Bucket>,
    waiting: Vec<usize>,
    /// lanes that have a transaction planned
    planned: Vec<usize>,
    leases: leasing::Leases,
    /// some lanes have the source's offsets
    preserves: bool,
    /// the starts of logs are being looked at, and when they are next
    following: bool,
    follow_at: Option<Instant>,
    /// leaders are being asked who has transactions open, and when they are next
    asking_producers: bool,
    ask_producers_at: Option<Instant>,
    /// the ends of compacted topics are being looked at, and when they are next
    seeing_ends: bool,
    see_ends_at: Option<Instant>,
    /// the last batch of filler: mostly the next one is the same
    filler: Option<batch::Outgoing>,
    /// lanes whose target's log is to be looked at
    lost: Vec<usize>,
    store_after: Option<Instant>,
    /// the topic that has the rows, and the metadata by which that was looked up
    table: (TopicId, Option<u64>),
    /// a lane has no producer id
    unidentified: bool,
    identifying: bool,
    identify_after: Option<Instant>,
    source_refresh: Refresh,
    target_refresh: Refresh,
    draining: bool,
}

/// A broker that the task fetches from.
#[derive(Default)]
struct SourceBroker {
    peer: Peer,
    /// the lanes that want to be fetched
    session: FetchSession,
    /// lanes that will want to be in a moment
    held_up: usize,
}

/// A broker that the task produces to.
#[derive(Default)]
struct TargetBroker {
    peer: Peer,
    /// the lanes that have something to send, in turn
    ready: VecDeque<usize>,
}

/// The way to a broker.
#[derive(Default)]
struct Peer {
    connection: Option<Connection>,
    connecting: bool,
    in_flight: usize,
    pause_until: Option<Instant>,
    /// since the last connection that was made
    backoff: Option<Backoff>,
}

/// Metadata is asked for again after errors, once at a time and not too often.
#[derive(Default)]
struct Refresh {
    wanted: bool,
    running: bool,
    last: Option<Instant>,
    /// the metadata by which leaders were looked up
    version: Option<u64>,
    /// one of the partitions without a leader
    leaderless: Option<TopicPartition>,
}

enum Event {
    SourceOpened(NodeId, Result<Connection, Error>),
    TargetOpened(NodeId, Result<Connection, Error>),
    Fetched(NodeId, Result<FetchAnswer, Error>),
    Converted(usize, Converted, Option<Stages>),
    /// the dead letters of what was converted are written, or not
    Lettered(usize, Converted, Result<(), Error>),
    Produced(NodeId, Vec<(usize, Ticket)>, Result<ProduceAnswer, Error>),
    Identified(Result<ProducerId, Error>),
    Stored(Vec<(usize, Mark)>, Result<Buckets, Error>),
    SourceRefreshed(Result<Vec<TopicMetadata>, Error>),
    TargetRefreshed(Result<Vec<TopicMetadata>, Error>),
    /// the source's log of a lane whose fetch was out of range: start, end
    Bounds(usize, Result<(Offset, Offset), String>),
    /// the ends of the target's logs of lanes
    Located(Vec<usize>, Tails),
    /// offsets without a record are taken, or not
    Marked(gaps::Marked),
    /// whose buckets are, asked for at this time
    Held(Instant, Result<Held, Error>),
    /// records of transactions are on the target, or not
    Transacted(transacting::Transacted),
    /// where the target's logs begin
    Followed(Result<retention::Starts, Error>),
    /// who has the transactions open that lanes wait for, by where these begin
    Producers(Vec<(usize, Offset)>, open_transactions::Producers),
    /// where the logs of compacted topics end
    Ends(tombstones::Ends),
    /// what the target topic takes now
    Limits(usize, Result<Option<batch::Target>, Error>),
}

const TICK: Duration = Duration::from_millis(100);
/// How long a task that was told to stop waits for what is on the wire.
const DRAIN: Duration = Duration::from_secs(10);
const REFRESH_PAUSE: Duration = Duration::from_millis(500);
/// After a request to the cluster as a whole failed for good, before it is tried again.
const REST: Duration = Duration::from_secs(1);
/// How long a solved problem stays in `retrying`.
const RETRYING_SHOWN: Duration = Duration::from_secs(5);

// === impl Task ===

impl Task {
    pub(crate) fn new(mut options: Options) -> Self {
        let stages = std::mem::take(&mut options.stages);
        Self {
            table: (options.positions.topic_id(), None),
            budget: Budget::new(options.buffer_memory),
            decodes: !stages.is_empty(),
            stages,
            options,
            lanes: Lanes::default(),
            vacant: Vec::new(),
            releases: Vec::new(),
            by_source: HashMap::new(),
            targets: HashMap::new(),
            sources: HashMap::new(),
            producers: HashMap::new(),
            chunks: VecDeque::new(),
            work: FuturesUnordered::new(),
            mirrored: Mirrored::default(),
            retrying: None,
            next_ticket: 0,
            converting: 0,
            moved: Vec::new(),
            store_at: None,
            storing: false,
            gapped: Vec::new(),
            marking: HashSet::new(),
            waiting: Vec::new(),
            planned: Vec::new(),
            leases: leasing::Leases::default(),
            preserves: false,
            following: false,
            follow_at: None,
            asking_producers: false,
            ask_producers_at: None,
            seeing_ends: false,
            see_ends_at: None,
            filler: None,
            lost: Vec::new(),
            store_after: None,
            unidentified: false,
            identifying: false,
            identify_after: None,
            source_refresh: Refresh::default(),
            target_refresh: Refresh::default(),
            draining: false,
        }
    }

    /// Mirrors until cancelled; then waits for what is on the wire, stores the last positions and ends.
    pub(crate) async fn run(
        mut self,
        mut orders: mpsc::UnboundedReceiver<Order>,
        snapshots: watch::Sender<Snapshot>,
        token: CancellationToken,
    ) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut deadline: Option<Instant> = None;
        loop {
            tokio::select! {
                () = token.cancelled(), if deadline.is_none() => {
                    deadline = Some(Instant::now() + DRAIN);
                    self.draining = true;
                    for index in 0..self.lanes.len() {
                        self.lanes[index].close();
                    }
                }
                Some(event) = self.work.next(), if !self.work.is_empty() => self.handle(event),
                Some(order) = orders.recv(), if deadline.is_none() => match order {
                    Order::Take(assignments) => self.assign(assignments),
                    Order::Release(buckets, done) => self.release(buckets, done),
                },
                _ = tick.tick() => {
                    self.tick();
                    self.show(&snapshots);
                }
            }
            self.pump().await;
            if let Some(deadline) = deadline
                && (self.is_drained() || Instant::now() >= deadline)
            {
                if !self.is_drained() {
                    let waiting: Vec<String> = self
                        .lanes
                        .iter()
                        .filter(|lane| lane.has_in_flight())
                        .map(|lane| lane.source.to_string())
                        .collect();
                    tracing::warn!(partitions = ?waiting, "stopped without the answers to what was sent: it is sent again at the next start");
                }
                self.show(&snapshots);
                return;
            }
        }
    }

    fn assign(&mut self, assignments: Vec<Assignment>) {
        for assignment in assignments {
            // A partition that stopped before it began says nothing of a topic that others may be writing to.
            if let Some(batches) = assignment.batches {
                self.targets.insert(assignment.target.topic.clone(), batches);
            }
            if assignment.compacted.is_some() {
                self.see_ends_at = None;
            }
            if assignment.preserved.is_some() {
                self.preserves = true;
                self.leases.begin(Instant::now());
                self.follow_at = None;
            }
            let source = assignment.source.clone();
            let is_contested = assignment.is_contested;
            let mut lane = Lane::new(assignment);
            match &mut lane.exact {
                // A marker would cost an offset that the source does not have.
                Some(exact) if exact.preserved.is_some() => exact.forgotten = self.options.transactions,
                Some(exact) => exact.transactions = self.options.transactions,
                None => {}
            }
            if is_contested {
                lane.settles(self.settled_at(Instant::now(), true));
            }
            let index = match self.vacant.pop() {
                Some(index) => {
                    self.lanes.replace(index, lane);
                    index
                }
                None => self.lanes.push(lane),
            };
            self.by_source.insert(source, index);
        }
        for side in [Side::Source, Side::Target] {
            let refresh = self.refresh(side);
            refresh.wanted = true;
            refresh.version = None;
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::SourceOpened(node, result) => self.opened(Side::Source, node, result),
            Event::TargetOpened(node, result) => self.opened(Side::Target, node, result),
            Event::Fetched(node, result) => self.fetched(node, result),
            Event::Converted(lane, converted, stages) => {
                self.stages.extend(stages);
                self.converting -= 1;
                self.lanes[lane].converting = false;
                if converted.letters.is_empty() {
                    self.converted(lane, converted);
                } else {
                    self.write_letters(lane, converted, None);
                }
            }
            Event::Lettered(lane, converted, result) => self.lettered(lane, converted, result),
            Event::Produced(node, sent, result) => self.produced(node, &sent, result),
            Event::Identified(result) => self.identified(result),
            Event::Stored(marks, result) => self.stored(marks, result),
            Event::SourceRefreshed(result) => {
                self.source_refresh.running = false;
                match result {
                    Ok(topics) => self.check_source(&topics),
                    Err(error) => self.again(Side::Source, error.to_string()),
                }
            }
            Event::TargetRefreshed(result) => {
                self.target_refresh.running = false;
                if let Err(error) = result {
                    self.again(Side::Target, error.to_string());
                }
            }
            Event::Bounds(lane, result) => self.bounds(lane, result),
            Event::Limits(lane, result) => self.limits(lane, result),
            Event::Followed(starts) => self.followed_to(starts),
            Event::Producers(asked, producers) => self.told_producers(&asked, producers),
            Event::Ends(ends) => self.saw_ends(ends),
            Event::Marked(marked) => self.marked(marked),
            Event::Held(asked, result) => self.held(asked, result),
            Event::Transacted(transacted) => self.transacted(transacted),
            Event::Located(lanes, tails) => self.located(&lanes, tails),
        }
    }

    /// Starts what can be started.
    async fn pump(&mut self) {
        self.look_up_leaders();
        self.place();
        self.pump_positions();
        self.pump_identity();
        self.pump_locating();
        self.pump_gaps();
        self.pump_transactions();
        self.pump_retention();
        self.pump_open_transactions();
        self.pump_tombstones();
        self.pump_releases();
        self.place();
        self.pump_produce().await;
        self.pump_leases();
        self.pump_conversions();
        self.place();
        if !self.draining {
            self.pump_fetch();
        }
        self.pump_refresh();
    }

    fn pump_identity(&mut self) {
        let is_resting = self.identify_after.is_some_and(|after| after > Instant::now());
        if self.unidentified && !self.identifying && !is_resting && !self.draining {
            self.identifying = true;
            let client = self.options.target.clone();
            self.work.push(Box::pin(async move {
                Event::Identified(client.init_producer_id().await)
            }));
        }
    }

    fn identified(&mut self, result: Result<ProducerId, Error>) {
        self.identifying = false;
        match result {
            Ok(producer) => {
                let identity = ProducerIdentity {
                    id: producer.id,
                    epoch: producer.epoch,
                    transactional: Transactional::No,
                };
                self.unidentified = false;
                for index in 0..self.lanes.len() {
                    if self.lanes[index].identity.is_none() {
                        self.lanes[index].identify(identity);
                    }
                }
            }
            Err(error) => {
                self.identify_after = Some(Instant::now() + REST);
                self.note(error.to_string());
            }
        }
    }

    fn is_drained(&self) -> bool {
        !self.storing
            && self.lanes.iter().all(|lane| {
                !lane.has_in_flight() && !lane.is_marking() && lane.mark(Instant::now()).is_none()
            })
    }

    /// Says in status what is being retried.
    fn note(&mut self, what: String) {
        if self.retrying.as_ref().is_none_or(|(_, known)| *known != what) {
            tracing::warn!(connector = self.options.connector, "retrying: {what}");
        }
        self.retrying = Some((Instant::now(), what));
    }

    /// Changes in status what has changed since the last time.
    fn show(&mut self, snapshots: &watch::Sender<Snapshot>) {
        let unshown = self.lanes.take_unshown();
        let retrying = self
            .retrying
            .as_ref()
            .filter(|(at, _)| at.elapsed() < RETRYING_SHOWN)
            .map(|(_, what)| what.clone());
        snapshots.send_if_modified(|snapshot| {
            if unshown.is_empty() && snapshot.retrying == retrying {
                return false;
            }
            for index in unshown {
                let status = self.lanes[index].status();
                // New lanes come in their order.
                match snapshot.partitions.get_mut(index) {
                    Some(shown) => *shown = status,
                    None => snapshot.partitions.push(status),
                }
            }
            snapshot.mirrored = self.mirrored;
            snapshot.retrying = retrying;
            true
        });
    }
}

// === impl Peer ===

impl Peer {
    /// The connection, while it lives.
    fn alive(&self) -> Option<Connection> {
        self.connection.clone().filter(|connection| connection.is_alive())
    }

    fn is_paused(&self, now: Instant) -> bool {
        self.pause_until.is_some_and(|until| until > now)
    }
}

/// Which cluster something is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Source,
    Target,
}

// === impl Side ===

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}
