//! What travels on a lane: batches, the tickets they have while they are on the wire, and how they come back.

use std::sync::Arc;

use towpath_domain::{LeaderEpoch, Offset};
use towpath_wire::batch::Outgoing;

use super::MAX_IN_FLIGHT;
use crate::task::budget::Share;

/// A batch ready to be sent, and the bytes it keeps in memory.
#[derive(Debug)]
pub(in crate::task) struct Prepared {
    pub outgoing: Outgoing,
    /// the source's leader epoch of the batch it was cut from
    pub epoch: LeaderEpoch,
    /// what it was cut from, or was decoded from, stays counted until it is acknowledged
    pub share: Arc<Share>,
    /// where it goes on the target, when that is planned
    pub target: Option<Offset>,
}

/// Names a batch on the wire until its answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::task) struct Ticket(pub u64);

#[derive(Debug)]
pub(super) struct Sent {
    pub ticket: Ticket,
    pub prepared: Prepared,
    pub sequence: i32,
    pub answer: Answer,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Awaited,
    Appended,
    Failed,
}

/// What to do about a lane when the answers to all it sent are in and one was not good.
#[derive(Clone, Debug)]
pub(in crate::task) enum Failure {
    /// the leader moved, the broker was busy, the connection broke: the same again after a pause
    Retry(String),
    /// the broker does not take the producer's sequence. At least once: a new producer id, from sequence 0
    Identity(String),
    /// the first batch that failed is larger than the target takes
    TooLarge,
    /// the broker does not say what is wrong, and it may pass, as a full disk does
    Unexplained(String),
    /// the target will never take it
    Refused(String),
}

/// How many batches may be on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// the broker may know nothing of the producer
    Alone,
    Full,
}

// === impl Prepared ===

// The rest of what a batch can do is in convert.rs.
impl Prepared {
    pub(in crate::task) fn records(&self) -> u64 {
        u64::from(self.outgoing.records().unsigned_abs())
    }

    /// The target offset behind it, when that is planned.
    pub(in crate::task) fn target_next(&self) -> Option<Offset> {
        Some(Offset(self.target?.0 + i64::from(self.outgoing.records())))
    }
}

// === impl Window ===

impl Window {
    pub(super) fn batches(self) -> usize {
        match self {
            Self::Alone => 1,
            Self::Full => MAX_IN_FLIGHT,
        }
    }
}
