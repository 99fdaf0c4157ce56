//! The lanes of a task, and which of them have changed.
//!
//! An event must not cost more because a task has more partitions, so nothing walks over all lanes. Whoever changes a lane gets it through
//! `IndexMut`, and by that alone the lane is looked at again before the event is over ([`Task::place`](super::Task::place)).

use std::ops::{Index, IndexMut};

use towpath_wire::{Leader, NodeId};

use super::lane::Lane;

#[derive(Default)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    places: Vec<Place>,
    touched: Vec<usize>,
    /// changed since status was shown
    unshown: Vec<usize>,
    restless: Vec<usize>,
}

/// Where the rest of the task has a lane.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// who leads its partition of the source
    pub source: Option<Leader>,
    /// who leads its partition of the target
    pub target: Option<Leader>,
    /// in whose fetch session it is
    pub fetched_from: Option<NodeId>,
    /// the broker whose next fetch must not wait long, because this lane will soon want to be in it
    pub held_up_at: Option<NodeId>,
    /// in whose queue for producing it is
    pub queued_at: Option<NodeId>,
    /// its position is to be stored
    pub has_moved: bool,
    /// records and bytes that are in the task's totals
    pub counted: (u64, u64),
    is_touched: bool,
    is_unshown: bool,
    is_restless: bool,
}

// === impl Lanes ===

impl Lanes {
    /// Answers where it is.
    pub(super) fn push(&mut self, lane: Lane) -> usize {
        let index = self.lanes.len();
        self.lanes.push(lane);
        self.places.push(Place::default());
        self.touch(index);
        index
    }

    /// In the place of one that is over. Queues that still have the place find a lane that has nothing for them.
    pub(super) fn replace(&mut self, index: usize, lane: Lane) {
        self.lanes[index] = lane;
        let place = &mut self.places[index];
        (place.source, place.target) = (None, None);
        place.counted = (0, 0);
        self.touch(index);
    }

    pub(super) fn len(&self) -> usize {
        self.lanes.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.iter()
    }

    /// A lane and its place, without touching it.
    pub(super) fn at(&mut self, index: usize) -> (&Lane, &mut Place) {
        (&self.lanes[index], &mut self.places[index])
    }

    /// A lane that is being looked at: what changes in it by that alone is seen in the same look.
    pub(super) fn looked_at(&mut self, index: usize) -> &mut Lane {
        &mut self.lanes[index]
    }

    /// The lane is to be looked at again, though nothing in it has changed.
    pub(super) fn touch(&mut self, index: usize) {
        let place = &mut self.places[index];
        if !std::mem::replace(&mut place.is_touched, true) {
            self.touched.push(index);
        }
        if !std::mem::replace(&mut place.is_unshown, true) {
            self.unshown.push(index);
        }
    }

    pub(super) fn next_touched(&mut self) -> Option<usize> {
        let index = self.touched.pop()?;
        self.places[index].is_touched = false;
        Some(index)
    }

    /// The lane is to be looked at again at the next tick: what it waits for is time.
    pub(super) fn rest(&mut self, index: usize) {
        if !std::mem::replace(&mut self.places[index].is_restless, true) {
            self.restless.push(index);
        }
    }

    pub(super) fn take_restless(&mut self) -> Vec<usize> {
        for index in &self.restless {
            self.places[*index].is_restless = false;
        }
        std::mem::take(&mut self.restless)
    }

    /// Those touched since the last call, in their order.
    pub(super) fn take_unshown(&mut self) -> Vec<usize> {
        for index in &self.unshown {
            self.places[*index].is_unshown = false;
        }
        self.unshown.sort_unstable();
        std::mem::take(&mut self.unshown)
    }
}

impl Index<usize> for Lanes {
    type Output = Lane;

    fn index(&self, index: usize) -> &Lane {
        &self.lanes[index]
    }
}

impl IndexMut<usize> for Lanes {
    fn index_mut(&mut self, index: usize) -> &mut Lane {
        self.touch(index);
        &mut self.lanes[index]
    }
}

#[cfg(test)]
mod tests {
    use towpath_domain::{LeaderEpoch, Offset, TopicId, TopicPartition, state::PartitionState};

    use super::{super::Assignment, *};

    fn lanes(count: i32) -> Lanes {
        let mut lanes = Lanes::default();
        for partition in 0..count {
            lanes.push(Lane::new(Assignment {
                source: TopicPartition::new("a", partition),
                topic_id: TopicId::ZERO,
                target: TopicPartition::new("b", partition),
                target_id: TopicId::ZERO,
                batches: None,
                start: (Offset(0), LeaderEpoch(-1)),
                plan: None,
                skip: 0,
                compacted: None,
                preserved: None,
                is_contested: false,
                stored: None,
                state: PartitionState::Mirroring,
            }));
        }
        lanes
    }

    fn touched(lanes: &mut Lanes) -> Vec<usize> {
        let mut touched: Vec<usize> = std::iter::from_fn(|| lanes.next_touched()).collect();
        touched.sort();
        touched
    }

    #[test]
    fn who_changes_a_lane_has_it_looked_at_again_and_no_other() {
        let mut lanes = lanes(4);
        assert_eq!(touched(&mut lanes), [0, 1, 2, 3], "new ones are looked at");
        lanes.take_unshown();
        lanes[2].end = Some(Offset(7));
        lanes[2].converting = true;
        lanes[0].converting = false;
        assert!(lanes[1].end.is_none(), "looking is no change");
        lanes.at(3).1.has_moved = true;
        assert_eq!(touched(&mut lanes), [0, 2]);
        assert_eq!(touched(&mut lanes), [] as [usize; 0]);
        assert_eq!(lanes.take_unshown(), [0, 2]);
    }

    #[test]
    fn what_waits_for_time_comes_once_a_tick() {
        let mut lanes = lanes(3);
        lanes.rest(1);
        lanes.rest(1);
        assert_eq!(lanes.take_restless(), [1]);
        assert!(lanes.take_restless().is_empty());
        lanes.rest(1);
        assert_eq!(lanes.take_restless(), [1]);
    }
}
