//! Waiting longer after each failure.

use std::time::Duration;

use crate::Options;

/// Exponential backoff with jitter (KIP-580): doubles from `retry_backoff` up to `retry_backoff_max`, each pause
/// multiplied by 0.8 to 1.2 so that many clients of a restarted broker do not come back at once.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    failures: u32,
}

// === impl Backoff ===

impl Backoff {
    pub fn new(options: &Options) -> Self {
        Self::between(options.retry_backoff, options.retry_backoff_max)
    }

    /// As [`Backoff::new`], with pauses of one's own.
    pub(crate) fn between(first: Duration, max: Duration) -> Self {
        Self {
            first,
            max,
            failures: 0,
        }
    }

    /// The pause before the next attempt; each call makes the following one longer.
    #[expect(
        clippy::should_implement_trait,
        reason = "it never ends, and a pause is not an item"
    )]
    pub fn next(&mut self) -> Duration {
        let pause = self
            .first
            .saturating_mul(1 << self.failures.min(16))
            .min(self.max);
        self.failures = self.failures.saturating_add(1);
        pause.mul_f64(rand::random_range(0.8..1.2))
    }

    /// After a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum_and_vary() {
        let mut backoff = Backoff::new(&Options {
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_millis(1000),
            ..Options::default()
        });
        for expected in [100.0, 200.0, 400.0, 800.0, 1000.0, 1000.0] {
            let pause = backoff.next().as_secs_f64() * 1000.0;
            assert!(
                (expected * 0.79..expected * 1.21).contains(&pause),
                "{pause} ms instead of about {expected}"
            );
        }
        backoff.reset();
        assert!(backoff.next() < Duration::from_millis(121));
    }
}
