//! How far a connector is behind its source.

use serde::Serialize;
use utoipa::ToSchema;

/// How far a connector is behind its source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Lag {
    /// offsets still to be mirrored, where they are known
    pub records: i64,
    /// partitions whose end or position is not known yet: their lag is not in `records`
    pub unknown_partitions: usize,
    pub partitions: Vec<PartitionLag>,
}

/// How far a partition is behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PartitionLag {
    /// the source's
    pub topic: String,
    /// from 0
    pub partition: i32,
    /// source offset up to which everything is on the target
    #[schema(required)]
    pub position: Option<i64>,
    /// the source's end offset
    #[schema(required)]
    pub end: Option<i64>,
    /// from `position` to `end`
    #[schema(required)]
    pub lag: Option<i64>,
}
