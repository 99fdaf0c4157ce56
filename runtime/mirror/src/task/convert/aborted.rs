//! Aborted transactions, whose records are not for the target.

use std::collections::HashSet;

use towpath_wire::{
    AbortedTransaction,
    batch::{self, Batch},
};

use super::LIMITS;

/// Which batches belong to aborted transactions: as Kafka's consumer finds them (`CompletedFetch` in clients), by producer id, from the
/// list in the answer until the marker in the log.
#[derive(Debug, Default)]
pub(crate) struct Aborted {
    /// by first offset, the next one last
    upcoming: Vec<AbortedTransaction>,
    open: HashSet<i64>,
}

// === impl Aborted ===

impl Aborted {
    pub(crate) fn new(mut upcoming: Vec<AbortedTransaction>) -> Self {
        upcoming.sort_by_key(|transaction| std::cmp::Reverse(transaction.first_offset));
        Self {
            upcoming,
            open: HashSet::new(),
        }
    }

    /// True when the batch's records were aborted.
    pub(crate) fn skips(&mut self, batch: &Batch) -> Result<bool, batch::Error> {
        while self
            .upcoming
            .last()
            .is_some_and(|transaction| transaction.first_offset <= batch.last_offset())
        {
            self.open
                .extend(self.upcoming.pop().map(|transaction| transaction.producer_id));
        }
        if !batch.is_control() {
            return Ok(batch.is_transactional() && self.open.contains(&batch.producer_id()));
        }
        if !self.open.is_empty() && is_abort_marker(batch)? {
            self.open.remove(&batch.producer_id());
        }
        Ok(false)
    }
}

/// A control record's key is its version and its type, 16 bits each; type 0 aborts (`ControlRecordType`).
fn is_abort_marker(batch: &Batch) -> Result<bool, batch::Error> {
    let records = batch::decode(batch, &LIMITS)?;
    Ok(!records.is_empty()
        && records
            .record(0)
            .key
            .is_some_and(|key| key.len() >= 4 && key[2..4] == [0, 0]))
}
