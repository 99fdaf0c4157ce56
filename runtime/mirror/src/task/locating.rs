//! Exactly once: what has become of batches without an answer, and who else writes. The target's log says it.

use std::{collections::HashMap, time::Instant};

use towpath_domain::{Offset, TopicPartition, state::PartitionState};
use towpath_wire::{NodeId, Tail, Tails, positions::Anchor};

use super::{Event, Side, Task, lane::Landed};

/// After so many looks in a row that changed nothing, about 30 s, it is no new leader that is not up to date yet.
const MISSES: u32 = 20;

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
        exact.misses += 1;
        let is_patient = exact.misses < MISSES;
        if let Some(state) = written_by_another(tail, exact.plan.anchor) {
            lane.stop(state);
            tracing::error!(partition = %lane.source, "{}", lane.state);
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

    /// Somebody else has claimed the rows: what is sent from here on would be written twice.
    pub(super) fn fenced(&mut self) {
        for index in 0..self.lanes.len() {
            if self.lanes[index].is_writing() && self.lanes[index].exact.is_some() {
                self.lanes[index].stop(PartitionState::Fenced);
            }
        }
        tracing::error!(
            connector = self.options.connector,
            task = self.options.id,
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
        (batch.is_control || batch.epoch != anchor.epoch).then_some(PartitionState::Fenced)
    })
}
