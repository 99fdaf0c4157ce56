//! Where a connector goes on, in MirrorMaker 2's shape (KIP-875).

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offset {
    pub partition: SourcePartition,
    /// `None`, when altering: it is taken away, and the partition begins as if it had never been mirrored
    pub offset: Option<SourceOffset>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourcePartition {
    /// the source's alias
    pub cluster: String,
    pub topic: String,
    /// from 0
    pub partition: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceOffset {
    /// the next one to be mirrored, from 0
    pub offset: i64,
}
