//! Topics of rows of our own, read from their start or from where they were read up to.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use towpath_domain::{Offset, Partition, TopicName, TopicPartition};

use crate::{
    Client, Error, FetchedPartition, Isolation, KafkaError, ListedOffset, OffsetSpec, Operation, Retry,
    Topics,
    append::Connections,
    batch::{
        self, Compression, Encoder, Headers, Limits, Outgoing, Piece, Record, SourceSpan, batches, decode,
    },
    own, reading,
    retry::Attempts,
};

/// What takes the rows that are read.
pub(crate) trait Rows {
    /// The error is a sentence about the row.
    fn row(&mut self, partition: Partition, record: &Record<'_>) -> Result<(), String>;
}

/// One reading: to the end that each partition had at the start.
struct Load<'a, R> {
    client: &'a Client,
    topic: &'a TopicName,
    /// what the topic is for, as errors say it
    purpose: &'static str,
    /// What is left: from where and up to where.
    left: Bounds,
    connections: Connections,
    rows: &'a mut R,
}

/// From where to where each partition is to be read.
pub(crate) type Bounds = HashMap<Partition, (Offset, Offset)>;

/// A key and its value; without one the key is taken away.
pub type Row = (Vec<u8>, Option<Vec<u8>>);

/// Rows of one partition as batches of at most this size.
pub(crate) fn encode(rows: &[Row], max_bytes: usize) -> Result<VecDeque<Outgoing>, batch::Error> {
    let now = own::now();
    let records = rows.iter().enumerate().map(|(index, (key, value))| Record {
        offset: Offset(index as i64),
        timestamp: now,
        key: Some(key),
        value: value.as_deref(),
        headers: Headers::EMPTY,
    });
    let span = SourceSpan {
        first: Offset(0),
        next: Offset(rows.len() as i64),
    };
    let batches = Encoder::new(Compression::None).encode_split(records, span, max_bytes)?;
    Ok(batches.into())
}

/// Gives every row within these bounds to `rows`, those of a partition in order.
pub(crate) async fn read<R: Rows>(
    client: &Client,
    (topic, purpose): (&TopicName, &'static str),
    left: Bounds,
    rows: &mut R,
) -> Result<(), Error> {
    let mut load = Load {
        client,
        topic,
        purpose,
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
            Ok(()) => own::refused(
                (topic, purpose),
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

// === impl Load ===

impl<R: Rows> Load<'_, R> {
    /// Reads once from each leader.
    async fn round(&mut self) -> Result<(), Error> {
        let from: Vec<_> = self
            .left
            .iter()
            .map(|(partition, (from, _))| (own::partition(self.topic, partition.0), *from))
            .collect();
        let fetched =
            reading::fetch(self.client, &mut self.connections, self.purpose, from.into_iter()).await;
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
                if let Some(bounds) = bounds(self.client, (self.topic, self.purpose), [partition])
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
                return Err(own::refused(
                    (self.topic, self.purpose),
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
        let corrupt = |what: String| {
            own::unfit(
                (self.topic, self.purpose),
                format!("partition {partition}: {what}"),
            )
        };
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
pub(crate) async fn bounds(
    client: &Client,
    (topic, purpose): (&TopicName, &'static str),
    partitions: impl IntoIterator<Item = Partition>,
) -> Result<Bounds, Error> {
    let partitions: Vec<TopicPartition> = partitions
        .into_iter()
        .map(|partition| own::partition(topic, partition.0))
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
                Some(Err(error)) => Err(own::refused(
                    (topic, purpose),
                    format!("partition {} cannot be read", place.partition),
                    *error,
                )),
                None => Err(own::unfit(
                    (topic, purpose),
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
