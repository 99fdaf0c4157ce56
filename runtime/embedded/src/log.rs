//! A partition's log: the batches as they were produced, and what a broker remembers about them.
//!
//! Batches share the memory of the request they came in. The broker's own fields of a header (base offset, leader epoch: outside of the
//! checksum) are written when a batch is read.

use std::{collections::VecDeque, sync::Arc};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;
use towpath_wire::batch::{Limits, decode};

mod compact;
mod epochs;
mod incoming;
mod marker;
mod producers;
mod stored;
mod transactions;

#[cfg(test)]
mod tests;

pub(crate) use compact::{Keep, Tombstones};
pub(crate) use epochs::EpochEnd;
pub(crate) use incoming::{Incoming, Refused, Refuser};
pub(crate) use marker::{Marker, Outcome};
pub(crate) use producers::Producer;
pub(crate) use stored::Stored;
pub(crate) use transactions::Aborted;

use epochs::Epochs;
use producers::Producers;
use transactions::Transactions;

/// One partition's records, the same for every replica.
#[derive(Debug, Default)]
pub(crate) struct Log {
    batches: VecDeque<Stored>,
    /// The first offset that can be read.
    start: i64,
    /// The next offset that will be given. It is the high watermark as well: every replica has every record at once.
    end: i64,
    /// Bytes appended so far, those no longer there included: where the next batch lies.
    position: u64,
    epochs: Epochs,
    producers: Producers,
    transactions: Transactions,
    /// Long polls to wake when something is appended.
    waiting: Vec<Arc<Notify>>,
}

/// Where a batch went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) base_offset: i64,
    /// ms, -1 with create time.
    pub(crate) append_time: i64,
}

/// What one partition answers to a Fetch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Read {
    /// May begin before the offset that was asked for, and end with a part of a batch.
    pub(crate) records: Bytes,
    /// Behind the last offset of the records; the offset that was asked for when there are none.
    pub(crate) next: i64,
}

/// A record found by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) leader_epoch: i32,
}

// === impl Log ===

impl Log {
    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    /// The end of the log, and the high watermark.
    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    /// What a reader of committed records may read up to: the first offset of the oldest transaction that is not decided.
    pub(crate) fn last_stable_offset(&self) -> i64 {
        self.transactions.first_ongoing().unwrap_or(self.end)
    }

    pub(crate) fn batches(&self) -> impl Iterator<Item = &Stored> {
        self.batches.iter()
    }

    /// Bytes that are in it.
    pub(crate) fn size(&self) -> u64 {
        self.position - self.batches.front().map_or(self.position, |batch| batch.position)
    }

    /// Appends a validated batch of a client: gives it offsets and keeps its producer's state. A repeated batch of an idempotent producer
    /// is answered as it was the first time and not stored. Whether a transaction has this partition was the caller's to verify.
    pub(crate) fn append(&mut self, incoming: Incoming, epoch: i32) -> Result<Appended, Refused> {
        let batch = incoming.batch();
        if batch.producer_id() >= 0 {
            if let Some(appended) = self.producers.duplicate(batch) {
                return Ok(appended);
            }
            if self.transactions.is_ongoing(batch.producer_id()) && !batch.is_transactional() {
                return Err(Refused::not_transactional(batch).by_log());
            }
            self.producers.check(batch).map_err(Refused::by_log)?;
        }
        let append_time = incoming.append_time();
        let base_offset = self.push(Stored::new(incoming.into_batch(), self.end, epoch, self.position));
        if let Some(stored) = self.batches.back() {
            self.producers.appended(stored, append_time);
            if stored.batch.is_transactional() {
                self.transactions.data(stored.batch.producer_id(), base_offset);
            }
        }
        Ok(Appended {
            base_offset,
            append_time,
        })
    }

    /// Appends the end of a producer's transaction and decides what it wrote here. Answers the marker's offset.
    pub(crate) fn append_marker(&mut self, marker: &Marker, epoch: i32, now_ms: i64) -> i64 {
        let batch = marker.batch(now_ms);
        let offset = self.push(Stored::new(batch, self.end, epoch, self.position));
        self.transactions
            .ended(marker.producer_id, marker.outcome, offset);
        self.producers.ended(marker, now_ms);
        offset
    }

    /// Forgets producers whose last batch or marker is older, but for those amid a transaction.
    pub(crate) fn forget_producers(&mut self, before_ms: i64) {
        let transactions = &self.transactions;
        self.producers
            .forget(before_ms, |producer| transactions.is_ongoing(producer));
    }

