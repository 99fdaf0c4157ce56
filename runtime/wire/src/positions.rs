//! How far each source partition was mirrored: a compacted topic on the target, read as a table.
//!
//! A row says where a connector goes on reading one source partition. It is written after the target has acknowledged everything before it, so it is
//! never ahead of the data. At least once, a worker that dies mirrors what it mirrored since the last row again. Exactly once, the row also says where the
//! records that are not acknowledged yet will be ([`Position::runs`], written *before* them): where the target's log ends then says what is there.
//!
//! Beside the positions stands which plugins each connector was [accepted](Accepted) with, a row a connector, and what was last committed for each group
//! on the target ([`Checkpoint`]).
//!
//! The topic has a partition for each [`Bucket`], so that everything about one source partition, whichever task has it, is in one log.

mod accepted;
mod answers;
mod checkpoints;
mod chunks;
mod claim;
mod follow;
mod load;
mod markers;
mod resolved;
pub(crate) mod stored;
mod transact;
mod write;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, OnceCell};
use towpath_domain::{
    Bucket, Buckets, ClusterId, LeaderEpoch, Offset, Partition, TopicId, TopicName, offset_map::Runs,
};

use crate::{
    Client, Error, KafkaError, NewTopic, Operation, ProducerId, TailBatch, TopicMetadata, Topics,
    append::Appender, own, retry::Attempts, rows::Row,
};

/// The table. Several may be open on one topic, for several connectors; rows have their connector's name in the key.
#[derive(Debug)]
pub struct Positions {
    client: Client,
    topic: TopicName,
    topic_id: TopicId,
    max_message_bytes: usize,
    replication_factor: i16,
    /// Of the runs that rows no longer have.
    chunk_topic: OnceCell<Box<Positions>>,
    /// Writes wait for each other: a row must not be overtaken by the one before.
    appender: Mutex<Appender>,
    /// The producer of each bucket, once it is claimed; whoever writes its markers holds it.
    claimed: Vec<Mutex<Option<markers::Claimed>>>,
}

/// Whose position it is. The record's key, as JSON; the order of the fields is part of the format, compaction compares bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PositionKey {
    pub connector: String,
    pub source: ClusterId,
    /// By id: a topic that was deleted and created again starts anew.
    pub topic: TopicId,
    pub partition: Partition,
}

/// Where to go on. The record's value, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The next source offset to read: everything before it is acknowledged by the target.
    pub offset: Offset,
    /// The source's leader epoch of the record before it, -1 when it is not known: by it a truncated source is found out.
    pub epoch: LeaderEpoch,
    /// The source topic's name at the time; its identity is in the key.
    pub topic: TopicName,
    pub target: TargetPosition,
    /// Of what is delivered exactly once.
    #[serde(default)]
    pub anchor: Option<Anchor>,
    /// Which target offsets source offsets have or will have, from the last ones that are not in a chunk of their own on. In JSON base64 of [`Runs::encode`].
    #[serde(default, with = "stored::runs", skip_serializing_if = "Runs::is_empty")]
    pub runs: Runs,
    /// Batches may be on their way behind `target.next`: a worker that stopped in peace has left none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
    /// Records have the same offsets on both clusters (`offsets.mode=preserve`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preserved: Option<Preserved>,
    /// Behind `target.next` there may be records in transactions: those of aborted ones do not count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub transactional: bool,
    /// Of a compacted source: everything that its log had then is before `offset`; ms since 1970, by the clock of whoever wrote the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caught_up_at: Option<i64>,
    /// What an operator decided about the partition, when the row is of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Resolved>,
}

/// Of a partition whose records have the same offsets on both clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preserved {
    /// The first offset that a record may have on the target: what is before it is filler, and is deleted.
    pub begins: Offset,
    /// The filler cannot come back any more: consumers may read the partition.
    pub readable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetPosition {
    pub topic: TopicName,
    /// Zero when it is not known: of a broker without topic ids, and in rows of versions that did not store it.
    #[serde(default)]
    pub topic_id: TopicId,
    pub partition: Partition,
    /// The target's offset after the last batch that was acknowledged; absent when there is none yet.
    #[serde(default)]
    pub next: Option<Offset>,
}

