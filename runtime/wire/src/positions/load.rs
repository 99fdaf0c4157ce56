//! Reading a topic of rows from its start, or from where it was read up to.

use std::collections::HashMap;

use bytes::Bytes;
use towpath_domain::{Buckets, Offset, Partition, TopicName, TopicPartition};

use super::{PURPOSE, Table, accepted, answers, checkpoints, claim, partition, refused, stored, unfit};
use crate::{
    Client, Error, FetchedPartition, Isolation, KafkaError, ListedOffset, OffsetSpec, Operation, Retry,
    Topics,
    append::Connections,
    batch::{Limits, Piece, Record, batches, decode},
    reading,
    retry::Attempts,
};

/// What takes the rows that are read.
pub(super) trait Rows {
    /// The error is a sentence about the row.
    fn row(&mut self, partition: Partition, record: &Record<'_>) -> Result<(), String>;
}

/// One reading: to the end that each partition had at the start.
struct Load<'a, R> {
    client: &'a Client,
    topic: &'a TopicName,
    /// What is left: from where and up to where.
    left: Bounds,
    connections: Connections,
    rows: &'a mut R,
}

/// From where to where each partition is to be read.
pub(super) type Bounds = HashMap<Partition, (Offset, Offset)>;

/// Reads these partitions of the table.
pub(super) async fn load(client: &Client, topic: &TopicName, buckets: Buckets) -> Result<Table, Error> {
    let mut table = Table::default();
    let left = bounds(client, topic, buckets).await?;
    read(client, topic, left, &mut table).await?;
    if table.foreign > 0 {
        tracing::warn!(%topic, records = table.foreign, "the topic for positions has records that are not positions");
    }
    Ok(table)
}

/// Gives every row within these bounds to `rows`, those of a partition in order.
pub(super) async fn read<R: Rows>(
    client: &Client,
    topic: &TopicName,
    left: Bounds,
    rows: &mut R,
) -> Result<(), Error> {
    let mut load = Load {
        client,
        topic,
        left,
        connections: Connections::default(),
        rows,
    };
    let mut attempts = Attempts::new(client.options());
    while !load.left.is_empty() {
        let before = load.left.clone();
        let result = load.round().await;
        if load.left != before {
            attempts = Attempts::new(client.options());
        }
        let error = match result {
            Err(error) => error,
            Ok(()) if load.left != before => continue,
            // The broker waited for more and had none: its high watermark is behind what it listed as the end.
            Ok(()) => refused(
                topic,
                "its end was not reached".to_owned(),
                KafkaError::OFFSET_NOT_AVAILABLE,
            ),
        };
        if attempts.wait(error).await? == Retry::AfterMetadata {
            client.metadata(Topics::Names(vec![topic.clone()])).await?;
        }
    }
    Ok(())
}

// === impl Table ===

impl Rows for Table {
    fn row(&mut self, _: Partition, record: &Record<'_>) -> Result<(), String> {
        if let Some(connector) = record.key.and_then(accepted::decode_key) {
            // As bytes: what a newer version stored for another connector is no concern of ours.
            match record.value {
                None => drop(self.accepted.remove(&connector)),
                Some(value) => drop(self.accepted.insert(connector, value.to_vec())),
            }
            return Ok(());
        }
        if let Some(key) = record.key.and_then(answers::decode_key) {
            let ids = self.answers.entry(key.connector).or_default();
            let asked = (key.schema, key.subject);
            match record.value.map(answers::decode) {
                None => drop(ids.remove(&asked)),
                Some(id) => drop(ids.insert(asked, id?)),
            }
            return Ok(());
        }
        if let Some(key) = record.key.and_then(checkpoints::decode_key) {
            match record.value.map(checkpoints::decode) {
                None => drop(self.checkpoints.remove(&key)),
                Some(checkpoint) => drop(self.checkpoints.insert(key, checkpoint?)),
            }
            return Ok(());
        }
        let Some(key) = record.key.and_then(stored::decode_key) else {
            self.foreign += u64::from(!record.key.is_some_and(claim::is_key));
            return Ok(());
        };
        match record.value {
            None => drop(self.positions.remove(&key)),
            Some(value) => drop(self.positions.insert(key, stored::decode_value(value)?)),
        }
        Ok(())
    }
}

