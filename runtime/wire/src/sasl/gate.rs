//! What a broker has refused is not shown to it again at once: repeated failures lock accounts, and no connection knows of another's.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::Error;
use crate::{Backoff, Options};

/// Open until something is refused. Then it opens for one attempt at a time, after pauses that grow from `retry_backoff` to
/// [`LONGEST`]; for other credentials than the refused ones it is open at once.
pub(super) struct Gate {
    hasher: RandomState,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Of the credentials that were let through last.
    fingerprint: Option<u64>,
    backoff: Option<Backoff>,
    refused: Option<(Instant, Error)>,
}

/// Ten times the longest pause between other attempts, by default 10 s.
const LONGEST: u32 = 10;

// === impl Gate ===

impl Gate {
    /// Whether these credentials may be used now; the error is what was refused before.
    pub(super) fn pass(&self, credentials: &[&str], options: &Options) -> Result<(), Error> {
        self.pass_at(Instant::now(), credentials, options)
    }

    fn pass_at(&self, now: Instant, credentials: &[&str], options: &Options) -> Result<(), Error> {
        let fingerprint = Some(self.hasher.hash_one(credentials));
        let mut inner = self.lock();
        if inner.fingerprint != fingerprint {
            *inner = Inner {
                fingerprint,
                backoff: Some(Backoff::between(
                    options.retry_backoff,
                    options.retry_backoff_max * LONGEST,
                )),
                refused: None,
            };
        }
        let Inner { backoff, refused, .. } = &mut *inner;
        match (refused, backoff) {
            (Some((until, error)), _) if *until > now => Err(error.clone()),
            // Whoever comes while this attempt is under way is told what the last one was.
            (Some((until, _)), Some(backoff)) => {
                *until = now + backoff.next();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn open(&self) {
        let mut inner = self.lock();
        inner.refused = None;
        if let Some(backoff) = &mut inner.backoff {
            backoff.reset();
        }
    }

    pub(super) fn close(&self, error: &Error) {
        self.close_at(Instant::now(), error);
    }

    fn close_at(&self, now: Instant, error: &Error) {
        let mut inner = self.lock();
        let pause = inner.backoff.as_mut().map_or(Duration::ZERO, Backoff::next);
        inner.refused = Some((now + pause, error.clone()));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that can panic runs under the lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            inner: Mutex::default(),
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("refused", &self.lock().refused)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_waits_longer_each_time_and_what_is_new_does_not() {
        let options = Options {
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_millis(200),
            ..Options::default()
        };
        let gate = Gate::default();
        let mut now = Instant::now();
        let pass = |now, password| gate.pass_at(now, &["mirror", password], &options);
        let mut waits = Vec::new();
        for _ in 0..8 {
            pass(now, "old").unwrap();
            gate.close_at(now, &Error::NoSasl);
            let refused = now;
            while pass(now, "old").is_err() {
                now += Duration::from_millis(1);
            }
            waits.push((now - refused).as_millis());
            // This one attempt is let through; whoever comes meanwhile hears of the refusal.
            assert!(pass(now, "old").is_err());
            now += Duration::from_secs(3);
        }
        assert!((80..=121).contains(&waits[0]), "{waits:?}");
        assert!(
            waits[7] >= 1600 && waits.iter().all(|wait| *wait <= 2401),
            "{waits:?}"
        );

        pass(now, "new").unwrap();
        gate.close_at(now, &Error::NoSasl);
        assert!(pass(now, "new").is_err());
        gate.open();
        pass(now, "new").unwrap();
        pass(now, "new").unwrap();
    }
}
