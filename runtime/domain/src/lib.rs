//! The words of the product: ids, offsets, states, configuration definitions. No I/O, no async.
#![forbid(unsafe_code)]

mod buckets;
pub mod checks;
pub mod config;
mod decision;
mod ids;
pub mod offset_map;
pub mod plugin;
pub mod state;

pub use buckets::Buckets;
pub use decision::Decision;
pub use ids::{
    Bucket, ClusterId, GroupId, LeaderEpoch, Offset, Partition, TopicId, TopicName, TopicPartition,
};
