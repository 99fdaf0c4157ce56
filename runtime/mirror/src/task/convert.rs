//! From what a fetch brought to what is produced: passed through where that is allowed, decoded and written anew where it is not.

use std::sync::Arc;

use bytes::Bytes;
use towpath_domain::{LeaderEpoch, Offset, TopicName, TopicPartition, state::PartitionState};
use towpath_wire::{
    AbortedTransaction,
    batch::{
        self, Batch, Compression, Encoder, Limits, Outgoing, Piece, Records, SourceSpan, Start,
        TimestampType, Way,
    },
};

mod aborted;
mod holes;

pub(crate) use self::{aborted::Aborted, holes::first_hole};
use super::{
    budget::{Budget, Share},
    lane::{Prepared, Stale},
};
use crate::stages::{Letter, Origin, Passed, Stages, Stuck};

/// What a fetch brought for one partition.
pub(super) struct Chunk {
    pub source: TopicPartition,
    /// the offset that was asked for: a batch may begin before it
    pub from: Offset,
    pub epoch: LeaderEpoch,
    pub records: Bytes,
    /// empty under read_uncommitted
    pub aborted: Vec<AbortedTransaction>,
    pub target: batch::Target,
    /// how many of the records that the record at `from` becomes are on the target already
    pub skip: u64,
    /// what compaction took may have been a tombstone that was not read
    pub stale: Option<Stale>,
    /// each record has its source offset on the target: batches have no holes
    pub preserves: bool,
    /// the topic that is written to
    pub target_topic: TopicName,
    pub share: Arc<Share>,
}

/// What became of a chunk.
#[derive(Debug)]
pub(super) struct Converted {
    pub batches: Vec<Prepared>,
    /// where to go on; everything before it is in `batches` or has nothing for the target
    pub next: Offset,
    pub epoch: LeaderEpoch,
    pub copied: u64,
    pub decoded: u64,
    /// records that plugins could not pass
    pub skipped: u64,
    /// those of them that the dead letter queue must have before anything behind them counts as mirrored
    pub letters: Vec<Letter>,
    /// set when the partition cannot go on at `next`
    pub stop: Option<PartitionState>,
}

/// The encoder of the batches of a chunk: mostly all have one codec, and its tables are worth keeping.
#[derive(Default)]
struct Encoders(Option<Encoder>);

/// Converts what a fetch brought, outside of a task: the batches, where to go on, and why the partition stopped if it did.
pub(crate) fn converted(
    source: TopicPartition,
    (records, from, epoch): (Bytes, Offset, LeaderEpoch),
    aborted: Vec<AbortedTransaction>,
    target: batch::Target,
) -> (Vec<Outgoing>, Offset, Option<PartitionState>) {
    let share = Budget::new(0).take(records.len());
    let chunk = Chunk {
        source,
        from,
        epoch,
        records,
        aborted,
        target,
        skip: 0,
        stale: None,
        preserves: false,
        target_topic: TopicName::new("target"),
        share,
    };
    let converted = chunk.convert(None);
    let batches = converted.batches.into_iter().map(|prepared| prepared.outgoing);
    (batches.collect(), converted.next, converted.stop)
}

// === impl Chunk ===

impl Chunk {
    /// True when converting it means looking at headers only, so that it needs no thread of its own.
    pub(super) fn is_light(&self) -> bool {
        batch::batches(self.records.clone()).all(|piece| match piece {
            Ok(Piece::Batch(batch)) => {
                self.skip == 0
                    && batch.base_offset() >= self.from
                    && !matches!(Way::of(&batch, &self.target), Way::Decode(_))
            }
            Ok(Piece::Legacy(_)) => false,
            Err(_) => true,
        })
    }