// === impl Load ===

impl<R: Rows> Load<'_, R> {
    /// Reads once from each leader.
    async fn round(&mut self) -> Result<(), Error> {
        let from: Vec<_> = self
            .left
            .iter()
            .map(|(bucket, (from, _))| (partition(self.topic, bucket.0), *from))
            .collect();
        let fetched = reading::fetch(self.client, &mut self.connections, PURPOSE, from.into_iter()).await;
        let mut failure = None;
        for (_, fetched) in fetched {
            match fetched {
                Ok(fetched) => self.take(fetched).await?,
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    async fn take(&mut self, fetched: FetchedPartition) -> Result<(), Error> {
        let partition = fetched.partition;
        let Some(&(from, end)) = self.left.get(&partition) else {
            return Ok(());
        };
        match fetched.error {
            None => {}
            Some(KafkaError::OFFSET_OUT_OF_RANGE) => {
                // Records were deleted in between: only an operator does that to a compacted topic.
                self.left.remove(&partition);
                if let Some(bounds) = bounds(self.client, self.topic, Buckets::ALL)
                    .await?
                    .remove(&partition)
                {
                    self.left.insert(partition, bounds);
                }
                return Ok(());
            }
            Some(KafkaError::TOPIC_AUTHORIZATION_FAILED) => {
                return Err(self.client.not_allowed(Operation::Read, self.topic));
            }
            Some(error) => {
                return Err(refused(
                    self.topic,
                    format!("partition {partition} cannot be read"),
                    error,
                ));
            }
        }
        let next = self.apply(partition, from, fetched.records)?;
        if next >= end {
            self.left.remove(&partition);
        } else {
            self.left.insert(partition, (next, end));
        }
        Ok(())
    }

    /// Takes over the rows from `from` on, and answers where the next fetch goes on.
    fn apply(&mut self, partition: Partition, from: Offset, records: Bytes) -> Result<Offset, Error> {
        let corrupt = |what: String| unfit(self.topic, format!("partition {partition}: {what}"));
        let mut next = from;
        for piece in batches(records) {
            let piece = piece.map_err(|cause| corrupt(cause.to_string()))?;
            piece.verify_crc().map_err(|cause| corrupt(cause.to_string()))?;
            next = next.max(piece.next_offset());
            let Piece::Batch(batch) = piece else {
                return Err(corrupt(
                    "it has messages of a format before Kafka 0.11".to_owned(),
                ));
            };
            if batch.is_control() {
                continue;
            }
            let records = decode(&batch, &Limits::default()).map_err(|cause| corrupt(cause.to_string()))?;
            for record in records.iter().filter(|record| record.offset >= from) {
                self.rows.row(partition, &record).map_err(|what| {
                    corrupt(format!(
                        "the row at offset {} cannot be read: {what}",
                        record.offset
                    ))
                })?;
            }
        }
        Ok(next)
    }
}

/// From where to where each partition is to be read; empty ones are left out.
pub(super) async fn bounds(client: &Client, topic: &TopicName, buckets: Buckets) -> Result<Bounds, Error> {
    let partitions: Vec<TopicPartition> = buckets
        .iter()
        .map(|bucket| partition(topic, bucket.0 as i32))
        .collect();
    let starts = client
        .list_offsets(&partitions, OffsetSpec::Earliest, Isolation::ReadUncommitted)
        .await?;
    let ends = client
        .list_offsets(&partitions, OffsetSpec::Latest, Isolation::ReadUncommitted)
        .await?;
    let mut bounds = HashMap::new();
    for place in partitions {
        let listed =
            |offsets: &HashMap<TopicPartition, Result<ListedOffset, KafkaError>>| match offsets.get(&place) {
                Some(Ok(listed)) => Ok(listed.offset),
                Some(Err(error)) => Err(refused(
                    topic,
                    format!("partition {} cannot be read", place.partition),
                    *error,
                )),
                None => Err(unfit(
                    topic,
                    format!("partition {} was not listed", place.partition),
                )),
            };
        let (start, end) = (listed(&starts)?, listed(&ends)?);
        if start < end {
            bounds.insert(place.partition, (start, end));
        }
    }
    Ok(bounds)
}
