//! Records in transactions of a bucket's producer, where sequences alone are no proof: a broker forgets a producer by the time of its records, but not amid a
//! transaction, and a marker has the time of its writing.
//!
//! What was written counts when the transaction is committed. Where that is not certain the epoch is taken away (KIP-360), an aborted transaction without records of
//! the next one is left in each partition, which shuts out what is still on its way, and then the logs say what has become of everything: nothing in them is undecided,
//! and nothing can come any more.

use std::{collections::HashMap, time::Duration};

use towpath_domain::{Bucket, Offset, TopicId, TopicPartition};

use super::{
    Anchor, Positions,
    markers::{Claimed, Markers, OPEN},
    transactional_id,
};
use crate::{
    Error, InFlight, KafkaError, NodeId, Operation, ProduceAnswer, ProducePartition, ProduceRequest,
    ProducerId, Tails,
    batch::{Outgoing, ProducerIdentity, Transactional},
};

/// What is to be written to a partition.
#[derive(Clone, Debug)]
pub struct Write {
    pub partition: TopicPartition,
    /// The reckoning of sequences there. Of another producer, or another epoch, than the bucket has: then those before are shut out first.
    pub anchor: Anchor,
    /// Where the log ends.
    pub from: Offset,
    pub batches: Vec<Outgoing>,
}

/// What has become of a transaction.
#[derive(Debug)]
pub enum Transacted {
    /// It is committed, and behind the records of each partition there is one marker.
    Committed(ProducerId),
    /// The logs say, from where they were said to end: everything in them is decided.
    Decided {
        /// The bucket's from here on.
        producer: ProducerId,
        /// Of some of the partitions; of the others nothing has changed.
        tails: Tails,
        /// What was not taken, if it was that.
        refused: Vec<Refused>,
        /// What has failed, if something has.
        why: Option<String>,
    },
}

/// A batch that a broker did not take.
#[derive(Clone, Debug)]
pub struct Refused {
    pub partition: TopicPartition,
    /// Which one of [`Write::batches`].
    pub index: usize,
    pub error: KafkaError,
    pub message: Option<String>,
}

/// Batches on the wire.
struct Sent {
    /// index of the write, and of the batch in it, and where it belongs
    batches: Vec<(usize, usize, Offset)>,
    answer: InFlight<ProduceAnswer>,
}

/// Batches for one broker.
#[derive(Default)]
struct Request {
    batches: Vec<(usize, usize, Offset)>,
    partitions: Vec<ProducePartition>,
    bytes: usize,
}

/// What was refused, and what has failed.
type Failed = (Vec<Refused>, Option<String>);

const PURPOSE: &str = "records in a transaction";
/// A request is closed above this, as those of other records are.
const REQUEST_BYTES: usize = 8 * 1024 * 1024;
const REPLICATION: Duration = Duration::from_secs(20);

// === impl Positions ===

impl Positions {
    /// Writes these batches in one transaction of the bucket's producer, as it was claimed, or finds out what has become of them. Several calls about one bucket wait
    /// for each other. PRODUCER_FENCED once somebody else has claimed the bucket. After an error nothing is known; the next call, of whatever partitions, begins
    /// with making it certain, and each partition learns of its own by its next call.
    ///
    /// Needs Write on the transactional ids and on the topics.
    pub async fn transact(
        &self,
        connector: &str,
        bucket: Bucket,
        writes: &[Write],
    ) -> Result<Transacted, Error> {
        let claimed = &mut *self.claimed(bucket, PURPOSE).await?;
        let id = transactional_id(self.topic.as_str(), connector, bucket);
        if claimed.markers != Markers::Settled {
            self.renew(&id, claimed, false).await?;
        }
        let is_stale = |write: &&Write| !write.anchor.is_of(claimed.producer);
        let stale: Vec<&Write> = writes.iter().filter(is_stale).collect();
        if !stale.is_empty() {
            return self.decide(&id, claimed, &stale, (Vec::new(), None)).await;
        }
        claimed.markers = Markers::Open;
        let failed = match self.written(&id, claimed, writes).await {
            Ok(()) => {
                claimed.markers = Markers::Settled;
                return Ok(Transacted::Committed(claimed.producer));
            }
            Err(failed) => failed,
        };
        self.renew(&id, claimed, false).await?;
        self.decide(&id, claimed, &writes.iter().collect::<Vec<_>>(), failed)
            .await
    }

    /// Commits the batches, or says what was refused and what has failed.
    async fn written(&self, id: &str, claimed: &mut Claimed, writes: &[Write]) -> Result<(), Failed> {
        let producer = claimed.producer;
        let places: Vec<TopicPartition> = writes.iter().map(|write| write.partition.clone()).collect();
        self.client
            .add_partitions(id, producer, &places)
            .await
            .map_err(failed)?;
        // Less than what is left of the transaction's time.
        let produced = tokio::time::timeout(OPEN * 2 / 3, self.produced(id, claimed, writes)).await;
        produced.unwrap_or_else(|_| Err((Vec::new(), Some("producing takes too long".to_owned()))))?;
        // When it is said once more, the markers are there.
        for _ in 0..2 {
            let end = self.client.end_transaction(id, producer, true);
            end.await.map_err(failed)?;
        }
        Ok(())
    }

