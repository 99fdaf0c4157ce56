//! What is at the end of partitions: who wrote it, and whether it is records or markers. Headers only, records are not looked at.

use std::{collections::HashMap, time::Duration};

use towpath_domain::{LeaderEpoch, Offset, TopicId, TopicPartition};

use crate::{
    Client, Error, FetchOptions, FetchPartition, FetchedPartition, Isolation, KafkaError, NodeId, OffsetSpec,
    Operation, Retry, Topics,
    append::Connections,
    batch::{Piece, batches},
    retry::Attempts,
};

/// The log from an offset on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// Where it ended when the leader was asked: its high watermark.
    pub end: Option<Offset>,
    pub batches: Vec<TailBatch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TailBatch {
    pub first: Offset,
    pub next: Offset,
    /// -1 of a producer that is not idempotent.
    pub producer: i64,
    pub epoch: i16,
    pub is_control: bool,
}

/// Of one fetch, bytes.
const FETCH_BYTES: i32 = 16 << 20;
const PARTITION_BYTES: i32 = 4 << 20;
const MAX_WAIT: Duration = Duration::from_millis(500);
const PURPOSE: &str = "what is mirrored";

/// One reading of tails.
struct Reading<'a> {
    client: &'a Client,
    /// what is left: from where and up to where
    left: HashMap<TopicPartition, (Offset, Offset)>,
    connections: Connections,
    tails: HashMap<TopicPartition, Tail>,
    /// whose log begins behind where it was to be read from
    deleted: Vec<TopicPartition>,
}

// === impl Client ===

impl Client {
    /// Reads what these partitions have from the given offsets on, as far as all in-sync replicas have it. A log that ends before its offset has an empty tail
    /// with that end; what retention has deleted meanwhile is left out. What moves or comes back within `request_timeout` is asked again.
    pub async fn tails(
        &self,
        from: &HashMap<TopicPartition, Offset>,
    ) -> Result<HashMap<TopicPartition, Tail>, Error> {
        let partitions: Vec<TopicPartition> = from.keys().cloned().collect();
        let ends = self
            .list_offsets(&partitions, OffsetSpec::Latest, Isolation::ReadUncommitted)
            .await?;
        let mut reading = Reading {
            client: self,
            left: HashMap::new(),
            connections: Connections::default(),
            tails: HashMap::new(),
            deleted: Vec::new(),
        };
        for (partition, listed) in ends {
            let end = listed.map_err(|error| refused(&partition, error))?.offset;
            let tail = Tail {
                end: Some(end),
                batches: Vec::new(),
            };
            reading.tails.insert(partition.clone(), tail);
            match from.get(&partition) {
                Some(start) if *start < end => drop(reading.left.insert(partition, (*start, end))),
                _ => {}
            }
        }
        let mut attempts = Attempts::new(self.options());
        while !reading.left.is_empty() {
            let before = reading.left.clone();
            let result = reading.round().await;
            let error = match result {
                Ok(()) if reading.left != before => {
                    attempts = Attempts::new(self.options());
                    continue;
                }
                // The broker waited for more and had none: its high watermark is behind what it listed as the end.
                Ok(()) => {
                    let partition = before.keys().next().expect("some are left");
                    refused(partition, KafkaError::OFFSET_NOT_AVAILABLE)
                }
                Err(error) => error,
            };
            if attempts.wait(error).await? == Retry::AfterMetadata {
                let topics = before.keys().map(|partition| partition.topic.clone()).collect();
                self.metadata(Topics::Names(topics)).await?;
            }
        }
        Ok(reading.tails)
    }
}

// === impl Reading ===

impl Reading<'_> {
    /// Reads once from each leader.
    async fn round(&mut self) -> Result<(), Error> {
        let mut by_leader: HashMap<NodeId, Vec<FetchPartition>> = HashMap::new();
        for (partition, (from, _)) in &self.left {
            let leader = self.client.leader(partition).ok_or_else(|| Error::NoLeader {
                partition: partition.clone(),
            })?;
            by_leader.entry(leader.node).or_default().push(FetchPartition {
                topic: partition.topic.clone(),
                topic_id: self.client.topic_id(&partition.topic).unwrap_or(TopicId::ZERO),
                partition: partition.partition,
                fetch_offset: *from,
                current_leader_epoch: leader.epoch,
                last_fetched_epoch: LeaderEpoch(-1),
                max_bytes: PARTITION_BYTES,
            });
        }
        for (node, partitions) in by_leader {
            let options = FetchOptions {
                isolation: Isolation::ReadUncommitted,
                max_wait: MAX_WAIT,
                min_bytes: 1,
                max_bytes: FETCH_BYTES,
                rack: None,
            };
            let connection = self.connections.get(self.client, node, PURPOSE).await?;
            for fetched in connection.fetch(options, &partitions).await?.partitions {
                self.take(fetched)?;
            }
        }
        if self.deleted.is_empty() {
            return Ok(());
        }
        let deleted = std::mem::take(&mut self.deleted);
        let starts = self
            .client
            .list_offsets(&deleted, OffsetSpec::Earliest, Isolation::ReadUncommitted)
            .await?;
        for (partition, listed) in starts {
            let start = listed.map_err(|error| refused(&partition, error))?.offset;
            if let Some((from, end)) = self.left.get_mut(&partition) {
                *from = start.max(*from);
                if *from >= *end {
                    self.left.remove(&partition);
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, fetched: FetchedPartition) -> Result<(), Error> {
        let partition = TopicPartition {
            topic: fetched.topic,
            partition: fetched.partition,
        };
        match fetched.error {
            None => {}
            // Retention was faster.
            Some(KafkaError::OFFSET_OUT_OF_RANGE) => {
                self.deleted.push(partition);
                return Ok(());
            }
            Some(KafkaError::TOPIC_AUTHORIZATION_FAILED) => {
                return Err(self.client.not_allowed(Operation::Read, &partition.topic));
            }
            Some(error) => return Err(refused(&partition, error)),
        }
        let (Some((from, end)), Some(tail)) = (self.left.get_mut(&partition), self.tails.get_mut(&partition))
        else {
            return Ok(());
        };
        for piece in batches(fetched.records) {
            let piece = piece.map_err(|cause| unreadable(&partition, cause.to_string()))?;
            let Piece::Batch(batch) = piece else {
                return Err(unreadable(
                    &partition,
                    "it has messages of a format before Kafka 0.11".to_owned(),
                ));
            };
            if batch.next_offset() <= *from {
                continue;
            }
            tail.batches.push(TailBatch {
                first: batch.base_offset(),
                next: batch.next_offset(),
                producer: batch.producer_id(),
                epoch: batch.producer_epoch(),
                is_control: batch.is_control(),
            });
            *from = batch.next_offset();
            // What came after the end was listed is part of it: nothing is between.
            tail.end = tail.end.max(Some(*from));
        }
        if *from >= *end {
            self.left.remove(&partition);
        }
        Ok(())
    }
}

fn refused(partition: &TopicPartition, error: KafkaError) -> Error {
    Error::Own {
        topic: partition.topic.clone(),
        purpose: PURPOSE,
        what: format!("partition {} cannot be read", partition.partition),
        cause: Some(error),
    }
}

fn unreadable(partition: &TopicPartition, what: String) -> Error {
    Error::Own {
        topic: partition.topic.clone(),
        purpose: PURPOSE,
        what: format!("partition {}: {what}", partition.partition),
        cause: None,
    }
}
