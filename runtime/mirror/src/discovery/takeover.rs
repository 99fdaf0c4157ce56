//! Exactly once: where a partition goes on, by what is at the end of the target's log.
//!
//! The row says where batches of the former owner may have come to and what they were; the log says which have. Where the former owner has stopped in
//! peace there is nothing behind the row. A batch that is still on its way is no harm as long as it is what this owner would write: the broker takes it or ours,
//! never both. Of a compacted source, or behind plugins, it may be something else. Then an empty transaction of the bucket's producer shuts out the former
//! owner's epoch first: one offset of the target, which no consumer sees.

pub(super) mod adopting;
pub(crate) mod offline;
mod preserving;
mod surplus;

use std::collections::{BTreeMap, HashMap};

use towpath_domain::{
    Bucket, Buckets, LeaderEpoch, Offset, TopicPartition,
    offset_map::{Runs, SourceAt},
    state::PartitionState,
};
use towpath_wire::{
    Error, Tail,
    positions::{Anchor, Position, Preserved, transactional_id},
};

use super::{Discovery, Ready};
use crate::task::Plan;

/// A partition that this worker has from here on.
pub(super) struct Taken {
    pub plan: Plan,
    pub start: (Offset, LeaderEpoch),
    /// how many of the records that the first one becomes are on the target
    pub skip: u64,
    /// the target offset up to which everything is there; none before the first record
    pub written: Option<Offset>,
    /// the records have the source's offsets on the target
    pub preserved: Option<Preserved>,
    /// a former owner may have batches on their way
    pub is_contested: bool,
}

pub(super) type Outcome = Result<Taken, Wrong>;

/// Why a partition does not go on.
#[derive(Debug)]
pub(super) struct Wrong {
    pub state: PartitionState,
    /// nobody but the connector's own producers has written what is behind the row
    pub is_own: bool,
}

/// A partition to be taken over.
struct Candidate {
    source: TopicPartition,
    place: TopicPartition,
    bucket: Bucket,
    start: (Offset, LeaderEpoch),
    /// the former owner has written something
    has_written: bool,
    /// the former owner's row, when it was exact
    row: Option<(Position, Anchor)>,
    /// where the target's log ends
    end: Offset,
    /// a batch of the former owner that comes late may be another one than ours
    is_unstable: bool,
    /// the records are to have the source's offsets
    preserves: bool,
}

/// What the log says behind a row.
struct Found {
    at: SourceAt,
    runs: Runs,
    end: Offset,
    /// the row's, or behind markers that took offsets without a record
    anchor: Anchor,
    /// a former owner, or this one, has shut out an epoch there
    has_marker: bool,
    /// where offsets are preserved: those that markers have taken, in their order
    marked: Vec<Offset>,
    preserved: Option<Preserved>,
}

// === impl Discovery ===

