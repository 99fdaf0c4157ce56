use std::collections::HashMap;

use towpath_domain::Offset;
use towpath_wire::batch::{
    Batch, Encoder, Limits, ProducerIdentity, Record, SourceSpan, Transactional, decode,
};

use super::{
    Stored,
    stored::{at, rewritten},
    transactions::Transactions,
};

/// What becomes of records without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tombstones {
    Kept,
    /// `delete.retention.ms` are over
    Deleted,
}

/// Which records compaction keeps: of each key the last.
pub(crate) struct Keep {
    last: HashMap<Vec<u8>, i64>,
}

/// No record has this offset.
const NOWHERE: i64 = -1;

// === impl Keep ===

impl Keep {
    /// From the batches that end before `bound`.
    pub(crate) fn of<'a>(
        batches: impl Iterator<Item = &'a Stored>,
        bound: i64,
        tombstones: Tombstones,
    ) -> Self {
        let mut last = HashMap::new();
        for stored in batches.filter(|stored| stored.last_offset() < bound && !stored.batch.is_control()) {
            let Ok(records) = decode(&stored.batch, &Limits::DEFAULT) else {
                continue;
            };
            for record in records.iter() {
                if let Some(key) = record.key {
                    let is_kept = record.value.is_some() || tombstones == Tombstones::Kept;
                    let offset = if is_kept {
                        stored.offset_of(record.offset)
                    } else {
                        NOWHERE
                    };
                    last.insert(key.to_vec(), offset);
                }
            }
        }
        Self { last }
    }

    /// What is left of a batch. Offsets stay: a batch that has lost records has holes. One that has lost all of them is gone, unless it
    /// is its producer's only trace; brokers keep such a batch without records, and here it is gone as well.
    pub(super) fn filter(&self, stored: Stored, transactions: &Transactions) -> Option<Stored> {
        if stored.batch.is_control() {
            return Some(stored);
        }
        if transactions.is_aborted(stored.batch.producer_id(), stored.base_offset) {
            return None;
        }
        let Ok(records) = decode(&stored.batch, &Limits::DEFAULT) else {
            return Some(stored);
        };
        let kept: Vec<Record<'_>> = records
            .iter()
            .filter(|record| {
                record
                    .key
                    .is_some_and(|key| self.last.get(key) == Some(&stored.offset_of(record.offset)))
            })
            .collect();
        if kept.len() == records.len() {
            return Some(stored);
        }
        let batch = with_holes(&stored.batch, &kept)?;
        Some(Stored { batch, ..stored })
    }
}

// === impl Stored ===

impl Stored {
    /// The offset of a record that was decoded from the batch as it came.
    fn offset_of(&self, offset: Offset) -> i64 {
        offset.0 - self.batch.base_offset().0 + self.base_offset
    }
}

/// A batch of the same range of offsets with fewer records; `None` when there are none.
fn with_holes(batch: &Batch, records: &[Record<'_>]) -> Option<Batch> {
    let mut encoder = Encoder::new(batch.compression());
    for record in records {
        let delta = (record.offset.0 - batch.base_offset().0) as i32;
        encoder.push_at(delta, record).ok()?;
    }
    let span = SourceSpan {
        first: Offset(0),
        next: Offset(1),
    };
    let mut outgoing = encoder.finish(span).ok()?;
    let producer = ProducerIdentity {
        id: batch.producer_id(),
        epoch: batch.producer_epoch(),
        transactional: if batch.is_transactional() {
            Transactional::Yes
        } else {
            Transactional::No
        },
    };
    outgoing.sign(producer, batch.base_sequence());
    let bytes = [outgoing.header().as_slice(), outgoing.body()].concat();
    let attributes = i16::from_be_bytes([bytes[at::ATTRIBUTES], bytes[at::ATTRIBUTES + 1]]);
    let last = batch.last_offset_delta().to_be_bytes();
    Some(rewritten(&bytes, attributes, &[(at::LAST_OFFSET_DELTA, &last)]))
}
