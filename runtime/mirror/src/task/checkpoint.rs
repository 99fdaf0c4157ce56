//! Positions: stored on the target, behind what is acknowledged, never ahead of it.

use std::time::Instant;

use towpath_domain::Partition;
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
        let interval = self.options.flush_interval;
        let is_due = self
            .lanes
            .iter()
            .any(|lane| (self.draining || lane.is_mark_due(now, interval)) && lane.mark(now).is_some());
        if !is_due {
            return;
        }
        let marks: Vec<(usize, Mark)> = self
            .lanes
            .iter()
            .enumerate()
            .filter_map(|(index, lane)| Some((index, lane.mark(now)?)))
            .collect();
        let rows = marks
            .iter()
            .map(|(index, mark)| self.row(*index, *mark))
            .collect();
        self.storing = true;
        let positions = std::sync::Arc::clone(&self.options.positions);
        self.work.push(Box::pin(async move {
            Event::Stored(marks, positions.write(rows).await)
        }));
    }

    fn row(&self, index: usize, mark: Mark) -> (PositionKey, Option<Position>) {
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
                partition: Partition(lane.target.partition.0),
                next: mark.target_next,
            },
            anchor: None,
        };
        (key, Some(position))
    }

    pub(super) fn stored(&mut self, marks: Vec<(usize, Mark)>, result: Result<(), Error>) {
        self.storing = false;
        match result {
            Ok(()) => {
                for (index, mark) in marks {
                    self.lanes[index].stored(mark);
                }
            }
            Err(error) => {
                self.store_after = Some(Instant::now() + super::REST);
                self.note(format!("storing positions: {error}"));
            }
        }
    }
}
