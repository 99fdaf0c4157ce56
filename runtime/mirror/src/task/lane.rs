//! One source partition on its way to one target partition: what was read, what is on the wire, what is acknowledged, what is stored.
//!
//! Pure bookkeeping, no I/O. The rules it keeps:
//! - batches leave in the order of the source, at most [`MAX_IN_FLIGHT`] at a time, which is as far back as a broker recognises a repeated
//!   sequence (KIP-98);
//! - one batch goes alone until the broker has it, under a new producer id and after a failure: a broker without state of a producer takes any
//!   sequence as the first, so a second batch could come before the first that failed;
//! - after a failure nothing more is sent until every answer on the wire has come or is lost; then everything from the first failure on
//!   is sent again with the same sequences, so that the broker drops what it already has;
//! - exactly once, each batch has its place on the target before it is sent, and what is stored says so ([`plan`]); after a failure the target's log is looked
//!   at before anything is sent again;
//! - at least once, nothing is sent that would leave more than [`GATE_RECORDS`](ledger::GATE_RECORDS) records, or records older than [`GATE_AGE`](ledger::GATE_AGE), without a stored position:
//!   this bounds what a killed worker doubles.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use towpath_domain::{Bucket, LeaderEpoch, Offset, TopicId, TopicPartition, state::PartitionState};
use towpath_wire::{
    NodeId,
    batch::{Outgoing, ProducerIdentity, next_sequence},
};

use self::{
    batches::{Answer, Sent, Window},
    ledger::{Ledger, Row},
};
use super::{Assignment, budget::Budget};
use crate::status::{PartitionStatus, READ_COMMITTED};

mod batches;
mod decided;
mod ending;
mod exact;
mod gaps;
mod ledger;
mod open_transaction;
mod plan;
mod settling;
mod tombstones;
mod transaction;

pub(super) use batches::{Failure, Prepared, Ticket};
pub(super) use exact::{Exact, Landed};
pub(super) use gaps::Gap;
pub(super) use ledger::Mark;
use open_transaction::OpenTransaction;
pub(crate) use plan::Plan;
pub(crate) use tombstones::Compacted;
pub(super) use tombstones::Stale;
use tombstones::Tombstones;
pub(crate) use transaction::Transactions;

pub(super) const MAX_IN_FLIGHT: usize = 5;
/// The state of a partition that consumers must not read yet: the target's log has filler, or may have it again.
const FILLING: &str = "filling";
/// How long batches may fail for a reason that the broker does not say, until they count as refused.
const UNEXPLAINED: Duration = Duration::from_secs(15);
/// A batch that cannot be sent for this long is not read ahead of.
const STUCK_AFTER: Duration = Duration::from_secs(1);
/// A lane that waits with this much is not fetched for, so that a slow target partition does not fill the task's budget.
const PENDING_BYTES: usize = 2 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Lane {
    pub source: TopicPartition,
    pub topic_id: TopicId,
    pub target: TopicPartition,
    /// the topic that is written to, whatever is called so; zero when brokers have no topic ids
    pub target_id: TopicId,
    pub state: PartitionState,
    /// where the next fetch begins; none until it is looked up
    pub next_fetch: Option<Offset>,
    /// the epoch of the last batch read, for the broker to notice a truncated log (KIP-320)
    pub fetched_epoch: LeaderEpoch,
    /// the source's end offset that can be read, once known
    pub end: Option<Offset>,
    pub converting: bool,
    /// the source's bounds are being asked for
    pub looking_up: bool,
    /// no fetch and no send before this time
    pub pause_until: Option<Instant>,
    /// the first batch waits for the target's limits, to be split
    pub splitting: bool,
    pub failures: u32,
    /// since when batches fail for a reason that the broker does not say
    unexplained_since: Option<Instant>,
    pub identity: Option<ProducerIdentity>,
    /// exactly once, and how
    pub exact: Option<Exact>,
    /// how many of the records that the first record to be read becomes are on the target already
    pub skip: u64,
    /// it ends: the row is to say that nothing is on its way
    closing: bool,
    /// it is over: another worker has the partition
    released: bool,
    pub records: u64,
    pub bytes: u64,
    /// a follower to read from, and until when (KIP-392)
    preferred: Option<(NodeId, Instant)>,
    next_sequence: i32,
    pending: VecDeque<Prepared>,
    pending_bytes: usize,
    /// how many of the first pending batches have been on the wire before
    tried: usize,
    /// since when the first pending batch is the first
    waiting_since: Option<Instant>,
    in_flight: VecDeque<Sent>,
    /// the broker that `in_flight` was sent to
    sent_to: Option<NodeId>,
    window: Window,
    failure: Option<Failure>,
    ledger: Ledger,
    open_transaction: OpenTransaction,
    /// of a compacted source
    tombstones: Option<Tombstones>,
}