    /// Converts piece by piece until the end or the first that cannot be mirrored.
    pub(super) fn convert(self, stages: Option<&mut Stages>) -> Converted {
        let mut converted = Converted {
            batches: Vec::new(),
            next: self.from,
            epoch: self.epoch,
            copied: 0,
            decoded: 0,
            skipped: 0,
            letters: Vec::new(),
            stop: None,
        };
        // Where no plugin looks at the topic's records, they are copied as without plugins.
        let mut stages = stages.and_then(|stages| {
            stages
                .touches(&self.source.topic, self.source.partition)
                .then_some(stages)
        });
        let mut aborted = Aborted::new(self.aborted.clone());
        let mut encoders = Encoders::default();
        let mut pieces = batch::batches(self.records.clone());
        let mut seen = false;
        for piece in pieces.by_ref() {
            seen = true;
            let result = match piece {
                Ok(piece) if piece.next_offset() <= self.from => continue,
                Ok(piece) if let Some(missed) = self.missed(&piece, converted.next) => Err(missed),
                Ok(piece) => self
                    .piece(
                        &piece,
                        (&mut aborted, &mut encoders),
                        stages.as_deref_mut(),
                        &mut converted,
                    )
                    .map(|next| converted.next = next),
                Err(error) => Err(corrupt(converted.next, &error)),
            };
            if let Err(stop) = result {
                converted.stop = Some(stop);
                return converted;
            }
        }
        if !seen && let Some(size) = pieces.partial() {
            let error = format!("a batch of {size} bytes came only in part");
            converted.stop = Some(PartitionState::SourceCorrupt {
                offset: converted.next,
                error,
            });
        }
        converted
    }

    /// Converts one piece and says where to go on. That is behind its last record, and not behind the offset that a set of old messages is under:
    /// old versions of librdkafka have written 0 there.
    fn piece(
        &self,
        piece: &Piece,
        (aborted, encoders): (&mut Aborted, &mut Encoders),
        stages: Option<&mut Stages>,
        converted: &mut Converted,
    ) -> Result<Offset, PartitionState> {
        piece
            .verify_crc()
            .map_err(|error| corrupt(converted.next, &error))?;
        let batch = match piece {
            Piece::Batch(batch) => batch,
            Piece::Legacy(message) => {
                let offset = message.offset();
                let records =
                    batch::decode_legacy(message, &LIMITS).map_err(|error| corrupt(offset, &error))?;
                let SourceSpan { first, next } = records.source();
                self.in_order(first, converted.next)?;
                self.rewrite(records, TimestampType::CreateTime, (encoders, stages), converted)?;
                return Ok(next);
            }
        };
        self.in_order(batch.base_offset(), converted.next)?;
        converted.epoch = batch.leader_epoch();
        if aborted
            .skips(batch)
            .map_err(|error| corrupt(batch.base_offset(), &error))?
        {
            return Ok(batch.next_offset());
        }
        match Way::of(batch, &self.target) {
            Way::Skip(_) => {}
            Way::Copy if stages.is_none() && self.skip == 0 && batch.base_offset() >= self.from => {
                let outgoing = Outgoing::pass_through(batch);
                converted.batches.push(self.prepared(outgoing, converted.epoch));
                converted.copied += 1;
            }
            Way::Copy | Way::Decode(_) => {
                let records =
                    batch::decode(batch, &LIMITS).map_err(|error| corrupt(batch.base_offset(), &error))?;
                self.rewrite(records, batch.timestamp_type(), (encoders, stages), converted)?;
            }
        }
        Ok(batch.next_offset())
    }

    /// Whether there may have been a tombstone in what is missing before the end of this piece. Of a damaged one something else is told.
    fn missed(&self, piece: &Piece, next: Offset) -> Option<PartitionState> {
        let hole = first_hole(piece, next)
            .ok()
            .flatten()
            .filter(|_| self.stale.is_some())?;
        Some(self.stale?.missed(next, hole))
    }

    /// Only what a fetch brings first may begin before what was read, being asked for in its middle. What comes behind it and begins there would be
    /// mirrored twice, or out of order: no log has that.
    fn in_order(&self, first: Offset, next: Offset) -> Result<(), PartitionState> {
        if first >= next || next == self.from {
            return Ok(());
        }
        Err(PartitionState::SourceCorrupt {
            offset: next,
            error: format!("a batch that begins at offset {first} comes behind those up to offset {next}"),
        })
    }

