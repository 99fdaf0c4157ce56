//! Offsets are preserved, and brokers forget the producer of old records: such a record is sent when nothing can come late any more, and the log was looked at since.

use std::time::Instant;

use super::{Lane, Prepared};

// === impl Lane ===

impl Lane {
    /// Batches that this lane does not know of may come to the target until then.
    pub(in crate::task) fn settles(&mut self, at: Instant) {
        if let Some(exact) = &mut self.exact
            && exact.preserved.is_some()
        {
            exact.settles_at = exact.settles_at.max(Some(at));
        }
    }

    /// The look was of no use, and nothing is wrong.
    pub(in crate::task) fn goes_on(&mut self) {
        (self.failures, self.pause_until) = (0, None);
        if let Some(exact) = &mut self.exact {
            exact.misses = 0;
        }
    }

    /// Brokers forget at once who wrote the first batch of the queue, and take a late one beside it.
    fn is_first_forgotten(&self) -> bool {
        let is_old = |first: &Prepared| {
            let forgotten = self.exact.as_ref().map(|exact| exact.forgotten);
            forgotten.is_some_and(|forgotten| forgotten.take(first.outgoing.max_timestamp()))
        };
        self.pending.front().is_some_and(is_old)
    }

    /// Whether the first batch has to wait for late ones.
    pub(super) fn is_settling(&self) -> bool {
        let may_come = self
            .exact
            .as_ref()
            .is_some_and(|exact| exact.settles_at.is_some());
        may_come && self.is_first_forgotten()
    }

    /// Waits where late batches may come, and is true when none can any more: the log is to be looked at then.
    pub(in crate::task) fn settle_late(&mut self, now: Instant) -> bool {
        if !self.is_settling() || self.has_in_flight() || self.has_lost_its_target() {
            return false;
        }
        let Some(exact) = &mut self.exact else {
            return false;
        };
        match exact.settles_at {
            Some(at) if at > now => {
                // What was read is given back meanwhile, and not read again before.
                if self.pause_until < Some(at) {
                    tracing::info!(partition = %self.source, wait = ?at.saturating_duration_since(now), "old records wait for batches that may come late");
                }
                self.pause_until = self.pause_until.max(Some(at));
                false
            }
            // One that has begun before is not late enough.
            _ if exact.locating => false,
            _ => {
                exact.settles_at = None;
                true
            }
        }
    }
}
