//! Where a connector goes on, in MirrorMaker 2's shape (KIP-875).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A source partition and where it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ConnectorOffset)]
pub struct Offset {
    pub partition: SourcePartition,
    /// `null`: there is none. When altering, it is taken away, and the partition begins as if it had never been mirrored
    #[schema(required)]
    pub offset: Option<SourceOffset>,
}

/// A partition of the source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct SourcePartition {
    /// the source's alias
    #[schema(examples("src"))]
    pub cluster: String,
    #[schema(examples("orders"))]
    pub topic: String,
    /// from 0
    #[schema(minimum = 0)]
    pub partition: i32,
}

/// A place in a partition of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SourceOffset {
    /// the next one to be mirrored, from 0
    #[schema(minimum = 0)]
    pub offset: i64,
}
