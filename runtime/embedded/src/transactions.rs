//! Transactions, as far as a partition's leader asks about them.

use crate::{ErrorCode, state::State};

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
pub(crate) fn verify(_: &mut State, write: &Write<'_>) -> Result<(), ErrorCode> {
    if write.version < 12 {
        return Err(ErrorCode::InvalidTxnState);
    }
    Ok(())
}
