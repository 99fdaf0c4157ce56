//! Compacted sources: where their logs end is looked at again and again, so that it is known how far behind a lane is in time, and what compaction took meanwhile
//! is not passed in silence where it may have been a tombstone. What is read tells of most holes; one that goes to the log's end is looked for.

use std::{
    collections::HashMap,
    time::{Duration, Instant, SystemTime},
};

use towpath_domain::{LeaderEpoch, Offset, TopicId, TopicPartition};
use towpath_wire::{
    Client, Error, FetchOptions, FetchPartition, Isolation, OffsetSpec,
    batch::{self, batches},
};

use super::{Event, Task, convert::first_hole};

/// So often in `delete.retention.ms`.
const LOOKS: u32 = 16;
const LONGEST_INTERVAL: Duration = Duration::from_secs(600);
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

/// A lane whose log's end is looked at.
pub(super) struct Watched {
    lane: usize,
    partition: TopicPartition,
    topic_id: TopicId,
    /// where it reads on, when a hole there may hide a tombstone
    looks_from: Option<Offset>,
}

/// What was found of a lane.
pub(super) struct Found {
    lane: usize,
    partition: TopicPartition,
    end: Offset,
    /// where it reads on, and the first offset from there on that has no record
    hole: Option<(Offset, Offset)>,
}

/// When that was, ms since 1970, and what was found.
pub(super) type Ends = (i64, Result<Vec<Found>, Error>);

// === impl Task ===

impl Task {
    pub(super) fn pump_tombstones(&mut self) {
        let now = Instant::now();
        let is_soon = self.see_ends_at.is_some_and(|at| at > now);
        if self.seeing_ends || self.draining || is_soon {
            return;
        }
        let at = since_1970();
        let mut interval = LONGEST_INTERVAL;
        let mut watched = Vec::new();
        for (index, lane) in self.lanes.iter().enumerate() {
            let Some(kept) = lane.tombstones_kept() else {
                continue;
            };
            if lane.is_stopped() || lane.is_closing() {
                continue;
            }
            interval = interval.min(kept / LOOKS).max(LEAST_INTERVAL);
            watched.push(Watched {
                lane: index,
                partition: lane.source.clone(),
                topic_id: lane.topic_id,
                looks_from: lane.next_fetch.filter(|from| lane.stale(*from, at).is_some()),
            });
        }
        self.see_ends_at = Some(now + interval);
        if watched.is_empty() {
            return;
        }
        self.seeing_ends = true;
        let (source, isolation) = (self.options.source.clone(), self.options.isolation);
        self.work.push(Box::pin(async move {
            Event::Ends((at, look(&source, isolation, watched).await))
        }));
    }

    pub(super) fn saw_ends(&mut self, (at, found): Ends) {
        self.seeing_ends = false;
        let found = match found {
            Ok(found) => found,
            Err(error) => return self.note(format!("looking at the ends of compacted topics: {error}")),
        };
        for Found {
            lane: index,
            partition,
            end,
            hole,
        } in found
        {
            let (lane, _) = self.lanes.at(index);
            if lane.source != partition || lane.is_stopped() || lane.is_closing() {
                continue;
            }
            if self.lanes.looked_at(index).sees_log_end((end, at)) {
                self.lanes.touch(index);
            }
            let (lane, _) = self.lanes.at(index);
            let Some((from, hole)) =
                hole.filter(|(from, _)| lane.next_fetch == Some(*from) && !lane.converting)
            else {
                continue;
            };
            if let Some(stale) = lane.stale(from, at) {
                let state = stale.missed(from, hole);
                tracing::error!(connector = self.options.connector, %partition, "{state}");
                self.lanes[index].stop_after_pending(state);
            }
        }
    }
}

/// Where these logs end, for readers of committed records: the cleaner does not come to what is behind an open transaction.
async fn look(source: &Client, isolation: Isolation, watched: Vec<Watched>) -> Result<Vec<Found>, Error> {
    let partitions: Vec<TopicPartition> = watched.iter().map(|watched| watched.partition.clone()).collect();
    let listed = source
        .list_offsets(&partitions, OffsetSpec::Latest, Isolation::ReadCommitted)
        .await?;
    let ends: HashMap<&TopicPartition, Offset> = listed
        .iter()
        .filter_map(|(partition, listed)| Some((partition, listed.as_ref().ok()?.offset)))
        .collect();
    let mut found = Vec::new();
    for watched in watched {
        let Some(&end) = ends.get(&watched.partition) else {
            continue;
        };
        let hole = match watched.looks_from.filter(|from| *from < end) {
            Some(from) => hole_at(source, isolation, &watched, from).await?,
            None => None,
        };
        found.push(Found {
            lane: watched.lane,
            partition: watched.partition,
            end,
            hole,
        });
    }
    Ok(found)
}

/// Looks at what comes next, a batch or nothing up to the log's end: not all holes have something behind them.
async fn hole_at(
    source: &Client,
    isolation: Isolation,
    watched: &Watched,
    from: Offset,
) -> Result<Option<(Offset, Offset)>, Error> {
    let Some(leader) = source.leader(&watched.partition) else {
        return Ok(None);
    };
    let connection = source.open(leader.node, "tombstones").await?;
    let options = FetchOptions {
        isolation,
        max_wait: Duration::ZERO,
        min_bytes: 0,
        max_bytes: 1,
        rack: None,
    };
    let asked = FetchPartition {
        topic: watched.partition.topic.clone(),
        topic_id: watched.topic_id,
        partition: watched.partition.partition,
        fetch_offset: from,
        current_leader_epoch: leader.epoch,
        last_fetched_epoch: LeaderEpoch(-1),
        max_bytes: 1,
    };
    let answer = connection.fetch(options, &[asked]).await?;
    let Some(fetched) = answer
        .partitions
        .into_iter()
        .next()
        .filter(|fetched| fetched.error.is_none())
    else {
        // Whatever it is, the lane meets it too.
        return Ok(None);
    };
    let end = match isolation {
        Isolation::ReadCommitted => fetched.last_stable_offset,
        Isolation::ReadUncommitted => fetched.high_watermark,
    };
    let is_empty = fetched.records.is_empty();
    let first = batches(fetched.records).find(|piece| match piece {
        Ok(piece) => piece.next_offset() > from,
        Err(_) => true,
    });
    let hole: Result<_, batch::Error> = match first {
        Some(piece) => piece.and_then(|piece| first_hole(&piece, from)),
        None => Ok((is_empty && from < end).then_some(from)),
    };
    // What is damaged is told by the lane.
    Ok(hole.ok().flatten().map(|hole| (from, hole)))
}

/// ms
pub(crate) fn since_1970() -> i64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
