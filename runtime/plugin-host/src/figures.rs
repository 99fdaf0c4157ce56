//! What the calls of a plugin cost, and how often it broke.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use serde::Serialize;

use crate::Cause;

/// Of one attached use of a plugin, summed over its instances: a few counters a call, none a record.
#[derive(Debug, Default)]
pub struct Figures {
    calls: AtomicU64,
    /// ns
    time: AtomicU64,
    /// ns
    longest: AtomicU64,
    /// bytes
    memory: AtomicU64,
    broken: [AtomicU64; 7],
}

/// How the figures stand. Times are of the host and the guest together, and end with a call that broke.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Usage {
    pub calls: u64,
    pub call_ms_total: f64,
    pub call_ms_max: f64,
    /// the most that one instance had at the end of a call: linear memory and tables
    pub memory_bytes_max: u64,
    pub broken: Breaks,
}

/// How often it broke, by [`Cause`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Breaks {
    pub trap: u64,
    pub deadline: u64,
    pub memory: u64,
    pub output: u64,
    pub malformed: u64,
    pub undeclared: u64,
    pub forbidden: u64,
}

// === impl Figures ===

impl Figures {
    pub(crate) fn called(&self, took: Duration, memory: usize) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.calls.fetch_add(1, Relaxed);
        self.time.fetch_add(took, Relaxed);
        self.longest.fetch_max(took, Relaxed);
        self.memory.fetch_max(memory as u64, Relaxed);
    }

    pub(crate) fn broke(&self, cause: &Cause) {
        self.broken[index(cause)].fetch_add(1, Relaxed);
    }

    /// Each figure is right; they may be of moments that are a call apart.
    pub fn usage(&self) -> Usage {
        let millis = |nanos: &AtomicU64| nanos.load(Relaxed) as f64 / 1e6;
        let [trap, deadline, memory, output, malformed, undeclared, forbidden] =
            self.broken.each_ref().map(|count| count.load(Relaxed));
        Usage {
            calls: self.calls.load(Relaxed),
            call_ms_total: millis(&self.time),
            call_ms_max: millis(&self.longest),
            memory_bytes_max: self.memory.load(Relaxed),
            broken: Breaks {
                trap,
                deadline,
                memory,
                output,
                malformed,
                undeclared,
                forbidden,
            },
        }
    }
}

fn index(cause: &Cause) -> usize {
    match cause {
        Cause::Trap { .. } => 0,
        Cause::Deadline(_) => 1,
        Cause::Memory(_) => 2,
        Cause::Output(_) => 3,
        Cause::Malformed(_) => 4,
        Cause::Undeclared(_) => 5,
        Cause::Forbidden(_) => 6,
    }
}