impl Discovery {
    /// Takes the new partitions over, by source; those whose logs cannot be looked at yet are left out. Nothing when delivery is at least once.
    pub(super) async fn take_over(
        &mut self,
        topics: &[Ready<'_>],
        new: &[Vec<TopicPartition>],
        starts: &HashMap<TopicPartition, (Offset, LeaderEpoch)>,
        ends: &HashMap<TopicPartition, Offset>,
    ) -> Result<HashMap<TopicPartition, Outcome>, Error> {
        let mut taken = HashMap::new();
        let (mut fresh, mut open) = (Vec::new(), Vec::new());
        for ((topic, target, state), new) in topics.iter().zip(new) {
            if self.exact.is_none() || state.is_err() {
                continue;
            }
            for source in new {
                let place = TopicPartition {
                    topic: (*target).clone(),
                    partition: source.partition,
                };
                if self.aborted(topic, source.partition).is_some() {
                    continue;
                }
                let key = (topic.id, source.partition);
                let position = self.stored.get(&key);
                let start = position.map(|position| (position.offset, position.epoch));
                let (Some(start), Some(end)) = (start.or(starts.get(source).copied()), ends.get(&place))
                else {
                    continue;
                };
                let written = self.written_to(key, target);
                let candidate = Candidate {
                    source: source.clone(),
                    place,
                    bucket: Bucket::of(topic.id, source.partition),
                    start,
                    has_written: written.is_some_and(|position| position.target.next.is_some()),
                    row: written.and_then(|position| Some((position.clone(), position.anchor?))),
                    end: *end,
                    is_unstable: self.is_unstable(source),
                    preserves: self.preserves(&source.topic, position),
                };
                match &candidate.row {
                    None if candidate.preserves => fresh.push(candidate),
                    None => drop(taken.insert(source.clone(), Ok(self.begin(&candidate)))),
                    Some(_) => open.push(candidate),
                }
            }
        }
        self.begin_preserving(fresh, &mut taken).await?;
        let open = self.look(open, &mut taken).await;
        let open = self.without_surplus(open, &mut taken).await?;
        let shut_out: Vec<Candidate> = open
            .into_iter()
            .filter_map(|(candidate, found)| {
                if candidate.wants_marker(&found) {
                    return Some(candidate);
                }
                taken.insert(candidate.source.clone(), Ok(candidate.go_on(found)));
                None
            })
            .collect();
        if !shut_out.is_empty() {
            self.shut_out(&shut_out).await?;
            for (candidate, found) in self.look(shut_out, &mut taken).await {
                let outcome = self.begin_behind(&candidate, found);
                taken.insert(candidate.source, Ok(outcome));
            }
        }
        Ok(taken)
    }

    fn is_unstable(&self, source: &TopicPartition) -> bool {
        self.compacted.contains_key(&source.topic)
            || self.exact.as_ref().is_some_and(|exact| exact.has_plugins)
    }

    /// Reads what is behind the rows. What somebody else wrote there stops the partition.
    async fn look(
        &mut self,
        candidates: Vec<Candidate>,
        taken: &mut HashMap<TopicPartition, Outcome>,
    ) -> Vec<(Candidate, Found)> {
        let from: HashMap<TopicPartition, Offset> = candidates
            .iter()
            .filter_map(|candidate| Some((candidate.place.clone(), candidate.written()?)))
            .collect();
        if from.is_empty() {
            return Vec::new();
        }
        let mut tails = self.target.tails(&from).await;
        let mut found = Vec::new();
        for candidate in candidates {
            let tail = match tails.remove(&candidate.place) {
                Some(Ok(tail)) => tail,
                Some(Err(error)) => {
                    self.troubles
                        .push(format!("looking at what is on the target: {error}"));
                    continue;
                }
                None => continue,
            };
            match candidate.read(&tail, &self.producers(candidate.bucket)) {
                Ok(read) => found.push((candidate, read)),
                Err(state) => {
                    let is_own = candidate.is_own(&tail, &self.producers(candidate.bucket));
                    taken.insert(candidate.source, Err(Wrong { state, is_own }));
                }
            }
        }
        found
    }

    /// Of the bucket: those whose markers may be on the target.
    fn producers(&self, bucket: Bucket) -> Vec<i64> {
        let buckets = self.exact.as_ref().map(|exact| &exact.buckets);
        let producer = buckets.and_then(|buckets| buckets.get(&bucket));
        producer.map(|producer| producer.id).into_iter().collect()
    }

    /// Leaves a marker of the bucket's epoch in each of these partitions; the rows are claimed once more, which ends the transactions and gives the epoch that
    /// writes.
    async fn shut_out(&mut self, candidates: &[Candidate]) -> Result<(), Error> {
        let Some(exact) = &mut self.exact else {
            return Ok(());
        };
        let mut by_bucket: BTreeMap<Bucket, Vec<TopicPartition>> = BTreeMap::new();
        for candidate in candidates {
            by_bucket
                .entry(candidate.bucket)
                .or_default()
                .push(candidate.place.clone());
        }
        let claimed: Buckets = by_bucket.keys().copied().collect();
        for (bucket, places) in by_bucket {
            let id = transactional_id(exact.positions.topic().as_str(), &self.connector, bucket);
            let Some(producer) = exact.buckets.get(&bucket).copied() else {
                continue;
            };
            self.target.add_partitions(&id, producer, &places).await?;
            self.target.end_transaction(&id, producer, false).await?;
            tracing::info!(connector = self.connector, partitions = ?places.len(), "late batches of the former owner are shut out");
        }
        let producers = exact.positions.claim(&self.connector, claimed).await?;
        exact.buckets.extend(producers);
        Ok(())
    }

    /// A partition of which nothing is on the target, or not exactly: it begins at the log's end.
    fn begin(&self, candidate: &Candidate) -> Taken {
        self.anchored(candidate, candidate.end, Runs::default(), (candidate.start, 0))
    }

    fn begin_behind(&self, candidate: &Candidate, found: Found) -> Taken {
        let mut runs = found.runs;
        runs.cut(found.end);
        // Said first: what is between it and where the source is read from has no record.
        runs.note(found.at.offset, found.end);
        let start = (candidate.start_at(found.at), found.at.skip);
        self.anchored(candidate, found.end, runs, start)
    }

    fn anchored(
        &self,
        candidate: &Candidate,
        end: Offset,
        mut runs: Runs,
        (start, skip): ((Offset, LeaderEpoch), u64),
    ) -> Taken {
        let exact = self.exact.as_ref().expect("who takes over is exact");
        let producer = exact.buckets[&candidate.bucket];
        let anchor = Anchor {
            producer: producer.id,
            epoch: producer.epoch,
            sequence: 0,
            offset: end,
        };
        runs.note(start.0, end);
        Taken {
            plan: Plan::new(anchor, runs, end, false),
            start,
            skip,
            written: candidate.written_up_to(end),
            preserved: None,
            is_contested: false,
        }
    }
}

// === impl Wrong ===

impl Wrong {
    /// Somebody else has written.
    fn by_others(state: PartitionState) -> Self {
        let is_own = false;
        Self { state, is_own }
    }
}

// === impl Candidate ===

impl Candidate {
    /// The target offset up to which the row says that everything is there.
    fn written(&self) -> Option<Offset> {
        let (row, anchor) = self.row.as_ref()?;
        Some(row.target.next.unwrap_or(anchor.offset))
    }

