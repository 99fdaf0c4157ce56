//! What a task does when something is not as it was: leaders, connections, topics, limits.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use towpath_domain::{Offset, TopicPartition, state::PartitionState};
use towpath_wire::{
    Backoff, Connection, Error, Isolation, KafkaError, ListedOffset, NodeId, OffsetSpec, Topics, batch,
};

use super::{Event, Peer, REFRESH_PAUSE, Side, Task, lane::Failure};
use crate::targets;

const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

// === impl Task ===

impl Task {
    pub(super) fn peer(&mut self, side: Side, node: NodeId) -> &mut Peer {
        match side {
            Side::Source => &mut self.sources.entry(node).or_default().peer,
            Side::Target => &mut self.producers.entry(node).or_default().peer,
        }
    }

    pub(super) fn connect(&mut self, side: Side, node: NodeId, now: Instant) {
        let peer = self.peer(side, node);
        if peer.connecting || peer.is_paused(now) {
            return;
        }
        peer.connecting = true;
        peer.connection = None;
        let client = match side {
            Side::Source => self.options.source.clone(),
            Side::Target => self.options.target.clone(),
        };
        self.work.push(Box::pin(async move {
            match side {
                Side::Source => Event::SourceOpened(node, client.open(node, "fetch").await),
                Side::Target => Event::TargetOpened(node, client.open(node, "produce").await),
            }
        }));
    }

    pub(super) fn opened(&mut self, side: Side, node: NodeId, result: Result<Connection, Error>) {
        let peer = self.peer(side, node);
        peer.connecting = false;
        match result {
            Ok(connection) => {
                peer.connection = Some(connection);
                peer.backoff = None;
                if side == Side::Source {
                    self.sources.entry(node).or_default().session.restart();
                }
            }
            Err(error) => self.disconnected(side, node, &error),
        }
    }

    /// A connection broke: what was on it has failed already. Another one is opened after a pause, perhaps to another broker.
    pub(super) fn disconnected(&mut self, side: Side, node: NodeId, error: &Error) {
        let backoff = match side {
            Side::Source => Backoff::new(self.options.source.options()),
            Side::Target => Backoff::new(self.options.target.options()),
        };
        let peer = self.peer(side, node);
        if peer.alive().is_none() {
            peer.connection = None;
        }
        // The requests of one broken connection all fail, and are one failure.
        let now = Instant::now();
        if !peer.is_paused(now) {
            peer.pause_until = Some(now + peer.backoff.get_or_insert(backoff).next());
        }
        if side == Side::Source {
            self.leave(node);
        }
        self.again(side, error.to_string());
    }

    /// Asks for metadata soon, and says why.
    pub(super) fn again(&mut self, side: Side, why: String) {
        self.note(why);
        self.refresh(side).wanted = true;
    }

    pub(super) fn refresh(&mut self, side: Side) -> &mut super::Refresh {
        match side {
            Side::Source => &mut self.source_refresh,
            Side::Target => &mut self.target_refresh,
        }
    }

    pub(super) fn pump_refresh(&mut self) {
        let now = Instant::now();
        for side in [Side::Source, Side::Target] {
            let refresh = self.refresh(side);
            let is_soon = refresh
                .last
                .is_some_and(|last| now.saturating_duration_since(last) < REFRESH_PAUSE);
            if !refresh.wanted || refresh.running || is_soon {
                continue;
            }
            refresh.wanted = false;
            refresh.running = true;
            refresh.last = Some(now);
            let mut names: Vec<_> = self
                .lanes
                .iter()
                .map(|lane| match side {
                    Side::Source => lane.source.topic.clone(),
                    Side::Target => lane.target.topic.clone(),
                })
                .collect();
            if side == Side::Target {
                names.push(self.options.positions.topic().clone());
            }
            names.sort();
            names.dedup();
            let client = match side {
                Side::Source => self.options.source.clone(),
                Side::Target => self.options.target.clone(),
            };
            self.work.push(Box::pin(async move {
                let result = client.metadata(Topics::Names(names)).await;
                match side {
                    Side::Source => Event::SourceRefreshed(result),
                    Side::Target => Event::TargetRefreshed(result),
                }
            }));
        }
    }

    /// Deals with a lane whose answers are all in, one of them not good.
    pub(super) fn settle(&mut self, index: usize) {
        if let Some(failure) = self.lanes[index].settle() {
            self.fail(index, failure);
        }
    }

