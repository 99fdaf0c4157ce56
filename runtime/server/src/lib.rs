//! The worker's server: Kafka Connect's REST API over a port, [`Herder`](herder::Herder), and the herder of one worker behind it, whose connectors are kept in a
//! compacted topic.
#![forbid(unsafe_code)]

pub mod class;
pub mod herd;
pub mod herder;
mod limits;
pub mod listeners;
pub mod rest;
mod serve;
pub mod storage;

pub use limits::Limits;
pub use serve::serve;
