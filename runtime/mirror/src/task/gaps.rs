//! Offsets without a record on the target, where offsets are preserved: filled or marked, and only then is written behind them.

use std::{collections::HashMap, time::Instant};

use towpath_domain::{Bucket, Offset, TopicPartition, state::PartitionState};
use towpath_wire::{Error, ProducerId, Tail, batch::Outgoing, positions::Hole};

use super::{Event, Task, lane::Gap};

/// Most offsets of a batch of filler: of the sizes that a broker takes by default, the one that costs it the least.
const FILLER: i32 = 100_000;

/// A lane, and which offsets of it are taken by markers.
type Marking = (usize, (Offset, Offset));

/// What has become of the offsets of some lanes: who has the markers, and what the target has where they belong.
type Outcome = Result<(ProducerId, HashMap<TopicPartition, Result<Tail, Error>>), Error>;

/// Markers of one bucket.
pub(super) struct Marked {
    bucket: Bucket,
    lanes: Vec<Marking>,
    outcome: Outcome,
}

// === impl Task ===

impl Task {
    pub(super) fn pump_gaps(&mut self) {
        let now = Instant::now();
        let mut by_bucket: HashMap<Bucket, Vec<Marking>> = HashMap::new();
        for index in std::mem::take(&mut self.gapped) {
            let (lane, _) = self.lanes.at(index);
            match lane.gap(now) {
                _ if self.draining => {}
                None => {}
                Some(Gap::Start { from, to }) => self.fill(index, (from, to)),
                Some(Gap::Middle { from, to }) => {
                    let bucket = Bucket::of(lane.topic_id, lane.source.partition);
                    if self.marking.contains(&bucket) {
                        // Looked at again when the bucket's turn has come.
                        self.waiting.push(index);
                        continue;
                    }
                    if let Some(exact) = &mut self.lanes[index].exact {
                        exact.marking = true;
                        by_bucket.entry(bucket).or_default().push((index, (from, to)));
                    }
                }
            }
        }
        for (bucket, lanes) in by_bucket {
            self.mark(bucket, lanes);
        }
    }

    /// The next batch of filler.
    fn fill(&mut self, index: usize, (from, to): (Offset, Offset)) {
        let lane = &mut self.lanes[index];
        if lane.preserved().is_some_and(|preserved| preserved.begins < to) {
            self.options.withheld.fills(&lane.target);
            return lane.begins_at(from, to);
        }
        let limit = self.targets.get(&lane.target.topic);
        // It never has more bytes than offsets.
        let most = limit.map_or(FILLER, |limit| {
            FILLER.min(i32::try_from(limit.max_message_bytes).unwrap_or(FILLER))
        });
        let records = i32::try_from(to.0 - from.0).unwrap_or(most).min(most);
        let filler = match &self.filler {
            Some(filler) if filler.records() == records => filler.moved_to(from),
            _ => match Outgoing::filler(records) {
                Ok(filler) => {
                    self.filler = Some(filler.clone());
                    filler.moved_to(from)
                }
                Err(error) => {
                    let what = format!("filling {}: {error}", self.lanes[index].target);
                    return self.note(what);
                }
            },
        };
        let share = self.budget.take_own(filler.size());
        self.lanes[index].fill(filler, share);
    }

    fn mark(&mut self, bucket: Bucket, lanes: Vec<Marking>) {
        self.marking.insert(bucket);
        let holes: Vec<Hole> = lanes
            .iter()
            .map(|(index, (from, to))| Hole {
                partition: self.lanes[*index].target.clone(),
                from: (!self.lanes[*index].is_marked_in_part()).then_some(*from),
                to: *to,
            })
            .collect();
        let from: HashMap<TopicPartition, Offset> = lanes
            .iter()
            .map(|(index, (from, _))| (self.lanes[*index].target.clone(), *from))
            .collect();
        let positions = std::sync::Arc::clone(&self.options.positions);
        let client = self.options.target.clone();
        let connector = self.options.connector.clone();
        self.work.push(Box::pin(async move {
            let outcome = match positions.mark(&connector, bucket, &holes).await {
                Ok(producer) => Ok((producer, client.tails(&from).await)),
                Err(error) => Err(error),
            };
            Event::Marked(Marked {
                bucket,
                lanes,
                outcome,
            })
        }));
    }

    pub(super) fn marked(&mut self, marked: Marked) {
        let Marked {
            bucket,
            lanes,
            outcome,
        } = marked;
        self.marking.remove(&bucket);
        for index in std::mem::take(&mut self.waiting) {
            self.lanes.touch(index);
        }
        for (index, _) in &lanes {
            if let Some(exact) = &mut self.lanes[*index].exact {
                exact.marking = false;
            }
        }
        let (producer, mut tails) = match outcome {
            Ok(outcome) => outcome,
            Err(error) if error.is_fenced() => return self.fenced(),
            Err(error) => {
                for (index, _) in &lanes {
                    self.lanes[*index].not_marked(Instant::now());
                }
                return self.note(format!("taking offsets without a record: {error}"));
            }
        };
        for (index, range) in lanes {
            let lane = &mut self.lanes[index];
            if lane.has_lost_its_target() {
                continue;
            }
            match tails.remove(&lane.target) {
                Some(Ok(tail)) => match check(&tail, producer, range.1) {
                    Ok(()) => lane.marked(producer, range),
                    Err(state) => {
                        lane.stop(state);
                        tracing::error!(partition = %lane.source, "{}", lane.state);
                    }
                },
                Some(Err(error)) => {
                    lane.not_marked(Instant::now());
                    self.note(format!("looking at offsets without a record: {error}"));
                }
                None => lane.not_marked(Instant::now()),
            }
        }
    }
}

/// All that is there are markers of ours, and they end where the next record has its place.
fn check(tail: &Tail, producer: ProducerId, to: Offset) -> Result<(), PartitionState> {
    for batch in &tail.batches {
        if !batch.is_control || batch.producer != producer.id {
            return Err(PartitionState::SecondWriter { offset: batch.first });
        }
        if batch.epoch > producer.epoch {
            return Err(PartitionState::Fenced);
        }
    }
    if tail.end == to {
        Ok(())
    } else {
        Err(PartitionState::SecondWriter {
            offset: tail.end.min(to),
        })
    }
}