    /// Whether the producer has written here in a transaction of this epoch that is not decided.
    pub(crate) fn is_in_transaction(&self, producer_id: i64, epoch: i16) -> bool {
        self.transactions.is_ongoing(producer_id) && self.producers.epoch_of(producer_id) == Some(epoch)
    }

    /// The batches from the one that holds `offset` on, at most `max_bytes`, below `bound`. Kafka cuts where the limit is, in the middle
    /// of a batch; `at_least_one` gives the first batch whole, however large it is.
    pub(crate) fn read(&self, offset: i64, max_bytes: usize, bound: i64, at_least_one: bool) -> Read {
        let from = self.index_of(offset);
        let mut read = Read {
            records: Bytes::new(),
            next: offset,
        };
        let Some(first) = self.batches.get(from).filter(|first| first.base_offset < bound) else {
            return read;
        };
        let first_size = first.batch.size();
        if first_size > max_bytes && !at_least_one {
            return read;
        }
        let limit = max_bytes.max(first_size);
        let available = (self.position_of(bound) - first.position) as usize;
        let mut records = BytesMut::with_capacity(available.min(limit));
        for stored in self.batches.range(from..) {
            if stored.base_offset >= bound || records.len() >= limit {
                break;
            }
            stored.write_to(&mut records, limit);
            read.next = stored.last_offset() + 1;
        }
        read.records = records.freeze();
        read
    }

    /// Bytes that [`Self::read`] could give without a limit.
    pub(crate) fn available(&self, offset: i64, bound: i64) -> u64 {
        let Some(first) = self.batches.get(self.index_of(offset)) else {
            return 0;
        };
        self.position_of(bound).saturating_sub(first.position)
    }

    /// The aborted transactions that have records in these offsets, `to` excluded: what a reader of committed records leaves out.
    pub(crate) fn aborted(&self, from: i64, to: i64) -> impl Iterator<Item = &Aborted> {
        self.transactions.aborted(from, to)
    }

    /// The first record at or after a time, ms.
    pub(crate) fn find_time(&self, timestamp: i64) -> Option<Found> {
        self.batches
            .iter()
            .filter(|stored| stored.last_offset() >= self.start && stored.batch.max_timestamp() >= timestamp)
            .find_map(|stored| self.first_at(stored, timestamp))
    }

    /// The first record with the largest time.
    pub(crate) fn find_max_time(&self) -> Option<Found> {
        let largest = self
            .batches
            .iter()
            .filter(|stored| stored.last_offset() >= self.start)
            .map(|stored| stored.batch.max_timestamp())
            .max()?;
        self.find_time(largest)
    }

    fn first_at(&self, stored: &Stored, timestamp: i64) -> Option<Found> {
        let records = decode(&stored.batch, &Limits::DEFAULT).ok()?;
        // The batch's own base offset is its producer's: 0.
        let shift = stored.base_offset - stored.batch.base_offset().0;
        records
            .iter()
            .find(|record| record.timestamp >= timestamp && record.offset.0 + shift >= self.start)
            .map(|record| Found {
                offset: record.offset.0 + shift,
                timestamp: record.timestamp,
                leader_epoch: stored.leader_epoch,
            })
    }

    /// A new leader has the log from here on.
    pub(crate) fn new_epoch(&mut self, epoch: i32) {
        self.epochs.assign(epoch, self.end);
        self.wake();
    }

    /// The epoch of the record at the end, -1 when there never was one.
    pub(crate) fn latest_epoch(&self) -> i32 {
        self.epochs.latest()
    }

    /// The epoch that was current when the records at the log's start were written, for ListOffsets.
    pub(crate) fn epoch_at(&self, offset: i64) -> i32 {
        self.epochs.at(offset)
    }

    /// Where an epoch ended (`OffsetForLeaderEpoch`); `None` when the log does not know.
    pub(crate) fn end_of_epoch(&self, epoch: i32) -> Option<EpochEnd> {
        self.epochs.end_of(epoch, self.end)
    }

    /// Records before `offset` can no longer be read. Whole batches before it are gone.
    pub(crate) fn delete_before(&mut self, offset: i64) {
        self.start = self.start.max(offset);
        while self
            .batches
            .front()
            .is_some_and(|stored| stored.last_offset() < self.start)
        {
            self.batches.pop_front();
        }
        self.epochs.deleted_before(self.start);
        self.transactions.deleted_before(self.start);
    }

