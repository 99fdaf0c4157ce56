//! What a taking over would find of a partition, for whoever only looks.

use towpath_domain::{Offset, TopicPartition, offset_map::Runs, state::PartitionState};
use towpath_wire::{
    Tail,
    positions::{Position, PositionKey},
};

use super::Candidate;

/// Where the mirror of an exact row would go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Behind {
    /// the source offset
    pub offset: Offset,
    pub runs: Runs,
    /// where the target's log ends
    pub end: Offset,
    /// the first thing there that the mirror has not written: the rest is as far as it
    pub foreign: Option<Offset>,
}

/// What the log says behind an exact row. Nothing for other rows, and where the log ends before the row.
pub(crate) fn behind(key: &PositionKey, row: &Position, tail: &Tail) -> Option<Behind> {
    let candidate = Candidate {
        source: TopicPartition {
            topic: row.topic.clone(),
            partition: key.partition,
        },
        place: TopicPartition {
            topic: row.target.topic.clone(),
            partition: row.target.partition,
        },
        bucket: key.bucket(),
        start: (row.offset, row.epoch),
        has_written: row.target.next.is_some(),
        row: Some((row.clone(), row.anchor?)),
        end: tail.end,
        is_unstable: false,
        preserves: row.preserved.is_some(),
    };
    // A marker has no records, whoever left it.
    let markers: Vec<i64> = tail
        .batches
        .iter()
        .filter_map(|batch| batch.is_control.then_some(batch.producer))
        .collect();
    let (found, foreign) = match candidate.read(tail, &markers) {
        Ok(found) => (found, None),
        Err(PartitionState::SecondWriter { offset }) => {
            let own = tail.batches.iter().filter(|batch| batch.first < offset);
            let before = Tail {
                end: offset,
                batches: own.copied().collect(),
            };
            (candidate.read(&before, &markers).ok()?, Some(offset))
        }
        Err(_) => return None,
    };
    Some(Behind {
        offset: candidate.start_at(found.at).0,
        runs: found.runs,
        end: tail.end,
        foreign,
    })
}
