//! What is at the end of partitions: who wrote it, and whether it is records or markers. Headers only, records are not looked at.

use std::collections::HashMap;

use bytes::Bytes;
use towpath_domain::{Offset, TopicPartition};

use crate::{
    Client, Error, FetchedPartition, Isolation, KafkaError, ListedOffset, OffsetSpec, Operation,
    append::Connections,
    batch::{Batch, Limits, Piece, batches, decode},
    reading,
    retry::Attempts,
};

/// The log from an offset on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Where it ends, as far as all in-sync replicas have it.
    pub end: Offset,
    pub batches: Vec<TailBatch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TailBatch {
    pub first: Offset,
    pub next: Offset,
    /// -1 of a producer that is not idempotent.
    pub producer: i64,
    pub epoch: i16,
    /// Of its first record: by it the place that the batch was meant for is known. -1 of a marker, and of a producer that is not idempotent.
    pub sequence: i32,
    /// A marker, or records.
    pub is_control: bool,
    /// Of a transaction: records that a marker behind them decides about, or that marker.
    pub is_transactional: bool,
    /// Of a marker: the transaction is committed.
    pub is_commit: bool,
}

/// One reading of tails.
struct Reading<'a> {
    client: &'a Client,
    /// from where on, and what was read
    left: HashMap<TopicPartition, (Offset, Tail)>,
    connections: Connections,
    results: Tails,
}

/// What came of each partition.
pub type Tails = HashMap<TopicPartition, Result<Tail, Error>>;

const PURPOSE: &str = "what is mirrored";

// === impl Client ===

impl Client {
    /// Reads what these partitions have from the given offsets on. A log that ends before its offset has an empty tail with that end; what retention has
    /// deleted meanwhile is left out. What moves or comes back within `request_timeout` is asked again; then a partition's result is the error it had last.
    pub async fn tails(&self, from: &HashMap<TopicPartition, Offset>) -> Tails {
        let mut reading = Reading {
            client: self,
            left: HashMap::new(),
            connections: Connections::default(),
            results: Tails::new(),
        };
        let partitions: Vec<TopicPartition> = from.keys().cloned().collect();
        for (partition, end) in reading.list(&partitions, OffsetSpec::Latest).await {
            match end {
                Ok(end) => {
                    let batches = Vec::new();
                    let tail = Tail { end, batches };
                    reading.go_on(&partition, from[&partition], tail);
                }
                Err(error) => drop(reading.results.insert(partition, Err(error))),
            }
        }
        let mut attempts = Attempts::new(self.options());
        while !reading.left.is_empty() {
            let Some(error) = reading.round().await else {
                attempts = Attempts::new(self.options());
                continue;
            };
            match attempts.wait(error).await {
                Ok(_) => {
                    let topics = reading.left.keys().map(|partition| partition.topic.clone());
                    self.refresh(topics).await;
                }
                Err(error) => {
                    let left = std::mem::take(&mut reading.left).into_keys();
                    reading
                        .results
                        .extend(left.map(|partition| (partition, Err(error.clone()))));
                }
            }
        }
        reading.results
    }
}

// === impl Reading ===

