//! What an operator decided about a partition, in its row.

use serde::{Deserialize, Serialize};
use towpath_domain::{Decision, Offset};

/// The decision that a row is of. The next position that is mirrored has none any more; one that leaves the partition stopped stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    pub decision: Decision,
    /// the typed state that the partition was in, by its name
    pub state: String,
    /// when, ms since 1970
    pub at: i64,
    /// the source's offsets that it is about
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Span>,
    /// the target's offsets that it is about
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Span>,
}

/// Offsets `from` (included) to `to` (excluded).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub from: Offset,
    pub to: Offset,
}

// === impl Resolved ===

impl Resolved {
    /// Whether the partition is to stay stopped.
    pub fn is_abort(&self) -> bool {
        self.decision == Decision::Abort
    }
}
