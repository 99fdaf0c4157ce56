use std::collections::HashMap;

use super::Outcome;

/// Which transactions have written to a partition, and how they ended.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    /// First offset of each producer's transaction that is not decided.
    ongoing: HashMap<i64, i64>,
    /// In the order of their markers.
    aborted: Vec<Aborted>,
}

/// An aborted transaction in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Aborted {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
    /// Of its marker.
    pub(crate) last_offset: i64,
}

// === impl Transactions ===

impl Transactions {
    pub(super) fn first_ongoing(&self) -> Option<i64> {
        self.ongoing.values().min().copied()
    }

    pub(super) fn is_ongoing(&self, producer_id: i64) -> bool {
        self.ongoing.contains_key(&producer_id)
    }

    pub(super) fn start_of(&self, producer_id: i64) -> Option<i64> {
        self.ongoing.get(&producer_id).copied()
    }

    pub(super) fn data(&mut self, producer_id: i64, offset: i64) {
        self.ongoing.entry(producer_id).or_insert(offset);
    }

    pub(super) fn ended(&mut self, producer_id: i64, outcome: Outcome, marker: i64) {
        let first = self.ongoing.remove(&producer_id);
        if let (Some(first_offset), Outcome::Abort) = (first, outcome) {
            self.aborted.push(Aborted {
                producer_id,
                first_offset,
                last_offset: marker,
            });
        }
    }

    pub(super) fn aborted(&self, from: i64, to: i64) -> impl Iterator<Item = &Aborted> {
        self.aborted
            .iter()
            .filter(move |aborted| aborted.last_offset >= from && aborted.first_offset < to)
    }

    /// Whether what a producer wrote at an offset was aborted.
    pub(super) fn is_aborted(&self, producer_id: i64, offset: i64) -> bool {
        self.aborted(offset, offset + 1)
            .any(|aborted| aborted.producer_id == producer_id)
    }

    pub(super) fn deleted_before(&mut self, offset: i64) {
        self.aborted.retain(|aborted| aborted.last_offset >= offset);
    }

    pub(super) fn truncate(&mut self, end: i64) {
        // A transaction whose marker is lost goes on, as far as its data is still there.
        for lost in self.aborted.extract_if(.., |aborted| aborted.last_offset >= end) {
            self.ongoing.entry(lost.producer_id).or_insert(lost.first_offset);
        }
        self.ongoing.retain(|_, first| *first < end);
    }
}
