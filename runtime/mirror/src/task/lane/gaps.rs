//! Offsets are preserved: where the target's log ends and the next record has its place there may be offsets without a record.
//!
//! Before the first record they are filled, and the filler is deleted; behind it each is taken by the marker of an empty transaction. Both wait until everything before
//! them is on the target, and everything behind them waits for both.

use std::{sync::Arc, time::Instant};

use towpath_domain::{LeaderEpoch, Offset};
use towpath_wire::{ProducerId, batch::Outgoing, positions::Preserved};

use super::{Lane, Plan, Prepared, Window};
use crate::task::{budget::Share, retention::NOTED};

/// Offsets of the target without a record of the source, to be taken now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::task) enum Gap {
    /// nothing was written before: filler, which is deleted
    Start { from: Offset, to: Offset },
    /// between records: markers
    Middle { from: Offset, to: Offset },
}

/// Up to where everything is on the target when a lane begins: that is before its first record where offsets are to be filled.
pub(super) fn acked(
    preserving: Option<&Plan>,
    (start, epoch): (Offset, LeaderEpoch),
) -> (Offset, LeaderEpoch) {
    match preserving.map(Plan::next) {
        Some(next) if next < start => (next, LeaderEpoch(-1)),
        _ => (start, epoch),
    }
}

// === impl Lane ===

impl Lane {
    pub(in crate::task) fn preserved(&self) -> Option<Preserved> {
        self.exact.as_ref()?.preserved
    }

    /// Where it is read next, when everything before `next` is on the target: what is before the first record cannot be read.
    pub(super) fn readable_from(&self, next: Offset) -> Offset {
        self.preserved()
            .map_or(next, |preserved| next.max(preserved.begins))
    }

    /// Consumers must not read it yet.
    pub(in crate::task) fn is_filling(&self) -> bool {
        !self.is_stopped() && self.preserved().is_some_and(|preserved| !preserved.readable)
    }

    pub(super) fn is_filler(&self, prepared: &Prepared) -> bool {
        match (self.preserved(), prepared.target_next()) {
            (Some(preserved), Some(next)) => next <= preserved.begins,
            _ => false,
        }
    }

    /// The first batch of the queue does not follow what was sent last.
    pub(super) fn has_gap(&self) -> bool {
        if self.preserved().is_none() || self.tried > 0 {
            return false;
        }
        let before = match self.in_flight.back() {
            Some(sent) => sent.prepared.target_next(),
            None => self.located_from(),
        };
        let first = self.pending.front().and_then(|prepared| prepared.target);
        first.is_some() && first > before
    }

    /// What is to be taken before anything else, if it can be now.
    pub(in crate::task) fn gap(&self, now: Instant) -> Option<Gap> {
        let preserved = self.preserved()?;
        let exact = self.exact.as_ref()?;
        let is_busy = exact.locating
            || exact.marking
            || self.has_in_flight()
            || self.splitting
            || (self.converting && !self.has_pending());
        if is_busy
            || self.tried > 0
            || self.failure.is_some()
            || self.has_lost_its_target()
            || self.closing
            || self.is_paused(now)
        {
            return None;
        }
        let from = self.located_from()?;
        let to = match self.pending.front() {
            Some(prepared) => prepared.target?,
            // All was read up to there.
            None if !self.is_stopped() => self.next_fetch?,
            None => return None,
        };
        // The row comes first: whoever comes next must know whose this is.
        if to <= from || !exact.plan.is_stored_up_to(to) {
            return None;
        }
        Some(if from <= preserved.begins {
            Gap::Start { from, to }
        } else {
            Gap::Middle { from, to }
        })
    }

    /// Before the first record there are more offsets than was known: the row must say so before they are filled.
    pub(in crate::task) fn begins_at(&mut self, from: Offset, to: Offset) {
        let Some(exact) = &mut self.exact else { return };
        if let Some(preserved) = &mut exact.preserved
            && preserved.begins < to
        {
            preserved.begins = to;
            preserved.readable = false;
            exact.plan.changed(from);
        }
    }

    /// Filler goes before everything else.
    pub(in crate::task) fn fill(&mut self, outgoing: Outgoing, share: Arc<Share>) {
        let target = Some(outgoing.source().first);
        self.pending_bytes += outgoing.size();
        self.waiting_since.get_or_insert_with(Instant::now);
        self.pending.push_front(Prepared {
            outgoing,
            epoch: LeaderEpoch(-1),
            share,
            target,
        });
    }

    /// Whose record is right before this offset, if one is: not where markers are, or where the reckoning begins.
    pub(in crate::task) fn record_before(&self, from: Offset) -> Option<i64> {
        let anchor = self.exact.as_ref()?.plan.anchor;
        (anchor.offset < from).then_some(anchor.producer)
    }

    /// Some of the markers may be there.
    pub(in crate::task) fn not_marked(&mut self, now: Instant) {
        if let Some(exact) = &mut self.exact {
            exact.marked_in_part = true;
        }
        self.pause(now);
    }

    pub(in crate::task) fn is_marked_in_part(&self) -> bool {
        self.exact.as_ref().is_some_and(|exact| exact.marked_in_part)
    }

    /// These offsets are taken by markers of this producer.
    pub(in crate::task) fn marked(&mut self, producer: ProducerId, (from, to): (Offset, Offset)) {
        let epoch = self
            .pending
            .front()
            .map_or(self.fetched_epoch, |prepared| prepared.epoch);
        let Some(exact) = &mut self.exact else { return };
        let before = exact.plan.anchor;
        exact.plan.marked(producer, (from, to));
        exact.marked_in_part = false;
        self.identity = Some(exact.plan.identity());
        if (before.producer, before.epoch) != (producer.id, producer.epoch) {
            self.window = Window::Alone;
        }
        self.failures = 0;
        self.ledger.passed((to, epoch));
        self.ledger.target_is_at(to);
    }

    /// Nothing is to be written, nor on its way: the target's log ends where it is said to end.
    pub(in crate::task) fn is_idle(&self) -> bool {
        let Some(exact) = &self.exact else { return false };
        let is_looked_at = exact.locating || exact.marking || exact.marked_in_part || exact.uncertain;
        !is_looked_at && !self.has_pending() && !self.has_in_flight() && !self.is_stopped() && !self.closing
    }

    /// Markers are being written: what was read meanwhile is kept.
    pub(in crate::task) fn is_marking(&self) -> bool {
        self.exact.as_ref().is_some_and(|exact| exact.marking)
    }

    /// Whether it matters where the target's log begins.
    pub(in crate::task) fn sees_start(&self, start: Offset) -> bool {
        self.preserved()
            .is_some_and(|preserved| !preserved.readable || start < preserved.begins)
    }

    /// The target's log begins there. Nobody sees filler any more once that has been so for as long as a broker may take to note it.
    pub(in crate::task) fn begins_there(&mut self, start: Offset, now: Instant) {
        let Some(end) = self.located_from() else { return };
        let is_read = self.end.is_some() && self.next_fetch >= self.end;
        let Some(exact) = &mut self.exact else { return };
        let Some(preserved) = &mut exact.preserved else {
            return;
        };
        let before = preserved.readable;
        if start < preserved.begins {
            exact.deleted_at = None;
            preserved.readable = false;
        } else {
            let deleted_at = *exact.deleted_at.get_or_insert(now);
            // Until the first record is there, or there is none, more filler may be needed.
            let is_begun = end > preserved.begins || is_read;
            preserved.readable |= is_begun && now.saturating_duration_since(deleted_at) >= NOTED;
        }
        if preserved.readable != before {
            exact.plan.changed(end);
        }
    }
}