// === impl Lane ===

impl Lane {
    pub(super) fn new(assignment: Assignment) -> Self {
        let Assignment {
            source,
            topic_id,
            target,
            target_id,
            start: (offset, epoch),
            stored,
            state,
            batches: _,
            plan,
            skip,
            preserved,
            compacted,
            is_contested: _,
        } = assignment;
        let acked = gaps::acked(plan.as_ref().filter(|_| preserved.is_some()), (offset, epoch));
        Self {
            source,
            topic_id,
            target,
            target_id,
            next_fetch: (state == PartitionState::Mirroring).then_some(offset),
            fetched_epoch: epoch,
            end: None,
            converting: false,
            looking_up: false,
            pause_until: None,
            splitting: false,
            failures: 0,
            unexplained_since: None,
            identity: plan.as_ref().map(Plan::identity),
            skip,
            closing: false,
            released: false,
            records: 0,
            bytes: 0,
            preferred: None,
            next_sequence: 0,
            pending: VecDeque::new(),
            pending_bytes: 0,
            tried: 0,
            waiting_since: None,
            in_flight: VecDeque::new(),
            sent_to: None,
            window: Window::Alone,
            failure: None,
            open_transaction: OpenTransaction::default(),
            tombstones: compacted.map(Tombstones::new),
            ledger: Ledger::new(
                acked,
                match stored {
                    Some(stored) => Row::At(stored.offset),
                    None if state == PartitionState::Mirroring => Row::None,
                    None => Row::Never,
                },
                stored.and_then(|stored| stored.target_next),
                plan.is_some(),
            ),
            exact: plan.map(|plan| Exact::new(plan, preserved)),
            state,
        }
    }

    pub(super) fn bucket(&self) -> Bucket {
        Bucket::of(self.topic_id, self.source.partition)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.released || self.state != PartitionState::Mirroring
    }

    /// Whether something of it may still be sent.
    pub(super) fn is_writing(&self) -> bool {
        !self.is_stopped() || self.has_pending() || self.has_in_flight()
    }

    /// The topic it was mirrored to is gone, or somebody else writes to it: what is left must not be sent.
    pub(super) fn has_lost_its_target(&self) -> bool {
        self.released
            || matches!(
                self.state,
                PartitionState::TargetRecreated { .. }
                    | PartitionState::SecondWriter { .. }
                    | PartitionState::Fenced
            )
    }

    /// See [`Ledger::has_written`].
    pub(super) fn has_written(&self) -> bool {
        self.ledger.has_written()
    }

    /// See [`Ledger::lost_row`].
    pub(super) fn lost_row(&mut self) {
        self.ledger.lost_row();
        let from = self.located_from();
        if let (Some(exact), Some(from)) = (&mut self.exact, from) {
            exact.plan.lost_row(from);
        }
    }

    /// Stops the lane for an operator; what is on the wire is still waited for.
    pub(super) fn stop(&mut self, state: PartitionState) {
        self.state = state;
        self.abandon();
    }

    /// Reads no further; what was read before is still mirrored.
    pub(super) fn stop_after_pending(&mut self, state: PartitionState) {
        self.state = state;
    }

    /// Forgets what was read and not sent. It was not mirrored: the place to read on from is forgotten with it, or it would be passed over.
    pub(super) fn abandon(&mut self) {
        self.next_fetch = None;
        self.abandon_transaction();
        self.give_up_from(0);
        self.pending.clear();
        self.pending_bytes = 0;
        self.tried = 0;
    }

    /// Rests after a failure: 100 ms, doubled with each failure until something is appended, at most 2 s.
    pub(super) fn pause(&mut self, now: Instant) {
        self.failures += 1;
        self.pause_until = Some(now + super::recovery::pause(self.failures));
    }

    /// A batch has failed without a reason, and that may pass.
    pub(super) fn may_pass(&mut self, now: Instant) -> bool {
        let since = *self.unexplained_since.get_or_insert(now);
        now.saturating_duration_since(since) < UNEXPLAINED
    }

