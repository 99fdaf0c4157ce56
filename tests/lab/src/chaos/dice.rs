//! Chance that is the same for the same seed, on every machine.

use std::ops::Range;

use crate::generate::mix;

/// Draws one number after the other.
#[derive(Clone, Debug)]
pub(super) struct Dice {
    seed: u64,
    drawn: u64,
}

// === impl Dice ===

impl Dice {
    /// A stream of its own for each purpose: what is drawn for one does not move the others.
    pub(super) fn new(seed: u64, purpose: &str) -> Self {
        let purpose = purpose.bytes().fold(0, |sum, byte| mix(sum, u64::from(byte)));
        Self {
            seed: mix(seed, purpose),
            drawn: 0,
        }
    }

    pub(super) fn number(&mut self, range: Range<u64>) -> u64 {
        self.drawn += 1;
        range.start + mix(self.seed, self.drawn) % (range.end - range.start).max(1)
    }

    /// One of the choices.
    pub(super) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        let count = choices.len() as u64;
        choices[self.number(0..count) as usize]
    }

    /// True in so many of a hundred cases.
    pub(super) fn percent(&mut self, percent: u64) -> bool {
        self.number(0..100) < percent
    }
}
