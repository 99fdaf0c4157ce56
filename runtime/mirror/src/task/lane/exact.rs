//! A lane that is exact: what may be sent, what has become of it, what is to be stored. The places are the [`Plan`]'s.

use std::time::Instant;

use towpath_domain::{
    LeaderEpoch, Offset,
    offset_map::{Runs, SourceAt},
    state::PartitionState,
};
use towpath_wire::positions::Preserved;

use super::{
    Lane, Mark, Plan, Prepared,
    transaction::{Transaction, Transactions},
};

/// What an exact lane has beside the others.
#[derive(Debug)]
pub(in crate::task) struct Exact {
    pub plan: Plan,
    /// the records have the source's offsets
    pub preserved: Option<Preserved>,
    /// markers are being written
    pub marking: bool,
    /// it is not known how many of them are there
    pub(super) marked_in_part: bool,
    /// since when the target's log begins where it should
    pub(super) deleted_at: Option<Instant>,
    /// the end of the target's log is being looked at: nothing is sent meanwhile
    pub locating: bool,
    /// how often in a row that was of no use
    pub(super) misses: u32,
    /// what the former owner's row said, until something of this one is on the target
    pub(super) former: Option<Runs>,
    /// the stored row says that batches may be on their way
    pub(super) stored_open: bool,
    /// what came back without an answer may still come to the target
    pub(super) uncertain: bool,
    /// until when batches that are not known of may come to the target
    pub(super) settles_at: Option<Instant>,
    /// of which records brokers forget the producer, where offsets are preserved
    pub forgotten: Transactions,
    /// what goes in transactions
    pub transactions: Transactions,
    pub(super) transaction: Option<Transaction>,
    /// the next one has no more batches
    pub(super) at_most: Option<usize>,
    /// what is left of the one that was running is not to be sent
    pub(super) is_abandoned: bool,
    /// some records of this run went in transactions
    pub(super) has_transacted: bool,
    /// the stored row says that records of transactions may be behind what it is of
    pub(super) stored_transactional: bool,
}

/// After so many looks in a row that changed nothing, about 30 s, it is no new leader that is not up to date yet.
const MISSES: u32 = 20;

/// What the end of the target's log says of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::task) enum Landed {
    /// it goes on with the next batch
    Here,
    /// a former owner's batches have come late: behind them the source goes on there
    Former(SourceAt),
    /// somebody has written who is not known
    Elsewhere,
}

// === impl Exact ===

impl Exact {
    pub(super) fn new(plan: Plan, preserved: Option<Preserved>) -> Self {
        Self {
            former: Some(plan.runs.clone()),
            plan,
            preserved,
            marking: false,
            marked_in_part: false,
            deleted_at: None,
            locating: false,
            misses: 0,
            stored_open: true,
            uncertain: false,
            settles_at: None,
            forgotten: Transactions::default(),
            transactions: Transactions::default(),
            transaction: None,
            at_most: None,
            is_abandoned: false,
            has_transacted: false,
            stored_transactional: false,
        }
    }

    /// Whether a look at the log that changes nothing may be followed by another one.
    pub(in crate::task) fn may_look_again(&mut self) -> bool {
        self.misses += 1;
        self.misses < MISSES
    }

    /// Something has an answer; `is_over`: all that was ever on the wire has.
    pub(super) fn appended(&mut self, is_over: bool) {
        self.former = None;
        self.misses = 0;
        self.uncertain &= !is_over;
    }
}

// === impl Lane ===

impl Lane {
    /// Whether the first batch may be sent: where it will be is stored, and nobody looks at the log just now.
    pub(super) fn may_send_first(&self) -> bool {
        let Some(exact) = &self.exact else { return true };
        let is_placed = self.pending.front().is_some_and(|first| first.target.is_some());
        let is_busy = exact.transaction.is_some() || exact.locating || exact.marking;
        is_placed && !is_busy && !self.waits_for_row() && !self.is_settling()
    }

    /// Whether the first batch, or the transaction that is planned, waits for a row that says where it will be.
    pub(super) fn waits_for_row(&self) -> bool {
        let Some(exact) = &self.exact else { return false };
        let last = match &exact.transaction {
            Some(_) if !exact.stored_transactional => return true,
            Some(transaction) => transaction.batches.last(),
            None => self.pending.front(),
        };
        last.and_then(Prepared::target_next)
            .is_some_and(|end| !exact.plan.is_stored_up_to(end))
    }

    /// From where on the target's log shows what has become of batches without an answer.
    pub(in crate::task) fn located_from(&self) -> Option<Offset> {
        let exact = self.exact.as_ref()?;
        Some(self.ledger.target_next().unwrap_or(exact.plan.anchor.offset))
    }