    /// What a failure says of those before it: one with a reason ends those that had none. One that is not about sequences tells nothing of who else has written: the log may
    /// end where it did for as long as that takes.
    pub(super) fn heard(&mut self, failure: &Failure) {
        if !matches!(failure, Failure::Unexplained(_)) {
            self.unexplained_since = None;
        }
        if let (Failure::Retry(_) | Failure::Unexplained(_), Some(exact)) = (failure, &mut self.exact) {
            exact.misses = 0;
        }
    }

    pub(super) fn wants_fetch(&self, now: Instant) -> bool {
        !self.is_stopped()
            && !self.closing
            && !self.converting
            && !self.is_stuck(now)
            && self.gate_is_open(now)
            && self.next_fetch.is_some()
            && self.pending_bytes < PENDING_BYTES
            && !self.is_paused(now)
    }

    /// True when it is not fetched for now, and will be in a moment.
    pub(super) fn is_held_up(&self, now: Instant) -> bool {
        !self.is_stopped()
            && !self.closing
            && !self.is_stuck(now)
            && !self.is_paused(now)
            && !self.wants_fetch(now)
    }

    /// The follower that the leader has named, for as long as that counts.
    pub(super) fn preferred(&self, now: Instant) -> Option<NodeId> {
        self.preferred
            .filter(|(_, until)| *until > now)
            .map(|(node, _)| node)
    }

    /// Whether a follower was named, be it for how long.
    pub(super) fn has_preferred(&self) -> bool {
        self.preferred.is_some()
    }

    pub(super) fn read_from(&mut self, node: NodeId, until: Instant) {
        self.preferred = Some((node, until));
    }

    pub(super) fn read_from_leader(&mut self) {
        self.preferred = None;
    }

