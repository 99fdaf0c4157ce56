//! Exactly once: where each batch will be on the target, and with which sequence, decided when it is made ready.
//!
//! The target's log is written by this lane alone, so the offset of each batch is known before it is sent. Its sequence follows from that offset
//! ([`Anchor`]): a broker takes the batch at that place or not at all. Which source offset is where, the runs, is stored *before* the batch is sent: whoever
//! comes next learns from the end of the target's log where to go on.

use towpath_domain::{
    Offset,
    offset_map::{Run, Runs},
};
use towpath_wire::{
    ProducerId,
    batch::{Outgoing, ProducerIdentity, Start, Transactional},
    positions::Anchor,
};

/// What a lane that is exact knows of its target.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub anchor: Anchor,
    pub runs: Runs,
    /// where the next batch that is made ready goes
    next: Offset,
    /// from which target offsets on the stored runs do not say enough, in the order they were planned
    unstored: Vec<Offset>,
    /// the least of them
    unstored_from: Option<Offset>,
    /// the source offset of the last record, when it has more than one and may go on in the next batch
    several: Option<Offset>,
    /// batches have their source offsets
    preserves: bool,
    /// grows when what was planned is given up: what is being stored then is not what is planned
    generation: u32,
}

/// How far a plan was when its runs were taken to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::task) struct Planned {
    /// how much of what was planned the rows before do not say
    unstored: usize,
    generation: u32,
}

/// Runs that a row keeps when it gives some away, which it does when it has twice as many: about 2 KiB.
const KEPT: usize = 1024;
/// Most runs of a chunk, about 32 KiB.
const CHUNK: usize = 16 * 1024;

// === impl Plan ===

impl Plan {
    /// Goes on at the target's offset `next`. `is_stored`: the stored row has this anchor and these runs.
    pub(crate) fn new(anchor: Anchor, runs: Runs, next: Offset, is_stored: bool) -> Self {
        Self {
            anchor,
            runs,
            next,
            unstored: if is_stored { Vec::new() } else { vec![next] },
            unstored_from: (!is_stored).then_some(next),
            several: None,
            preserves: false,
            generation: 0,
        }
    }

    /// Batches have the source's offsets on the target: where those have holes, the plan has them too.
    pub(crate) fn preserving(self) -> Self {
        Self {
            preserves: true,
            ..self
        }
    }

    pub(super) fn identity(&self) -> ProducerIdentity {
        ProducerIdentity {
            id: self.anchor.producer,
            epoch: self.anchor.epoch,
            transactional: Transactional::No,
        }
    }

    /// The sequence of the record at this target offset.
    pub(super) fn sequence(&self, target: Offset) -> i32 {
        self.anchor.sequence_at(target)
    }

    /// Gives the batch its place behind the one before.
    pub(super) fn place(&mut self, outgoing: &mut Outgoing) -> Offset {
        let starts = outgoing.take_starts();
        self.place_at_its_starts(outgoing, starts)
    }

    /// As [`Plan::place`], of a batch that may have to be placed again.
    pub(super) fn place_for_now(&mut self, outgoing: &Outgoing) -> Offset {
        self.place_at_its_starts(outgoing, outgoing.starts().to_vec())
    }

    /// Whether the batch goes on with the last record of the one before.
    pub(super) fn is_amid_a_record(&self, outgoing: &Outgoing) -> bool {
        let first = outgoing.starts().first().filter(|start| start.index == 0);
        self.several == Some(first.map_or(outgoing.source().first, |start| start.source))
    }

    fn place_at_its_starts(&mut self, outgoing: &Outgoing, mut starts: Vec<Start>) -> Offset {
        let target = self.next;
        if self.preserves {
            let target = outgoing.source().first;
            self.next = Offset(target.0 + i64::from(outgoing.records()));
            return target;
        }
        if starts.is_empty() {
            starts.push(Start {
                index: 0,
                source: outgoing.source().first,
            });
        }
        let several = self.several.take();
        for start in &starts {
            let at = Offset(target.0 + i64::from(start.index));
            if start.index == 0 && several == Some(start.source) {
                self.place_more(start.source, at, outgoing.records(), starts.get(1));
                continue;
            }
            self.note(start.source, at);
        }
        if let Some(last) = starts.last().filter(|last| last.index == outgoing.records()) {
            self.several = Some(Offset(last.source.0 - 1));
        }
        self.next = Offset(target.0 + i64::from(outgoing.records()));
        target
    }

