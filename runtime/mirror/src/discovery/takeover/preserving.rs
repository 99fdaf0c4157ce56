//! Where a partition goes on whose records have the source's offsets on the target: where the target's log ends.

use std::collections::HashMap;

use towpath_domain::{
    LeaderEpoch, Offset, TopicPartition,
    offset_map::{Runs, SourceAt},
    state::PartitionState,
};
use towpath_wire::{
    Error, Isolation, OffsetSpec, ProducerId, TailBatch,
    positions::{Anchor, Position, Preserved},
};

use super::{Candidate, Discovery, Found, Outcome, Taken, Wrong, adopting::Route};
use crate::task::Plan;

/// Nothing was filled.
const IN_PLACE: Preserved = Preserved {
    begins: Offset(0),
    readable: true,
};

/// Behind a marker of the bucket's producer: its sequence goes on there, or begins under another epoch.
pub(super) fn behind(anchor: Anchor, marker: &TailBatch) -> Anchor {
    let producer = ProducerId {
        id: marker.producer,
        epoch: marker.epoch,
    };
    anchor.behind(producer, (marker.first, marker.next))
}

/// What a row says of preserved offsets, or could: what was translated goes on so when all is where it would be anyway.
pub(super) fn of(
    preserves: bool,
    row: &Position,
    at: SourceAt,
    end: Offset,
) -> Result<Option<Preserved>, PartitionState> {
    let is_in_place = at.offset == end && at.skip == 0 && row.runs.iter().all(|run| run.source == run.target);
    match row.preserved {
        _ if !preserves => Ok(None),
        Some(preserved) => Ok(Some(preserved)),
        None if is_in_place => Ok(Some(IN_PLACE)),
        None => Err(PartitionState::OffsetsTaken { next: at.offset, end }),
    }
}

// === impl Discovery ===

impl Discovery {
    /// Partitions of which nothing was mirrored yet: whatever the target has is in the way, unless it is the source's.
    pub(super) async fn begin_preserving(
        &mut self,
        candidates: Vec<Candidate>,
        taken: &mut HashMap<TopicPartition, Outcome>,
    ) -> Result<(), Error> {
        let used: Vec<TopicPartition> = candidates
            .iter()
            .filter(|candidate| candidate.end > Offset(0))
            .map(|candidate| candidate.place.clone())
            .collect();
        let mut starts = match used.is_empty() {
            true => HashMap::new(),
            false => {
                self.target
                    .list_offsets(&used, OffsetSpec::Earliest, Isolation::ReadUncommitted)
                    .await?
            }
        };
        let (mut empty, mut with_records) = (Vec::new(), Vec::new());
        for candidate in candidates {
            let has_records = match starts.remove(&candidate.place) {
                None => false,
                Some(Ok(start)) => start.offset < candidate.end,
                Some(Err(error)) => {
                    let place = &candidate.place;
                    self.troubles
                        .push(format!("finding the start of {place} on the target: {error}"));
                    continue;
                }
            };
            match has_records {
                true => with_records.push(candidate),
                false => empty.push(candidate),
            }
        }
        let routes: Vec<Route> = with_records
            .iter()
            .map(|candidate| (candidate.source.clone(), candidate.place.clone()))
            .collect();
        let same = self.same_already(&routes).await?;
        for candidate in with_records {
            let outcome = match same.get(&candidate.source) {
                Some(true) => Ok(self.adopt(&candidate)),
                Some(false) => Err(Wrong::by_others(candidate.is_taken())),
                // Left out: it is looked at again.
                None => continue,
            };
            taken.insert(candidate.source, outcome);
        }
        for candidate in empty {
            let outcome = match candidate.end > candidate.start.0 {
                true => Err(Wrong::by_others(candidate.is_taken())),
                false => Ok(self.begin_at_its_offset(&candidate)),
            };
            taken.insert(candidate.source, outcome);
        }
        Ok(())
    }

    /// Everything before the target's end is there, wherever it was asked to begin.
    fn adopt(&self, candidate: &Candidate) -> Taken {
        let end = candidate.end;
        let start = (end, LeaderEpoch(-1));
        tracing::info!(connector = self.connector, partition = %candidate.source, %end, "the target has the source's records at their offsets already: it goes on behind them");
        let taken = self.anchored(candidate, end, Runs::default(), (start, 0));
        Taken {
            plan: taken.plan.preserving(),
            preserved: Some(IN_PLACE),
            ..taken
        }
    }

    fn begin_at_its_offset(&self, candidate: &Candidate) -> Taken {
        let end = candidate.end;
        let own = (end, candidate.start.1);
        let taken = self.anchored(candidate, end, Runs::default(), (own, 0));
        Taken {
            plan: taken.plan.preserving(),
            start: candidate.start,
            preserved: Some(Preserved {
                begins: candidate.start.0,
                // The first record of a compacted topic may have a later offset than its log's start.
                readable: candidate.start.0 == end && !candidate.is_unstable,
            }),
            ..taken
        }
    }
}

// === impl Candidate ===

impl Candidate {
    fn is_taken(&self) -> PartitionState {
        PartitionState::OffsetsTaken {
            next: self.start.0,
            end: self.end,
        }
    }

    pub(super) fn go_on_preserving(&self, found: Found, preserved: Preserved) -> Taken {
        let (row, anchor) = self.row.as_ref().expect("a row is what goes on");
        let (offset, epoch) = self.start;
        // The row is never ahead of the log, unless somebody has decided to go on behind records that the source has lost: what is before them is lost
        // there too, and the log begins behind them on both sides.
        let is_ahead = offset > found.end && offset > preserved.begins;
        let preserved = match is_ahead {
            true => Preserved {
                begins: offset,
                readable: false,
            },
            false => preserved,
        };
        let start = found.end.max(preserved.begins);
        // Whoever comes next counts from the row: behind markers it has to say so.
        let is_stored = row.open && *anchor == found.anchor && row.preserved == Some(preserved);
        Taken {
            start: (start, if start == offset { epoch } else { LeaderEpoch(-1) }),
            skip: 0,
            written: self.written_up_to(found.end),
            plan: Plan::new(found.anchor, found.runs, found.end, is_stored).preserving(),
            preserved: Some(preserved),
            is_contested: row.open,
        }
    }
}