impl Reading<'_> {
    /// Reads once from each leader. An error that may pass, when there was no progress.
    async fn round(&mut self) -> Option<Error> {
        let from: Vec<(TopicPartition, Offset)> = self
            .left
            .iter()
            .map(|(partition, (from, _))| (partition.clone(), *from))
            .collect();
        let fetched = reading::fetch(self.client, &mut self.connections, PURPOSE, from.into_iter()).await;
        let (mut passing, mut has_come, mut deleted) = (None, false, Vec::new());
        for (partition, fetched) in fetched {
            match fetched.and_then(|fetched| self.take(&partition, fetched)) {
                Ok(Taken::On) => has_come = true,
                // The broker waited for more and had none: its high watermark is behind what it listed as the end.
                Ok(Taken::Nothing) => {
                    passing = Some(refused(&partition, KafkaError::OFFSET_NOT_AVAILABLE));
                }
                Ok(Taken::Deleted) => deleted.push(partition),
                Err(error) if error.retry().is_soon() => passing = Some(error),
                Err(error) => self.end(partition, Err(error)),
            }
        }
        for (partition, start) in self.list(&deleted, OffsetSpec::Earliest).await {
            match start {
                Ok(start) => {
                    if let Some((from, tail)) = self.left.remove(&partition) {
                        self.go_on(&partition, start.max(from), tail);
                        has_come = true;
                    }
                }
                Err(error) => self.end(partition, Err(error)),
            }
        }
        passing.filter(|_| !has_come)
    }

    /// Takes over what came of a partition.
    fn take(&mut self, partition: &TopicPartition, fetched: FetchedPartition) -> Result<Taken, Error> {
        match fetched.error {
            None => {}
            // Retention was faster.
            Some(KafkaError::OFFSET_OUT_OF_RANGE) => return Ok(Taken::Deleted),
            Some(KafkaError::TOPIC_AUTHORIZATION_FAILED) => {
                return Err(self.client.not_allowed(Operation::Read, &partition.topic));
            }
            Some(error) => return Err(refused(partition, error)),
        }
        let Some((from, mut tail)) = self.left.remove(partition) else {
            return Ok(Taken::Nothing);
        };
        let next = read(fetched.records, from, &mut tail).map_err(|what| unreadable(partition, what))?;
        self.go_on(partition, next, tail);
        Ok(if next > from { Taken::On } else { Taken::Nothing })
    }

    /// From there on it is read next, or it is done.
    fn go_on(&mut self, partition: &TopicPartition, from: Offset, tail: Tail) {
        if from < tail.end {
            self.left.insert(partition.clone(), (from, tail));
        } else {
            self.results.insert(partition.clone(), Ok(tail));
        }
    }

    fn end(&mut self, partition: TopicPartition, result: Result<Tail, Error>) {
        self.left.remove(&partition);
        self.results.insert(partition, result);
    }

    async fn list(
        &self,
        partitions: &[TopicPartition],
        at: OffsetSpec,
    ) -> Vec<(TopicPartition, Result<Offset, Error>)> {
        if partitions.is_empty() {
            return Vec::new();
        }
        let listed = self
            .client
            .list_offsets(partitions, at, Isolation::ReadUncommitted)
            .await;
        let of = |partition: &TopicPartition| match &listed {
            Err(error) => Err(error.clone()),
            Ok(listed) => match listed.get(partition) {
                Some(Ok(ListedOffset { offset, .. })) => Ok(*offset),
                Some(Err(error)) => Err(refused(partition, *error)),
                None => Err(unreadable(partition, "its offsets were not listed".to_owned())),
            },
        };
        partitions
            .iter()
            .map(|partition| (partition.clone(), of(partition)))
            .collect()
    }
}

/// What became of an answer.
enum Taken {
    On,
    Nothing,
    /// the log begins behind where it was to be read from
    Deleted,
}

/// Notes the batches from `from` on, and answers what is behind them.
fn read(records: Bytes, from: Offset, tail: &mut Tail) -> Result<Offset, String> {
    let mut next = from;
    for piece in batches(records) {
        let Piece::Batch(batch) = piece.map_err(|cause| cause.to_string())? else {
            return Err("it has messages of a format before Kafka 0.11".to_owned());
        };
        if batch.next_offset() <= next {
            continue;
        }
        tail.batches.push(TailBatch {
            first: batch.base_offset(),
            next: batch.next_offset(),
            producer: batch.producer_id(),
            epoch: batch.producer_epoch(),
            sequence: batch.base_sequence(),
            is_control: batch.is_control(),
            is_transactional: batch.is_transactional(),
            is_commit: batch.is_control() && is_commit(&batch)?,
        });
        next = batch.next_offset();
        // What came after the end was listed is part of it: nothing is between.
        tail.end = tail.end.max(next);
    }
    Ok(next)
}

/// What a control batch says: key {version, type}, where 1 is a commit (`ControlRecordType`).
fn is_commit(batch: &Batch) -> Result<bool, String> {
    let records = decode(batch, &Limits::DEFAULT).map_err(|cause| cause.to_string())?;
    let key = records.iter().next().and_then(|record| record.key);
    match key.and_then(|key| key.get(2..4)) {
        Some(kind) => Ok(kind == [0, 1]),
        None => Err("it has a control batch that says nothing".to_owned()),
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