    /// True while what was read cannot be sent: it must not fill the memory that other partitions need.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        let waits = |since: Instant| now.saturating_duration_since(since) >= STUCK_AFTER;
        self.has_pending() && (self.failures > 0 || self.waiting_since.is_some_and(waits))
    }

    /// Forgets what was never sent and can be read again. What was sent may be on the target, and has to go again as the same batches:
    /// it is copied out of the fetch answers that it was cut from.
    pub(super) fn let_go(&mut self, budget: &Budget) {
        if self.converting || self.next_fetch.is_none() {
            return;
        }
        let untried = self.pending.len().saturating_sub(self.tried);
        if untried > 0 {
            self.give_up_from(self.tried);
            let dropped = self.pending.split_off(self.tried);
            self.pending_bytes -= dropped.iter().map(|batch| batch.outgoing.size()).sum::<usize>();
            // Offset and epoch are of the same place, behind the last batch that is kept, on the wire or acknowledged. With the offset of a
            // later one and an older epoch the next fetch would look like a truncated source.
            let last = self.pending.back();
            let last = last.or(self.in_flight.back().map(|sent| &sent.prepared));
            let last = last.or(self.last_of_transaction());
            let (next, epoch) = last.map_or(self.ledger.acked(), |last| {
                (last.outgoing.source().next, last.epoch)
            });
            self.next_fetch = Some(self.readable_from(next));
            self.fetched_epoch = epoch;
        }
        let planned = self.exact.iter_mut().flat_map(Exact::planned_batches);
        for prepared in self
            .pending
            .iter_mut()
            .chain(planned)
            .filter(|prepared| !prepared.share.is_own())
        {
            prepared.outgoing.detach();
            prepared.share = budget.take_own(prepared.outgoing.size());
        }
    }

    pub(super) fn is_paused(&self, now: Instant) -> bool {
        self.pause_until.is_some_and(|until| until > now)
    }

    /// Takes a batch that was read and made ready.
    pub(super) fn push(&mut self, mut prepared: Prepared) {
        if !self.defers_place(&prepared)
            && let Some(exact) = &mut self.exact
        {
            prepared.target = Some(exact.plan.place(&mut prepared.outgoing));
        }
        self.pending_bytes += prepared.outgoing.size();
        self.waiting_since.get_or_insert_with(Instant::now);
        self.pending.push_back(prepared);
    }

    /// Everything up to `next` was read; where nothing is on its way there is nothing before it left to acknowledge.
    pub(super) fn read_up_to(&mut self, next: Offset, epoch: LeaderEpoch) {
        if self.next_fetch != Some(next) {
            self.skip = 0;
        }
        self.next_fetch = Some(next);
        self.fetched_epoch = epoch;
        if self.pending.is_empty() && !self.has_in_flight() {
            self.pass((next, epoch));
        }
    }

    /// True when [`send`](Self::send) would give a batch.
    pub(super) fn wants_send(&self, now: Instant) -> bool {
        !self.pending.is_empty()
            && self.failure.is_none()
            && !self.splitting
            && self.may_send_first()
            && !self.has_gap()
            && self.in_flight.len() < self.window.batches()
            && self.identity.is_some()
            && !self.is_paused(now)
            && self.gate_is_open(now)
    }

    /// A new leader gets nothing while the old one has not answered: what it refuses must come first there, too.
    pub(super) fn may_send_to(&self, node: NodeId) -> bool {
        self.in_flight.is_empty() || self.sent_to == Some(node)
    }

    /// The next batch, signed; the caller puts it on the wire under this ticket.
    pub(super) fn send(&mut self, ticket: Ticket, node: NodeId, now: Instant) -> Option<&Outgoing> {
        let identity = self.identity?;
        self.sent_to = Some(node);
        let mut prepared = self.pending.pop_front()?;
        self.tried = self.tried.saturating_sub(1);
        self.waiting_since = self.has_pending().then_some(now);
        self.pending_bytes -= prepared.outgoing.size();
        let sequence = match (&self.exact, prepared.target) {
            (Some(exact), Some(target)) => exact.plan.sequence(target),
            _ => self.next_sequence,
        };
        prepared.outgoing.sign(identity, sequence);
        self.next_sequence = next_sequence(sequence, prepared.outgoing.records());
        self.ledger.sent(prepared.records(), now);
        self.in_flight.push_back(Sent {
            ticket,
            prepared,
            sequence,
            answer: Answer::Awaited,
        });
        self.in_flight.back().map(|sent| &sent.prepared.outgoing)
    }

    fn gate_is_open(&self, now: Instant) -> bool {
        self.ledger
            .is_open(self.pending.front().map_or(0, Prepared::records), now)
    }

    /// The target has the batch, at this offset when it said one (a repeated batch that is long appended comes without).
    pub(super) fn appended(&mut self, ticket: Ticket, base_offset: Option<Offset>) {
        if let Some(sent) = self.in_flight.iter_mut().find(|sent| sent.ticket == ticket) {
            if let (Some(expected), Some(found)) = (sent.prepared.target, base_offset)
                && expected != found
            {
                let state = PartitionState::SecondWriter {
                    offset: expected.min(found),
                };
                self.stop(state);
                return self.failed(ticket, Failure::Retry("it is not where it belongs".to_owned()));
            }
            sent.answer = Answer::Appended;
            if let Some(base) = base_offset {
                self.ledger
                    .target_is_at(Offset(base.0 + i64::from(sent.prepared.outgoing.records())));
            }
        }
        while self
            .in_flight
            .front()
            .is_some_and(|sent| sent.answer == Answer::Appended)
        {
            let Some(sent) = self.in_flight.pop_front() else {
                break;
            };
            self.window = Window::Full;
            let records = sent.prepared.records();
            self.ledger.appended(
                records,
                (sent.prepared.outgoing.source().next, sent.prepared.epoch),
            );
            if let (Some(exact), Some(next)) = (&mut self.exact, sent.prepared.target_next()) {
                self.ledger.target_is_at(next);
                exact.appended(self.tried == 0 && self.in_flight.is_empty());
            }
            self.count(&sent.prepared);
            self.failures = 0;
        }
        if self.pending.is_empty()
            && !self.has_in_flight()
            && !self.converting
            && let Some(next) = self.next_fetch
        {
            self.pass((next, self.fetched_epoch));
        }
    }

    /// There is nothing for the target up to here.
    fn pass(&mut self, up_to: (Offset, LeaderEpoch)) {
        if self.preserved().is_none() || self.located_from().is_some_and(|from| up_to.0 <= from) {
            self.ledger.passed(up_to);
        }
    }

    /// The target has it.
    fn count(&mut self, prepared: &Prepared) {
        self.unexplained_since = None;
        if !self.is_filler(prepared) {
            self.records += prepared.records();
            self.bytes += prepared.outgoing.size() as u64;
        }
    }

    /// The batch was not acknowledged. The first failure decides: those behind it fail because of it.
    pub(super) fn failed(&mut self, ticket: Ticket, failure: Failure) {
        let Some(index) = self.in_flight.iter().position(|sent| sent.ticket == ticket) else {
            return;
        };
        self.in_flight[index].answer = Answer::Failed;
        let is_first = self
            .in_flight
            .iter()
            .take(index)
            .all(|sent| sent.answer != Answer::Failed);
        if self.failure.is_none() || is_first {
            self.failure = Some(failure);
        }
    }

    /// The failure to deal with, once every answer is in; all from the first failed batch on is back in the queue then.
    pub(super) fn settle(&mut self) -> Option<Failure> {
        if self.failure.is_none() || self.in_flight.iter().any(|sent| sent.answer == Answer::Awaited) {
            return None;
        }
        if let Some(first) = self.in_flight.front() {
            self.next_sequence = first.sequence;
        }
        self.window = Window::Alone;
        if let Some(exact) = &mut self.exact {
            exact.uncertain = true;
        }
        self.tried += self.in_flight.len();
        while let Some(sent) = self.in_flight.pop_back() {
            self.ledger.taken_back(sent.prepared.records());
            self.pending_bytes += sent.prepared.outgoing.size();
            self.pending.push_front(sent.prepared);
        }
        self.failure.take()
    }

    /// Another producer id: sequences begin at 0.
    pub(super) fn identify(&mut self, identity: ProducerIdentity) {
        self.identity = Some(identity);
        self.next_sequence = 0;
        self.window = Window::Alone;
    }

    /// The first batch of the queue, to be replaced by smaller ones.
    pub(super) fn take_first(&mut self) -> Option<Prepared> {
        let first = self.pending.pop_front()?;
        self.tried = self.tried.saturating_sub(1);
        self.pending_bytes -= first.outgoing.size();
        Some(first)
    }

    pub(super) fn put_first(&mut self, batches: Vec<Prepared>) {
        // Those of a transaction that did not come to be have no place, and were never sent as far as anybody sees.
        if self.exact.is_none() || batches.iter().any(|prepared| prepared.target.is_some()) {
            self.tried += batches.len();
        }
        for prepared in batches.into_iter().rev() {
            self.pending_bytes += prepared.outgoing.size();
            self.pending.push_front(prepared);
        }
    }

    pub(super) fn first_offset(&self) -> Option<Offset> {
        self.pending
            .front()
            .map(|prepared| prepared.outgoing.source().first)
    }

    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(super) fn has_in_flight(&self) -> bool {
        !self.in_flight.is_empty() || self.has_transaction()
    }

    /// When it should not wait longer to be stored.
    pub(super) fn mark_due_at(&self, now: Instant, interval: Duration) -> Instant {
        if self.waits_for_row() {
            return now;
        }
        self.ledger.mark_due_at(now, interval)
    }

    pub(super) fn stored(&mut self, mark: Mark) {
        self.ledger.stored(mark);
        self.stored_caught_up(mark.caught_up_at);
        if let (Some(exact), Some(planned)) = (&mut self.exact, mark.planned) {
            exact.plan.stored(planned, mark.sealed);
            exact.stored_open = mark.is_open;
            exact.stored_transactional = mark.is_transactional;
        }
    }

    /// Nothing of one that is over.
    pub(super) fn status(&self) -> Option<PartitionStatus> {
        if self.released {
            return None;
        }
        let position = Some(self.ledger.acked().0.0);
        let end = self.end.map(|end| end.0);
        let blocked = self.blocked();
        Some(PartitionStatus {
            topic: self.source.topic.clone(),
            partition: self.source.partition.0,
            target: self.target.topic.clone(),
            position,
            end,
            lag: PartitionStatus::lag(position, end),
            state: if self.is_filling() {
                FILLING
            } else {
                blocked.unwrap_or(&self.state).name()
            },
            readers: self
                .exact
                .as_ref()
                .is_some_and(|exact| exact.has_transacted)
                .then_some(READ_COMMITTED),
            read_from: self.preferred.map(|(node, _)| node.0),
            detail: self.is_stopped().then_some(&self.state).or(blocked).cloned(),
        })
    }
}

#[cfg(test)]
mod exact_tests;
#[cfg(test)]
mod gap_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod transaction_tests;
