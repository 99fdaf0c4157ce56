//! How far a lane has come: what was sent, what the target has, what is stored; and the gate that keeps the three together.

use std::time::{Duration, Instant};

use towpath_domain::{LeaderEpoch, Offset};

use super::plan::Planned;

pub(in crate::task) const GATE_RECORDS: u64 = 50_000;
pub(in crate::task) const GATE_AGE: Duration = Duration::from_millis(900);

/// How far a lane has come, to be stored.
#[derive(Clone, Copy, Debug)]
pub(in crate::task) struct Mark {
    pub next: Offset,
    pub epoch: LeaderEpoch,
    pub target_next: Option<Offset>,
    /// the runs that go with it, exactly once
    pub planned: Option<Planned>,
    /// how many of its first runs go into a chunk of their own
    pub sealed: usize,
    /// batches may be on their way
    pub is_open: bool,
    /// and they may be part of a transaction
    pub is_transactional: bool,
    /// what a compacted source had then is mirrored, ms since 1970
    pub caught_up_at: Option<i64>,
    acked_records: u64,
    taken_at: Instant,
}

#[derive(Debug)]
pub(super) struct Ledger {
    /// where a restart would go on, with the epoch of the last record before it
    acked: (Offset, LeaderEpoch),
    target_next: Option<Offset>,
    row: Row,
    sent_records: u64,
    acked_records: u64,
    stored_records: u64,
    /// when the first record was sent that has no stored position yet
    unstored_since: Option<Instant>,
    /// what is sent needs no stored position
    exact: bool,
}

/// What the table of positions has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// not yet
    None,
    At(Offset),
    /// and is not to get any: the partition stopped before it began, and must find the same reason again
    Never,
}

// === impl Ledger ===

impl Ledger {
    pub(super) fn new(
        start: (Offset, LeaderEpoch),
        row: Row,
        target_next: Option<Offset>,
        exact: bool,
    ) -> Self {
        Self {
            acked: start,
            target_next,
            row,
            sent_records: 0,
            acked_records: 0,
            stored_records: 0,
            unstored_since: None,
            exact,
        }
    }

    pub(super) fn target_next(&self) -> Option<Offset> {
        self.target_next
    }

    /// Source offset up to which everything is on the target, and the epoch before it.
    pub(super) fn acked(&self) -> (Offset, LeaderEpoch) {
        self.acked
    }

    pub(super) fn sent(&mut self, records: u64, now: Instant) {
        self.sent_records += records;
        self.unstored_since.get_or_insert(now);
    }

    /// Records that were sent go back into the queue.
    pub(super) fn taken_back(&mut self, records: u64) {
        self.sent_records -= records;
        if self.sent_records == self.stored_records {
            self.unstored_since = None;
        }
    }

    pub(super) fn appended(&mut self, records: u64, up_to: (Offset, LeaderEpoch)) {
        self.acked_records += records;
        self.acked = up_to;
    }

    /// There was nothing for the target up to here.
    pub(super) fn passed(&mut self, up_to: (Offset, LeaderEpoch)) {
        self.acked = up_to;
    }

    pub(super) fn target_is_at(&mut self, next: Offset) {
        self.target_next = self.target_next.max(Some(next));
    }

    /// Whether anything of the partition is in the target topic, of earlier runs too.
    pub(super) fn has_written(&self) -> bool {
        self.target_next.is_some() || self.acked_records > 0
    }

    /// The row is gone, with its table: it is to be stored again.
    pub(super) fn lost_row(&mut self) {
        if let Row::At(_) = self.row {
            self.row = Row::None;
        }
    }

    /// Whether `records` more may be sent. Without any that lack a position, always: a batch above the limit goes alone.
    pub(super) fn is_open(&self, records: u64, now: Instant) -> bool {
        let unstored = self.sent_records - self.stored_records;
        let is_old = |since: Instant| now.saturating_duration_since(since) >= GATE_AGE;
        self.exact
            || unstored == 0
            || (unstored + records <= GATE_RECORDS && !self.unstored_since.is_some_and(is_old))
    }

    pub(super) fn has_row(&self) -> bool {
        matches!(self.row, Row::At(_))
    }

    pub(super) fn may_store(&self) -> bool {
        self.row != Row::Never
    }

    pub(super) fn has_moved(&self) -> bool {
        // A part of one source record may be in before the others: the offset stands still, the records have moved.
        match self.row {
            Row::Never => false,
            Row::None => true,
            Row::At(stored) => stored != self.acked.0 || self.acked_records != self.stored_records,
        }
    }

    pub(super) fn mark_at(&self, now: Instant) -> Mark {
        let (next, epoch) = self.acked;
        Mark {
            next,
            epoch,
            target_next: self.target_next,
            planned: None,
            sealed: 0,
            is_open: true,
            is_transactional: false,
            caught_up_at: None,
            acked_records: self.acked_records,
            taken_at: now,
        }
    }

    /// When the position should not wait longer to be stored; `now` for at once.
    pub(super) fn mark_due_at(&self, now: Instant, interval: Duration) -> Instant {
        let waiting = self.acked_records - self.stored_records;
        match self.unstored_since {
            Some(since) if self.exact || waiting < GATE_RECORDS / 3 => since + interval,
            _ => now,
        }
    }

    pub(super) fn stored(&mut self, mark: Mark) {
        self.row = Row::At(mark.next);
        self.stored_records = mark.acked_records;
        self.unstored_since = (self.sent_records > self.stored_records).then_some(mark.taken_at);
    }
}
