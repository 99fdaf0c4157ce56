//! The rules of edits without a guest: a door for the fuzz targets, and no part of the API.

use crate::{Edits, Effects, edits};

/// Whether edits of a batch of so many records keep the contract: only then are they ever applied.
pub fn keeps_the_contract(edits: &Edits, records: u32, declared: Effects) -> bool {
    edits::check(edits, records, declared).is_ok()
}

/// Takes back what was asked for one record of edits that keep the contract.
pub fn take_back(edits: &mut Edits, record: u32) {
    edits.remove(record);
}
