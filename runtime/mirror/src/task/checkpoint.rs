//! Positions: stored on the target, behind what is acknowledged, never ahead of it.

use std::time::Instant;

use towpath_domain::{Buckets, Partition};
use towpath_wire::{
    Error,
    positions::{Position, PositionKey, TargetPosition},
};

use super::{Event, Task, lane::Mark};

// === impl Task ===

impl Task {
    /// Starts a write when a lane should not wait longer; it takes every lane that has moved.
    pub(super) fn pump_positions(&mut self) {
        let now = Instant::now();
        if self.storing || self.store_after.is_some_and(|after| after > now) {
            return;
        }
        self.look_up_table();
        if !self.draining && self.store_at.is_none_or(|at| at > now) {
            return;
        }
        self.store_at = None;
        let mut marks = Vec::with_capacity(self.moved.len());
        for index in std::mem::take(&mut self.moved) {
            let (lane, place) = self.lanes.at(index);
            place.has_moved = false;
            marks.extend(lane.mark(now).map(|mark| (index, mark)));
        }
        if marks.is_empty() {
            return;
        }
        let mut chunks = Vec::new();
        let mut rows = Vec::with_capacity(marks.len());
        for (index, mark) in &marks {
            let (key, position) = self.row(*index, *mark);
            chunks.extend(self.lanes[*index].sealed(mark).map(|runs| (key.clone(), runs)));
            rows.push((key, Some(position)));
        }
        self.storing = true;
        let positions = std::sync::Arc::clone(&self.options.positions);
        self.work.push(Box::pin(async move {
            if !chunks.is_empty()
                && let Err(error) = positions.seal(chunks).await
            {
                return Event::Stored(marks, Err(error));
            }
            Event::Stored(marks, positions.write(rows).await)
        }));
    }

    /// A table that was deleted and created again lacks our rows: all of them are written again. Looked up while nothing is being written, or an
    /// answer of the old one would count for the new one.
    fn look_up_table(&mut self) {
        let (known, looked_up) = self.table;
        let version = Some(self.options.target.metadata_version());
        if looked_up == version {
            return;
        }
        let topic = self.options.positions.topic();
        let found = self.options.target.topic_id(topic).unwrap_or(known);
        self.table = (found, version);
        if found == known || known.is_zero() {
            return;
        }
        tracing::warn!(connector = self.options.connector, %topic, %known, %found, "the topic for positions was deleted and created again: all positions are stored again");
        for index in 0..self.lanes.len() {
            self.lanes[index].lost_row();
        }
    }

    fn row(&self, index: usize, mark: Mark) -> (PositionKey, Position) {
        let lane = &self.lanes[index];
        let key = PositionKey {
            connector: self.options.connector.clone(),
            source: self.options.source_cluster.clone(),
            topic: lane.topic_id,
            partition: lane.source.partition,
        };
        let position = Position {
            offset: mark.next,
            epoch: mark.epoch,
            topic: lane.source.topic.clone(),
            target: TargetPosition {
                topic: lane.target.topic.clone(),
                topic_id: lane.target_id,
                partition: Partition(lane.target.partition.0),
                next: mark.target_next,
            },
            anchor: lane.exact.as_ref().map(|exact| exact.plan.anchor),
            runs: lane.unsealed(&mark),
            open: lane.exact.is_some() && mark.is_open,
            preserved: lane.preserved(),
            transactional: mark.is_transactional,
            caught_up_at: mark.caught_up_at,
            resolved: None,
        };
        (key, position)
    }

    /// `result`: the buckets that somebody else has claimed.
    pub(super) fn stored(&mut self, marks: Vec<(usize, Mark)>, result: Result<Buckets, Error>) {
        self.storing = false;
        // When the next write is due was reckoned without this one.
        self.store_at = None;
        for index in &self.moved {
            self.lanes.touch(*index);
        }
        match result {
            Ok(lost) => {
                for (index, mark) in marks {
                    if !lost.contains(self.lanes[index].bucket()) {
                        self.lanes[index].stored(mark);
                    }
                }
                self.fenced(lost);
            }
            Err(error) => {
                for (index, _) in marks {
                    self.lanes.touch(index);
                }
                self.store_after = Some(Instant::now() + super::REST);
                self.note(format!("storing positions: {error}"));
            }
        }
    }
}
