//! Fetching: one request a source broker at a time, for every partition that has room.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use towpath_domain::state::PartitionState;
use towpath_wire::{Error, FetchAnswer, FetchPartition, FetchRequest, FetchedPartition, NodeId, Retry};

use super::{Chunk, Converted, Event, Side, Task, budget::Share};

/// How long the source may hold a fetch back while other partitions of the same broker wait for room: they must not wait for its answer.
const SHORT_WAIT: Duration = Duration::from_millis(5);

/// Threads that decode and encode batches for no plugin's sake.
const RE_ENCODERS: usize = 2;

// === impl Task ===

impl Task {
    pub(super) fn pump_fetch(&mut self) {
        let now = Instant::now();
        let nodes = self.leaders(Side::Source, |lane| !lane.is_stopped());
        for node in nodes {
            let peer = self.sources.entry(node).or_default();
            if peer.in_flight > 0 || peer.pause_until.is_some_and(|until| until > now) {
                continue;
            }
            match &peer.connection {
                Some(connection) if connection.is_alive() => {
                    let connection = connection.clone();
                    let Some((request, asked)) = self.fetch_request(node, now) else {
                        continue;
                    };
                    if let Some(peer) = self.sources.get_mut(&node) {
                        peer.in_flight = 1;
                    }
                    self.work.push(Box::pin(async move {
                        Event::Fetched(node, asked, connection.fetch(request).await)
                    }));
                }
                _ => self.connect(Side::Source, node, now),
            }
        }
    }

    /// What to ask a broker for; none while nothing may be fetched from it.
    fn fetch_request(&mut self, node: NodeId, now: Instant) -> Option<(FetchRequest, Vec<usize>)> {
        let max_bytes = self.budget.room(self.options.fetch.max_bytes)?;
        let max_bytes = self.options.throttles.source.room(max_bytes, now)?;
        let (mut partitions, mut asked) = (Vec::new(), Vec::new());
        let mut is_held_up = false;
        let peer = self.sources.entry(node).or_default();
        peer.rotation = peer.rotation.wrapping_add(1);
        let (count, rotation) = (self.lanes.len(), peer.rotation);
        for index in (0..count).map(|index| (index + rotation) % count) {
            let lane = &self.lanes[index];
            let Some(leader) = self
                .options
                .source
                .leader(&lane.source)
                .filter(|leader| leader.node == node)
            else {
                continue;
            };
            let has_target = self.options.target.leader(&lane.target).is_some();
            let Some(offset) = lane.next_fetch.filter(|_| has_target && lane.wants_fetch(now)) else {
                is_held_up |= has_target && !lane.is_stopped() && !lane.is_stuck(now) && !lane.is_paused(now);
                continue;
            };
            asked.push(index);
            partitions.push(FetchPartition {
                topic: lane.source.topic.clone(),
                topic_id: lane.topic_id,
                partition: lane.source.partition,
                fetch_offset: offset,
                current_leader_epoch: leader.epoch,
                last_fetched_epoch: lane.fetched_epoch,
                max_bytes: self.options.fetch.max_partition_bytes,
            });
        }
        if partitions.is_empty() {
            return None;
        }
        for index in &asked {
            self.lanes[*index].fetching = true;
        }
        let request = FetchRequest {
            isolation: self.options.isolation,
            max_wait: if is_held_up {
                SHORT_WAIT
            } else {
                self.options.fetch.max_wait
            },
            min_bytes: 1,
            max_bytes: i32::try_from(max_bytes).unwrap_or(i32::MAX),
            partitions,
            rack: None,
        };
        Some((request, asked))
    }

    pub(super) fn fetched(&mut self, node: NodeId, asked: &[usize], result: Result<FetchAnswer, Error>) {
        for index in asked {
            self.lanes[*index].fetching = false;
        }
        if let Some(peer) = self.sources.get_mut(&node) {
            peer.in_flight = 0;
        }
        match result {
            Ok(answer) => {
                let share = self.budget.take(answer.frame_bytes);
                let now = Instant::now();
                self.options.throttles.source.take(answer.frame_bytes, now);
                for partition in answer.partitions {
                    self.fetched_partition(partition, &share);
                }
            }
            Err(error) => self.disconnected(Side::Source, node, &error),
        }
    }

