//! EndTxn: the outcome is settled, then the markers are written.

use std::time::Duration;

use kafka_protocol::ResponseError;

use super::{Identity, Marker, State, Transaction, Transactions};
use crate::log::Outcome;

/// What EndTxn answers, and what is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// What the producer goes on with (version 5).
    pub(crate) identity: Identity,
    pub(crate) marker: Option<Marker>,
}

/// What EndTxn says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) outcome: Outcome,
    pub(crate) bump: Bump,
}

/// Whether a transaction's end raises the epoch (KIP-890; version 5 of EndTxn).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bump {
    Epoch,
    Nothing,
}

// === impl Transactions ===

impl Transactions {
    pub(crate) fn end(
        &mut self,
        now: Duration,
        id: &str,
        identity: Identity,
        End { outcome, bump }: End,
        fresh: i64,
    ) -> Result<Ended, ResponseError> {
        let delay = self.options.marker_delay;
        let transaction = self.transactions.get_mut(id);
        if let Some(transaction) = transaction
            && bump == Bump::Epoch
            && transaction.previous == Some(identity)
        {
            return transaction.repeated(outcome);
        }
        let transaction = self.of(id, identity)?;
        match transaction.state {
            State::Ongoing { .. } => {}
            // The epoch was raised with the outcome: with the new epoch it is no repetition, but an abort of nothing.
            State::Empty | State::Complete { .. } if bump == Bump::Epoch && outcome == Outcome::Abort => {}
            State::Complete { outcome: was } if bump == Bump::Nothing && was == outcome => {
                return Ok(Ended {
                    identity,
                    marker: None,
                });
            }
            State::Prepared { outcome: was, .. } if was == outcome => {
                return Err(ResponseError::ConcurrentTransactions);
            }
            State::Empty | State::Prepared { .. } | State::Complete { .. } => {
                return Err(ResponseError::InvalidTxnState);
            }
        }
        // Markers carry the raised epoch, so that a batch that is still on the way finds the transaction closed: the old producer
        // id's, also when the producer goes on with a new one.
        let mut writer = identity;
        if bump == Bump::Epoch {
            writer.epoch = writer.epoch.saturating_add(1);
            transaction.raise(fresh);
        }
        transaction.prepare(now, outcome, writer);
        let marker = transaction.complete(now, delay);
        Ok(Ended {
            identity: transaction.identity,
            marker,
        })
    }
}

// === impl Transaction ===

impl Transaction {
    /// The answer was lost, and the producer asks again with the epoch from before.
    fn repeated(&self, outcome: Outcome) -> Result<Ended, ResponseError> {
        match self.state {
            State::Complete { outcome: was } if was == outcome => Ok(Ended {
                identity: self.identity,
                marker: None,
            }),
            State::Prepared { outcome: was, .. } if was == outcome => {
                Err(ResponseError::ConcurrentTransactions)
            }
            State::Empty | State::Ongoing { .. } => Err(ResponseError::ProducerFenced),
            State::Prepared { .. } | State::Complete { .. } => Err(ResponseError::InvalidTxnState),
        }
    }

    pub(super) fn prepare(&mut self, now: Duration, outcome: Outcome, writer: Identity) {
        self.state = State::Prepared {
            outcome,
            since: now,
            writer,
        };
    }

    /// Hands out the marker of a prepared transaction when it is time.
    pub(super) fn complete(&mut self, now: Duration, delay: Duration) -> Option<Marker> {
        let State::Prepared {
            outcome,
            since,
            writer,
        } = self.state
        else {
            return None;
        };
        if since + delay > now {
            return None;
        }
        self.state = State::Complete { outcome };
        Some(Marker {
            identity: writer,
            outcome,
            partitions: std::mem::take(&mut self.partitions),
            groups: std::mem::take(&mut self.groups),
        })
    }
}
