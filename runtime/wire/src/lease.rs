//! Leases: until when what was handed to a connection may still be written.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Shared by whoever renews it and by what waits to be written under it. Time is the machine's monotonic clock: it goes on while a process is frozen, and stands still
/// while a whole machine is.
#[derive(Clone, Debug)]
pub struct Lease(Arc<Term>);

#[derive(Debug)]
struct Term {
    made: Instant,
    /// µs behind that
    micros: AtomicU64,
}

// === impl Lease ===

impl Lease {
    pub fn until(until: Instant) -> Self {
        let made = Instant::now();
        let term = Term {
            made,
            micros: AtomicU64::new(micros(until.saturating_duration_since(made))),
        };
        Self(Arc::new(term))
    }

    /// It never gets shorter by that.
    pub fn extend(&self, until: Instant) {
        let until = until.saturating_duration_since(self.0.made);
        self.0.micros.fetch_max(micros(until), Ordering::Relaxed);
    }

    pub fn end(&self) {
        self.0.micros.store(0, Ordering::Relaxed);
    }

    /// Zero: it is over.
    pub fn left(&self, now: Instant) -> Duration {
        let micros = self.0.micros.load(Ordering::Relaxed);
        Duration::from_micros(micros).saturating_sub(now.saturating_duration_since(self.0.made))
    }

    pub fn is_over(&self, now: Instant) -> bool {
        self.left(now).is_zero()
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_over_in_time_gets_longer_and_can_be_ended() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let lease = Lease::until(now + second);
        assert!(!lease.is_over(now) && lease.is_over(now + second));
        lease.clone().extend(now + 3 * second);
        lease.extend(now + 2 * second);
        assert!(lease.left(now + second) > second && lease.is_over(now + 3 * second));
        lease.end();
        assert!(lease.is_over(now));
    }
}
