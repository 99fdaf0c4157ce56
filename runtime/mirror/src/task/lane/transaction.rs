//! Records that go in transactions: those that are so old that a broker forgets their producer at once, or all where batches alone are no proof.
//!
//! Such batches have no place until their transaction is planned: whatever is before them has an answer then, and where each of them will be is stored before the
//! transaction begins. One lane has one transaction at a time. When it is committed there is a marker behind its records, and what follows is behind that; when it
//! is not, what was written is void, and the same batches are planned anew behind it.

use std::time::{Duration, Instant, SystemTime};

use towpath_wire::positions::Write;

use super::{Exact, Lane, Prepared};

/// Which records go in transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Transactions {
    #[default]
    None,
    All,
    /// by their timestamps
    OlderThan(Duration),
}

/// Batches that are committed together.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) batches: Vec<Prepared>,
    pub(super) progress: Progress,
}

/// How far a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// it waits for the row that says where its records will be
    Planned,
    Running,
    /// the task reads no further meanwhile: what is not committed is forgotten
    Abandoned,
}

/// A transaction is planned when there is as much, or when the first batch has waited for so long.
const ENOUGH: usize = 1024 * 1024;
const LINGER: Duration = Duration::from_millis(100);
/// It has no more than that, but for one batch.
const MOST: usize = 4 * 1024 * 1024;
const MOST_BATCHES: usize = 1000;

// === impl Transactions ===

impl Transactions {
    /// Whether a batch goes in one. Without a timestamp it is as old as can be.
    pub(super) fn take(self, timestamp: i64) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::OlderThan(age) => {
                let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
                let oldest = now.saturating_sub(age).as_millis();
                i128::from(timestamp) < i128::try_from(oldest).unwrap_or(i128::MAX)
            }
        }
    }
}

// === impl Exact ===

impl Exact {
    /// Batches of a transaction that is not running.
    pub(super) fn planned_batches(&mut self) -> impl Iterator<Item = &mut Prepared> {
        let planned = self.transaction.iter_mut();
        let planned = planned.filter(|transaction| transaction.progress == Progress::Planned);
        planned.flat_map(|transaction| transaction.batches.iter_mut())
    }
}

// === impl Lane ===

impl Lane {
    /// Whether a batch that was just read gets its place when its turn comes: it goes in a transaction, or behind one.
    pub(super) fn defers_place(&self, prepared: &Prepared) -> bool {
        let Some(exact) = &self.exact else { return false };
        let is_behind = self.pending.back().is_some_and(|last| last.target.is_none());
        exact.transaction.is_some() || is_behind || exact.transactions.take(prepared.outgoing.max_timestamp())
    }

    pub(in crate::task) fn has_transaction(&self) -> bool {
        self.exact
            .as_ref()
            .is_some_and(|exact| exact.transaction.is_some())
    }

    /// What was read waits for its place, and nothing is before it.
    fn may_plan(&self, now: Instant) -> bool {
        let Some(exact) = &self.exact else { return false };
        exact.transaction.is_none()
            && self.pending.front().is_some_and(|first| first.target.is_none())
            && self.in_flight.is_empty()
            && self.tried == 0
            && self.failure.is_none()
            && !self.splitting
            && !exact.locating
            && !exact.marking
            && !exact.uncertain
            && !self.has_lost_its_target()
            && !self.is_paused(now)
    }

    /// Plans the next transaction, or gives those before it their places.
    pub(in crate::task) fn plan_transaction(&mut self, now: Instant) {
        if !self.may_plan(now) {
            return;
        }
        let is_full = self.pending_bytes >= ENOUGH || self.closing;
        let has_waited = |since: Instant| now.saturating_duration_since(since) >= LINGER;
        let is_due = is_full || self.waiting_since.is_some_and(has_waited);
        let Some(exact) = &mut self.exact else { return };
        let goes = |prepared: &Prepared| exact.transactions.take(prepared.outgoing.max_timestamp());
        let young = self.pending.iter().take_while(|prepared| !goes(prepared)).count();
        for prepared in self.pending.iter_mut().take(young) {
            prepared.target = Some(exact.plan.place(&mut prepared.outgoing));
        }
        if young > 0 || !is_due {
            return;
        }
        let most = std::mem::take(&mut exact.at_most).unwrap_or(MOST_BATCHES);
        let (mut batches, mut bytes) = (Vec::new(), 0);
        while let Some(next) = self.pending.front() {
            let is_full = batches.len() >= most || bytes + next.outgoing.size() > MOST;
            // A record that became several is committed whole.
            if is_full && !batches.is_empty() && !exact.plan.is_amid_a_record(&next.outgoing) {
                break;
            }
            let Some(mut prepared) = self.pending.pop_front() else {
                break;
            };
            bytes += prepared.outgoing.size();
            prepared.target = Some(exact.plan.place_for_now(&prepared.outgoing));
            batches.push(prepared);
        }
        self.pending_bytes -= bytes;
        self.waiting_since = (!self.pending.is_empty()).then_some(now);
        exact.transaction = Some(Transaction {
            batches,
            progress: Progress::Planned,
        });
    }

    /// Whether the transaction that is planned can begin.
    pub(in crate::task) fn may_begin(&self, now: Instant) -> bool {
        let Some(exact) = &self.exact else { return false };
        let is_planned = exact
            .transaction
            .as_ref()
            .is_some_and(|transaction| transaction.progress == Progress::Planned);
        is_planned
            && !exact.marking
            && !exact.locating
            && !self.closing
            && !self.waits_for_row()
            && !self.has_lost_its_target()
            && !self.is_paused(now)
    }

    /// What is to be written. Until it is said what has become of it nothing else is.
    pub(in crate::task) fn begin_transaction(&mut self) -> Option<Write> {
        let from = self.located_from()?;
        let exact = self.exact.as_mut()?;
        let transaction = exact.transaction.as_mut()?;
        transaction.progress = Progress::Running;
        exact.marking = true;
        exact.uncertain = true;
        Some(Write {
            partition: self.target.clone(),
            anchor: exact.plan.anchor,
            from,
            batches: transaction
                .batches
                .iter()
                .map(|prepared| prepared.outgoing.clone())
                .collect(),
        })
    }

    /// The transaction is not running any more, and nothing is known of it.
    pub(in crate::task) fn not_transacted(&mut self, now: Option<Instant>) {
        if let Some(exact) = &mut self.exact {
            exact.marking = false;
            match &mut exact.transaction {
                Some(transaction) if transaction.progress == Progress::Running => {
                    transaction.progress = Progress::Planned;
                }
                _ => exact.transaction = None,
            }
        }
        if let Some(now) = now {
            self.pause(now);
        }
    }

    /// What was planned is forgotten; what is running is not gone on with.
    pub(super) fn abandon_transaction(&mut self) {
        let Some(exact) = &mut self.exact else { return };
        match &mut exact.transaction {
            Some(transaction) if transaction.progress != Progress::Planned => {
                transaction.progress = Progress::Abandoned;
            }
            planned => {
                let first = planned.take();
                let first = first.and_then(|transaction| transaction.batches.first()?.target);
                if let Some(first) = first {
                    exact.plan.give_up(first);
                }
            }
        }
    }

    pub(super) fn last_of_transaction(&self) -> Option<&Prepared> {
        self.exact.as_ref()?.transaction.as_ref()?.batches.last()
    }
}