/// What ties the sequence of a producer to the target's offsets, for exact delivery by compare-and-append: the record at the target's `offset + n`
/// carries `sequence + n`. A later owner of the partition goes on with the same producer and the same reckoning, so the broker drops a late batch of the
/// former owner as a duplicate, or refuses it, or it is the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    pub producer: i64,
    pub epoch: i16,
    pub sequence: i32,
    pub offset: Offset,
}

/// What the topic holds: the last row of each key.
#[derive(Debug, Default)]
pub struct Table {
    pub positions: HashMap<PositionKey, Position>,
    pub checkpoints: HashMap<CheckpointKey, Checkpoint>,
    /// by connector, as stored
    accepted: HashMap<String, Vec<u8>>,
    /// by connector: the target's schema ids, by the source's and the subject asked for
    answers: HashMap<String, SchemaIds>,
    /// records whose key is not one of ours
    foreign: u64,
}

/// The target's schema ids, by the source's id and the subject it was asked for.
pub type SchemaIds = HashMap<(u32, Option<String>), u32>;

pub use accepted::{Accepted, AcceptedPlugin};
pub use checkpoints::{Checkpoint, CheckpointKey};
pub use chunks::Chunks;
pub use claim::{Held, transactional_id};
pub use follow::Followed;
pub use markers::Hole;
pub use resolved::{Resolved, Span};
pub use transact::{Refused, Transacted, Write};

const PURPOSE: &str = "positions";

// === impl Anchor ===

impl Anchor {
    /// The sequence of the record at this offset of the target; from 2^31 - 1 it goes on at 0.
    pub fn sequence_at(&self, target: Offset) -> i32 {
        let distance = target.0 - self.offset.0;
        ((i64::from(self.sequence) + distance) & i64::from(i32::MAX)) as i32
    }

    /// Whether a batch of records is where it was meant to be. One of a former owner that came late, when the broker had forgotten the producer, is not.
    pub fn fits(&self, batch: &TailBatch) -> bool {
        (batch.producer, batch.epoch) == (self.producer, self.epoch)
            && batch.sequence == self.sequence_at(batch.first)
    }

    /// Whether it is of this producer in this epoch.
    pub fn is_of(&self, producer: ProducerId) -> bool {
        (producer.id, producer.epoch) == (self.producer, self.epoch)
    }

    /// Behind markers that this producer has from `from` to `to`: the sequence goes on there, or begins under another epoch.
    #[must_use]
    pub fn behind(&self, producer: ProducerId, (from, to): (Offset, Offset)) -> Self {
        Self {
            producer: producer.id,
            epoch: producer.epoch,
            sequence: if self.is_of(producer) {
                self.sequence_at(from)
            } else {
                0
            },
            offset: to,
        }
    }
}

// === impl Positions ===

impl Positions {
    /// Opens the topic, and creates it when it is missing. `replication_factor` is for that; -1 is the target's default.
    ///
    /// Fails with [`Error::Own`] when an existing topic is unfit: another number of partitions, or not only compacted.
    pub async fn open(client: Client, topic: &str, replication_factor: i16) -> Result<Self, Error> {
        let topic = TopicName::new(topic);
        let mut attempts = Attempts::new(client.options());
        let topic_id = loop {
            let found = described(&client, &topic).await?;
            let error = match found.error {
                Some(KafkaError::UNKNOWN_TOPIC_OR_PARTITION) => {
                    let new = NewTopic {
                        name: topic.clone(),
                        partitions: Bucket::COUNT as i32,
                        replication_factor,
                        configs: vec![("cleanup.policy".to_owned(), "compact".to_owned())],
                    };
                    match own::create(&client, new, PURPOSE).await {
                        Ok(()) => own::leaderless(&topic, 0),
                        Err(error) => error,
                    }
                }
                Some(KafkaError::TOPIC_AUTHORIZATION_FAILED) => {
                    client.not_allowed(Operation::Describe, &topic)
                }
                Some(error) => refused(&topic, "it cannot be used".to_owned(), error),
                None => {
                    check_partitions(&topic, &found)?;
                    match found
                        .partitions
                        .iter()
                        .find(|partition| partition.leader.is_none())
                    {
                        None => break found.id,
                        Some(leaderless) => own::leaderless(&topic, leaderless.partition.0),
                    }
                }
            };
            attempts.wait(error).await?;
        };
        let max_message_bytes = check_configs(&client, &topic).await?;
        Ok(Self {
            appender: Mutex::new(Appender::new(client.clone(), topic.clone(), PURPOSE)),
            client,
            topic,
            topic_id,
            max_message_bytes,
            replication_factor,
            chunk_topic: OnceCell::new(),
            claimed: (0..Bucket::COUNT).map(|_| Mutex::default()).collect(),
        })
    }

