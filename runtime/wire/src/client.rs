//! A cluster: where its brokers are, who leads what, and the requests that are not fetching or producing.

mod acls;
mod allowed;
mod alter_configs;
mod cluster;
mod configs;
mod coordinators;
mod delete_records;
mod groups;
mod leaders;
mod metadata;
mod missing;
mod offsets;
mod pool;
mod producer_id;
mod producers;
mod reach;
mod topics;
mod transactions;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use towpath_domain::{ClusterId, LeaderEpoch, TopicId, TopicName, TopicPartition};

use crate::{Address, Connection, Error, Options};
use cluster::Cluster;
use coordinators::Coordinators;
use pool::Pool;

pub use allowed::{Allowed, Operation};
pub use alter_configs::TopicConfigs;
pub use configs::{ConfigEntry, ConfigSource};
pub use groups::{CommittedOffset, DescribedGroup, GroupMember, GroupType, ListedGroup};
pub(crate) use metadata::ask;
pub use metadata::{PartitionMetadata, TopicMetadata, Topics};
pub use missing::{Missing, Use};
pub use offsets::{ListedOffset, OffsetSpec};
pub use producer_id::ProducerId;
pub use producers::ProducerState;
pub use topics::NewTopic;

/// A Kafka cluster. Cheap to clone; all clones share the cached metadata and the connections for admin requests.
///
/// Operations retry what is worth retrying, with backoff, for up to `request_timeout`; their errors say how often. They can be dropped at any
/// time: a request that was sent is not taken back by that.
#[derive(Clone, Debug)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Options,
    bootstrap: Vec<Address>,
    cluster_id: ClusterId,
    missing: Vec<Missing>,
    cluster: RwLock<Cluster>,
    /// How often `cluster` was updated.
    updates: AtomicU64,
    coordinators: Coordinators,
    pool: Mutex<Pool>,
    closed: CancellationToken,
}

/// A broker's id within its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub i32);

/// Takes over what a metadata answer says, as a client does, into a cluster of which nothing is known.
pub(crate) fn take_over(answer: &kafka_protocol::messages::MetadataResponse) {
    let mut cluster = Cluster::default();
    cluster.update_brokers(answer);
    for topic in &answer.topics {
        cluster.update_topic(&TopicMetadata::of(topic));
    }
}

/// Who leads a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leader {
    pub node: NodeId,
    /// -1 before Kafka 2.2.
    pub epoch: LeaderEpoch,
}

// === impl Client ===

impl Client {
    /// Tries each bootstrap server once, in order, all for at most `request_timeout`, until one answers who its cluster is. One that is silent
    /// holds up the next for a second. When none answers, the error says why for each.
    pub async fn connect(options: Options) -> Result<Self, Error> {
        let bootstrap = parse(&options.bootstrap_servers)?;
        let closed = CancellationToken::new();
        let connection = reach::bootstrap(&bootstrap, &options, &closed).await?;
        let answer = metadata::ask(&connection, &Topics::Names(Vec::new()))
            .await
            .map_err(|error| unwelcome(error, &options))?;
        let mut cluster = Cluster::default();
        cluster.update_brokers(&answer);
        let cluster_id = metadata::cluster_id(&answer);
        tracing::debug!(cluster = %cluster_id, peer = %connection.peer(), "connected");
        Ok(Self(Arc::new(Inner {
            options,
            bootstrap,
            cluster_id,
            missing: missing::of(&connection),
            cluster: RwLock::new(cluster),
            updates: AtomicU64::new(0),
            coordinators: Coordinators::default(),
            pool: Mutex::default(),
            closed,
        })))
    }

    /// What the cluster calls itself; empty for one that is older than Kafka 0.10.1.
    pub fn cluster_id(&self) -> ClusterId {
        self.0.cluster_id.clone()
    }

    /// What the broker that was reached first cannot do, by its versions of the protocol: nothing of a current one.
    pub fn missing(&self, used_as: Use) -> impl Iterator<Item = &Missing> {
        self.0
            .missing
            .iter()
            .filter(move |missing| missing.used_as == used_as)
    }

    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// See [`Security::principal`](crate::Security::principal).
    pub fn principal(&self) -> Option<String> {
        self.0.options.security.principal()
    }

    /// Who leads the partition, as far as is cached. `None` when the topic was never asked for, when nobody leads it, or when the
    /// answer is older than `metadata_max_age`: then [`Client::metadata`] asks again.
    pub fn leader(&self, partition: &TopicPartition) -> Option<Leader> {
        self.cluster().leader(partition, self.0.options.metadata_max_age)
    }

    /// Which topic has this name, as the last answer about it said, however old. `None` when there was none, or when brokers have no topic ids (before 2.8).
    pub fn topic_id(&self, topic: &TopicName) -> Option<TopicId> {
        self.cluster().topic_id(topic)
    }

    /// Grows with each answer about brokers and leaders. What [`Client::leader`] says is the same until then, but for its age.
    pub fn metadata_version(&self) -> u64 {
        self.0.updates.load(Ordering::Acquire)
    }

    /// Whether the broker's replica of the partition was in sync when the leader was last asked for.
    pub fn is_in_sync(&self, partition: &TopicPartition, node: NodeId) -> bool {
        self.cluster().is_in_sync(partition, node)
    }

    /// A connection of the caller's own, so that fetching does not wait behind producing; `purpose` is for the log. Not retried.
    pub async fn open(&self, node: NodeId, purpose: &'static str) -> Result<Connection, Error> {
        if self.0.closed.is_cancelled() {
            return Err(Error::Closed);
        }
        let peer = self.cluster().peer(node).ok_or(Error::UnknownNode { node })?;
        tracing::debug!(%peer, purpose, "connecting");
        Connection::open(peer, &self.0.options, self.0.closed.child_token()).await
    }

    /// Closes every connection that was opened through this client, whoever has it. What is in flight fails.
    pub fn close(&self) {
        self.0.closed.cancel();
    }

    fn cluster(&self) -> RwLockReadGuard<'_, Cluster> {
        // A panic cannot leave it half written: each update is built before it is stored.
        self.0.cluster.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn update_cluster(&self, update: impl FnOnce(&mut Cluster)) {
        update(&mut self.0.cluster.write().unwrap_or_else(PoisonError::into_inner));
        self.0.updates.fetch_add(1, Ordering::Release);
    }
}

// === impl NodeId ===

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn parse(servers: &[String]) -> Result<Vec<Address>, Error> {
    let (mut addresses, mut mistakes) = (Vec::new(), Vec::new());
    for server in servers {
        match server.trim().parse() {
            Ok(address) => addresses.push(address),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if servers.is_empty() {
        mistakes.push("bootstrap.servers is empty, host:port is expected".to_owned());
    }
    if mistakes.is_empty() {
        Ok(addresses)
    } else {
        Err(Error::Address { mistakes })
    }
}

/// A listener with SASL tells its versions to everybody, and closes the connection at the first other request.
fn unwelcome(error: Error, options: &Options) -> Error {
    match error {
        Error::Disconnected { peer, api, cause } if options.security.sasl.is_none() => Error::Disconnected {
            peer,
            api,
            cause: format!(
                "{cause}, at the first request; if this is a listener with SASL, set security.protocol and sasl.mechanism"
            )
            .into(),
        },
        error => error,
    }
}
