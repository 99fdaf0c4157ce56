//! Where offsets are preserved nothing is sent without a lease: proof, a few seconds old at most, that nobody else has claimed the bucket.
//!
//! Brokers forget the producer of old records at once, and then append what comes late of a worker that was frozen. So a worker proves before it sends that a bucket is its
//! own, by writing the claim once more; the connection looks at the lease right before each write to the socket. Whoever takes a bucket over waits, before it sends old
//! records, until no lease can be left and what was sent under one has arrived; then it looks at the log once more ([`Lane::settle`](super::lane::Lane::settle)).

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use towpath_domain::{Bucket, Buckets};
use towpath_wire::{Error, Lease, positions::Held};

use super::{Event, REST, Task, lane::Transactions};

/// How long it lasts; less where brokers forget claims that soon.
const TERM: Duration = Duration::from_secs(5);
/// What is not sent is not renewed as often, but before brokers could forget the claim.
const IDLE: Duration = Duration::from_secs(600);

/// The lease of a task's buckets.
#[derive(Default)]
pub(super) struct Leases {
    lease: Option<Lease>,
    /// for these
    buckets: Buckets,
    /// when it was last asked for with success
    proved_at: Option<Instant>,
    wanted: bool,
    renewing: bool,
    /// after a failure
    after: Option<Instant>,
    /// lanes that wait for it
    waiting: HashSet<usize>,
}

// === impl Leases ===

impl Leases {
    /// What a lane of this bucket may send under; otherwise it waits.
    pub(super) fn of(&mut self, bucket: Bucket, term: Duration, index: usize, now: Instant) -> Option<Lease> {
        let lease = self.lease.as_ref().filter(|_| self.buckets.contains(bucket));
        let left = lease.map_or(Duration::ZERO, |lease| lease.left(now));
        self.wanted |= left < term / 2;
        if left.is_zero() {
            self.waiting.insert(index);
            return None;
        }
        lease.cloned()
    }

    /// Held, when it was asked for at `asked`.
    fn held(&mut self, held: Buckets, until: Instant, asked: Instant) {
        match &self.lease {
            Some(lease) => lease.extend(until),
            None => self.lease = Some(Lease::until(until)),
        }
        self.buckets = held;
        self.proved_at = Some(asked);
    }

    /// What waits to be written under it must not be.
    pub(super) fn end(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.end();
        }
    }

    /// Buckets were claimed a moment ago.
    pub(super) fn begin(&mut self, now: Instant) {
        self.proved_at.get_or_insert(now);
    }
}

// === impl Task ===

impl Task {
    /// How long a lease lasts, and how long a worker may not have been heard of.
    fn terms(&self) -> (Duration, Duration) {
        match self.options.transactions {
            // Half of the time for which brokers remember a claim.
            Transactions::OlderThan(age) => (TERM.min(age / 2), age),
            _ => (TERM, Duration::MAX),
        }
    }

    pub(super) fn lease_term(&self) -> Duration {
        self.terms().0
    }

    /// Until when late batches of whoever has lost a bucket now, or of a connection that was lost now, may still come.
    pub(super) fn settled_at(&self, now: Instant, is_others: bool) -> Instant {
        let term = if is_others {
            self.lease_term()
        } else {
            Duration::ZERO
        };
        now + term + self.options.target.options().request_timeout
    }

    pub(super) fn pump_leases(&mut self) {
        let now = Instant::now();
        let (_, remembered) = self.terms();
        let idle = IDLE.min(remembered / 4);
        let is_due = |proved: Instant| now.saturating_duration_since(proved) >= idle;
        let is_wanted = self.leases.wanted || self.leases.proved_at.is_some_and(is_due);
        let is_resting = self.leases.after.is_some_and(|after| after > now);
        if !self.preserves || !is_wanted || self.leases.renewing || is_resting || self.draining {
            return;
        }
        let preserved = self.lanes.iter().filter(|lane| lane.preserved().is_some());
        let buckets: Buckets = preserved
            .filter(|lane| !lane.has_lost_its_target())
            .map(super::Lane::bucket)
            .collect();
        self.leases.wanted = false;
        if buckets.is_empty() {
            self.leases.proved_at = None;
            return;
        }
        self.leases.renewing = true;
        let positions = std::sync::Arc::clone(&self.options.positions);
        let connector = self.options.connector.clone();
        self.work.push(Box::pin(async move {
            Event::Held(now, positions.hold(&connector, buckets).await)
        }));
    }

    /// `asked`: when it was asked for.
    pub(super) fn held(&mut self, asked: Instant, result: Result<Held, Error>) {
        self.leases.renewing = false;
        for index in std::mem::take(&mut self.leases.waiting) {
            self.lanes.touch(index);
        }
        let (term, remembered) = self.terms();
        match result {
            Ok(Held { held, lost }) => {
                // Whoever has taken a bucket over meanwhile may be forgotten by now.
                let is_doubtful = |proved: Instant| asked.saturating_duration_since(proved) >= remembered;
                if self.leases.proved_at.is_some_and(is_doubtful) {
                    self.leases.end();
                    return self.fenced(held | lost);
                }
                if !lost.is_empty() {
                    self.leases.end();
                }
                self.leases.held(held, asked + term, asked);
                self.fenced(lost);
            }
            Err(error) => {
                self.leases.after = Some(Instant::now() + REST);
                self.note(format!(
                    "finding out whether partitions are still this worker's: {error}"
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: Duration = Duration::from_secs(4);
    const BUCKETS: [Bucket; 2] = [Bucket(3), Bucket(5)];

    #[test]
    fn what_is_sent_needs_proof_that_is_a_few_seconds_old_at_most() {
        let now = Instant::now();
        let mut leases = Leases::default();
        assert!(leases.of(BUCKETS[0], TERM, 7, now).is_none());
        assert!(leases.wanted && leases.waiting.contains(&7));
        leases.wanted = false;
        leases.held(BUCKETS[0].into(), now + TERM, now);
        assert!(leases.of(BUCKETS[0], TERM, 7, now).is_some() && !leases.wanted);
        assert!(
            leases.of(BUCKETS[1], TERM, 8, now).is_none() && leases.wanted,
            "another bucket"
        );
        leases.wanted = false;
        assert!(
            leases.of(BUCKETS[0], TERM, 7, now + TERM * 3 / 4).is_some() && leases.wanted,
            "it is renewed before it is over"
        );
        assert!(leases.of(BUCKETS[0], TERM, 7, now + TERM).is_none(), "it is over");
    }

    #[test]
    fn what_waits_to_be_written_for_a_bucket_that_is_lost_is_not_written() {
        let now = Instant::now();
        let mut leases = Leases::default();
        leases.held(BUCKETS.into_iter().collect(), now + TERM, now);
        let before = leases.of(BUCKETS[0], TERM, 7, now).unwrap();
        leases.held(BUCKETS.into_iter().collect(), now + 2 * TERM, now + TERM);
        assert!(!before.is_over(now + TERM), "renewed for what waits already");
        leases.end();
        leases.held(BUCKETS[1].into(), now + 3 * TERM, now + 2 * TERM);
        assert!(before.is_over(now));
        assert!(leases.of(BUCKETS[1], TERM, 8, now + 2 * TERM).is_some());
        assert!(leases.of(BUCKETS[0], TERM, 7, now + 2 * TERM).is_none());
    }
}