    fn fetched_partition(&mut self, fetched: FetchedPartition, share: &Arc<Share>) {
        let partition = towpath_domain::TopicPartition {
            topic: fetched.topic,
            partition: fetched.partition,
        };
        let Some(&index) = self.by_source.get(&partition) else {
            return;
        };
        let lane = &mut self.lanes[index];
        if lane.is_stopped() || self.draining {
            return;
        }
        let Some(from) = lane.next_fetch else { return };
        if let Some(error) = fetched.error {
            return self.fetch_failed(index, error);
        }
        if let Some(diverging) = fetched.diverging {
            lane.stop(PartitionState::SourceTruncated {
                position: from,
                end: diverging.end_offset,
            });
            return;
        }
        if !lane.has_pending() {
            lane.failures = 0;
        }
        lane.end = Some(match self.options.isolation {
            towpath_wire::Isolation::ReadCommitted => fetched.last_stable_offset,
            towpath_wire::Isolation::ReadUncommitted => fetched.high_watermark,
        });
        if fetched.records.is_empty() {
            return;
        }
        let Some(&target) = self.targets.get(&lane.target.topic) else {
            return;
        };
        let chunk = Chunk {
            source: partition,
            from,
            epoch: lane.fetched_epoch,
            records: fetched.records,
            aborted: fetched.aborted,
            target,
            share: Arc::clone(share),
        };
        if !self.decodes && chunk.is_light() {
            let converted = chunk.convert(None);
            self.converted(index, converted);
        } else {
            lane.converting = true;
            self.chunks.push_back((index, chunk));
        }
    }

    /// Gives waiting chunks to threads: as many as there are instances of the stages, or [`RE_ENCODERS`] when records are only re-encoded.
    pub(super) fn pump_conversions(&mut self) {
        while !self.chunks.is_empty() {
            let mut stages = None;
            if self.decodes {
                stages = self.stages.pop();
                if stages.is_none() {
                    return;
                }
            } else if self.converting >= RE_ENCODERS {
                return;
            }
            let Some((index, chunk)) = self.chunks.pop_front() else {
                return;
            };
            self.converting += 1;
            self.work.push(Box::pin(async move {
                let work = tokio::task::spawn_blocking(move || {
                    let converted = chunk.convert(stages.as_mut());
                    (converted, stages)
                });
                match work.await {
                    Ok((converted, stages)) => Event::Converted(index, converted, stages),
                    // A bug of ours: the task must not go on as if the batch had been mirrored.
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                }
            }));
        }
    }

    pub(super) fn converted(&mut self, index: usize, converted: Converted) {
        self.mirrored.copied += converted.copied;
        self.mirrored.decoded += converted.decoded;
        let lane = &mut self.lanes[index];
        if lane.is_stopped() || self.draining {
            return;
        }
        for prepared in converted.batches {
            lane.push(prepared);
        }
        lane.read_up_to(converted.next, converted.epoch);
        if let Some(state) = converted.stop {
            tracing::error!(connector = self.options.connector, partition = %lane.source, "{state}");
            lane.stop_after_pending(state);
        }
    }

    fn fetch_failed(&mut self, index: usize, error: towpath_wire::KafkaError) {
        let lane = &mut self.lanes[index];
        let partition = lane.source.clone();
        if error == towpath_wire::KafkaError::OFFSET_OUT_OF_RANGE {
            lane.pause(Instant::now());
            self.look_up_bounds(index);
            return;
        }
        let text = format!("fetching {partition}: {error}");
        match towpath_wire::classify(error) {
            Retry::AfterMetadata => {
                lane.pause(Instant::now());
                self.again(Side::Source, text);
            }
            // Permissions are granted while it waits; a damaged log is served again by another replica.
            Retry::Backoff | Retry::Never => {
                lane.pause(Instant::now());
                self.note(text);
            }
        }
    }
}