    /// Everything from `offset` on is lost, as in an unclean leader election. Offsets will be given again. A batch that holds `offset`
    /// is lost whole.
    pub(crate) fn truncate(&mut self, offset: i64) {
        while let Some(last) = self.batches.pop_back_if(|last| last.last_offset() >= offset) {
            self.end = last.base_offset;
            self.position = last.position;
        }
        self.end = self.end.min(offset.max(self.start)).max(self.start);
        self.epochs.truncate(self.end);
        self.transactions.truncate(self.end);
        self.producers = Producers::default();
        for stored in &self.batches {
            self.producers.replay(stored);
        }
        self.wake();
    }

    /// Removes all but the latest record of each key, as the cleaner does, up to the last stable offset. The last batch of the log is
    /// its active segment and stays.
    pub(crate) fn compact(&mut self) {
        let active = self.batches.back().map_or(0, |last| last.base_offset);
        self.compact_before(active, Tombstones::Kept);
    }

    /// As [`compact`](Self::compact), when a new segment has begun and `delete.retention.ms` are over: there is nothing left of keys that were deleted.
    pub(crate) fn forget_tombstones(&mut self) {
        self.compact_before(self.end(), Tombstones::Deleted);
    }

    fn compact_before(&mut self, active: i64, tombstones: Tombstones) {
        let bound = self.last_stable_offset().min(active);
        let keep = Keep::of(self.batches.iter(), bound, tombstones);
        let mut position = self.batches.front().map_or(self.position, |first| first.position);
        let mut kept = VecDeque::with_capacity(self.batches.len());
        for stored in self.batches.drain(..) {
            let stored = if stored.last_offset() < bound {
                keep.filter(stored, &self.transactions)
            } else {
                Some(stored)
            };
            if let Some(mut stored) = stored {
                stored.position = position;
                position += stored.batch.size() as u64;
                kept.push_back(stored);
            }
        }
        self.batches = kept;
        self.position = position;
    }

    /// Deletes whole batches at the head that are older than `before_ms`, or that are not needed to keep `keep_bytes`; the last batch
    /// stays.
    pub(crate) fn retain(&mut self, before_ms: Option<i64>, keep_bytes: Option<u64>) {
        while self.batches.len() > 1 {
            let Some(first) = self.batches.front() else { return };
            let old = before_ms.is_some_and(|before| first.batch.max_timestamp() < before);
            let rest = self.size() - first.batch.size() as u64;
            if !old && keep_bytes.is_none_or(|keep| rest < keep) {
                return;
            }
            self.delete_before(first.last_offset() + 1);
        }
    }

    /// The state of a producer, as DescribeProducers tells it.
    pub(crate) fn producers(&self) -> impl Iterator<Item = (i64, &Producer)> {
        self.producers.iter()
    }

    /// The first offset of a producer's transaction that is not decided.
    pub(crate) fn transaction_start(&self, producer_id: i64) -> Option<i64> {
        self.transactions.start_of(producer_id)
    }

    /// Is told of the next append, once.
    pub(crate) fn wait(&mut self, notify: &Arc<Notify>) {
        if self.waiting.len() >= 16 && self.waiting.len().is_power_of_two() {
            // Long polls that have ended hold their notify no more.
            self.waiting.retain(|waiting| Arc::strong_count(waiting) > 1);
        }
        self.waiting.push(Arc::clone(notify));
    }

    /// Long polls look again.
    pub(crate) fn wake(&mut self) {
        for waiting in self.waiting.drain(..) {
            waiting.notify_one();
        }
    }

    fn push(&mut self, stored: Stored) -> i64 {
        let base_offset = stored.base_offset;
        self.epochs.assign(stored.leader_epoch, base_offset);
        self.end = stored.last_offset() + 1;
        self.position += stored.batch.size() as u64;
        self.batches.push_back(stored);
        self.wake();
        base_offset
    }

    /// The first batch that has `offset` or something behind it.
    fn index_of(&self, offset: i64) -> usize {
        self.batches
            .partition_point(|stored| stored.last_offset() < offset)
    }

    /// Where the first batch at or behind `offset` lies.
    fn position_of(&self, offset: i64) -> u64 {
        let index = self.batches.partition_point(|stored| stored.base_offset < offset);
        self.batches
            .get(index)
            .map_or(self.position, |stored| stored.position)
    }
}
