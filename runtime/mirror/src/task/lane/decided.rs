//! What has become of a lane's transaction: by the coordinator's answer, or by the target's log, where everything is decided when it is looked at.

use std::time::Instant;

use towpath_domain::{Offset, state::PartitionState};
use towpath_wire::{ProducerId, Tail, TailBatch};

use super::{Landed, Lane, Prepared, Window, transaction::Progress};

// === impl Lane ===

impl Lane {
    /// It is committed, with a marker behind its records.
    pub(in crate::task) fn committed(&mut self, producer: ProducerId, now: Instant) {
        self.take_back();
        let mut end = None;
        while let Some(next) = self.pending.front().and_then(Prepared::target_next) {
            end = Some(next);
            self.take_landed(now);
        }
        if let Some(end) = end {
            self.ended(producer, (end, Offset(end.0 + 1)), end);
        }
        self.decided();
    }

    /// What the target's log says of the transaction, from where it was to begin: all in it is decided. The error is why nothing more may be written.
    pub(in crate::task) fn look(
        &mut self,
        tail: &Tail,
        producer: ProducerId,
        now: Instant,
    ) -> Result<(), PartitionState> {
        let (Some(from), Some(exact)) = (self.located_from(), &mut self.exact) else {
            return Ok(());
        };
        if tail.end < from {
            if exact.may_look_again() {
                self.not_transacted(Some(now));
                return Ok(());
            }
            return Err(PartitionState::TargetDiverged {
                next: from,
                end: tail.end,
            });
        }
        self.take_back();
        // Of the batches in front: how many are there and are not decided yet; where what may be void begins; what is of nobody.
        let (mut undecided, mut void, mut unknown) = (0, None, None);
        let mut plain = None;
        for batch in tail.batches.iter().filter(|batch| batch.next > from) {
            self.check_owner(batch, producer)?;
            if !batch.is_control && batch.is_transactional {
                void.get_or_insert(batch.first);
                let place = (Some(batch.first), Some(batch.next));
                match self.pending.get(undecided) {
                    Some(next) if (next.target, next.target_next()) == place && self.fits(batch) => {
                        undecided += 1;
                    }
                    _ => unknown = Some(batch.first),
                }
                continue;
            }
            if !batch.is_control {
                if !self.fits(batch) {
                    return Err(PartitionState::SecondWriter { offset: batch.first });
                }
                plain = Some(batch.next);
                continue;
            }
            if let Some(end) = plain.take() {
                self.take_late(end, now)?;
            }
            let mut counts = void.take().unwrap_or(batch.first);
            if batch.is_commit {
                if let Some(offset) = unknown {
                    return Err(PartitionState::SecondWriter { offset });
                }
                for _ in 0..undecided {
                    self.take_landed(now);
                }
                counts = batch.first;
            }
            (undecided, unknown) = (0, None);
            let marker = ProducerId {
                id: batch.producer,
                epoch: batch.epoch,
            };
            self.ended(marker, (batch.first, batch.next), counts);
        }
        self.decided();
        Ok(())
    }

    /// Whether it is where it was meant to be, as far as the log was looked at.
    fn fits(&self, batch: &TailBatch) -> bool {
        self.exact
            .as_ref()
            .is_some_and(|exact| exact.plan.anchor.fits(batch))
    }

    fn check_owner(&self, batch: &TailBatch, producer: ProducerId) -> Result<(), PartitionState> {
        let anchor = self.exact.as_ref().map(|exact| exact.plan.anchor.producer);
        if batch.producer != producer.id && Some(batch.producer) != anchor {
            return Err(PartitionState::SecondWriter { offset: batch.first });
        }
        // Another owner of the bucket has shut this one out.
        if batch.producer == producer.id && batch.epoch > producer.epoch {
            return Err(PartitionState::Fenced);
        }
        Ok(())
    }

    /// A former owner's batches, which are no transaction's, have come before it was shut out.
    fn take_late(&mut self, end: Offset, now: Instant) -> Result<(), PartitionState> {
        match self.landed(end, now) {
            Landed::Here => Ok(()),
            Landed::Former(at) if at.skip == 0 => {
                self.go_on_behind(end, at);
                Ok(())
            }
            // Parts of one record: where the others belong is for a new start to find out.
            Landed::Former(_) | Landed::Elsewhere => Err(PartitionState::Fenced),
        }
    }

    /// A transaction has ended here with this marker; what is from `counts` on before it does not count.
    fn ended(&mut self, producer: ProducerId, marker: (Offset, Offset), counts: Offset) {
        let (acked, _) = self.ledger.acked();
        if let Some(exact) = &mut self.exact {
            exact.plan.ended(producer, marker, (counts, acked));
        }
        self.ledger.target_is_at(marker.1);
    }

    /// The batches of the transaction are the first again, as they were planned.
    fn take_back(&mut self) {
        let Some(exact) = &mut self.exact else { return };
        exact.marking = false;
        let Some(transaction) = exact.transaction.take() else {
            return;
        };
        exact.is_abandoned = transaction.progress == Progress::Abandoned;
        self.waiting_since.get_or_insert_with(Instant::now);
        for prepared in transaction.batches.into_iter().rev() {
            self.pending_bytes += prepared.outgoing.size();
            self.pending.push_front(prepared);
        }
    }

    /// Nothing is on its way. What is left is planned anew.
    fn decided(&mut self) {
        let end = self.located_from();
        let Some(exact) = &mut self.exact else { return };
        exact.uncertain = false;
        exact.misses = 0;
        exact.former = None;
        exact.has_transacted = true;
        if let Some(end) = end {
            exact.plan.give_up(end);
        }
        self.identity = Some(exact.plan.identity());
        self.window = Window::Alone;
        self.failures = 0;
        if std::mem::take(&mut exact.is_abandoned) {
            self.pending.clear();
            self.pending_bytes = 0;
        }
        for prepared in &mut self.pending {
            prepared.target = None;
        }
        if self.pending.is_empty()
            && !self.converting
            && let Some(next) = self.next_fetch
        {
            self.pass((next, self.fetched_epoch));
        }
    }

    /// The batch of that index was not taken: those before it go first, and answers whether there are none.
    pub(in crate::task) fn is_refused_at(&mut self, index: usize) -> bool {
        if let Some(exact) = &mut self.exact {
            exact.at_most = (index > 0).then_some(index);
        }
        index == 0
    }
}
