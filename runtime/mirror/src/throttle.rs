//! How many bytes a second a connector may move: shared by its tasks, changed while it runs.
//!
//! A bucket that fills with the rate and never holds more than a quarter of a second of it. What an answer brings is known only when it is there, so the
//! bucket may go into debt, which later seconds pay. Nothing waits in here: callers ask, hold back, and ask again.

use std::{
    num::NonZeroU64,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::config::{SOURCE_LIMIT, TARGET_LIMIT};

/// The limits of a connector; absent: none. Changing these alone does not restart it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// `source.max.bytes.per.second`
    pub source: Option<NonZeroU64>,
    /// `target.max.bytes.per.second`
    pub target: Option<NonZeroU64>,
}

/// Both sides of a connector.
#[derive(Clone, Debug)]
pub(crate) struct Throttles {
    pub source: Throttle,
    pub target: Throttle,
}

/// A limit with what is left of it.
#[derive(Clone, Debug)]
pub(crate) struct Throttle(Arc<Mutex<Bucket>>);

#[derive(Debug)]
struct Bucket {
    rate: Option<NonZeroU64>,
    /// bytes that may go now; negative: what went too early
    level: f64,
    filled: Instant,
    /// when somebody was last held back
    held_back: Option<Instant>,
}

/// What may go at once after a pause, as a part of the rate. Each of several brokers may be asked for as much at the same time.
const BURST: Duration = Duration::from_millis(250);
/// Below this part of the burst it is worth waiting: requests would be many and small.
const WORTHWHILE: f64 = 0.25;
/// Whoever was held back so short a time ago is held back still: between two pauses a little may go.
const SHOWN: Duration = Duration::from_secs(2);

// === impl Throttles ===

impl Throttles {
    pub(crate) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            source: Throttle::new(limits.source, now),
            target: Throttle::new(limits.target, now),
        }
    }

    pub(crate) fn set(&self, limits: Limits, now: Instant) {
        self.source.set(limits.source, now);
        self.target.set(limits.target, now);
    }

    /// The keys of the limits that hold the connector back.
    pub(crate) fn holding_back(&self, now: Instant) -> Vec<&'static str> {
        let sides = [(&self.source, SOURCE_LIMIT), (&self.target, TARGET_LIMIT)];
        let held = sides
            .into_iter()
            .filter(|(throttle, _)| throttle.is_holding_back(now));
        held.map(|(_, key)| key).collect()
    }
}

// === impl Throttle ===

impl Throttle {
    pub(crate) fn new(rate: Option<NonZeroU64>, now: Instant) -> Self {
        let mut bucket = Bucket {
            rate,
            level: 0.0,
            filled: now,
            held_back: None,
        };
        bucket.level = bucket.burst();
        Self(Arc::new(Mutex::new(bucket)))
    }

    /// From now on; a debt of the old rate is forgotten.
    pub(crate) fn set(&self, rate: Option<NonZeroU64>, now: Instant) {
        let mut bucket = self.lock();
        if bucket.rate != rate {
            bucket.rate = rate;
            bucket.filled = now;
            bucket.level = 0.0;
            bucket.held_back = None;
        }
    }

    /// How much of `wanted` may be asked for now; none: hold back for a moment.
    pub(crate) fn room(&self, wanted: usize, now: Instant) -> Option<usize> {
        let mut bucket = self.lock();
        if bucket.rate.is_none() {
            return Some(wanted);
        }
        bucket.fill(now);
        let least = (bucket.burst() * WORTHWHILE).max(1.0);
        if bucket.level < least {
            bucket.held_back = Some(now);
            return None;
        }
        // A float to an integer saturates; a level is at most a quarter of a rate.
        Some(wanted.min(bucket.level as usize).max(1))
    }

    pub(crate) fn is_holding_back(&self, now: Instant) -> bool {
        let held_back = self.lock().held_back;
        held_back.is_some_and(|at| now.saturating_duration_since(at) < SHOWN)
    }

    /// Counts what has moved, or is about to.
    pub(crate) fn take(&self, bytes: usize, now: Instant) {
        let mut bucket = self.lock();
        if bucket.rate.is_some() {
            bucket.fill(now);
            bucket.level -= bytes as f64;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Bucket> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Bucket ===

impl Bucket {
    fn burst(&self) -> f64 {
        self.rate
            .map_or(0.0, |rate| rate.get() as f64 * BURST.as_secs_f64())
    }

    fn fill(&mut self, now: Instant) {
        let Some(rate) = self.rate else { return };
        let passed = now.saturating_duration_since(self.filled);
        self.filled = self.filled.max(now);
        self.level = (self.level + rate.get() as f64 * passed.as_secs_f64()).min(self.burst());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn limited(rate: u64, now: Instant) -> Throttle {
        Throttle::new(NonZeroU64::new(rate), now)
    }

    #[test]
    fn over_any_time_no_more_than_the_rate_and_one_burst_may_go() {
        let start = Instant::now();
        let throttle = limited(1_000_000, start);
        let mut moved = 0;
        for ms in 0..10_000 {
            let now = start + MS * ms;
            while let Some(room) = throttle.room(300_000, now) {
                throttle.take(room, now);
                moved += room;
            }
            let allowed = 250_000 + 1000 * ms as usize;
            assert!(
                moved <= allowed,
                "{moved} bytes after {ms} ms, {allowed} are allowed"
            );
            assert!(
                moved + 250_000 >= allowed,
                "{moved} bytes after {ms} ms: the rate is not used"
            );
        }
    }

    #[test]
    fn a_pause_saves_up_no_more_than_a_burst() {
        let start = Instant::now();
        let throttle = limited(1000, start);
        assert_eq!(throttle.room(usize::MAX, start + MS * 3_600_000), Some(250));
    }

    #[test]
    fn what_came_too_much_is_paid_before_more_is_asked_for() {
        let start = Instant::now();
        let throttle = limited(1000, start);
        throttle.take(5250, start);
        assert!(!throttle.is_holding_back(start));
        assert_eq!(throttle.room(1, start + MS * 5000), None);
        assert!(throttle.is_holding_back(start + MS * 5100));
        assert_eq!(throttle.room(usize::MAX, start + MS * 5100), Some(100));
    }

    #[test]
    fn a_changed_rate_is_in_force_at_once_and_none_lets_everything_go() {
        let start = Instant::now();
        let throttle = limited(1000, start);
        let shared = throttle.clone();
        throttle.take(1_000_000, start);
        assert_eq!(shared.room(500, start + MS), None);
        throttle.set(None, start + MS);
        assert_eq!(shared.room(500, start + MS), Some(500));
        shared.take(1_000_000, start + MS);
        throttle.set(NonZeroU64::new(10_000), start + MS * 2);
        assert_eq!(
            shared.room(usize::MAX, start + MS * 102),
            Some(1000),
            "no debt from before"
        );
        // The same again changes nothing.
        throttle.set(NonZeroU64::new(10_000), start + MS * 102);
        assert_eq!(shared.room(usize::MAX, start + MS * 102), Some(1000));
    }
}
