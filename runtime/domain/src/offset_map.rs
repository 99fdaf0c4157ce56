//! Which target offset a source offset has, and the way back: runs of offsets that stand one to one.
//!
//! Where source and target go on record by record there is nothing to note. A run begins where they do not: behind offsets of the source that have no
//! record on the target (markers, aborted and compacted records, what plugins dropped), and behind offsets of the target that are no source record's own
//! (a record that a plugin split, a marker). The last run is open: what is written behind it belongs to it until another one begins.
//!
//! ```text
//! source  100 101 102  [103 marker]  104 105 ...        runs  100 -> 7, 104 -> 10
//! target    7   8   9                 10  11 ...
//! ```

mod bytes;

pub use bytes::Malformed;

use crate::Offset;

/// Where a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    pub source: Offset,
    pub target: Offset,
}

/// Runs, ascending on both sides. Begins with the first record that was mirrored, or, of a part, with the part's first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs(Vec<Run>);

/// The source's side of a target offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceAt {
    /// Everything before it is on the target before that offset.
    pub offset: Offset,
    /// How many of the records that `offset` became are on the target before it too: 0 unless a plugin splits records.
    pub skip: u64,
}

// === impl Runs ===

impl Runs {
    /// Notes that the record of `source` is at `target`. What was noted behind either holds no more. A run without records may stay before it: it says
    /// that the offsets between have none.
    pub fn note(&mut self, source: Offset, target: Offset) {
        let is_behind = |last: &Run| last.target > target || (last.target == target && last.source >= source);
        while self.0.last().is_some_and(is_behind) {
            self.0.pop();
        }
        let goes_on = |last: &Run| source.0 - last.source.0 == target.0 - last.target.0;
        if !self.0.last().is_some_and(goes_on) {
            self.0.push(Run { source, target });
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn first(&self) -> Option<Run> {
        self.0.first().copied()
    }

    pub fn last(&self) -> Option<Run> {
        self.0.last().copied()
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Run> + '_ {
        self.0.iter().copied()
    }

    /// Where the source goes on when the target's log ends at `target`; `None` before the first run.
    pub fn source_at(&self, target: Offset) -> Option<SourceAt> {
        let index = self
            .0
            .partition_point(|run| run.target <= target)
            .checked_sub(1)?;
        let run = self.0[index];
        let offset = run.source.0 + (target.0 - run.target.0);
        let at = match self.0.get(index + 1) {
            Some(next) if offset >= next.source.0 => SourceAt {
                offset: Offset(next.source.0 - 1),
                skip: (offset - (next.source.0 - 1)) as u64,
            },
            _ => SourceAt {
                offset: Offset(offset),
                skip: 0,
            },
        };
        Some(at)
    }

    /// The first source offset that is not on the target before `target`, records and holes alike; `None` before the first run.
    pub fn first_behind(&self, target: Offset) -> Option<Offset> {
        let at = self.source_at(target)?;
        let index = self.before(target);
        let here = self.0.get(index).filter(|run| run.target == target);
        let going_on = index
            .checked_sub(1)
            .map(|index| self.0[index])
            .map(|run| Offset(run.source.0 + (target.0 - run.target.0)));
        let firsts = here.map(|run| run.source).into_iter().chain(going_on);
        firsts.chain([at.offset]).min()
    }

    /// Where the record of `source` is, or, when it has none, the next one that has: a group that would read `source` next finds the same record there.
    /// `end` is the end of the target's log, which stands for everything that is not mirrored yet. Offsets before the first run are at its beginning.
    pub fn target_of(&self, source: Offset, end: Offset) -> Option<Offset> {
        let first = self.first()?;
        let Some(index) = self.0.partition_point(|run| run.source <= source).checked_sub(1) else {
            return Some(first.target.min(end));
        };
        let run = self.0[index];
        let limit = self.0.get(index + 1).map_or(end, |next| next.target);
        Some(
            Offset(run.target.0 + (source.0 - run.source.0))
                .min(limit)
                .min(end),
        )
    }

    /// The first `count` runs, taken off.
    pub fn split_front(&mut self, count: usize) -> Self {
        let rest = self.0.split_off(count.min(self.0.len()));
        Self(std::mem::replace(&mut self.0, rest))
    }

    /// How many runs begin before `target`.
    pub fn before(&self, target: Offset) -> usize {
        self.0.partition_point(|run| run.target < target)
    }

    /// From `target` on nothing is known; what goes on there begins a run.
    pub fn cut(&mut self, target: Offset) {
        self.0.truncate(self.before(target));
    }
}

impl FromIterator<Run> for Runs {
    fn from_iter<I: IntoIterator<Item = Run>>(runs: I) -> Self {
        let mut noted = Self::default();
        for run in runs {
            noted.note(run.source, run.target);
        }
        noted
    }
}

#[cfg(test)]
mod tests;