    /// Decoded records, from the offset asked for on, through the stages into new batches.
    fn rewrite(
        &self,
        records: Records,
        timestamp_type: TimestampType,
        (encoders, stages): (&mut Encoders, Option<&mut Stages>),
        converted: &mut Converted,
    ) -> Result<(), PartitionState> {
        let span = SourceSpan {
            first: records.source().first.max(self.from),
            next: records.source().next,
        };
        let encoder = encoders.of(records.compression());
        let Some(stages) = stages else {
            let wanted = records.iter().filter(|record| record.offset >= self.from);
            return self.encode(encoder, self.unskipped(wanted), span, converted);
        };
        let (passed, stuck) = self.through(stages, records, timestamp_type);
        // All before the record that stops the partition is mirrored, up to it exactly.
        let span = SourceSpan {
            next: stuck.as_ref().map_or(span.next, |stuck| stuck.offset),
            ..span
        };
        if let Some(Passed {
            rows,
            letters,
            skipped,
        }) = passed
        {
            converted.skipped += skipped;
            converted.letters.extend(letters);
            self.encode(encoder, self.unskipped(rows.records()), span, converted)?;
        }
        let Some(Stuck { offset, message }) = stuck else {
            return Ok(());
        };
        converted.next = converted.next.max(offset);
        Err(PartitionState::PluginFailed {
            offset,
            error: message,
        })
    }

    /// New batches of records: one for each stretch of offsets where those are preserved.
    fn encode<'r>(
        &self,
        encoder: &mut Encoder,
        records: impl Iterator<Item = batch::Record<'r>>,
        span: SourceSpan,
        converted: &mut Converted,
    ) -> Result<(), PartitionState> {
        let limit = self.target.max_message_bytes;
        if !self.preserves {
            return self.take(encoder.encode_split(records, span, limit), span, converted);
        }
        let records: Vec<batch::Record<'r>> = records.collect();
        let follows = |one: &batch::Record<'_>, other: &batch::Record<'_>| other.offset.0 == one.offset.0 + 1;
        let twice = records.windows(2).find(|pair| pair[0].offset >= pair[1].offset);
        if let Some(pair) = twice {
            return Err(PartitionState::PluginFailed {
                offset: pair[1].offset,
                error: "it became several records, and offsets.mode=preserve has one place for it: leave the plugin out, or set translate"
                    .to_owned(),
            });
        }
        let mut batches = Vec::new();
        for stretch in records.chunk_by(follows) {
            let (first, last) = (stretch[0].offset, stretch[stretch.len() - 1].offset);
            let own = SourceSpan {
                first,
                next: Offset(last.0 + 1),
            };
            batches.push(encoder.encode_split(stretch.iter().copied(), own, limit));
        }
        let batches: Result<Vec<Vec<Outgoing>>, batch::Error> = batches.into_iter().collect();
        self.take(batches.map(|batches| batches.concat()), span, converted)
    }

    /// Without the first of those that the record at `from` became.
    fn unskipped<'r>(
        &self,
        records: impl Iterator<Item = batch::Record<'r>>,
    ) -> impl Iterator<Item = batch::Record<'r>> {
        let (from, mut left) = (self.from, self.skip);
        records.filter(move |record| {
            let is_skipped = left > 0 && record.offset == from;
            left -= u64::from(is_skipped);
            !is_skipped
        })
    }

    /// What passes the stages, and where they are stuck: nothing passes from there on.
    fn through(
        &self,
        stages: &mut Stages,
        records: Records,
        timestamp_type: TimestampType,
    ) -> (Option<Passed>, Option<Stuck>) {
        let records = Arc::new(records);
        let first = records.source().first.max(self.from);
        let mut stuck: Option<Stuck> = None;
        loop {
            let origin = Origin {
                source: self.source.topic.clone(),
                target: self.target_topic.clone(),
                partition: self.source.partition,
                timestamp_type,
                from: self.from,
                until: stuck.as_ref().map(|stuck| stuck.offset),
            };
            match stages.apply(Arc::clone(&records), origin) {
                Ok(passed) => return (Some(passed), stuck),
                // Fewer records each time; a plugin that does not depend on them alone ends at the first.
                Err(found)
                    if found.offset > first
                        && stuck.as_ref().is_none_or(|stuck| found.offset < stuck.offset) =>
                {
                    stuck = Some(found);
                }
                Err(found) => {
                    return (
                        None,
                        Some(Stuck {
                            offset: first,
                            ..found
                        }),
                    );
                }
            }
        }
    }

    /// Takes over what was encoded, or says why the partition stops.
    fn take(
        &self,
        batches: Result<Vec<Outgoing>, batch::Error>,
        span: SourceSpan,
        converted: &mut Converted,
    ) -> Result<(), PartitionState> {
        let batches = batches.map_err(|error| match error {
            batch::Error::RecordTooLarge { offset, size, .. } => too_large(offset, size),
            error => PartitionState::SourceCorrupt {
                offset: span.first,
                error: error.to_string(),
            },
        })?;
        converted.decoded += 1;
        let epoch = converted.epoch;
        converted
            .batches
            .extend(batches.into_iter().map(|outgoing| self.prepared(outgoing, epoch)));
        Ok(())
    }

    fn prepared(&self, outgoing: Outgoing, epoch: LeaderEpoch) -> Prepared {
        Prepared {
            outgoing,
            epoch,
            share: Arc::clone(&self.share),
            target: None,
        }
    }
}

