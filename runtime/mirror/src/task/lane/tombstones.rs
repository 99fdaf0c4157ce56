//! Since when tombstones of a compacted source may be gone that were not read.
//!
//! The cleaner takes a tombstone away `delete.retention.ms` after it has come to it first (KIP-534), and it comes to nothing that was written after the log's end was
//! looked at. So when everything that the log had at some time is mirrored, no tombstone behind that is gone before that time and `delete.retention.ms` are over. A partition
//! that begins has none of the keys that are deleted before: the time of its beginning counts.

use std::time::Duration;

use towpath_domain::{Offset, state::PartitionState};

use super::Lane;

/// Of a compacted source topic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compacted {
    /// `delete.retention.ms`
    pub retention: Duration,
    /// what the source had then is mirrored, ms since 1970
    pub caught_up_at: i64,
    /// as the row has it
    pub stored_at: Option<i64>,
}

/// How fresh a lane is.
#[derive(Debug)]
pub(super) struct Tombstones {
    /// ms
    retention: i64,
    /// everything that the log had then is mirrored, ms since 1970
    caught_up_at: i64,
    /// where the log ended later, and when: not mirrored yet as far as that
    awaited: Option<(Offset, i64)>,
    /// as the row has it
    stored: Option<i64>,
}

/// What is found may hide a tombstone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::task) struct Stale {
    /// ms since 1970
    pub caught_up_at: i64,
    /// ms
    pub retention: i64,
}

/// A row is stored again for the time alone when that has grown by this part of `delete.retention.ms`.
const PART: i64 = 8;

// === impl Stale ===

impl Stale {
    /// Between `position` and what was read next there is nothing at `hole`.
    pub(in crate::task) fn missed(self, position: Offset, hole: Offset) -> PartitionState {
        PartitionState::TombstonesMissed {
            position,
            hole,
            caught_up_at: self.caught_up_at,
            retention_ms: self.retention,
        }
    }
}

// === impl Tombstones ===

impl Tombstones {
    pub(super) fn new(compacted: Compacted) -> Self {
        Self {
            retention: i64::try_from(compacted.retention.as_millis()).unwrap_or(i64::MAX),
            caught_up_at: compacted.caught_up_at,
            awaited: None,
            stored: compacted.stored_at,
        }
    }

    /// Everything that the log had then is before this offset.
    fn caught_up_at(&self, offset: Offset) -> i64 {
        match self.awaited {
            Some((end, at)) if end <= offset => at,
            _ => self.caught_up_at,
        }
    }

    fn sees_end(&mut self, (end, at): (Offset, i64), mirrored: Offset) {
        self.caught_up_at = self.caught_up_at(mirrored);
        // The one that is waited for stays until it is there: of a lane that is always behind the next one would never be.
        self.awaited = Some(
            self.awaited
                .filter(|(end, _)| *end > mirrored)
                .unwrap_or((end, at)),
        );
        self.caught_up_at = self.caught_up_at(mirrored);
    }
}

// === impl Lane ===

impl Lane {
    /// The log of the compacted source ended there at that time, ms since 1970. Answers whether that changes what is to be stored.
    pub(in crate::task) fn sees_log_end(&mut self, end: (Offset, i64)) -> bool {
        let (mirrored, _) = self.ledger.acked();
        if let Some(tombstones) = &mut self.tombstones {
            tombstones.sees_end(end, mirrored);
        }
        self.wants_fresh_row()
    }

    /// `delete.retention.ms`, of a compacted source.
    pub(in crate::task) fn tombstones_kept(&self) -> Option<Duration> {
        let tombstones = self.tombstones.as_ref()?;
        Some(Duration::from_millis(tombstones.retention.unsigned_abs()))
    }

