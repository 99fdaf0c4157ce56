use std::collections::{HashMap, VecDeque};

use towpath_wire::batch::{Batch, next_sequence};

use super::{Appended, Marker, Refused, Stored};
use crate::ErrorCode;

/// What a partition remembers of idempotent producers (Kafka's `ProducerStateManager`).
#[derive(Debug, Default)]
pub(super) struct Producers {
    by_id: HashMap<i64, Producer>,
}

/// One producer in one partition.
#[derive(Clone, Debug)]
pub(crate) struct Producer {
    pub(crate) epoch: i16,
    /// The last batches under this epoch, the oldest first.
    batches: VecDeque<Written>,
    /// ms: when it last wrote, as its records say.
    pub(crate) last_timestamp: i64,
    /// Of the last marker, -1 before the first.
    pub(crate) coordinator_epoch: i32,
}

#[derive(Clone, Copy, Debug)]
struct Written {
    first_sequence: i32,
    last_sequence: i32,
    appended: Appended,
}

/// Batches that are remembered: a producer may have so many in flight.
const WINDOW: usize = 5;

// === impl Producers ===

impl Producers {
    /// Where a batch went that comes again.
    pub(super) fn duplicate(&self, batch: &Batch) -> Option<Appended> {
        let producer = self.by_id.get(&batch.producer_id())?;
        if producer.epoch != batch.producer_epoch() {
            return None;
        }
        let sequences = (batch.base_sequence(), last_sequence(batch));
        producer
            .batches
            .iter()
            .find(|written| (written.first_sequence, written.last_sequence) == sequences)
            .map(|written| written.appended)
    }

    /// Epoch and sequence are what may come next (`ProducerAppendInfo`). A producer without state may begin anywhere.
    pub(super) fn check(&self, batch: &Batch) -> Result<(), Refused> {
        let Some(producer) = self.by_id.get(&batch.producer_id()) else {
            return Ok(());
        };
        let (id, epoch, sequence) = (batch.producer_id(), batch.producer_epoch(), batch.base_sequence());
        if epoch < producer.epoch {
            let message = format!(
                "Epoch of producer {id} is {epoch}, which is smaller than the last seen epoch {}",
                producer.epoch
            );
            return Err(Refused::new(ErrorCode::InvalidProducerEpoch, message));
        }
        let expected = match producer.batches.back() {
            Some(last) if epoch == producer.epoch => next_sequence(last.last_sequence, 1),
            _ => 0,
        };
        if sequence != expected {
            let message = format!(
                "Out of order sequence number for producer {id}: {sequence} (incoming seq. number), {} (current end sequence number)",
                producer.last_sequence()
            );
            return Err(Refused::new(ErrorCode::OutOfOrderSequenceNumber, message));
        }
        Ok(())
    }

    pub(super) fn appended(&mut self, stored: &Stored, append_time: i64) {
        let batch = &stored.batch;
        if batch.producer_id() < 0 {
            return;
        }
        let epoch = batch.producer_epoch();
        let producer = self
            .by_id
            .entry(batch.producer_id())
            .or_insert_with(|| Producer::new(epoch));
        if producer.epoch != epoch {
            producer.epoch = epoch;
            producer.batches.clear();
        }
        if producer.batches.len() == WINDOW {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Written {
            first_sequence: batch.base_sequence(),
            last_sequence: last_sequence(batch),
            appended: Appended {
                base_offset: stored.base_offset,
                append_time,
            },
        });
        producer.last_timestamp = batch.max_timestamp();
    }

    /// A marker's epoch fences older ones; under a new epoch the sequences begin at 0.
    pub(super) fn ended(&mut self, marker: &Marker, now_ms: i64) {
        let producer = self
            .by_id
            .entry(marker.producer_id)
            .or_insert_with(|| Producer::new(marker.producer_epoch));
        if producer.epoch != marker.producer_epoch {
            producer.epoch = marker.producer_epoch;
            producer.batches.clear();
        }
        producer.coordinator_epoch = marker.coordinator_epoch;
        producer.last_timestamp = now_ms;
    }

    pub(super) fn forget(&mut self, before_ms: i64, is_ongoing: impl Fn(i64) -> bool) {
        self.by_id
            .retain(|id, producer| producer.last_timestamp >= before_ms || is_ongoing(*id));
    }

    /// State from what is left of a log.
    pub(super) fn replay(&mut self, stored: &Stored) {
        if !stored.batch.is_control() {
            self.appended(stored, -1);
        }
    }

    pub(super) fn epoch_of(&self, id: i64) -> Option<i16> {
        self.by_id.get(&id).map(|producer| producer.epoch)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, &Producer)> {
        self.by_id.iter().map(|(id, producer)| (*id, producer))
    }
}

// === impl Producer ===

impl Producer {
    fn new(epoch: i16) -> Self {
        Self {
            epoch,
            batches: VecDeque::new(),
            last_timestamp: -1,
            coordinator_epoch: -1,
        }
    }

    /// -1 when it has written nothing under its epoch.
    pub(crate) fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(-1, |last| last.last_sequence)
    }
}

fn last_sequence(batch: &Batch) -> i32 {
    next_sequence(batch.base_sequence(), batch.last_offset_delta())
}