// === impl Encoders ===

impl Encoders {
    fn of(&mut self, compression: Compression) -> &mut Encoder {
        match &mut self.0 {
            Some(encoder) if encoder.compression() == compression => {}
            other => *other = Some(Encoder::new(compression)),
        }
        self.0.get_or_insert_with(|| Encoder::new(compression))
    }
}

// === impl Prepared ===

impl Prepared {
    /// The same records in batches of at most `limit` bytes, for a target that takes less than was known when the batch was made.
    pub(super) fn split(&self, limit: usize) -> Result<Vec<Self>, PartitionState> {
        let span = self.outgoing.source();
        let mut bytes = Vec::with_capacity(self.outgoing.size());
        bytes.extend_from_slice(self.outgoing.header());
        bytes.extend_from_slice(self.outgoing.body());
        let sound = |error: batch::Error| corrupt(span.first, &error);
        let batch = Batch::new(Bytes::from(bytes)).map_err(sound)?;
        let records = batch::decode(&batch, &LIMITS).map_err(sound)?;
        let mut encoder = Encoder::new(records.compression());
        // The decoded offsets count from 0: the header that was read from the source is gone. A contiguous batch gets its own back; of any
        // other the whole span hangs on the last part, so that a restart repeats records rather than misses some.
        let contiguous = span.next.0 - span.first.0 == records.len() as i64;
        let starts = self.outgoing.starts();
        let at = |offset: Offset| {
            if !starts.is_empty() {
                source_at(span.first, starts, offset.0)
            } else if contiguous {
                Offset(span.first.0 + offset.0)
            } else {
                span.first
            }
        };
        let moved = records.iter().map(|record| batch::Record {
            offset: at(record.offset),
            ..record
        });
        let parts = encoder
            .encode_split(moved, span, limit)
            .map_err(|error| match error {
                batch::Error::RecordTooLarge { offset, size, .. } => too_large(offset, size),
                error => corrupt(span.first, &error),
            })?;
        let mut target = self.target;
        Ok(parts
            .into_iter()
            .map(|outgoing| {
                let part = Self {
                    outgoing,
                    epoch: self.epoch,
                    share: Arc::clone(&self.share),
                    target,
                };
                target = part.target_next();
                part
            })
            .collect())
    }
}

/// The source offset that the record of this index stands for.
fn source_at(first: Offset, starts: &[Start], index: i64) -> Offset {
    let behind = starts.partition_point(|start| i64::from(start.index) <= index);
    let (from, source) = match behind.checked_sub(1).map(|before| starts[before]) {
        Some(start) => (i64::from(start.index), start.source),
        None => (0, first),
    };
    let offset = source.0 + (index - from);
    // A record that has several.
    Offset(
        starts
            .get(behind)
            .map_or(offset, |next| offset.min(next.source.0 - 1)),
    )
}

fn corrupt(offset: Offset, error: &batch::Error) -> PartitionState {
    PartitionState::SourceCorrupt {
        offset,
        error: error.to_string(),
    }
}

fn too_large(offset: Offset, size: usize) -> PartitionState {
    PartitionState::TargetRefuses {
        offset,
        error: format!("MESSAGE_TOO_LARGE: the record alone makes a batch of {size} bytes"),
        remedy: format!("raise max.message.bytes of the target topic to at least {size}"),
    }
}

/// What a decompression bomb can take at most.
const LIMITS: Limits = Limits::DEFAULT;

#[cfg(test)]
mod tests;