    /// Whether what is missing from here on may be a tombstone that was not read. `now` is in ms since 1970.
    pub(in crate::task) fn stale(&self, from: Offset, now: i64) -> Option<Stale> {
        let tombstones = self.tombstones.as_ref()?;
        let caught_up_at = tombstones.caught_up_at(from);
        (now.saturating_sub(caught_up_at) >= tombstones.retention).then_some(Stale {
            caught_up_at,
            retention: tombstones.retention,
        })
    }

    /// For the row: what the source had then is mirrored.
    pub(super) fn caught_up_at(&self) -> Option<i64> {
        let (mirrored, _) = self.ledger.acked();
        self.tombstones
            .as_ref()
            .map(|tombstones| tombstones.caught_up_at(mirrored))
    }

    /// Whether the row is to be stored though the position is the same.
    pub(super) fn wants_fresh_row(&self) -> bool {
        let (Some(tombstones), Some(at)) = (&self.tombstones, self.caught_up_at()) else {
            return false;
        };
        let since = tombstones.stored.map(|stored| at.saturating_sub(stored));
        self.ledger.has_row() && since.is_none_or(|since| since > 0 && since >= tombstones.retention / PART)
    }

    pub(super) fn stored_caught_up(&mut self, at: Option<i64>) {
        if let Some(tombstones) = &mut self.tombstones {
            tombstones.stored = at;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use towpath_domain::LeaderEpoch;

    use super::{super::tests::lane, *};

    const HOUR: i64 = 3_600_000;

    /// Caught up at the time 0, with a day of tombstones, and at rest.
    fn compacted() -> Lane {
        let mut lane = lane();
        lane.tombstones = Some(Tombstones::new(Compacted {
            retention: Duration::from_millis(24 * HOUR as u64),
            caught_up_at: 0,
            stored_at: Some(0),
        }));
        lane
    }

    fn is_stale(lane: &Lane, from: i64, hour: i64) -> bool {
        lane.stale(Offset(from), hour * HOUR).is_some()
    }

    #[test]
    fn what_was_not_read_for_as_long_as_tombstones_are_kept_may_hide_one() {
        let lane = compacted();
        assert!(!is_stale(&lane, 0, 23));
        assert!(is_stale(&lane, 0, 24));
        assert!(!is_stale(&super::super::tests::lane(), 0, 1000), "not compacted");
    }

    #[test]
    fn time_counts_from_when_the_log_ended_before_what_is_read() {
        let mut lane = compacted();
        lane.sees_log_end((Offset(100), 20 * HOUR));
        assert!(
            is_stale(&lane, 99, 24),
            "that is behind what was mirrored at hour 0"
        );
        assert!(!is_stale(&lane, 100, 43));
        assert!(is_stale(&lane, 100, 44));
        // It is always behind: the first end is the one that is reached.
        lane.sees_log_end((Offset(200), 30 * HOUR));
        assert!(is_stale(&lane, 100, 44) && is_stale(&lane, 200, 44));
        lane.read_up_to(Offset(150), LeaderEpoch(0));
        lane.sees_log_end((Offset(300), 40 * HOUR));
        assert!(!is_stale(&lane, 150, 43), "everything of hour 20 is mirrored");
        assert!(is_stale(&lane, 299, 44) && !is_stale(&lane, 300, 44));
    }

    #[test]
    fn an_idle_partition_stores_the_time_now_and_then() {
        let mut lane = compacted();
        let now = Instant::now();
        assert!(lane.mark(now).is_none());
        assert!(!lane.sees_log_end((Offset(0), 2 * HOUR)));
        assert!(lane.mark(now).is_none(), "an eighth of a day is three hours");
        assert!(lane.sees_log_end((Offset(0), 3 * HOUR)));
        let mark = lane.mark(now).unwrap();
        assert_eq!((mark.next, mark.caught_up_at), (Offset(0), Some(3 * HOUR)));
        lane.stored(mark);
        assert!(lane.mark(now).is_none());
        // What is written meanwhile is not mirrored yet.
        assert!(!lane.sees_log_end((Offset(5), 20 * HOUR)));
        assert!(lane.mark(now).is_none());
    }
}
