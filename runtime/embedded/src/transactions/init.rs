//! InitProducerId of a transactional id: a new epoch fences all older ones.

use std::{collections::BTreeSet, time::Duration};

use kafka_protocol::ResponseError;

use super::{Identity, Marker, State, Transaction, Transactions};
use crate::log::Outcome;

/// The identity that a producer has and wants to go on with (KIP-360); `None` for one that starts.
pub(crate) type Expected = Option<Identity>;

/// The last epoch is left for fencing.
const LAST_EPOCH: i16 = i16::MAX - 1;

// === impl Transactions ===

impl Transactions {
    /// `fresh` is a producer id for the case that one is needed. A transaction under way is aborted first: its marker is returned beside
    /// CONCURRENT_TRANSACTIONS, after which the producer asks again.
    pub(crate) fn init(
        &mut self,
        now: Duration,
        id: &str,
        timeout: Duration,
        expected: Expected,
        fresh: i64,
    ) -> (Result<Identity, ResponseError>, Option<Marker>) {
        if id.is_empty() {
            return (Err(ResponseError::InvalidRequest), None);
        }
        if timeout.is_zero() || timeout > self.options.max_timeout {
            return (Err(ResponseError::InvalidTransactionTimeout), None);
        }
        let Some(transaction) = self.transactions.get_mut(id) else {
            let identity = Identity {
                producer_id: fresh,
                epoch: 0,
            };
            let transaction = Transaction {
                identity,
                previous: None,
                timeout,
                state: State::Empty,
                partitions: BTreeSet::new(),
                groups: BTreeSet::new(),
            };
            self.transactions.insert(id.to_owned(), transaction);
            return (Ok(identity), None);
        };
        if let Some(expected) = expected
            && !transaction.may_go_on(expected)
        {
            return (Err(ResponseError::ProducerFenced), None);
        }
        match transaction.state {
            State::Prepared { .. } => (Err(ResponseError::ConcurrentTransactions), None),
            State::Ongoing { .. } => {
                transaction.fence();
                transaction.prepare(now, Outcome::Abort, transaction.identity);
                let marker = transaction.complete(now, self.options.marker_delay);
                (Err(ResponseError::ConcurrentTransactions), marker)
            }
            State::Empty | State::Complete { .. } => {
                transaction.timeout = timeout;
                // A repeated request, whose first answer was lost.
                let repeated = expected.is_some() && expected == transaction.previous;
                if !repeated {
                    transaction.raise(fresh);
                    transaction.state = State::Empty;
                    if expected.is_none() {
                        transaction.previous = None;
                    }
                }
                (Ok(transaction.identity), None)
            }
        }
    }
}

// === impl Transaction ===

impl Transaction {
    fn may_go_on(&self, expected: Identity) -> bool {
        expected == self.identity || Some(expected) == self.previous
    }

    /// The next epoch, or the first one of a new producer id when there is none left.
    pub(super) fn raise(&mut self, fresh: i64) {
        self.previous = Some(self.identity);
        if self.identity.epoch >= LAST_EPOCH {
            self.identity = Identity {
                producer_id: fresh,
                epoch: 0,
            };
        } else {
            self.identity.epoch += 1;
        }
    }

    /// Shuts out the producer that has the identity now.
    pub(super) fn fence(&mut self) {
        self.identity.epoch = self.identity.epoch.saturating_add(1);
        self.previous = None;
    }
}
