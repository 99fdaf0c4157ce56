//! What Towpath must survive from a hostile broker or plugin: one function a kind of input, which panics when a rule is broken.
//!
//! `tests/fuzz` gives them what libFuzzer makes up; `tests/replay.rs` gives them the corpus and changes of it, on every run of the tests.
#![forbid(unsafe_code)]

mod answers;
mod batches;
mod compression;
#[cfg(feature = "pipeline")]
mod convert;
#[cfg(feature = "pipeline")]
mod edits;
mod frames;
mod positions;
mod records;
mod sound;

pub use answers::answers;
pub use batches::{batches, repair};
pub use compression::compression;
#[cfg(feature = "pipeline")]
pub use convert::convert;
#[cfg(feature = "pipeline")]
pub use edits::edits;
pub use frames::frames;
pub use positions::positions;
pub use records::records;

use towpath_wire::batch::Limits;

/// A kind of input, by the name of its folder in `tests/fuzz/corpus`.
pub struct Target {
    pub name: &'static str,
    pub body: fn(&[u8]),
    /// What one input may allocate at once, bytes, beside a small multiple of its own size.
    pub largest_allocation: usize,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("answers", answers, 64 << 20),
    target("batches", batches, 2 * LIMITS.max_decompressed),
    target("compression", compression, 2 * LIMITS.max_decompressed),
    #[cfg(feature = "pipeline")]
    target("convert", convert, 8 << 20),
    #[cfg(feature = "pipeline")]
    target("edits", edits, 8 << 20),
    target("frames", frames, 64 << 20),
    target("positions", positions, 1 << 20),
    target("records", records, 8 << 20),
];

/// Small enough for a bomb to show.
const LIMITS: Limits = Limits {
    max_decompressed: 1 << 20,
    max_records: 10_000,
};

const fn target(name: &'static str, body: fn(&[u8]), largest_allocation: usize) -> Target {
    Target {
        name,
        body,
        largest_allocation,
    }
}
