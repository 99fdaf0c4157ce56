//! Writing rows.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::{Duration, SystemTime},
};

use towpath_domain::{Offset, Partition, TopicId, TopicPartition};

use super::{Position, PositionKey, Positions, connections::Connections, refused, stored, unfit};
use crate::{
    Error, KafkaError, NodeId, Operation, ProducePartition, ProduceRequest, Topics,
    batch::{Compression, Encoder, Headers, Outgoing, ProducerIdentity, Record, SourceSpan},
    retry::{Attempts, Retry},
};

/// The connections that rows are written on.
#[derive(Debug, Default)]
pub(super) struct Writer {
    connections: Connections,
}

/// What is still to be appended, by partition; one batch of each is on the wire at a time, so their order holds.
type Open = BTreeMap<Partition, VecDeque<Outgoing>>;

/// A row's key and value as bytes.
type Row = (Vec<u8>, Option<Vec<u8>>);

/// How long a leader may wait for its replicas; never longer than `request.timeout.ms`, so that a stopping worker outlives a write that is not answered.
const REPLICATION: Duration = Duration::from_secs(10);

// === impl Writer ===

impl Writer {
    pub(super) async fn write(
        &mut self,
        table: &Positions,
        rows: Vec<(PositionKey, Option<Position>)>,
    ) -> Result<(), Error> {
        let mut open = encode(table, rows)?;
        let mut attempts = Attempts::new(table.client.options());
        while !open.is_empty() {
            if let Err(error) = self.round(table, &mut open).await
                && attempts.wait(error).await? == Retry::AfterMetadata
            {
                table
                    .client
                    .metadata(Topics::Names(vec![table.topic.clone()]))
                    .await?;
            }
        }
        Ok(())
    }

    /// Sends the first batch of each partition to its leader, one request a leader, and takes off what was appended. The error is one of
    /// those that came; a partition with one stays open.
    async fn round(&mut self, table: &Positions, open: &mut Open) -> Result<(), Error> {
        let mut failure = None;
        // Whichever topic has the name now: who writes rows finds out by the id that it is another one, and writes all of them again.
        let topic_id = table.client.topic_id(&table.topic).unwrap_or(TopicId::ZERO);
        let mut by_leader: HashMap<NodeId, Vec<ProducePartition>> = HashMap::new();
        for (partition, batches) in open.iter() {
            let place = TopicPartition {
                topic: table.topic.clone(),
                partition: *partition,
            };
            match (table.client.leader(&place), batches.front()) {
                (Some(leader), Some(batch)) => {
                    by_leader.entry(leader.node).or_default().push(ProducePartition {
                        partition: place,
                        topic_id,
                        batch: batch.clone(),
                    })
                }
                _ => failure = Some(Error::NoLeader { partition: place }),
            }
        }
        let mut sent = Vec::new();
        for (node, partitions) in by_leader {
            match self.connections.get(&table.client, node).await {
                Ok(connection) => sent.push(
                    connection
                        .produce(ProduceRequest {
                            acks: -1,
                            timeout: REPLICATION.min(table.client.options().request_timeout),
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
                            Ok(_) => appended(open, place.partition),
                            Err(KafkaError::TOPIC_AUTHORIZATION_FAILED) => {
                                let error = table.client.not_allowed(Operation::Write, &table.topic);
                                worse(&mut failure, error);
                            }
                            Err(error) => {
                                let what = format!("partition {} cannot be written", place.partition);
                                worse(&mut failure, refused(&table.topic, what, error));
                            }
                        }
                    }
                }
                Err(error) => worse(&mut failure, error),
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

/// Of several errors the one counts that makes another attempt useless.
fn worse(failure: &mut Option<Error>, error: Error) {
    if failure.as_ref().is_none_or(|failure| failure.retry().is_soon()) {
        *failure = Some(error);
    }
}

fn appended(open: &mut Open, partition: Partition) {
    if let Some(batches) = open.get_mut(&partition) {
        batches.pop_front();
        if batches.is_empty() {
            open.remove(&partition);
        }
    }
}

/// Batches of at most `max.message.bytes`, usually one a bucket.
fn encode(table: &Positions, rows: Vec<(PositionKey, Option<Position>)>) -> Result<Open, Error> {
    let now = SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap_or(Duration::ZERO)
        .as_millis() as i64;
    let mut by_bucket: BTreeMap<Partition, Vec<Row>> = BTreeMap::new();
    for (key, position) in rows {
        let bucket = Partition(key.bucket().0 as i32);
        let value = position.as_ref().map(stored::encode_value);
        by_bucket
            .entry(bucket)
            .or_default()
            .push((stored::encode_key(&key), value));
    }
    let mut encoder = Encoder::new(Compression::None);
    let mut open = Open::new();
    for (bucket, rows) in by_bucket {
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
        let mut batches = encoder
            .encode_split(records, span, table.max_message_bytes)
            .map_err(|cause| unfit(&table.topic, format!("rows cannot be written: {cause}")))?;
        for batch in &mut batches {
            // Not idempotent: a row that is stored twice says the same twice.
            batch.sign(ProducerIdentity::NONE, -1);
        }
        open.insert(bucket, batches.into());
    }
    Ok(open)
}
