//! What is our own on the target (positions, dead letters): appended with acks=all, and sent again until it is there.
//!
//! Without an identity what is sent again may be there twice, and says the same twice. With one ([`Appender::identify`]) it is there once, in order, and not at all
//! once somebody else has the identity. A broker knows a repeated batch by its sequence alone: so what was sent must end before anything else
//! gets its sequence, and what an append left open goes first in the next one.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    time::Duration,
};

use towpath_domain::{Partition, TopicId, TopicName, TopicPartition};

use crate::{
    Client, Connection, Error, KafkaError, NodeId, Operation, ProducePartition, ProduceRequest, ProducerId,
    Topics,
    batch::{Outgoing, ProducerIdentity, Transactional, next_sequence},
    retry::{Attempts, Retry},
};

/// Appends to one topic, on connections of its own.
#[derive(Debug)]
pub(crate) struct Appender {
    client: Client,
    topic: TopicName,
    /// what the topic is for, as errors say it
    purpose: &'static str,
    connections: Connections,
    writers: HashMap<Partition, Writer>,
    /// whose identity somebody else has taken: nothing more is sent to them
    shut: HashSet<Partition>,
    /// what is being appended; with an identity also what an append that failed, or was dropped, has left
    open: Open,
}

/// An identity in one partition.
#[derive(Clone, Copy, Debug)]
struct Writer {
    identity: ProducerIdentity,
    sequence: i32,
}

/// What is still to be appended, by partition; one batch of each is on the wire at a time, so their order holds.
pub(crate) type Open = BTreeMap<Partition, VecDeque<Outgoing>>;

#[derive(Debug, Default)]
pub(crate) struct Connections(HashMap<NodeId, Connection>);

/// How long a leader may wait for its replicas; never longer than `request.timeout.ms`, so that a stopping worker outlives a write that is not answered.
const REPLICATION: Duration = Duration::from_secs(10);

// === impl Appender ===

impl Appender {
    pub(crate) fn new(client: Client, topic: TopicName, purpose: &'static str) -> Self {
        Self {
            client,
            topic,
            purpose,
            connections: Connections::default(),
            writers: HashMap::new(),
            shut: HashSet::new(),
            open: Open::new(),
        }
    }

    /// From here on batches to these partitions carry these identities, each beginning at sequence 0. What an append before has left open there is forgotten.
    pub(crate) fn identify(&mut self, producers: impl Iterator<Item = (Partition, ProducerId)>) {
        for (partition, producer) in producers {
            self.forget(partition);
            let identity = ProducerIdentity {
                id: producer.id,
                epoch: producer.epoch,
                transactional: Transactional::No,
            };
            let writer = Writer {
                identity,
                sequence: 0,
            };
            self.writers.insert(partition, writer);
        }
    }

    /// From here on batches to the partition carry no identity. What an append before has left open is forgotten.
    pub(crate) fn forget(&mut self, partition: Partition) {
        self.open.remove(&partition);
        self.shut.remove(&partition);
        self.writers.remove(&partition);
    }

    /// Returns once all in-sync replicas have everything, but for partitions whose identity somebody else has taken: these are answered, and have nothing of it. What
    /// can be retried is retried for up to `request_timeout`; after an error any of it may or may not be there.
    pub(crate) async fn append(&mut self, batches: Open) -> Result<Vec<Partition>, Error> {
        self.open
            .retain(|partition, _| self.writers.contains_key(partition));
        let asked: Vec<Partition> = batches.keys().copied().collect();
        for (partition, batches) in batches {
            if !self.shut.contains(&partition) {
                self.open.entry(partition).or_default().extend(batches);
            }
        }
        let mut attempts = Attempts::new(self.client.options());
        while !self.open.is_empty() {
            if let Err(error) = self.round().await
                && attempts.wait(error).await? == Retry::AfterMetadata
            {
                self.client
                    .metadata(Topics::Names(vec![self.topic.clone()]))
                    .await?;
            }
        }
        Ok(asked
            .into_iter()
            .filter(|partition| self.shut.contains(partition))
            .collect())
    }

    /// What batches to the partition carry, though somebody else may have it by now.
    pub(crate) fn identity(&self, partition: Partition) -> Option<ProducerIdentity> {
        self.writers.get(&partition).map(|writer| writer.identity)
    }