    async fn produced(&self, id: &str, claimed: &mut Claimed, writes: &[Write]) -> Result<(), Failed> {
        let mut next: Vec<Offset> = writes.iter().map(|write| write.from).collect();
        let rounds = writes.iter().map(|write| write.batches.len()).max().unwrap_or(0);
        let mut sent = Vec::new();
        for round in 0..rounds {
            let mut requests: HashMap<NodeId, Request> = HashMap::new();
            for (index, write) in writes.iter().enumerate() {
                let Some(batch) = write.batches.get(round) else {
                    continue;
                };
                let Some(leader) = self.client.leader(&write.partition) else {
                    return Err(failed(Error::NoLeader {
                        partition: write.partition.clone(),
                    }));
                };
                let place = next[index];
                next[index].0 += i64::from(batch.records());
                let request = requests.entry(leader.node).or_default();
                request.batches.push((index, round, place));
                request.bytes += batch.size();
                request
                    .partitions
                    .push(signed(write, batch, place, claimed.producer));
                if request.bytes >= REQUEST_BYTES {
                    let full = std::mem::take(request);
                    sent.push(self.send(id, claimed, leader.node, full).await.map_err(failed)?);
                }
            }
            for (node, request) in requests {
                if !request.batches.is_empty() {
                    sent.push(self.send(id, claimed, node, request).await.map_err(failed)?);
                }
            }
        }
        let mut refused: HashMap<usize, Refused> = HashMap::new();
        let mut why = None;
        for Sent { batches, answer } in sent {
            let answer = answer.await.map_err(failed)?;
            for (index, round, place) in batches {
                let partition = &writes[index].partition;
                let result = answer.partitions.iter().find(|(of, _)| of == partition);
                match result {
                    Some((_, Ok(appended))) if appended.base_offset == place => {}
                    Some((_, Ok(appended))) => {
                        let found = appended.base_offset;
                        why = Some(format!(
                            "{partition}: what belongs at offset {place} is at {found}"
                        ));
                    }
                    Some((_, Err(error))) => {
                        if *error == KafkaError::TOPIC_AUTHORIZATION_FAILED {
                            let missing = self.client.not_allowed(Operation::Write, &partition.topic);
                            why = Some(missing.to_string());
                        }
                        let mut messages = answer.messages.iter();
                        let message = messages.find(|(of, _)| of == partition);
                        // Those behind the first one are refused because of it.
                        refused.entry(index).or_insert_with(|| Refused {
                            partition: partition.clone(),
                            index: round,
                            error: *error,
                            message: message.map(|(_, message)| message.clone()),
                        });
                    }
                    None => why = Some(format!("the answer leaves out {partition}")),
                }
            }
        }
        if refused.is_empty() && why.is_none() {
            return Ok(());
        }
        let why = why.or_else(|| {
            let first = refused.values().next()?;
            Some(format!("producing to {}: {}", first.partition, first.error))
        });
        Err((refused.into_values().collect(), why))
    }

    /// Queued in the order of the calls, which is that of the records.
    async fn send(
        &self,
        id: &str,
        claimed: &mut Claimed,
        node: NodeId,
        request: Request,
    ) -> Result<Sent, Error> {
        let connection = claimed.connections.get(&self.client, node, "produce").await?;
        let answer = connection.produce(ProduceRequest {
            transactional_id: Some(id.to_owned()),
            acks: -1,
            timeout: REPLICATION.min(self.client.options().request_timeout),
            partitions: request.partitions,
        });
        Ok(Sent {
            batches: request.batches,
            answer: answer.await?,
        })
    }

    /// Nothing of the producer's epoch can come to these partitions any more, and what has come is decided.
    async fn decide(
        &self,
        id: &str,
        claimed: &mut Claimed,
        writes: &[&Write],
        (refused, why): Failed,
    ) -> Result<Transacted, Error> {
        claimed.markers = Markers::Open;
        let producer = claimed.producer;
        let places: Vec<TopicPartition> = writes.iter().map(|write| write.partition.clone()).collect();
        self.client.add_partitions(id, producer, &places).await?;
        self.settle(id, producer, false).await?;
        claimed.markers = Markers::Settled;
        let from = writes.iter().map(|write| (write.partition.clone(), write.from));
        Ok(Transacted::Decided {
            producer,
            tails: self.client.tails(&from.collect()).await,
            refused,
            why,
        })
    }
}

fn failed(error: Error) -> Failed {
    (Vec::new(), Some(error.to_string()))
}

fn signed(write: &Write, batch: &Outgoing, place: Offset, producer: ProducerId) -> ProducePartition {
    let mut batch = batch.clone();
    let identity = ProducerIdentity {
        id: producer.id,
        epoch: producer.epoch,
        transactional: Transactional::Yes,
    };
    batch.sign(identity, write.anchor.sequence_at(place));
    ProducePartition {
        partition: write.partition.clone(),
        topic_id: TopicId::ZERO,
        batch,
    }
}
