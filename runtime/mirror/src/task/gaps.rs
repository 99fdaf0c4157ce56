//! Offsets without a record on the target, where offsets are preserved: filled or marked, and only then is written behind them.

use std::{collections::HashMap, time::Instant};

use towpath_domain::{Bucket, Offset, TopicPartition, state::PartitionState};
use towpath_wire::{Error, ProducerId, Tail, TailBatch, batch::Outgoing, positions::Hole};

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
                    let bucket = lane.bucket();
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
                from: *from,
                to: *to,
                is_untouched: !self.lanes[*index].is_marked_in_part(),
            })
            .collect();
        // With the end of what is before: a log that has lost it would have markers there.
        let from: HashMap<TopicPartition, Offset> = lanes
            .iter()
            .map(|(index, (from, _))| (self.lanes[*index].target.clone(), Offset((from.0 - 1).max(0))))
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
            Err(error) if error.is_fenced() => return self.fenced(bucket.into()),
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
                Some(Ok(tail)) => match check(&tail, producer, range, lane.record_before(range.0)) {
                    Ok(true) => lane.marked(producer, range),
                    Ok(false) => lane.not_marked(Instant::now()),
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

/// Whether all that is there are markers of ours, up to where the next record has its place. `before`: whose record is before them.
fn check(
    tail: &Tail,
    producer: ProducerId,
    (from, to): (Offset, Offset),
    before: Option<i64>,
) -> Result<bool, PartitionState> {
    if tail.end < from {
        return Err(PartitionState::TargetDiverged {
            next: from,
            end: tail.end,
        });
    }
    let is_before = |batch: &&TailBatch| batch.next <= from;
    let (ours, markers): (Vec<&TailBatch>, Vec<&TailBatch>) = tail.batches.iter().partition(is_before);
    if let (Some(batch), Some(before)) = (ours.last(), before)
        && (batch.is_control || batch.producer != before)
    {
        return Err(PartitionState::TargetDiverged {
            next: from,
            end: batch.first,
        });
    }
    for batch in markers {
        // Whoever has the bucket now has gone on behind them.
        if batch.first >= to && batch.producer == producer.id && !batch.is_control {
            return Err(PartitionState::Fenced);
        }
        if !batch.is_control || batch.producer != producer.id {
            return Err(PartitionState::SecondWriter { offset: batch.first });
        }
        if batch.epoch > producer.epoch {
            return Err(PartitionState::Fenced);
        }
    }
    if tail.end > to {
        return Err(PartitionState::SecondWriter { offset: to });
    }
    Ok(tail.end == to)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: ProducerId = ProducerId { id: 9, epoch: 2 };

    /// What follows 100: each one offset, by producer, epoch, and whether it is a marker.
    fn found(batches: &[(i64, i16, bool)], before: Option<i64>) -> Result<bool, PartitionState> {
        let batches: Vec<TailBatch> = (99..)
            .zip(batches)
            .map(|(first, &(producer, epoch, is_control))| TailBatch {
                first: Offset(first),
                next: Offset(first + 1),
                producer,
                epoch,
                sequence: -1,
                is_control,
                is_transactional: is_control,
                is_commit: is_control,
            })
            .collect();
        let end = Offset(99 + batches.len() as i64);
        check(&Tail { end, batches }, OWN, (Offset(100), Offset(102)), before)
    }

    #[test]
    fn a_gap_is_taken_when_all_in_it_are_markers_of_ours() {
        const RECORD: (i64, i16, bool) = (9, 2, false);
        const MARKER: (i64, i16, bool) = (9, 2, true);
        assert_eq!(found(&[RECORD, MARKER, MARKER], Some(9)), Ok(true));
        assert_eq!(found(&[MARKER, MARKER, MARKER], None), Ok(true));
        assert_eq!(found(&[RECORD, MARKER], Some(9)), Ok(false), "one is missing");
        let foreign = |offset| {
            Err(PartitionState::SecondWriter {
                offset: Offset(offset),
            })
        };
        assert_eq!(found(&[RECORD, MARKER, (7, 0, false)], Some(9)), foreign(101));
        assert_eq!(found(&[RECORD, (7, 0, true), MARKER], Some(9)), foreign(100));
        assert_eq!(found(&[RECORD, MARKER, MARKER, MARKER], Some(9)), foreign(102));
        assert_eq!(
            found(&[RECORD, MARKER, MARKER, RECORD], Some(9)),
            Err(PartitionState::Fenced),
            "another owner has gone on"
        );
        assert_eq!(
            found(&[RECORD, MARKER, MARKER, (7, 2, false)], Some(9)),
            foreign(102)
        );
        assert_eq!(found(&[RECORD, MARKER, RECORD], Some(9)), foreign(101));
        assert_eq!(
            found(&[RECORD, (9, 3, true)], Some(9)),
            Err(PartitionState::Fenced)
        );
        // A log that has lost its last record has a marker in its place.
        for batches in [&[MARKER, MARKER, MARKER][..], &[]] {
            let state = found(batches, Some(9)).unwrap_err();
            assert_eq!(
                state,
                PartitionState::TargetDiverged {
                    next: Offset(100),
                    end: Offset(99)
                }
            );
        }
    }
}