    /// The batches in the queue from this one on are forgotten in a moment: their places are free.
    pub(super) fn give_up_from(&mut self, index: usize) {
        let from = self.pending.get(index).and_then(|prepared| prepared.target);
        if let (Some(exact), Some(from)) = (&mut self.exact, from) {
            exact.plan.give_up(from);
        }
    }

    /// The target's log ends at `end`, and all behind what was acknowledged is of this lane's producer: the batches before the end have come, though nobody said so.
    pub(in crate::task) fn landed(&mut self, end: Offset, now: Instant) -> Landed {
        while let Some(next) = self.pending.front().and_then(Prepared::target_next)
            && next <= end
        {
            self.take_landed(now);
        }
        // What is still to come of those that were on the wire before may be late.
        let is_over = self.tried == 0;
        let place = match self.pending.front() {
            // Before the first of the others there may be offsets without a record.
            _ if is_over && self.preserved().is_some() => self.located_from(),
            Some(prepared) if prepared.target.is_some() => prepared.target,
            _ => self.exact.as_ref().map(|exact| exact.plan.next()),
        };
        let Some(exact) = &mut self.exact else {
            return Landed::Elsewhere;
        };
        if place == Some(end) {
            exact.uncertain &= !is_over;
            return Landed::Here;
        }
        let former = exact
            .former
            .as_ref()
            .filter(|runs| place < Some(end) && !runs.is_empty());
        match former.and_then(|runs| runs.source_at(end)) {
            Some(at) => Landed::Former(at),
            None => Landed::Elsewhere,
        }
    }

    /// The first batch is on the target.
    pub(super) fn take_landed(&mut self, now: Instant) {
        let Some(prepared) = self.take_first() else { return };
        let records = prepared.records();
        self.ledger.sent(records, now);
        self.ledger
            .appended(records, (prepared.outgoing.source().next, prepared.epoch));
        if let Some(next) = prepared.target_next() {
            self.ledger.target_is_at(next);
        }
        self.count(&prepared);
    }

    /// Batches of the former owner have come late. They are what this lane would have written: it goes on behind them.
    pub(in crate::task) fn go_on_behind(&mut self, end: Offset, at: SourceAt) {
        self.abandon();
        if let Some(exact) = &mut self.exact {
            exact.plan.go_on(end, exact.former.clone().unwrap_or_default());
        }
        self.ledger.passed((at.offset, LeaderEpoch(-1)));
        self.ledger.target_is_at(end);
        self.skip = at.skip;
        self.next_fetch = Some(self.readable_from(at.offset));
        self.fetched_epoch = LeaderEpoch(-1);
    }

    /// What is to be stored, if anything is.
    pub(in crate::task) fn mark(&self, now: Instant) -> Option<Mark> {
        if self.released {
            return None;
        }
        let is_stale = self.ledger.has_moved() || self.wants_fresh_row();
        let mark_at = |now| {
            let mut mark = self.ledger.mark_at(now);
            mark.caught_up_at = self.caught_up_at();
            mark
        };
        let Some(exact) = &self.exact else {
            return is_stale.then(|| mark_at(now));
        };
        let is_late = exact.settles_at.is_some_and(|at| at > now);
        let is_open = !self.closing || self.has_in_flight() || exact.uncertain || is_late;
        let is_transactional = exact.transaction.is_some() || (exact.uncertain && exact.stored_transactional);
        let is_news = exact.plan.has_unstored()
            || (exact.stored_open && !is_open)
            || (is_transactional && !exact.stored_transactional)
            || is_stale;
        let is_ours = !matches!(self.state, PartitionState::Fenced);
        (is_news && is_ours && self.ledger.may_store()).then(|| {
            let mut mark = mark_at(now);
            mark.planned = Some(exact.plan.planned());
            mark.sealed = mark.target_next.map_or(0, |written| exact.plan.to_seal(written));
            mark.is_open = is_open;
            mark.is_transactional = is_transactional;
            mark
        })
    }

    /// The runs that the row leaves out, with the first one behind them.
    pub(in crate::task) fn sealed(&self, mark: &Mark) -> Option<Runs> {
        let exact = self.exact.as_ref().filter(|_| mark.sealed > 0)?;
        Some(exact.plan.runs.iter().take(mark.sealed + 1).collect())
    }

    /// The runs that the row has.
    pub(in crate::task) fn unsealed(&self, mark: &Mark) -> Runs {
        let runs = self.exact.iter().flat_map(|exact| exact.plan.runs.iter());
        runs.skip(mark.sealed).collect()
    }
}
