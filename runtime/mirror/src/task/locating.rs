//! Exactly once: what has become of batches without an answer, and who else writes. The target's log says it.

use std::{collections::HashMap, time::Instant};

use towpath_domain::{Buckets, Offset, TopicPartition, state::PartitionState};
use towpath_wire::{NodeId, Tail, Tails, positions::Anchor};

use super::{Event, Side, Task, lane::Landed};

// === impl Task ===

impl Task {
    /// Nothing more is sent for the lane until the end of the target's log was looked at.
    pub(super) fn locate(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        lane.pause(Instant::now());
        if let Some(exact) = &mut lane.exact
            && !std::mem::replace(&mut exact.locating, true)
        {
            self.lost.push(index);
        }
    }

    pub(super) fn pump_locating(&mut self) {
        let now = Instant::now();
        if self.draining {
            return;
        }
        let mut by_leader: HashMap<NodeId, Vec<usize>> = HashMap::new();
        for index in std::mem::take(&mut self.lost) {
            let (lane, place) = self.lanes.at(index);
            match place.target {
                Some(leader) if !lane.is_paused(now) => by_leader.entry(leader.node).or_default().push(index),
                _ => self.lost.push(index),
            }
        }
        // A question of its own for each leader: those of a broker that is gone do not hold up the others.
        for due in by_leader.into_values() {
            let from: HashMap<TopicPartition, Offset> = due
                .iter()
                .filter_map(|index| {
                    let lane = &self.lanes[*index];
                    Some((lane.target.clone(), lane.located_from()?))
                })
                .collect();
            let client = self.options.target.clone();
            self.work.push(Box::pin(async move {
                let tails = client.tails(&from).await;
                Event::Located(due, tails)
            }));
        }
    }

    pub(super) fn located(&mut self, lanes: &[usize], mut tails: Tails) {
        for &index in lanes {
            let lane = &mut self.lanes[index];
            if let Some(exact) = &mut lane.exact {
                exact.locating = false;
            }
            if lane.has_lost_its_target() {
                continue;
            }
            match tails.remove(&lane.target) {
                Some(Ok(tail)) => self.located_at(index, &tail),
                Some(Err(error)) => {
                    self.locate(index);
                    self.again(Side::Target, error.to_string());
                }
                None => self.locate(index),
            }
        }
    }

    fn located_at(&mut self, index: usize, tail: &Tail) {
        let now = Instant::now();
        let lane = &mut self.lanes[index];
        let (end, from) = (tail.end, lane.located_from());
        let (Some(exact), Some(from)) = (&mut lane.exact, from) else {
            return;
        };
        let is_patient = exact.may_look_again();
        if let Some(state) = written_by_another(tail, exact.plan.anchor) {
            lane.stop(state);
            tracing::error!(partition = %lane.source, "{}", lane.state);
            return;
        }
        if lane.is_idle() && lane.preserved().is_some() && end >= from {
            // What a former owner has written where it belongs will be found when it has been read.
            lane.goes_on();
            return;
        }
        if end < from {
            // A leader that has just become one may not know how far the others are.
            if is_patient {
                return self.locate(index);
            }
            lane.stop(PartitionState::TargetDiverged { next: from, end });
        } else {
            match lane.landed(end, now) {
                Landed::Here if is_patient => return,
                // The log ends where it should, and the broker takes no batch there.
                Landed::Here => lane.stop(PartitionState::SecondWriter { offset: end }),
                Landed::Former(at) => {
                    tracing::info!(partition = %lane.source, offset = %at.offset, "batches of the former owner have come late: going on behind them");
                    return lane.go_on_behind(end, at);
                }
                Landed::Elsewhere => lane.stop(PartitionState::Fenced),
            }
        }
        tracing::error!(partition = %lane.source, "{}", lane.state);
    }

    /// Somebody else has claimed the rows of these buckets: what is sent from here on would be written twice.
    pub(super) fn fenced(&mut self, buckets: Buckets) {
        if buckets.is_empty() {
            return;
        }
        for index in 0..self.lanes.len() {
            let (lane, _) = self.lanes.at(index);
            if buckets.contains(lane.bucket()) && lane.is_writing() && lane.exact.is_some() {
                self.lanes[index].stop(PartitionState::Fenced);
            }
        }
        tracing::error!(
            connector = self.options.connector,
            task = self.options.id,
            buckets = ?buckets.iter().map(|bucket| bucket.0).collect::<Vec<_>>(),
            "{}",
            PartitionState::Fenced
        );
    }
}

fn written_by_another(tail: &Tail, anchor: Anchor) -> Option<PartitionState> {
    tail.batches.iter().find_map(|batch| {
        if batch.producer != anchor.producer {
            return Some(PartitionState::SecondWriter { offset: batch.first });
        }
        // Another owner of the bucket has shut this one out.
        if batch.is_control || batch.epoch != anchor.epoch {
            return Some(PartitionState::Fenced);
        }
        (!anchor.fits(batch)).then_some(PartitionState::SecondWriter { offset: batch.first })
    })
}

#[cfg(test)]
mod tests {
    use towpath_wire::TailBatch;

    use super::*;

    #[test]
    fn what_is_behind_what_was_acknowledged_is_ours_or_it_is_said_whose() {
        let anchor = Anchor {
            producer: 9,
            epoch: 2,
            sequence: 5,
            offset: Offset(100),
        };
        let found = |producer, epoch, sequence, is_control| {
            let batch = TailBatch {
                first: Offset(110),
                next: Offset(112),
                producer,
                epoch,
                sequence,
                is_control,
                is_transactional: is_control,
                is_commit: is_control,
            };
            let tail = Tail {
                end: Offset(112),
                batches: vec![batch],
            };
            written_by_another(&tail, anchor)
        };
        let second = PartitionState::SecondWriter { offset: Offset(110) };
        assert_eq!(found(9, 2, 15, false), None);
        assert_eq!(found(8, 2, 15, false), Some(second.clone()));
        assert_eq!(
            found(9, 2, 13, false),
            Some(second),
            "it was meant for another place"
        );
        assert_eq!(found(9, 3, 0, false), Some(PartitionState::Fenced));
        assert_eq!(found(9, 3, -1, true), Some(PartitionState::Fenced));
    }
}