    /// The name of the topic.
    pub fn topic(&self) -> &TopicName {
        &self.topic
    }

    /// The topic that had this name when it was opened. When the client finds another one ([`Client::topic_id`]), the rows are gone: whoever has them in
    /// memory writes them again.
    pub fn topic_id(&self) -> TopicId {
        self.topic_id
    }

    /// Reads the whole table: the last row of each key that was written before the call.
    pub async fn load(&self) -> Result<Table, Error> {
        load::load(&self.client, &self.topic, Buckets::ALL).await
    }

    /// Reads these buckets of the table, as [`load`](Self::load) does.
    pub async fn load_buckets(&self, buckets: Buckets) -> Result<Table, Error> {
        load::load(&self.client, &self.topic, buckets).await
    }

    /// What this table says a connector was accepted with; nothing when there is no row.
    pub fn accepted(&self, table: &Table, connector: &str) -> Result<Accepted, Error> {
        accepted::of(table, connector, &self.topic)
    }

    /// Stores what a connector was accepted with, in place of what it was accepted with before. Returns, and fails, as [`Positions::write`] does.
    pub async fn accept(&self, connector: &str, accepted: &Accepted) -> Result<(), Error> {
        let bucket = Partition(accepted::bucket(connector) as i32);
        let rows = vec![accepted::row(connector, accepted)];
        let batches = write::batches(self, BTreeMap::from([(bucket, rows)]))?;
        self.appender.lock().await.append_all(batches).await
    }

    /// Takes the connector's rows in these buckets over: from here on nobody who claimed them before can write another one, and everything they wrote is read by a
    /// [`load_buckets`](Self::load_buckets) that follows. Answers the identity of each bucket, for [`Anchor`]s.
    ///
    /// The former owner is told by its next write, which answers the bucket.
    pub async fn claim(
        &self,
        connector: &str,
        buckets: Buckets,
    ) -> Result<BTreeMap<Bucket, ProducerId>, Error> {
        claim::claim(self, connector, buckets).await
    }

    /// The rows in these buckets are somebody else's from here on: what is written there about the connector carries no identity.
    pub async fn release(&self, buckets: Buckets) {
        let mut appender = self.appender.lock().await;
        for bucket in buckets.iter() {
            appender.forget(Partition(bucket.0 as i32));
            if let Some(claimed) = self.claimed.get(bucket.0 as usize) {
                *claimed.lock().await = None;
            }
        }
    }

    /// The schema ids that a connector was answered.
    pub fn schema_ids(&self, table: &Table, connector: &str) -> SchemaIds {
        table.answers.get(connector).cloned().unwrap_or_default()
    }

    /// Stores a schema id. Returns, and fails, as [`Positions::write`] does.
    pub async fn remember(
        &self,
        connector: &str,
        schema: u32,
        subject: Option<&str>,
        id: u32,
    ) -> Result<(), Error> {
        let bucket = Partition(accepted::bucket(connector) as i32);
        let key = answers::Key {
            connector: connector.to_owned(),
            schema,
            subject: subject.map(str::to_owned),
        };
        let batches = write::batches(self, BTreeMap::from([(bucket, vec![answers::row(&key, id)])]))?;
        self.appender.lock().await.append_all(batches).await
    }

    /// Stores what is about to be committed for groups on the target. Returns, and fails, as [`Positions::write`] does.
    pub async fn checkpoint(&self, rows: &[(CheckpointKey, Checkpoint)]) -> Result<(), Error> {
        let mut by_bucket: BTreeMap<Partition, Vec<Row>> = BTreeMap::new();
        for (key, checkpoint) in rows {
            let bucket = Partition(accepted::bucket(&key.connector) as i32);
            let row = checkpoints::row(key, *checkpoint);
            by_bucket.entry(bucket).or_default().push(row);
        }
        let batches = write::batches(self, by_bucket)?;
        self.appender.lock().await.append_all(batches).await
    }

