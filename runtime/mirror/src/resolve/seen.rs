//! What is there of one partition, and what is wrong with it now. No I/O.

use towpath_domain::{Offset, TopicId, TopicPartition, state::PartitionState};
use towpath_wire::positions::{Position, PositionKey, Resolved};

use super::missed::Missed;
use crate::discovery::offline::Behind;

/// A partition of the source, its rows, and its place on the target.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub source: TopicPartition,
    pub log: Log,
    /// of the topic that has the name now
    pub key: PositionKey,
    pub row: Option<Position>,
    /// the topic that had the name before; the one that has it now has no rows
    pub former: Option<Former>,
    pub place: TopicPartition,
    /// none: the target has no such topic
    pub target: Option<Target>,
    /// of an exact row, when the target's log goes as far as it
    pub behind: Option<Behind>,
    /// where the source's log parts from what was mirrored, by its leader epochs
    pub parted: Option<Offset>,
    /// runs of it are in chunks, which the row does not have
    pub has_chunks: bool,
    /// what compaction has taken, when it was not mirrored for too long
    pub missed: Option<Missed>,
}

/// From where to where a log goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Log {
    pub start: Offset,
    pub end: Offset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// zero when the brokers have no topic ids
    pub id: TopicId,
    pub log: Log,
}

/// A topic that was deleted.
#[derive(Clone, Debug)]
pub(super) struct Former {
    pub id: TopicId,
    /// its rows: each is with the partition of its number, or with the last one
    pub rows: Vec<(PositionKey, Position)>,
}

// === impl Log ===

impl Log {
    pub(super) fn has_records(self) -> bool {
        self.start < self.end
    }
}

// === impl Seen ===

impl Seen {
    /// Where the mirror would go on.
    pub(super) fn position(&self) -> Option<Offset> {
        let behind = self.behind.as_ref().map(|behind| behind.offset);
        behind.or(self.row.as_ref().map(|row| row.offset))
    }

    /// The rows that say what was decided.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Position> {
        let former = self.former.iter().flat_map(|former| &former.rows);
        self.row.iter().chain(former.map(|(_, row)| row))
    }

    /// Whether an operator has left it stopped.
    pub(super) fn is_aborted(&self) -> bool {
        self.rows()
            .any(|row| row.resolved.as_ref().is_some_and(Resolved::is_abort))
    }

    /// What stops it, in the order in which a start looks. States that only show while records are mirrored are not seen here.
    pub(super) fn state(&self) -> Option<PartitionState> {
        if let Some(former) = &self.former {
            return Some(PartitionState::TopicRecreated {
                stored: former.id,
                found: self.key.topic,
            });
        }
        let row = self.row.as_ref()?;
        let aborted = row.resolved.as_ref().filter(|resolved| resolved.is_abort());
        self.target_state(row)
            .or_else(|| self.source_state())
            .or(aborted.map(|resolved| PartitionState::Aborted {
                state: resolved.state.clone(),
                at: resolved.at,
            }))
    }

    fn target_state(&self, row: &Position) -> Option<PartitionState> {
        // Under another name it goes on without what was written under the one before.
        if row.target.topic != self.place.topic {
            return None;
        }
        let next = row.target.next.or(row.anchor.map(|anchor| anchor.offset))?;
        let stored = row.target.topic_id;
        let Some(target) = self.target else {
            let found = TopicId::ZERO;
            return row
                .target
                .next
                .map(|_| PartitionState::TargetRecreated { stored, found });
        };
        let is_other = !stored.is_zero() && !target.id.is_zero() && stored != target.id;
        if is_other {
            let found = target.id;
            return row
                .target
                .next
                .map(|_| PartitionState::TargetRecreated { stored, found });
        }
        if target.log.end < next {
            let end = target.log.end;
            return Some(PartitionState::TargetDiverged { next, end });
        }
        let offset = self.behind.as_ref()?.foreign?;
        Some(PartitionState::SecondWriter { offset })
    }

    fn source_state(&self) -> Option<PartitionState> {
        let position = self.position()?;
        let Log { start, end } = self.log;
        if position < start {
            let (from, to) = (position, start);
            return Some(PartitionState::DataLoss { from, to });
        }
        if position > end {
            return Some(PartitionState::SourceTruncated { position, end });
        }
        if let Some(end) = self.parted {
            return Some(PartitionState::SourceTruncated { position, end });
        }
        let missed = self.missed?;
        Some(PartitionState::TombstonesMissed {
            position,
            hole: missed.hole,
            caught_up_at: missed.caught_up_at,
            retention_ms: missed.retention_ms,
        })
    }
}
