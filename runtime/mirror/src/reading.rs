//! Reading a partition's log batch by batch, up to an end.

use std::time::Duration;

use towpath_domain::{LeaderEpoch, Offset, TopicId, TopicPartition};
use towpath_wire::{
    Client, Connection, FetchOptions, FetchPartition, Isolation, KafkaError,
    batch::{self, Limits, Piece, Record, batches, decode, decode_legacy},
};

use crate::{
    resolve::Error,
    task::{Aborted, first_hole},
};

/// Bytes of one fetch.
const FETCH_BYTES: i32 = 8 << 20;

/// A log that is read.
pub(crate) struct Reading<'a> {
    client: &'a Client,
    place: &'a TopicPartition,
    isolation: Isolation,
    next: Offset,
    end: Offset,
    connection: Option<Connection>,
}

// === impl Reading ===

impl<'a> Reading<'a> {
    /// From `next` (included) to `end` (excluded).
    pub(crate) fn new(
        client: &'a Client,
        place: &'a TopicPartition,
        isolation: Isolation,
        (next, end): (Offset, Offset),
    ) -> Self {
        Self {
            client,
            place,
            isolation,
            next,
            end,
            connection: None,
        }
    }

    /// The first offset that has no record, if there is one.
    pub(crate) async fn first_hole(mut self) -> Result<Option<Offset>, Error> {
        while self.next < self.end {
            let from = self.next;
            for piece in self.fetch().await?.0 {
                if let Some(hole) = first_hole(&piece, self.next).map_err(|cause| self.damaged(&cause))? {
                    return Ok((hole < self.end).then_some(hole));
                }
                self.next = piece.next_offset();
            }
            if self.next == from {
                return Ok(Some(from));
            }
        }
        Ok(None)
    }

    /// Shows every record, without those of aborted transactions where only committed ones are read.
    pub(crate) async fn records(mut self, mut each: impl FnMut(&Record<'_>) + Send) -> Result<(), Error> {
        while self.next < self.end {
            let from = self.next;
            let (pieces, mut aborted) = self.fetch().await?;
            for piece in pieces {
                let damaged = |cause: batch::Error| self.damaged(&cause);
                let records = match &piece {
                    Piece::Batch(batch) if aborted.skips(batch).map_err(damaged)? || batch.is_control() => {
                        None
                    }
                    Piece::Batch(batch) => Some(decode(batch, &Limits::DEFAULT).map_err(damaged)?),
                    Piece::Legacy(message) => {
                        Some(decode_legacy(message, &Limits::DEFAULT).map_err(damaged)?)
                    }
                };
                let within = |record: &Record<'_>| (from..self.end).contains(&record.offset);
                for record in records.iter().flat_map(|records| records.iter()) {
                    if within(&record) {
                        each(&record);
                    }
                }
                self.next = self.next.max(piece.next_offset());
            }
            if self.next == from {
                // There is nothing more before the end.
                return Ok(());
            }
        }
        Ok(())
    }

    /// What comes next, as whole batches. Empty: nothing does.
    async fn fetch(&mut self) -> Result<(Vec<Piece>, Aborted), Error> {
        let connection = match &self.connection {
            Some(connection) => connection,
            None => {
                let leader = self.client.leader(self.place);
                let leader = leader.ok_or_else(|| self.unseen(KafkaError::LEADER_NOT_AVAILABLE))?;
                let opened = self.client.open(leader.node, "reading").await?;
                self.connection.insert(opened)
            }
        };
        let options = FetchOptions {
            isolation: self.isolation,
            max_wait: Duration::ZERO,
            min_bytes: 0,
            max_bytes: FETCH_BYTES,
            rack: None,
        };
        let asked = FetchPartition {
            topic: self.place.topic.clone(),
            topic_id: TopicId::ZERO,
            partition: self.place.partition,
            fetch_offset: self.next,
            current_leader_epoch: LeaderEpoch(-1),
            last_fetched_epoch: LeaderEpoch(-1),
            max_bytes: FETCH_BYTES,
        };
        let answer = connection.fetch(options, &[asked]).await?;
        let fetched = answer.partitions.into_iter().next();
        let fetched = fetched.ok_or_else(|| self.unseen(KafkaError::LEADER_NOT_AVAILABLE))?;
        if let Some(error) = fetched.error {
            return Err(self.unseen(error));
        }
        let readable = match self.isolation {
            Isolation::ReadCommitted => fetched.last_stable_offset,
            Isolation::ReadUncommitted => fetched.high_watermark,
        };
        if fetched.records.is_empty() && readable < self.end {
            // A new leader may be behind what was said to be the end.
            return Err(self.unseen(KafkaError::OFFSET_NOT_AVAILABLE));
        }
        let mut pieces = Vec::new();
        for piece in batches(fetched.records) {
            let piece = piece.map_err(|cause| self.damaged(&cause))?;
            piece.verify_crc().map_err(|cause| self.damaged(&cause))?;
            if piece.next_offset() > self.next {
                pieces.push(piece);
            }
        }
        Ok((pieces, Aborted::new(fetched.aborted)))
    }

    fn unseen(&self, error: KafkaError) -> Error {
        Error::Unseen {
            what: self.place.to_string(),
            error,
        }
    }

    fn damaged(&self, cause: &batch::Error) -> Error {
        tracing::error!(partition = %self.place, offset = %self.next, %cause, "a batch is damaged");
        self.unseen(KafkaError::CORRUPT_MESSAGE)
    }
}