    /// Deals with the failure of a lane that has nothing on the wire.
    pub(super) fn fail(&mut self, index: usize, failure: Failure) {
        if self.lanes[index].is_closing() || self.lanes[index].has_lost_its_target() {
            self.lanes[index].abandon();
            return;
        }
        let lane = &mut self.lanes[index];
        lane.heard(&failure);
        let failure = match failure {
            Failure::Unexplained(why) if lane.may_pass(Instant::now()) => Failure::Retry(why),
            failure => failure,
        };
        match failure {
            Failure::Retry(why) | Failure::Identity(why) if lane.exact.is_some() => {
                let text = format!("producing to {}: {why}", lane.target);
                self.locate(index);
                self.again(Side::Target, text);
            }
            Failure::Retry(why) => {
                lane.pause(Instant::now());
                let text = format!("producing to {}: {why}", lane.target);
                self.again(Side::Target, text);
            }
            Failure::Identity(why) => {
                lane.identity = None;
                lane.pause(Instant::now());
                let text = format!(
                    "producing to {}: {why}; going on as another producer",
                    lane.target
                );
                self.note(text);
            }
            Failure::TooLarge => {
                let client = self.options.target.clone();
                let topic = lane.target.topic.clone();
                lane.splitting = true;
                self.work.push(Box::pin(async move {
                    let found = targets::look(&client, std::slice::from_ref(&topic)).await;
                    Event::Limits(
                        index,
                        found.map(|mut found| {
                            found
                                .remove(&topic)
                                .and_then(Result::ok)
                                .map(|target| target.batches)
                        }),
                    )
                }));
            }
            Failure::Unexplained(error) | Failure::Refused(error) => {
                let offset = lane.first_offset().unwrap_or(Offset(-1));
                let remedy = format!(
                    "see what the target's broker says of topic {}, mend it, and restart the task",
                    lane.target.topic
                );
                lane.stop(PartitionState::TargetRefuses {
                    offset,
                    error,
                    remedy,
                });
                tracing::error!(partition = %lane.source, "{}", lane.state);
            }
        }
    }

    /// The target takes less than was known: the first batch of the lane is split.
    pub(super) fn limits(&mut self, index: usize, result: Result<Option<batch::Target>, Error>) {
        let lane = &mut self.lanes[index];
        lane.splitting = false;
        let limit = match result {
            Ok(Some(target)) => {
                self.targets.insert(lane.target.topic.clone(), target);
                target.max_message_bytes
            }
            Ok(None) => return lane.pause(Instant::now()),
            Err(error) => {
                lane.pause(Instant::now());
                return self.again(Side::Target, error.to_string());
            }
        };
        let Some(first) = lane.take_first() else { return };
        // A batch within the limit that was refused all the same meets one that this client cannot see: half of it is tried.
        match first.split(limit.min(first.outgoing.size().saturating_sub(1))) {
            Ok(parts) => lane.put_first(parts),
            Err(state) => {
                lane.stop(state);
                tracing::error!(partition = %lane.source, "{}", lane.state);
            }
        }
    }

    /// The source says that an offset is out of its log: how far is the log?
    pub(super) fn look_up_bounds(&mut self, index: usize) {
        if std::mem::replace(&mut self.lanes[index].looking_up, true) {
            return;
        }
        let client = self.options.source.clone();
        let partition = self.lanes[index].source.clone();
        self.work.push(Box::pin(async move {
            let one = std::slice::from_ref(&partition);
            let start = client.list_offsets(one, OffsetSpec::Earliest, Isolation::ReadUncommitted);
            let end = client.list_offsets(one, OffsetSpec::Latest, Isolation::ReadUncommitted);
            let bounds = match futures::try_join!(start, end) {
                Ok((start, end)) => {
                    listed(&start, &partition).and_then(|start| Ok((start, listed(&end, &partition)?)))
                }
                Err(error) => Err(error.to_string()),
            };
            Event::Bounds(index, bounds)
        }));
    }

    pub(super) fn bounds(&mut self, index: usize, result: Result<(Offset, Offset), String>) {
        self.lanes[index].looking_up = false;
        let (start, end) = match result {
            Ok(bounds) => bounds,
            Err(error) => return self.again(Side::Source, error),
        };
        let lane = &mut self.lanes[index];
        let Some(position) = lane.next_fetch.filter(|_| !lane.is_stopped()) else {
            return;
        };
        let state = if position < start {
            PartitionState::DataLoss {
                from: position,
                to: start,
            }
        } else if position > end {
            PartitionState::SourceTruncated { position, end }
        } else {
            let what = format!(
                "{}: the source refuses offset {position}, though its log has {start} to {end}",
                lane.source
            );
            return self.note(what);
        };
        tracing::error!(partition = %lane.source, "{state}");
        lane.stop_after_pending(state);
    }
}

fn listed(
    answer: &HashMap<TopicPartition, Result<ListedOffset, KafkaError>>,
    partition: &TopicPartition,
) -> Result<Offset, String> {
    match answer.get(partition) {
        Some(Ok(listed)) => Ok(listed.offset),
        Some(Err(error)) => Err(format!("listing offsets of {partition}: {error}")),
        None => Err(format!("listing offsets of {partition}: no answer")),
    }
}

/// 100 ms, doubled with each failure, at most 2 s.
pub(super) fn pause(failures: u32) -> Duration {
    PAUSE.saturating_mul(1 << failures.min(5)).min(LONGEST_PAUSE)
}
