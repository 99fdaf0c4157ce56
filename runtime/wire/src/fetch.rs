//! Fetch: what a replica of a partition has, from an offset on.

mod session;

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use kafka_protocol::{
    messages::{
        FetchRequest as Request, FetchResponse,
        fetch_request::{FetchPartition as RequestPartition, FetchTopic, ForgottenTopic},
    },
    protocol::StrBytes,
};
use towpath_domain::{LeaderEpoch, Offset, Partition, TopicId, TopicName, TopicPartition};
use uuid::Uuid;

use crate::{Connection, Error, KafkaError, NodeId, api::Call, produce::millis};

pub use session::FetchSession;

/// Which records are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Everything up to the high watermark.
    ReadUncommitted,
    /// Up to the last stable offset, with a list of the aborted transactions: filtering them is the reader's work.
    ReadCommitted,
}

/// How to fetch, whatever the partitions are.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    pub isolation: Isolation,
    /// How long the broker waits for `min_bytes`; the connection waits that much longer than `request_timeout` for the answer.
    pub max_wait: Duration,
    pub min_bytes: i32,
    /// Of the whole answer. A first batch that is larger is answered all the same.
    pub max_bytes: i32,
    /// Where the reader is (`client.rack`, KIP-392): a leader may then answer a replica that is nearer. From version 11 on.
    pub rack: Option<String>,
}

/// From where to read a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchPartition {
    pub topic: TopicName,
    /// Zero when it is not known: then the whole request goes by names, as before Kafka 3.1.
    pub topic_id: TopicId,
    pub partition: Partition,
    pub fetch_offset: Offset,
    /// The epoch the leader is thought to have: another one is answered by FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH. -1: not checked.
    pub current_leader_epoch: LeaderEpoch,
    /// The epoch of the last record read before `fetch_offset`: a log that was truncated since is answered by a diverging epoch
    /// (KIP-595). -1: not checked.
    pub last_fetched_epoch: LeaderEpoch,
    pub max_bytes: i32,
}

/// An answer; its records share one buffer of `frame_bytes`, which lives as long as any of them.
#[derive(Clone, Debug)]
pub struct FetchAnswer {
    /// What the broker's quota asks for. The connection sees to it; this is for metrics.
    pub throttle: Duration,
    pub partitions: Vec<FetchedPartition>,
    pub frame_bytes: usize,
    /// The session that the broker has opened or gone on with; 0: it keeps none.
    session_id: i32,
}

#[derive(Clone, Debug)]
pub struct FetchedPartition {
    pub topic: TopicName,
    pub partition: Partition,
    pub error: Option<KafkaError>,
    /// -1 with an error.
    pub high_watermark: Offset,
    /// -1 with an error.
    pub last_stable_offset: Offset,
    /// -1 with an error, or before version 5.
    pub log_start_offset: Offset,
    /// Transactions among the records that were aborted, by their first offset. Empty when reading uncommitted.
    pub aborted: Vec<AbortedTransaction>,
    /// Batches as they are in the log, the last one possibly cut. For [`batches`](crate::batch::batches).
    pub records: Bytes,
    /// The log is not the one that was read before: it ends `last_fetched_epoch` earlier. There are no records then.
    pub diverging: Option<DivergingEpoch>,
    /// The leader wants this replica to be read instead, which is in the reader's rack. There are no records then.
    pub preferred_read_replica: Option<NodeId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    pub producer_id: i64,
    pub first_offset: Offset,
}

/// Where the leader's log parts from what was read: its largest epoch not above `last_fetched_epoch`, and where that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DivergingEpoch {
    pub epoch: LeaderEpoch,
    pub end_offset: Offset,
}

/// How topics are named from this version on, by id.
const BY_ID: i16 = 13;
/// The first version with fetch sessions.
const WITH_SESSIONS: i16 = 7;

/// Names of topics, for answers that go by their ids.
type Names = HashMap<Uuid, TopicName>;

/// What a request says of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SessionPart {
    id: i32,
    epoch: i32,
}

// === impl Isolation ===

impl Isolation {
    pub(crate) fn code(self) -> i8 {
        match self {
            Self::ReadUncommitted => 0,
            Self::ReadCommitted => 1,
        }
    }
}

// === impl Connection ===

impl Connection {
    /// Reads without a session: the request names every partition. It is queued in the order of the calls. An error of the whole answer is an
    /// `Err`, one of a partition is in its [`FetchedPartition`].
    ///
    /// Brokers answer in the order of `partitions` until `max_bytes` is reached: rotate it, or the last ones starve.
    pub async fn fetch(
        &self,
        options: FetchOptions,
        partitions: &[FetchPartition],
    ) -> Result<FetchAnswer, Error> {
        let version = self.fetch_version(partitions.iter().all(|partition| !partition.topic_id.is_zero()))?;
        let names = partitions
            .iter()
            .filter(|_| version >= BY_ID)
            .map(|partition| (partition.topic_id.0, partition.topic.clone()))
            .collect();
        let request = encode(&options, version, SessionPart::NONE, partitions.iter(), &[]);
        self.fetch_encoded(request, version, options.max_wait, Arc::new(names))
            .await
    }

    /// Topics go by ids only when all of them have one.
    fn fetch_version(&self, by_id: bool) -> Result<i16, Error> {
        self.version(Request::API, if by_id { Request::API.max } else { BY_ID - 1 })
    }