    /// As [`append`](Self::append); fails where somebody else has an identity.
    pub(crate) async fn append_all(&mut self, batches: Open) -> Result<(), Error> {
        match self.append(batches).await?.first() {
            None => Ok(()),
            Some(partition) => Err(self.unwritten(*partition, KafkaError::INVALID_PRODUCER_EPOCH)),
        }
    }

    fn unwritten(&self, partition: Partition, cause: KafkaError) -> Error {
        Error::Own {
            topic: self.topic.clone(),
            purpose: self.purpose,
            what: format!("partition {partition} cannot be written"),
            cause: Some(cause),
        }
    }

    /// Sends the first batch of each partition to its leader, one request a leader, and takes off what was appended. The error is one of
    /// those that came; a partition with one stays open.
    async fn round(&mut self) -> Result<(), Error> {
        let mut failure = None;
        // Whichever topic has the name now: who appends finds out by the id that it is another one.
        let topic_id = self.client.topic_id(&self.topic).unwrap_or(TopicId::ZERO);
        let mut by_leader: HashMap<NodeId, Vec<ProducePartition>> = HashMap::new();
        for (partition, batches) in &self.open {
            let place = TopicPartition {
                topic: self.topic.clone(),
                partition: *partition,
            };
            match (self.client.leader(&place), batches.front()) {
                (Some(leader), Some(batch)) => {
                    by_leader.entry(leader.node).or_default().push(ProducePartition {
                        batch: self.signed(place.partition, batch),
                        partition: place,
                        topic_id,
                    })
                }
                _ => failure = Some(Error::NoLeader { partition: place }),
            }
        }
        let mut sent = Vec::new();
        for (node, partitions) in by_leader {
            match self.connections.get(&self.client, node, self.purpose).await {
                Ok(connection) => sent.push(
                    connection
                        .produce(ProduceRequest {
                            transactional_id: None,
                            acks: -1,
                            timeout: REPLICATION.min(self.client.options().request_timeout),
                            partitions,
                        })
                        .await,
                ),
                Err(error) => failure = Some(error),
            }
        }
        for answer in sent {
            let answer = match answer {
                Ok(answer) => answer.await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(answer) => {
                    for (place, result) in answer.partitions {
                        match result {
                            Ok(_) | Err(KafkaError::DUPLICATE_SEQUENCE_NUMBER) => {
                                self.appended(place.partition)
                            }
                            Err(KafkaError::TOPIC_AUTHORIZATION_FAILED) => {
                                let error = self.client.not_allowed(Operation::Write, &self.topic);
                                worse(&mut failure, error);
                            }
                            Err(error) => {
                                let error = self.unwritten(place.partition, error);
                                if error.is_fenced() && self.writers.contains_key(&place.partition) {
                                    self.open.remove(&place.partition);
                                    self.shut.insert(place.partition);
                                } else {
                                    worse(&mut failure, error);
                                }
                            }
                        }
                    }
                }
                Err(error) => worse(&mut failure, error),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    fn signed(&self, partition: Partition, batch: &Outgoing) -> Outgoing {
        let writer = self.writers.get(&partition);
        let (identity, sequence) = writer.map_or((ProducerIdentity::NONE, -1), |writer| {
            (writer.identity, writer.sequence)
        });
        let mut batch = batch.clone();
        batch.sign(identity, sequence);
        batch
    }

    fn appended(&mut self, partition: Partition) {
        let Some(batches) = self.open.get_mut(&partition) else {
            return;
        };
        if let (Some(batch), Some(writer)) = (batches.pop_front(), self.writers.get_mut(&partition)) {
            writer.sequence = next_sequence(writer.sequence, batch.records());
        }
        if batches.is_empty() {
            self.open.remove(&partition);
        }
    }
}

/// Of several errors the one counts that makes another attempt useless.
fn worse(failure: &mut Option<Error>, error: Error) {
    if failure.as_ref().is_none_or(|failure| failure.retry().is_soon()) {
        *failure = Some(error);
    }
}

// === impl Connections ===

impl Connections {
    /// The one there is while it lives, else a new one.
    pub(crate) async fn get(
        &mut self,
        client: &Client,
        node: NodeId,
        purpose: &'static str,
    ) -> Result<Connection, Error> {
        if let Some(connection) = self.0.get(&node).filter(|connection| connection.is_alive()) {
            return Ok(connection.clone());
        }
        let connection = client.open(node, purpose).await?;
        self.0.insert(node, connection.clone());
        Ok(connection)
    }
}
