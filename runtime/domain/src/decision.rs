//! What an operator decides about a partition that has stopped.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A way out of a [`PartitionState`](crate::state::PartitionState) that stops a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Go on from where it is possible: what is lost or differs stays so.
    Accept,
    /// Mirror the partition from the source's first record again.
    Restart,
    /// Leave the partition stopped, until it is decided otherwise.
    Abort,
}

// === impl Decision ===

impl fmt::Display for Decision {
    /// As the command takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accept => "accept",
            Self::Restart => "restart",
            Self::Abort => "abort",
        })
    }
}
