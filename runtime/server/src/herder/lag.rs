//! How far a connector is behind its source.

use serde::Serialize;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lag {
    /// offsets still to be mirrored, where they are known
    pub records: i64,
    /// partitions whose end or position is not known yet: their lag is not in `records`
    pub unknown_partitions: usize,
    pub partitions: Vec<PartitionLag>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartitionLag {
    /// the source's
    pub topic: String,
    pub partition: i32,
    /// source offset up to which everything is on the target
    pub position: Option<i64>,
    /// the source's end offset
    pub end: Option<i64>,
    pub lag: Option<i64>,
}