    async fn fetch_encoded(
        &self,
        request: Request,
        version: i16,
        max_wait: Duration,
        names: Arc<Names>,
    ) -> Result<FetchAnswer, Error> {
        let (error, answer) = self
            .call_with(&request, version, max_wait, move |answer, frame_bytes| {
                FetchAnswer::of(answer, frame_bytes, (version >= BY_ID).then_some(&names))
            })
            .await?;
        match error {
            None => Ok(answer),
            Some(error) => Err(self.refusal(Request::API, None, error, None)),
        }
    }
}

// === impl SessionPart ===

impl SessionPart {
    /// The broker is to keep nothing in mind.
    const NONE: Self = Self { id: 0, epoch: -1 };
}

// === impl FetchAnswer ===

impl FetchAnswer {
    /// `names` when the answer goes by ids. Topics that nobody asked for are left out: nobody misses them.
    fn of(
        answer: FetchResponse,
        frame_bytes: usize,
        names: Option<&Arc<Names>>,
    ) -> (Option<KafkaError>, Self) {
        let error = KafkaError::of(answer.error_code);
        let mut partitions =
            Vec::with_capacity(answer.responses.iter().map(|topic| topic.partitions.len()).sum());
        for topic in answer.responses {
            let name = match names {
                None => TopicName::new(topic.topic.as_str()),
                Some(names) => match names.get(&topic.topic_id) {
                    Some(name) => name.clone(),
                    None => continue,
                },
            };
            for partition in topic.partitions {
                let diverging = &partition.diverging_epoch;
                let preferred = partition.preferred_read_replica.0;
                partitions.push(FetchedPartition {
                    topic: name.clone(),
                    partition: Partition(partition.partition_index),
                    error: KafkaError::of(partition.error_code),
                    high_watermark: Offset(partition.high_watermark),
                    last_stable_offset: Offset(partition.last_stable_offset),
                    log_start_offset: Offset(partition.log_start_offset),
                    aborted: partition
                        .aborted_transactions
                        .iter()
                        .flatten()
                        .map(AbortedTransaction::of)
                        .collect(),
                    diverging: (diverging.end_offset >= 0).then_some(DivergingEpoch {
                        epoch: LeaderEpoch(diverging.epoch),
                        end_offset: Offset(diverging.end_offset),
                    }),
                    preferred_read_replica: (preferred >= 0).then_some(NodeId(preferred)),
                    records: partition.records.unwrap_or_default(),
                });
            }
        }
        let throttle = Duration::from_millis(answer.throttle_time_ms.max(0) as u64);
        let answer = Self {
            throttle,
            partitions,
            frame_bytes,
            session_id: answer.session_id,
        };
        (error, answer)
    }
}

impl AbortedTransaction {
    fn of(aborted: &kafka_protocol::messages::fetch_response::AbortedTransaction) -> Self {
        Self {
            producer_id: aborted.producer_id.0,
            first_offset: Offset(aborted.first_offset),
        }
    }
}

fn encode<'a>(
    options: &FetchOptions,
    version: i16,
    session: SessionPart,
    partitions: impl Iterator<Item = &'a FetchPartition>,
    forgotten: &[(TopicId, TopicPartition)],
) -> Request {
    let mut topics: Vec<FetchTopic> = Vec::new();
    // Neighbours of one topic share its entry; the caller's order is kept.
    let mut last: Option<&FetchPartition> = None;
    for partition in partitions {
        let same =
            last.is_some_and(|last| last.topic == partition.topic && last.topic_id == partition.topic_id);
        if !same {
            topics.push(match version {
                BY_ID.. => FetchTopic::default().with_topic_id(partition.topic_id.0),
                _ => FetchTopic::default().with_topic(topic_name(&partition.topic)),
            });
        }
        last = Some(partition);
        let Some(topic) = topics.last_mut() else { continue };
        topic.partitions.push(
            RequestPartition::default()
                .with_partition(partition.partition.0)
                // Older versions have no such fields, and the encoder refuses them if set.
                .with_current_leader_epoch(if version >= 9 {
                    partition.current_leader_epoch.0
                } else {
                    -1
                })
                .with_last_fetched_epoch(if version >= 12 {
                    partition.last_fetched_epoch.0
                } else {
                    -1
                })
                .with_fetch_offset(partition.fetch_offset.0)
                .with_log_start_offset(-1)
                .with_partition_max_bytes(partition.max_bytes),
        );
    }
    let forgotten = forgotten
        .chunk_by(|(_, a), (_, b)| a.topic == b.topic)
        .map(|partitions| {
            let (id, first) = &partitions[0];
            let topic = match version {
                BY_ID.. => ForgottenTopic::default().with_topic_id(id.0),
                _ => ForgottenTopic::default().with_topic(topic_name(&first.topic)),
            };
            topic.with_partitions(
                partitions
                    .iter()
                    .map(|(_, partition)| partition.partition.0)
                    .collect(),
            )
        })
        .collect();
    let rack = options
        .rack
        .as_ref()
        .filter(|_| version >= 11)
        .cloned()
        .unwrap_or_default();
    Request::default()
        .with_max_wait_ms(millis(options.max_wait))
        .with_min_bytes(options.min_bytes)
        .with_max_bytes(options.max_bytes)
        .with_isolation_level(options.isolation.code())
        .with_session_id(session.id)
        .with_session_epoch(session.epoch)
        .with_topics(topics)
        .with_forgotten_topics_data(forgotten)
        .with_rack_id(StrBytes::from_string(rack))
}

pub(crate) fn topic_name(topic: &TopicName) -> kafka_protocol::messages::TopicName {
    StrBytes::from_string(topic.as_str().to_owned()).into()
}