    /// Writes rows; `None` removes one. Returns once all in-sync replicas have them, but for those in the answered buckets: somebody else has claimed these, and
    /// nothing is written there any more. What can be retried is retried for up to `request_timeout`; after an error any of the rows may or may not be stored.
    ///
    /// Writes of one table follow each other. A write that timed out may still reach the log after a later one, on its old connection: then a
    /// row is older than it could be until the next write, and never too new.
    pub async fn write(&self, rows: Vec<(PositionKey, Option<Position>)>) -> Result<Buckets, Error> {
        let batches = write::encode(self, rows)?;
        let shut = self.appender.lock().await.append(batches).await?;
        Ok(shut.into_iter().map(|bucket| Bucket(bucket.0 as u32)).collect())
    }
}

/// What a connector was last accepted with, from a topic that may not be there yet; changes nothing. Nothing, too, where the topic is unfit for
/// positions: [`Positions::open`] says so.
pub async fn accepted(client: &Client, topic: &str, connector: &str) -> Result<Accepted, Error> {
    let topic = TopicName::new(topic);
    let mut attempts = Attempts::new(client.options());
    loop {
        let found = described(client, &topic).await?;
        let error = match found.error {
            Some(KafkaError::UNKNOWN_TOPIC_OR_PARTITION) => return Ok(Accepted::default()),
            Some(KafkaError::TOPIC_AUTHORIZATION_FAILED) => client.not_allowed(Operation::Describe, &topic),
            Some(error) => refused(&topic, "it cannot be used".to_owned(), error),
            None if check_partitions(&topic, &found).is_err() => return Ok(Accepted::default()),
            None => break,
        };
        attempts.wait(error).await?;
    }
    let bucket = Bucket(accepted::bucket(connector));
    let table = load::load(client, &topic, bucket.into()).await?;
    accepted::of(&table, connector, &topic)
}

/// The whole table of a topic that may not be there; changes nothing. Nothing, too, where the topic is unfit for positions, or is not to be seen.
pub async fn table(client: &Client, topic: &TopicName) -> Result<Option<Table>, Error> {
    let found = described(client, topic).await?;
    match found.error {
        None if check_partitions(topic, &found).is_ok() => {
            Ok(Some(load::load(client, topic, Buckets::ALL).await?))
        }
        None | Some(KafkaError::UNKNOWN_TOPIC_OR_PARTITION | KafkaError::TOPIC_AUTHORIZATION_FAILED) => {
            Ok(None)
        }
        Some(error) => Err(refused(topic, "it cannot be used".to_owned(), error)),
    }
}

// === impl PositionKey ===

impl PositionKey {
    pub fn bucket(&self) -> Bucket {
        Bucket::of(self.topic, self.partition)
    }
}

async fn described(client: &Client, topic: &TopicName) -> Result<TopicMetadata, Error> {
    let topics = client.metadata(Topics::Names(vec![topic.clone()])).await?;
    let found = topics.into_iter().find(|found| found.name == *topic);
    found.ok_or_else(|| unfit(topic, "the broker's answer does not mention it".to_owned()))
}

fn check_partitions(topic: &TopicName, found: &TopicMetadata) -> Result<(), Error> {
    let (count, needed) = (found.partitions.len(), Bucket::COUNT as usize);
    if count != needed {
        let what = format!(
            "it has {count} partitions, {needed} are needed; use another topic, or delete this one if it holds nothing"
        );
        return Err(unfit(topic, what));
    }
    Ok(())
}

/// Answers the topic's `max.message.bytes`.
async fn check_configs(client: &Client, topic: &TopicName) -> Result<usize, Error> {
    let configs = client.describe_topic_configs(std::slice::from_ref(topic)).await?;
    let entries = configs.get(topic).map(Vec::as_slice).unwrap_or_default();
    let value = |name: &str| entries.iter().find(|entry| entry.name == name)?.value.as_deref();
    match value("cleanup.policy") {
        Some("compact") => {}
        // With "delete" too, positions of idle partitions would be gone after retention.ms.
        other => {
            let policy = other.unwrap_or("unknown");
            let what = format!(
                "its cleanup.policy is {policy}, positions are lost unless it is compact; alter the topic's config"
            );
            return Err(unfit(topic, what));
        }
    }
    Ok(own::max_message_bytes(entries))
}

fn partition(topic: &TopicName, partition: i32) -> towpath_domain::TopicPartition {
    own::partition(topic, partition)
}

fn refused(topic: &TopicName, what: String, error: KafkaError) -> Error {
    own::refused((topic, PURPOSE), what, error)
}

fn unfit(topic: &TopicName, what: String) -> Error {
    own::unfit((topic, PURPOSE), what)
}
