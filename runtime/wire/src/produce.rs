//! Produce: record batches to the leader of their partitions.
//!
//! Encoded here and not by `kafka-protocol`, which copies the records of every partition into the request. A request of ours is a list of
//! segments: what we write (names or ids, lengths, batch headers) and, between, the batches' bodies as they are in the memory of the fetch they
//! came with. Both go to the socket in one vectored write, so a passed-through record is never copied in this process.
//!
//! Topics go by their ids where the broker takes that (version 13, KIP-516): then nothing gets into a topic that was created again under its name.

mod decode;
mod encode;

use std::{collections::HashMap, time::Duration};

use kafka_protocol::{messages::ProduceRequest as Request, protocol::HeaderVersion};
use towpath_domain::{Offset, TopicId, TopicName, TopicPartition};
use uuid::Uuid;

use crate::{
    Connection, Error, InFlight, KafkaError, Lease,
    api::{PRODUCE, PRODUCE_BY_ID},
    batch::Outgoing,
};

pub(crate) use decode::decode;

/// Batches to append, at most one for a partition: brokers take no two.
#[derive(Clone, Debug)]
pub struct ProduceRequest {
    /// Whose transaction the batches are part of; they have to be signed so. Such requests go by names, in the versions from before KIP-890: partitions are
    /// added to the transaction before.
    pub transactional_id: Option<String>,
    /// -1: once all in-sync replicas have it; 1: once the leader has it. 0 is refused, as nothing would be answered.
    pub acks: i16,
    /// How long the broker waits for the replicas; the connection waits that much longer than `request_timeout` for the answer.
    pub timeout: Duration,
    /// In any order; each partition once.
    pub partitions: Vec<ProducePartition>,
}

/// A batch, and where it goes.
#[derive(Clone, Debug)]
pub struct ProducePartition {
    pub partition: TopicPartition,
    /// The topic of that name which is meant: another one answers UNKNOWN_TOPIC_ID. Zero when it is not known: then the whole request goes by names,
    /// as it does to brokers before Kafka 4.1.
    pub topic_id: TopicId,
    pub batch: Outgoing,
}

/// What became of each batch.
#[derive(Clone, Debug)]
pub struct ProduceAnswer {
    /// What the broker's quota asks for. The connection sees to it; this is for metrics.
    pub throttle: Duration,
    /// Each partition of the request, in the order of the answer.
    pub partitions: Vec<(TopicPartition, Result<Appended, KafkaError>)>,
    /// The broker's own words about what it refused (version 8).
    pub messages: Vec<(TopicPartition, String)>,
}

/// A batch that is in the leader's log. Sent twice with one sequence, both answers are those of the first append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// -1 when the broker dropped the batch as a duplicate and no longer knows where the first one is.
    pub base_offset: Offset,
    /// ms, -1 unless the topic's timestamp type is LogAppendTime.
    pub log_append_time: i64,
    /// -1 before version 5.
    pub log_start_offset: Offset,
}

/// Names of topics, for answers that go by their ids.
pub(crate) type Names = HashMap<Uuid, TopicName>;

// === impl Connection ===

impl Connection {
    /// Queues the request in the order of the calls, once fewer than `max_in_flight` are unanswered, and gives back its answer.
    ///
    /// Fails with [`Error::Invalid`] when acks is 0, and when a partition is there twice: the broker would answer 0 for both and keep only the
    /// last, a silent loss.
    pub async fn produce(&self, request: ProduceRequest) -> Result<InFlight<ProduceAnswer>, Error> {
        self.produce_under(request, None).await
    }

    /// As [`produce`](Self::produce), while the lease lasts: what is not written then closes the connection, and is not appended.
    pub async fn produce_under(
        &self,
        request: ProduceRequest,
        lease: Option<Lease>,
    ) -> Result<InFlight<ProduceAnswer>, Error> {
        let version = self.produce_version(&request)?;
        let head = self.header(PRODUCE, version, Request::header_version(version))?;
        let frame = encode::encode(head, &request, version)?.under(lease);
        let names: Names = request
            .partitions
            .iter()
            .filter(|_| version >= PRODUCE_BY_ID.min)
            .map(|part| (part.topic_id.0, part.partition.topic.clone()))
            .collect();
        self.send(PRODUCE, frame, request.timeout, move |answer| {
            decode(answer, version, &names)
        })
        .await
    }

    /// Topics go by ids only when all of them have one. What is between the two ranges is flexible and by name, which is of no use here.
    fn produce_version(&self, request: &ProduceRequest) -> Result<i16, Error> {
        if request.transactional_id.is_none()
            && request.partitions.iter().all(|part| !part.topic_id.is_zero())
            && let Ok(version) = self.version(PRODUCE_BY_ID, PRODUCE_BY_ID.max)
        {
            return Ok(version);
        }
        self.version(PRODUCE, PRODUCE.max)
    }
}

pub(crate) fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
