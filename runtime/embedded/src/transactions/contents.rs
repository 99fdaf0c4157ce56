//! What belongs to a transaction: partitions by AddPartitionsToTxn or by the first Produce (KIP-890), groups by AddOffsetsToTxn
//! or by the first TxnOffsetCommit.

use std::time::Duration;

use kafka_protocol::ResponseError;

use super::{Identity, State, Transaction, Transactions};

/// Whether a client has said before what it writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adding {
    /// With AddPartitionsToTxn or AddOffsetsToTxn.
    Before,
    /// By writing (transaction.version 2).
    Implied,
}

// === impl Transactions ===

impl Transactions {
    pub(crate) fn add_partitions(
        &mut self,
        now: Duration,
        id: &str,
        identity: Identity,
        partitions: impl IntoIterator<Item = (String, i32)>,
    ) -> Result<(), ResponseError> {
        let transaction = self.of(id, identity)?;
        transaction.begin(now)?;
        transaction.partitions.extend(partitions);
        Ok(())
    }

    pub(crate) fn add_group(
        &mut self,
        now: Duration,
        id: &str,
        identity: Identity,
        group: &str,
    ) -> Result<(), ResponseError> {
        let transaction = self.of(id, identity)?;
        transaction.begin(now)?;
        transaction.groups.insert(group.to_owned());
        Ok(())
    }

    /// Before a transactional batch is appended. A producer that was fenced is told INVALID_PRODUCER_EPOCH here, not PRODUCER_FENCED.
    pub(crate) fn check_produce(
        &mut self,
        now: Duration,
        id: &str,
        identity: Identity,
        partition: (&str, i32),
        adding: Adding,
    ) -> Result<(), ResponseError> {
        let (topic, partition) = partition;
        let partition = (topic.to_owned(), partition);
        let result = match adding {
            Adding::Implied => self.add_partitions(now, id, identity, [partition]),
            Adding::Before => match self.of(id, identity) {
                Ok(transaction) => transaction.has(|all| all.partitions.contains(&partition)),
                Err(error) => Err(error),
            },
        };
        result.map_err(|error| match error {
            ResponseError::ProducerFenced => ResponseError::InvalidProducerEpoch,
            other => other,
        })
    }

    /// Before offsets are taken into a transaction.
    pub(crate) fn check_offsets(
        &mut self,
        now: Duration,
        id: &str,
        identity: Identity,
        group: &str,
        adding: Adding,
    ) -> Result<(), ResponseError> {
        match adding {
            Adding::Implied => self.add_group(now, id, identity, group),
            Adding::Before => self.of(id, identity)?.has(|all| all.groups.contains(group)),
        }
    }

    /// Whether partitions are part of a transaction under way; brokers ask each other so (AddPartitionsToTxn with verify-only).
    pub(crate) fn verify(
        &mut self,
        id: &str,
        identity: Identity,
        partition: &(String, i32),
    ) -> Result<(), ResponseError> {
        self.of(id, identity)?
            .has(|all| all.partitions.contains(partition))
    }
}

// === impl Transaction ===

impl Transaction {
    fn begin(&mut self, now: Duration) -> Result<(), ResponseError> {
        match self.state {
            State::Ongoing { .. } => {}
            State::Prepared { .. } => return Err(ResponseError::ConcurrentTransactions),
            State::Empty | State::Complete { .. } => self.state = State::Ongoing { since: now },
        }
        Ok(())
    }

    fn has(&self, wanted: impl FnOnce(&Self) -> bool) -> Result<(), ResponseError> {
        match self.state {
            State::Ongoing { .. } if wanted(self) => Ok(()),
            State::Prepared { .. } => Err(ResponseError::ConcurrentTransactions),
            State::Empty | State::Ongoing { .. } | State::Complete { .. } => {
                Err(ResponseError::InvalidTxnState)
            }
        }
    }
}