    /// More of the record that the batch before ended with: where the next record is was noted too early.
    fn place_more(&mut self, source: Offset, at: Offset, records: i32, next: Option<&Start>) {
        self.runs.cut(at);
        let following = Offset(source.0 + 1);
        if next.is_none_or(|next| next.source != following) {
            self.note(following, Offset(at.0 + 1));
        }
        if records == 1 {
            self.several = Some(source);
        }
    }

    fn note(&mut self, source: Offset, target: Offset) {
        let before = self.runs.last();
        self.runs.note(source, target);
        if self.runs.last() == before {
            return;
        }
        // A run behind a record that has several on the target also says how many: without it the end of the log among them means something else.
        let noted = Run { source, target };
        let previous = self.runs.iter().rev().find(|run| *run != noted);
        let from = previous.map_or(target, |run| {
            Offset((run.target.0 + (source.0 - 1 - run.source.0)).clamp(run.target.0, target.0))
        });
        self.lack(from);
    }

    fn lack(&mut self, from: Offset) {
        self.unstored.push(from);
        self.unstored_from = Some(self.unstored_from.map_or(from, |least| least.min(from)));
    }

    /// Whether what is stored says enough of everything before this target offset.
    pub(super) fn is_stored_up_to(&self, end: Offset) -> bool {
        self.unstored_from.is_none_or(|from| from >= end)
    }

    pub(super) fn has_unstored(&self) -> bool {
        !self.unstored.is_empty()
    }

    /// To be taken with a copy of the runs, before they are stored.
    pub(super) fn planned(&self) -> Planned {
        Planned {
            unstored: self.unstored.len(),
            generation: self.generation,
        }
    }

    /// How many of the first runs the row need not have any more: all of them are of what was written before `written`.
    pub(super) fn to_seal(&self, written: Offset) -> usize {
        if self.runs.len() <= 2 * KEPT {
            return 0;
        }
        // One of those before `written` is where it goes on.
        let written = self.runs.before(written).saturating_sub(1);
        (self.runs.len() - KEPT).min(written).min(CHUNK)
    }

    pub(super) fn stored(&mut self, planned: Planned, sealed: usize) {
        // What was given up meanwhile is stored again, and sealed again, as it was.
        if planned.generation == self.generation {
            self.runs.split_front(sealed);
            self.unstored.drain(..planned.unstored.min(self.unstored.len()));
            self.unstored_from = self.unstored.iter().copied().min();
        }
    }

    pub(crate) fn next(&self) -> Offset {
        self.next
    }

    /// Somebody else has written up to here, as these runs say.
    pub(super) fn go_on(&mut self, next: Offset, runs: Runs) {
        self.runs = runs;
        self.next = next;
        self.several = None;
        self.generation += 1;
        self.unstored.clear();
        self.unstored_from = None;
        self.lack(next);
    }

    /// Nothing from this target offset on is planned any more.
    pub(super) fn give_up(&mut self, from: Offset) {
        if from >= self.next {
            return;
        }
        self.next = from;
        self.several = None;
        self.generation += 1;
    }

    /// The offsets from `from` to `to` are taken by markers of this producer: behind them its sequence goes on, or begins.
    pub(super) fn marked(&mut self, producer: ProducerId, (from, to): (Offset, Offset)) {
        self.anchor = self.anchor.behind(producer, (from, to));
        self.next = self.next.max(to);
    }

    /// A transaction has ended with this marker of the producer. What was written from `counts` on before it does not count: the source goes on behind the marker where it
    /// would have gone on there; at `otherwise` where no run says so.
    pub(super) fn ended(
        &mut self,
        producer: ProducerId,
        (first, next): (Offset, Offset),
        (counts, otherwise): (Offset, Offset),
    ) {
        let source = self.runs.first_behind(counts).unwrap_or(otherwise);
        self.runs.cut(counts);
        self.anchor = self.anchor.behind(producer, (first, next));
        self.next = next;
        self.several = None;
        if counts < first {
            self.generation += 1;
        }
        self.note(source, next);
    }

    /// The row must say something new before anything from this target offset on is written.
    pub(super) fn changed(&mut self, from: Offset) {
        self.generation += 1;
        self.lack(from);
    }

    /// The stored row is gone.
    pub(super) fn lost_row(&mut self, acked: Offset) {
        self.lack(acked);
    }
}

#[cfg(test)]
mod tests;
