//! Waiting for a transaction of the source: who reads committed records gets no further than the last stable offset, where the oldest open one begins.

use std::time::Instant;

use towpath_domain::{Offset, state::PartitionState};

use super::Lane;

/// What a lane that reads committed records knows of an open transaction.
#[derive(Debug, Default)]
pub(super) struct OpenTransaction {
    /// the last stable offset, while there is something behind it, and since when it is that
    stable: Option<(Offset, Instant)>,
    /// a fetch from here brought nothing
    empty_at: Option<Offset>,
    /// what is told about it, a `BlockedByOpenTransaction`
    told: Option<PartitionState>,
}

// === impl Lane ===

impl Lane {
    /// A fetch from where the lane reads on says where the source's log is stable, and where it ends. A fetch session leaves a partition out while nothing changes:
    /// until the next answer it is still so, because with the end of the transaction there is a marker to read.
    pub(in crate::task) fn sees_ends(
        &mut self,
        (stable, end): (Offset, Offset),
        is_empty: bool,
        now: Instant,
    ) {
        let open = &mut self.open_transaction;
        open.empty_at = self.next_fetch.filter(|_| is_empty);
        open.stable = match open.stable.take() {
            _ if stable >= end => None,
            Some((known, since)) if known == stable => Some((known, since)),
            _ => Some((stable, now)),
        };
    }

    /// Where the open transaction begins that the lane can read no further for, and since when it is the oldest one. Compaction may have left nothing just before it.
    pub(in crate::task) fn waits_for_transaction(&self) -> Option<(Offset, Instant)> {
        let (stable, since) = self.open_transaction.stable?;
        let next = self.next_fetch?;
        let is_there = next == stable || (next < stable && self.open_transaction.empty_at == Some(next));
        (is_there && !self.is_stopped() && !self.closing && !self.converting).then_some((stable, since))
    }

    /// Answers whether that is news.
    pub(in crate::task) fn tell_open_transaction(&mut self, state: PartitionState) -> bool {
        let is_news = self.open_transaction.told.as_ref() != Some(&state);
        self.open_transaction.told = Some(state);
        is_news
    }

    /// What is told while it waits.
    pub(in crate::task) fn blocked(&self) -> Option<&PartitionState> {
        let (at, _) = self.waits_for_transaction()?;
        let told = self.open_transaction.told.as_ref()?;
        matches!(told, PartitionState::BlockedByOpenTransaction { offset, .. } if *offset == at)
            .then_some(told)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use towpath_domain::LeaderEpoch;

    use super::{super::tests::lane, *};

    fn blocked(offset: i64) -> PartitionState {
        PartitionState::BlockedByOpenTransaction {
            offset: Offset(offset),
            producer: None,
            remedy: String::new(),
        }
    }

    fn shown(lane: &Lane) -> &'static str {
        lane.status().unwrap().state
    }

    #[test]
    fn a_lane_waits_for_a_transaction_from_where_it_begins_until_something_is_read_behind_it() {
        let mut lane = lane();
        let now = Instant::now();
        let later = now + Duration::from_secs(5);
        lane.sees_ends((Offset(7), Offset(9)), false, now);
        assert_eq!(
            lane.waits_for_transaction(),
            None,
            "there is something to read before it"
        );
        lane.read_up_to(Offset(7), LeaderEpoch(0));
        assert_eq!(lane.waits_for_transaction(), Some((Offset(7), now)));
        lane.sees_ends((Offset(7), Offset(30)), true, later);
        assert_eq!(
            lane.waits_for_transaction(),
            Some((Offset(7), now)),
            "what comes behind it is no end"
        );
        assert!(lane.tell_open_transaction(blocked(7)));
        assert!(!lane.tell_open_transaction(blocked(7)));
        assert_eq!(shown(&lane), "blocked-by-open-transaction");
        let status = lane.status().unwrap();
        assert_eq!((status.detail, lane.is_stopped()), (Some(blocked(7)), false));
        // It is ended, and the next one is open.
        lane.sees_ends((Offset(20), Offset(30)), false, later);
        assert_eq!(shown(&lane), "mirroring");
        lane.read_up_to(Offset(20), LeaderEpoch(0));
        assert_eq!(lane.waits_for_transaction(), Some((Offset(20), later)));
        assert_eq!(shown(&lane), "mirroring", "nobody has said who that is");
        lane.sees_ends((Offset(30), Offset(30)), false, later);
        assert_eq!(lane.waits_for_transaction(), None);
    }

    #[test]
    fn what_compaction_took_before_the_transaction_is_not_waited_for() {
        let mut lane = lane();
        let now = Instant::now();
        lane.read_up_to(Offset(4), LeaderEpoch(0));
        lane.sees_ends((Offset(7), Offset(9)), true, now);
        assert_eq!(lane.waits_for_transaction(), Some((Offset(7), now)));
        lane.read_up_to(Offset(5), LeaderEpoch(0));
        assert_eq!(lane.waits_for_transaction(), None, "there may be more");
    }
}