    fn written_up_to(&self, end: Offset) -> Option<Offset> {
        let has_come = self.row.as_ref().is_some_and(|(_, anchor)| end > anchor.offset);
        (self.has_written || has_come).then_some(end)
    }

    /// Whether the bucket's producers have written all that is behind the row.
    fn is_own(&self, tail: &Tail, producers: &[i64]) -> bool {
        let anchor = self.row.as_ref().map(|(_, anchor)| anchor.producer);
        let mut written = tail.batches.iter();
        written.all(|batch| Some(batch.producer) == anchor || producers.contains(&batch.producer))
    }

    /// What is behind the row, and what it means for the source.
    fn read(&self, tail: &Tail, producers: &[i64]) -> Result<Found, PartitionState> {
        let (row, anchor) = self.row.as_ref().expect("a row is what it was looked at for");
        let written = row.target.next.unwrap_or(anchor.offset);
        let end = tail.end;
        if end < written {
            return Err(PartitionState::TargetDiverged { next: written, end });
        }
        let mut anchor = *anchor;
        let mut runs = row.runs.clone();
        let mut has_marker = false;
        let mut marked = Vec::new();
        if row.transactional && tail.batches.first().map_or(end, |first| first.first) > written {
            // Deleted, and with it what was committed and what was not.
            return Err(PartitionState::SecondWriter { offset: written });
        }
        // Records of a transaction count when a marker behind them says so; where none of ours belong they must not.
        let (mut undecided, mut unknown) = (None, None);
        let mut reckoned = anchor;
        for batch in &tail.batches {
            let is_marker = batch.is_control
                && (batch.producer == anchor.producer || producers.contains(&batch.producer));
            let is_ours = is_marker || reckoned.fits(batch);
            let may_be_void =
                !self.preserves && batch.is_transactional && batch.producer == reckoned.producer;
            if !is_ours && (batch.is_control || !may_be_void) {
                return Err(PartitionState::SecondWriter { offset: batch.first });
            }
            if !is_ours {
                unknown = Some(batch.first);
            }
            if is_marker {
                reckoned = preserving::behind(reckoned, batch);
            }
            if is_marker && self.preserves {
                anchor = reckoned;
                marked.push(batch.first);
            } else if is_marker {
                if let Some(offset) = unknown.take().filter(|_| batch.is_commit) {
                    return Err(PartitionState::SecondWriter { offset });
                }
                let void = undecided.take().filter(|_| !batch.is_commit);
                let counts = void.unwrap_or(batch.first);
                // Where there is a hole at this place, its offsets go behind the marker too.
                let next = runs.first_behind(counts).unwrap_or(row.offset);
                runs.cut(counts);
                runs.note(next, batch.next);
                has_marker = true;
            } else if batch.is_transactional {
                undecided.get_or_insert(batch.first);
                // Nobody can add to it or end it any more: a marker does.
                has_marker = true;
            }
        }
        let at = source_at(&runs, undecided.unwrap_or(end), row);
        Ok(Found {
            preserved: preserving::of(self.preserves, row, at, end)?,
            at,
            runs,
            anchor,
            end,
            has_marker,
            marked,
        })
    }

    /// A record that became several and is there in part goes on as it began: behind a marker its records could not be told apart.
    fn wants_marker(&self, found: &Found) -> bool {
        let is_open = self.row.as_ref().is_some_and(|(row, _)| row.open);
        !self.preserves && (found.has_marker || (is_open && self.is_unstable && found.at.skip == 0))
    }

    fn go_on(&self, found: Found) -> Taken {
        let (row, anchor) = self.row.as_ref().expect("a row is what goes on");
        if let Some(preserved) = found.preserved {
            return self.go_on_preserving(found, preserved);
        }
        Taken {
            start: self.start_at(found.at),
            skip: found.at.skip,
            written: self.written_up_to(found.end),
            // Before the first batch the row must say that some may be on their way.
            plan: Plan::new(*anchor, found.runs, found.end, row.open),
            preserved: None,
            is_contested: row.open,
        }
    }

    /// Offset and epoch are of one place: elsewhere than at the row's the epoch is not known.
    fn start_at(&self, at: SourceAt) -> (Offset, LeaderEpoch) {
        let (offset, epoch) = self.start;
        // Behind what was read there may be offsets without records: the row has passed them.
        if at.skip == 0 && at.offset <= offset {
            return (offset, epoch);
        }
        (at.offset, LeaderEpoch(-1))
    }
}

fn source_at(runs: &Runs, target: Offset, row: &Position) -> SourceAt {
    runs.source_at(target).unwrap_or(SourceAt {
        offset: row.offset,
        skip: 0,
    })
}

#[cfg(test)]
mod tests;
