//! The cluster as its owner sees it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    CoordinatorKind, Error, Faults, NewTopic, Options, QuotaRate,
    api::Sessions,
    broker::Broker,
    context::Shared,
    coordinators,
    log::Log,
    quotas::{Change, Entity},
    state::{BrokerState, Denied, Running, State},
    topic::Partition,
};

/// A cluster that runs. It ends when this is dropped; [`Cluster::shutdown`] waits until it has ended.
pub struct Cluster {
    shared: Arc<Shared>,
    running: Mutex<BTreeMap<i32, Broker>>,
    /// What is not a broker's: the timer of groups and transactions.
    tasks: JoinSet<()>,
}

/// A partition's log at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogView {
    pub start: i64,
    pub end: i64,
    pub last_stable_offset: i64,
    pub leader: i32,
    pub leader_epoch: i32,
    /// Every batch, as a consumer gets it, markers included.
    pub batches: Vec<Bytes>,
}

// === impl Cluster ===

impl Cluster {
    /// Starts the brokers, on free ports, and creates the topics.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let state = State::new(&options);
        let (brokers, topics) = (options.brokers, options.topics.clone());
        let racks = options.racks.clone();
        let shared = Arc::new(Shared::new(options, state, CancellationToken::new()));
        let mut tasks = JoinSet::new();
        tasks.spawn(coordinators::run(Arc::clone(&shared)));
        let cluster = Self {
            shared,
            running: Mutex::default(),
            tasks,
        };
        for index in 0..brokers {
            cluster.add_broker(racks.get(index).map(String::as_str)).await?;
        }
        for topic in &topics {
            cluster.create_topic(topic)?;
        }
        Ok(cluster)
    }

    /// `bootstrap.servers`: every broker, the stopped ones included.
    pub fn bootstrap_servers(&self) -> String {
        let state = self.shared.state();
        let addresses: Vec<String> = state.brokers.values().map(BrokerState::address).collect();
        addresses.join(",")
    }

    /// The address of one broker. It stays the same over restarts.
    pub fn address(&self, broker: i32) -> Result<String, Error> {
        let state = self.shared.state();
        match state.brokers.get(&broker) {
            Some(broker) => Ok(broker.address()),
            None => Err(no_broker(&state, broker)),
        }
    }

    /// The cluster's id, as Metadata answers it.
    pub fn id(&self) -> String {
        self.shared.state().cluster_id.clone()
    }

    /// How to make it misbehave.
    pub fn faults(&self) -> Faults {
        self.shared.faults.clone()
    }

    /// Sets the brokers' clock forward.
    pub fn advance_clock(&self, time: Duration) {
        self.shared.clock.advance(time);
    }

    /// One broker more. It gets partitions of topics that are created from now on.
    pub async fn add_broker(&self, rack: Option<&str>) -> Result<i32, Error> {
        let id = self
            .shared
            .state()
            .brokers
            .keys()
            .last()
            .map_or(1, |last| last + 1);
        let (listener, port) = Broker::bind(id, 0).await?;
        let broker = BrokerState {
            port,
            rack: rack.map(str::to_owned),
            running: Running::Yes,
            sessions: Sessions::default(),
        };
        self.shared.state().brokers.insert(id, broker);
        self.brokers()
            .insert(id, Broker::start(Arc::clone(&self.shared), id, listener));
        Ok(id)
    }

    /// Ends a broker: connections are closed, its port refuses new ones, and other replicas lead its partitions. A partition without
    /// another replica has no leader until the broker is back.
    pub async fn stop_broker(&self, broker: i32) -> Result<(), Error> {
        let running = self.brokers().remove(&broker);
        let Some(running) = running else {
            let state = self.shared.state();
            return Err(match state.brokers.get(&broker) {
                Some(_) => Error::BrokerState {
                    broker,
                    is: "stopped already",
                },
                None => no_broker(&state, broker),
            });
        };
        running.stop().await;
        let mut state = self.shared.state();
        if let Some(broker) = state.brokers.get_mut(&broker) {
            broker.running = Running::No;
            broker.sessions = Sessions::default();
        }
        for partition in state.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            partition.stopped(broker);
        }
        Ok(())
    }

    /// Starts a stopped broker on the port it had. Leaders that have moved stay where they are.
    pub async fn start_broker(&self, broker: i32) -> Result<(), Error> {
        let port = {
            let state = self.shared.state();
            match state.brokers.get(&broker) {
                Some(known) if known.running == Running::No => known.port,
                Some(_) => {
                    return Err(Error::BrokerState {
                        broker,
                        is: "running",
                    });
                }
                None => return Err(no_broker(&state, broker)),
            }
        };
        let (listener, _) = Broker::bind(broker, port).await?;
        {
            let mut state = self.shared.state();
            if let Some(broker) = state.brokers.get_mut(&broker) {
                broker.running = Running::Yes;
            }
            for partition in state.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                partition.started(broker);
            }
        }
        let started = Broker::start(Arc::clone(&self.shared), broker, listener);
        self.brokers().insert(broker, started);
        Ok(())
    }

    /// Stops a broker and starts it again.
    pub async fn restart_broker(&self, broker: i32) -> Result<(), Error> {
        self.stop_broker(broker).await?;
        self.start_broker(broker).await
    }

    pub fn create_topic(&self, topic: &NewTopic) -> Result<(), Error> {
        self.shared
            .state()
            .add_topic(topic)
            .map_err(|denied| denied.of(&topic.name))
    }

    /// Deletes a topic with everything in it. One of the same name created later is another topic, with another id.
    pub fn delete_topic(&self, topic: &str) -> Result<(), Error> {
        match self.shared.state().topics.remove(topic) {
            Some(_) => Ok(()),
            None => Err(no_partition(topic, 0)),
        }
    }

    /// Makes another replica the leader of a partition, under the next leader epoch.
    pub fn move_leader(&self, topic: &str, partition: i32, to: i32) -> Result<(), Error> {
        self.with(topic, partition, |found| {
            if !found.isr.contains(&to) {
                return Err(Error::NoReplica {
                    topic: topic.to_owned(),
                    partition,
                    broker: to,
                    replicas: found.isr.clone(),
                });
            }
            found.lead(to);
            Ok(())
        })?
    }

    /// The leader of a partition, -1 when it has none.
    pub fn leader(&self, topic: &str, partition: i32) -> Result<i32, Error> {
        self.with(topic, partition, |found| found.leader)
    }

    /// What a partition holds.
    pub fn log(&self, topic: &str, partition: i32) -> Result<LogView, Error> {
        self.with(topic, partition, |found| LogView {
            start: found.log.start(),
            end: found.log.end(),
            last_stable_offset: found.log.last_stable_offset(),
            leader: found.leader,
            leader_epoch: found.leader_epoch,
            batches: found.log.batches().map(|stored| stored.bytes()).collect(),
        })
    }

    /// Another broker coordinates a group or a transactional id from now on, as long as it runs.
    pub fn move_coordinator(&self, kind: CoordinatorKind, id: &str, broker: i32) -> Result<(), Error> {
        let mut state = self.shared.state();
        if !state.is_running(broker) {
            return Err(match state.brokers.get(&broker) {
                Some(_) => Error::BrokerState {
                    broker,
                    is: "stopped",
                },
                None => no_broker(&state, broker),
            });
        }
        state.coordinators.move_to(kind, id, broker);
        Ok(())
    }

    /// Bytes a second for the clients of an id, all together; 0 lifts the limit.
    pub fn set_quota(&self, rate: QuotaRate, client_id: &str, bytes_per_second: u32) {
        let key = rate.key().to_owned();
        let change = match bytes_per_second {
            0 => Change::Remove(key),
            bytes => Change::Set(key, f64::from(bytes)),
        };
        let entity = Entity::client_id(client_id);
        self.shared.state().coordinators.quotas.alter(&entity, &[change]);
    }

    /// The broker that coordinates a group or a transactional id; `None` when none runs.
    pub fn coordinator(&self, kind: CoordinatorKind, id: &str) -> Option<i32> {
        self.shared.state().coordinator(kind, id)
    }

    /// An unclean leader election: what is at `offset` and behind it is lost, and the same leader goes on under the next epoch.
    pub fn truncate(&self, topic: &str, partition: i32, offset: i64) -> Result<(), Error> {
        self.with(topic, partition, |found| {
            found.log.truncate(offset);
            found.lead(found.leader);
        })
    }

    /// What the cleaner does some time after records of the same keys were written: only the last of each key stays, and batches have
    /// holes. For every partition, whatever its `cleanup.policy` says.
    pub fn compact(&self, topic: &str) -> Result<(), Error> {
        self.each_log(topic, Log::compact)
    }

    /// As [`Cluster::compact`] does it some time later, when `delete.retention.ms` are over: of keys that were deleted nothing is left.
    pub fn forget_tombstones(&self, topic: &str) -> Result<(), Error> {
        self.each_log(topic, Log::forget_tombstones)
    }

    /// What retention does when its check comes round: whole batches go that are older than `retention.ms` or above `retention.bytes`.
    pub fn enforce_retention(&self, topic: &str) -> Result<(), Error> {
        let settings = {
            let state = self.shared.state();
            state.topics.get(topic).map(|topic| topic.settings)
        };
        let Some(settings) = settings.filter(|settings| settings.deletes) else {
            return self.each_log(topic, |_| {});
        };
        let before = settings
            .retention_ms
            .map(|ms| self.shared.clock.now_ms().saturating_sub(ms));
        self.each_log(topic, |log| log.retain(before, settings.retention_bytes))
    }

    /// Records before `offset` can no longer be read (DeleteRecords).
    pub fn delete_records(&self, topic: &str, partition: i32, offset: i64) -> Result<(), Error> {
        self.with(topic, partition, |found| {
            found.log.delete_before(offset.min(found.log.end()));
            found.log.wake();
        })
    }

    /// Ends every broker and waits until they have ended.
    pub async fn shutdown(mut self) {
        self.shared.token.cancel();
        let running = std::mem::take(&mut *self.brokers());
        for broker in running.into_values() {
            broker.stop().await;
        }
        while self.tasks.join_next().await.is_some() {}
    }

    fn brokers(&self) -> MutexGuard<'_, BTreeMap<i32, Broker>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, topic: &str, partition: i32, f: impl FnOnce(&mut Partition) -> T) -> Result<T, Error> {
        let mut state = self.shared.state();
        match state.topics.partition_mut(topic, partition) {
            Some(found) => Ok(f(found)),
            None => Err(no_partition(topic, partition)),
        }
    }

    fn each_log(&self, topic: &str, f: impl Fn(&mut Log)) -> Result<(), Error> {
        let mut state = self.shared.state();
        let found = state
            .topics
            .get_mut(topic)
            .ok_or_else(|| no_partition(topic, 0))?;
        for partition in &mut found.partitions {
            f(&mut partition.log);
            partition.log.wake();
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.shared.token.cancel();
    }
}

// === impl LogView ===

impl LogView {
    /// All batches behind each other, as a Fetch without limits would answer them.
    pub fn records(&self) -> Bytes {
        let mut records = BytesMut::new();
        for batch in &self.batches {
            records.extend_from_slice(batch);
        }
        records.freeze()
    }
}

// === impl BrokerState, Denied ===

impl BrokerState {
    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Denied {
    fn of(self, topic: &str) -> Error {
        Error::Topic {
            topic: topic.to_owned(),
            code: self.code,
            message: self.message,
        }
    }
}

fn no_broker(state: &State, broker: i32) -> Error {
    Error::NoBroker {
        broker,
        known: state.brokers.keys().copied().collect(),
    }
}

fn no_partition(topic: &str, partition: i32) -> Error {
    Error::NoPartition {
        topic: topic.to_owned(),
        partition,
    }
}
