//! The coordinator of transactions (KIP-98, KIP-360, KIP-890): identities, epochs, and what belongs to a transaction.
//!
//! A state machine without I/O. What must be written to partitions and groups at the end of a transaction is handed back as a
//! [`Marker`]; who calls writes it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use kafka_protocol::ResponseError;

mod contents;
mod end;
mod init;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    contents::Adding,
    end::{Bump, End},
};
use crate::log::Outcome;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// `transaction.max.timeout.ms`
    pub(crate) max_timeout: Duration,
    /// How long a transaction stays prepared before its markers are written. A real coordinator needs some milliseconds, in which
    /// the identity is answered CONCURRENT_TRANSACTIONS.
    pub(crate) marker_delay: Duration,
}

#[derive(Debug, Default)]
pub(crate) struct Transactions {
    options: Options,
    transactions: BTreeMap<String, Transaction>,
}

/// One transactional id.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) identity: Identity,
    /// What the identity was before its last epoch; a repeated request may still name it.
    previous: Option<Identity>,
    pub(crate) timeout: Duration,
    pub(crate) state: State,
    pub(crate) partitions: BTreeSet<(String, i32)>,
    groups: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Empty,
    Ongoing {
        since: Duration,
    },
    /// The outcome is settled, the markers are not written yet; they will carry this identity.
    Prepared {
        outcome: Outcome,
        since: Duration,
        writer: Identity,
    },
    Complete {
        outcome: Outcome,
    },
}

/// Ends a transaction in its partitions and groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) identity: Identity,
    pub(crate) outcome: Outcome,
    pub(crate) partitions: BTreeSet<(String, i32)>,
    pub(crate) groups: BTreeSet<String>,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            max_timeout: Duration::from_secs(900),
            marker_delay: Duration::ZERO,
        }
    }
}

// === impl State ===

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing { .. } => "Ongoing",
            Self::Prepared {
                outcome: Outcome::Commit,
                ..
            } => "PrepareCommit",
            Self::Prepared {
                outcome: Outcome::Abort,
                ..
            } => "PrepareAbort",
            Self::Complete {
                outcome: Outcome::Commit,
            } => "CompleteCommit",
            Self::Complete {
                outcome: Outcome::Abort,
            } => "CompleteAbort",
        }
    }

    /// When the transaction that is under way began.
    pub(crate) fn since(self) -> Option<Duration> {
        match self {
            Self::Ongoing { since } => Some(since),
            Self::Empty | Self::Prepared { .. } | Self::Complete { .. } => None,
        }
    }
}

// === impl Transactions ===

impl Transactions {
    /// The limits from now on.
    pub(crate) fn configure(&mut self, options: Options) {
        self.options = options;
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Transaction)> {
        self.transactions
            .iter()
            .map(|(id, transaction)| (id.as_str(), transaction))
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Transaction> {
        self.transactions.get(id)
    }

    /// Transactions that took too long are aborted and their producers fenced; prepared ones are completed.
    pub(crate) fn tick(&mut self, now: Duration) -> Vec<Marker> {
        let delay = self.options.marker_delay;
        let mut markers = Vec::new();
        for transaction in self.transactions.values_mut() {
            if let State::Ongoing { since } = transaction.state
                && since + transaction.timeout <= now
            {
                transaction.fence();
                transaction.prepare(now, Outcome::Abort, transaction.identity);
            }
            markers.extend(transaction.complete(now, delay));
        }
        markers
    }

    /// When [`Transactions::tick`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let deadlines = self
            .transactions
            .values()
            .filter_map(|transaction| match transaction.state {
                State::Ongoing { since } => Some(since + transaction.timeout),
                State::Prepared { since, .. } => Some(since + self.options.marker_delay),
                State::Empty | State::Complete { .. } => None,
            });
        deadlines.min()
    }

    /// The transaction of an identity that is still the newest one of its id.
    fn of(&mut self, id: &str, identity: Identity) -> Result<&mut Transaction, ResponseError> {
        if id.is_empty() {
            return Err(ResponseError::InvalidRequest);
        }
        let transaction = self
            .transactions
            .get_mut(id)
            .ok_or(ResponseError::InvalidProducerIdMapping)?;
        if transaction.identity.producer_id != identity.producer_id {
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        if transaction.identity.epoch != identity.epoch {
            return Err(ResponseError::ProducerFenced);
        }
        Ok(transaction)
    }
}

/// Before KIP-588 there was no PRODUCER_FENCED: older versions of requests are told INVALID_PRODUCER_EPOCH.
pub(crate) fn fenced(code: ResponseError, knows: bool) -> ResponseError {
    match code {
        ResponseError::ProducerFenced if !knows => ResponseError::InvalidProducerEpoch,
        code => code,
    }
}

/// A transactional batch that is about to be appended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write<'a> {
    pub(crate) transactional_id: &'a str,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    /// Of the Produce request. From 12 on the write itself adds the partition to the transaction (KIP-890).
    pub(crate) version: i16,
}

/// Whether the producer's transaction has the partition. Asked for the first batch of a transaction in a partition.
pub(crate) fn verify(state: &mut crate::state::State, write: &Write<'_>) -> Result<(), ResponseError> {
    let adding = if write.version >= 12 {
        Adding::Implied
    } else {
        Adding::Before
    };
    let identity = Identity {
        producer_id: write.producer_id,
        epoch: write.producer_epoch,
    };
    let now = state.coordinators.now();
    let partition = (write.topic, write.partition);
    let transactions = &mut state.coordinators.transactions;
    let result = transactions.check_produce(now, write.transactional_id, identity, partition, adding);
    state.reschedule();
    result
}
