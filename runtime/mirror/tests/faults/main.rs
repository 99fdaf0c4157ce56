//! The data plane between two embedded clusters that misbehave on demand. What the source's logs hold is compared with what the target's
//! logs hold, read from the clusters themselves and not through a client.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod content;
mod delivery;
mod followers;
mod gaps;
mod late;
mod many;
mod matrix;
mod mirror;
mod open_transactions;
mod owners;
mod pair;
mod recreated;
mod reseed;
mod seeds;
mod surplus;
mod tombstones;
mod transactions;
mod wait;
