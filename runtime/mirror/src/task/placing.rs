//! Where a lane belongs after something about it has changed: in which fetch session, in which queue for producing, among those whose position
//! is to be stored.

use std::time::Instant;

use towpath_wire::{FetchPartition, NodeId};

use super::{Side, Task};

// === impl Task ===

impl Task {
    /// Looks at each lane that was touched. All that a task does is to be found from what this leaves behind, without a walk over lanes.
    pub(super) fn place(&mut self) {
        let now = Instant::now();
        let mut settled = Vec::new();
        while let Some(index) = self.lanes.next_touched() {
            let lane = self.lanes.looked_at(index);
            if lane.settle_late(now) {
                settled.push(index);
                continue;
            }
            lane.plan_transaction(now);
            let may_begin = lane.may_begin(now);
            self.place_fetch(index, now);
            self.place_send(index, now);
            self.place_mark(index, now);
            let (lane, place) = self.lanes.at(index);
            self.mirrored.records += lane.records - place.counted.0;
            self.mirrored.bytes += lane.bytes - place.counted.1;
            place.counted = (lane.records, lane.bytes);
            self.unidentified |= lane.identity.is_none() && (lane.has_pending() || !lane.is_stopped());
            if lane.gap(now).is_some() {
                self.gapped.push(index);
            }
            if may_begin {
                self.planned.push(index);
            }
            if lane.has_pending() || lane.has_transaction() || lane.is_paused(now) {
                self.lanes.rest(index);
            }
        }
        for index in settled {
            self.locate(index);
            self.lanes.rest(index);
        }
    }

    /// In the fetch session of the broker to read from, or in none.
    fn place_fetch(&mut self, index: usize, now: Instant) {
        let (lane, place) = self.lanes.at(index);
        // What cannot be written is not read.
        let leader = place.source.filter(|_| place.target.is_some() && !self.draining);
        let node = leader.map(|leader| lane.preferred(now).unwrap_or(leader.node));
        let wanted = node.filter(|_| lane.wants_fetch(now));
        let held_up = node.filter(|_| wanted.is_none() && lane.is_held_up(now));
        if let Some(before) = place.fetched_from.filter(|before| Some(*before) != wanted) {
            self.sources
                .entry(before)
                .or_default()
                .session
                .forget(&lane.source);
        }
        if let (Some(node), Some(leader), Some(offset)) = (wanted, leader, lane.next_fetch) {
            self.sources
                .entry(node)
                .or_default()
                .session
                .want(FetchPartition {
                    topic: lane.source.topic.clone(),
                    topic_id: lane.topic_id,
                    partition: lane.source.partition,
                    fetch_offset: offset,
                    current_leader_epoch: leader.epoch,
                    last_fetched_epoch: lane.fetched_epoch,
                    max_bytes: self.options.fetch.max_partition_bytes,
                });
        }
        place.fetched_from = wanted;
        let before = std::mem::replace(&mut place.held_up_at, held_up);
        if before != held_up {
            if let Some(node) = before {
                self.sources.entry(node).or_default().held_up -= 1;
            }
            if let Some(node) = held_up {
                self.sources.entry(node).or_default().held_up += 1;
            }
        }
    }

    /// At the end of its target broker's queue. It leaves the queue when its turn has come, whatever became of it meanwhile.
    fn place_send(&mut self, index: usize, now: Instant) {
        let (lane, place) = self.lanes.at(index);
        let node = place
            .target
            .map(|leader| leader.node)
            .filter(|node| place.queued_at.is_none() && lane.wants_send(now) && lane.may_send_to(*node));
        if let Some(node) = node {
            place.queued_at = Some(node);
            self.producers.entry(node).or_default().ready.push_back(index);
        }
    }

    fn place_mark(&mut self, index: usize, now: Instant) {
        let interval = self.options.flush_interval;
        let (lane, place) = self.lanes.at(index);
        if lane.mark(now).is_none() {
            return;
        }
        if !std::mem::replace(&mut place.has_moved, true) {
            self.moved.push(index);
        }
        let due = lane.mark_due_at(now, interval);
        self.store_at = Some(self.store_at.map_or(due, |at| at.min(due)));
    }

    /// Lanes that wait for nothing but time are looked at again. Those that cannot be written give their memory to those that can.
    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        // What a limit holds back is read and waits for its turn: to read it again would only cost.
        let is_throttled = self.options.throttles.target.is_holding_back(now);
        for index in self.lanes.take_restless() {
            self.lanes.touch(index);
            let lane = &self.lanes[index];
            if lane.is_stuck(now) && (lane.failures > 0 || !is_throttled) && !lane.is_marking() {
                self.lanes[index].let_go(&self.budget);
            }
        }
        self.watch_leaders(Side::Source, now);
        self.watch_leaders(Side::Target, now);
    }

    /// Looks up who leads what, when metadata was read since the last time.
    pub(super) fn look_up_leaders(&mut self) {
        let now = Instant::now();
        for side in [Side::Source, Side::Target] {
            let client = match side {
                Side::Source => self.options.source.clone(),
                Side::Target => self.options.target.clone(),
            };
            let version = Some(client.metadata_version());
            if self.refresh(side).version == version {
                continue;
            }
            let is_checked = side == Side::Source || self.check_target(&client);
            let mut leaderless = None;
            for index in 0..self.lanes.len() {
                let (lane, place) = self.lanes.at(index);
                let (partition, known) = match side {
                    Side::Source => (&lane.source, &mut place.source),
                    Side::Target => (&lane.target, &mut place.target),
                };
                let leader = client.leader(partition);
                if leader.is_none() && leaderless.is_none() && (lane.has_pending() || !lane.is_stopped()) {
                    leaderless = Some(partition.clone());
                }
                let left = side == Side::Source
                    && lane
                        .preferred(now)
                        .is_some_and(|node| !client.is_in_sync(partition, node));
                let is_news = *known != leader;
                *known = leader;
                if left {
                    self.lanes[index].read_from_leader();
                } else if is_news || self.lanes[index].has_preferred() {
                    self.lanes.touch(index);
                }
            }
            let refresh = self.refresh(side);
            refresh.version = version.filter(|_| is_checked);
            refresh.leaderless = leaderless;
        }
    }

    /// A leader that is not known is asked for until it is; the others before what is known of them is too old to count.
    fn watch_leaders(&mut self, side: Side, now: Instant) {
        let max_age = match side {
            Side::Source => self.options.source.options().metadata_max_age,
            Side::Target => self.options.target.options().metadata_max_age,
        };
        let refresh = self.refresh(side);
        if refresh
            .last
            .is_some_and(|last| now.saturating_duration_since(last) >= max_age / 2)
        {
            refresh.wanted = true;
        }
        let Some(partition) = &refresh.leaderless else {
            return;
        };
        let what = format!("{partition} of the {side} has no leader, or is not there");
        refresh.wanted = true;
        // Looked up a moment ago, and still so.
        if refresh.last.is_some() && !refresh.running {
            self.note(what);
        }
    }

    /// Partitions that were read from this broker because it is near are read from their leaders again.
    pub(super) fn leave(&mut self, node: NodeId) {
        let now = Instant::now();
        for index in 0..self.lanes.len() {
            if self.lanes[index].preferred(now) == Some(node) {
                self.lanes[index].read_from_leader();
            }
        }
    }
}
