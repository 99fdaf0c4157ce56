//! Fetching: one request a source broker at a time, in a session, for every partition that has room.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use towpath_domain::state::PartitionState;
use towpath_wire::{
    Error, FetchAnswer, FetchOptions, FetchedPartition, KafkaError, NodeId, Operation, Retry,
};

use super::{Chunk, Converted, Event, Side, Task, budget::Share, tombstones::since_1970};

/// How long the source may hold a fetch back while other partitions of the same broker wait for room: they must not wait for its answer.
const SHORT_WAIT: Duration = Duration::from_millis(5);

/// Threads that decode and encode batches for no plugin's sake.
const RE_ENCODERS: usize = 2;

/// After so many refusals by followers without a record in between the status tells of them.
const REFUSALS_TOLD: u32 = 3;

// === impl Task ===

impl Task {
    pub(super) fn pump_fetch(&mut self) {
        let now = Instant::now();
        let nodes: Vec<NodeId> = self
            .sources
            .iter()
            .filter(|(_, broker)| !broker.session.is_empty() && broker.peer.in_flight == 0)
            .map(|(node, _)| *node)
            .collect();
        for node in nodes {
            let Some(broker) = self.sources.get_mut(&node) else {
                continue;
            };
            if broker.peer.is_paused(now) {
                continue;
            }
            let Some(connection) = broker.peer.alive() else {
                self.connect(Side::Source, node, now);
                continue;
            };
            let room = self.budget.room(self.options.fetch.max_bytes);
            let Some(max_bytes) = room.and_then(|room| self.options.throttles.source.room(room, now)) else {
                return;
            };
            let options = FetchOptions {
                isolation: self.options.isolation,
                max_wait: match broker.held_up {
                    0 => self.options.fetch.max_wait,
                    _ => SHORT_WAIT,
                },
                min_bytes: 1,
                max_bytes: i32::try_from(max_bytes).unwrap_or(i32::MAX),
                rack: self.options.rack.clone(),
            };
            broker.peer.in_flight = 1;
            let fetch = broker.session.fetch(&connection, options);
            self.work
                .push(Box::pin(async move { Event::Fetched(node, fetch.await) }));
        }
    }

    pub(super) fn fetched(&mut self, node: NodeId, result: Result<FetchAnswer, Error>) {
        let broker = self.sources.entry(node).or_default();
        broker.peer.in_flight = 0;
        match broker.session.take(result) {
            Ok(Some(answer)) => {
                let share = self.budget.take(answer.frame_bytes);
                let now = Instant::now();
                self.options.throttles.source.take(answer.frame_bytes, now);
                for partition in answer.partitions {
                    self.fetched_partition(node, partition, &share);
                }
            }
            Ok(None) => {}
            Err(error) => self.disconnected(Side::Source, node, &error),
        }
    }

    fn fetched_partition(&mut self, node: NodeId, fetched: FetchedPartition, share: &Arc<Share>) {
        let partition = towpath_domain::TopicPartition {
            topic: fetched.topic.clone(),
            partition: fetched.partition,
        };
        let Some(&index) = self.by_source.get(&partition) else {
            return;
        };
        let asked = self
            .sources
            .get(&node)
            .and_then(|broker| broker.session.asked(&partition));
        let (lane, place) = self.lanes.at(index);
        if lane.is_stopped() || lane.converting || lane.is_closing() {
            return;
        }
        let Some(from) = lane.next_fetch else { return };
        if asked != Some(from) {
            // It is read from elsewhere by now: what came is not what comes next.
            return;
        }
        if place.source.is_some_and(|leader| leader.node != node)
            && self.fetched_from_follower(index, node, &fetched)
        {
            return;
        }
        let lane = &mut self.lanes[index];
        if let Some(error) = fetched.error {
            return self.fetch_failed(index, error);
        }
        if let Some(preferred) = fetched.preferred_read_replica {
            lane.read_from(
                preferred,
                Instant::now() + self.options.source.options().metadata_max_age,
            );
            return;
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
        if self.options.isolation == towpath_wire::Isolation::ReadCommitted {
            let ends = (fetched.last_stable_offset, fetched.high_watermark);
            lane.sees_ends(ends, fetched.records.is_empty(), Instant::now());
        }
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
            skip: lane.skip,
            stale: lane.stale(from, since_1970()),
            preserves: lane.preserved().is_some(),
            target_topic: lane.target.topic.clone(),
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

    /// Whether a follower's answer sends the partition back to its leader. A follower may be behind, or not in sync: what it says of the log's
    /// ends and epochs is no verdict, and only the leader is asked for one.
    fn fetched_from_follower(&mut self, index: usize, node: NodeId, fetched: &FetchedPartition) -> bool {
        let what = match (fetched.error, fetched.diverging) {
            (Some(error), _) => error.to_string(),
            (None, Some(_)) => "its log has parted from what was read".to_owned(),
            (None, None) => return false,
        };
        let lane = &mut self.lanes[index];
        tracing::debug!(partition = %lane.source, %node, what, "reading from the leader again");
        lane.read_from_leader();
        lane.pause(Instant::now());
        // Once is how followers are. When the leader names the same one again and again, somebody should know.
        if lane.failures >= REFUSALS_TOLD {
            let partition = &lane.source;
            let again = format!(
                "fetching {partition} from node {node}, which its leader names as the replica in this rack: {what}; \
                 look at that broker, or remove source.consumer.client.rack"
            );
            self.note(again);
        }
        if fetched
            .error
            .is_some_and(|error| towpath_wire::classify(error) == Retry::AfterMetadata)
        {
            self.refresh(Side::Source).wanted = true;
        }
        true
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
        self.mirrored.skipped += converted.skipped;
        let lane = &mut self.lanes[index];
        if lane.is_stopped() || lane.is_closing() {
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
        let text = match error {
            KafkaError::TOPIC_AUTHORIZATION_FAILED => {
                let missing = self.options.source.not_allowed(Operation::Read, &partition.topic);
                format!("fetching {partition}: {missing}")
            }
            error => format!("fetching {partition}: {error}"),
        };
        match towpath_wire::classify(error) {
            Retry::AfterMetadata => {
                lane.pause(Instant::now());
                self.again(Side::Source, text);
            }
            // Permissions are granted while it waits; a damaged log is served again by another replica.
            Retry::Backoff | Retry::WhenMended | Retry::Never => {
                lane.pause(Instant::now());
                self.note(text);
            }
        }
    }
}
