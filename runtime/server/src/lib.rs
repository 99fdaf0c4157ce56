//! The worker's server: Kafka Connect's REST API over a port, [`Herder`](herder::Herder).
#![forbid(unsafe_code)]

pub mod herder;
mod limits;
pub mod listeners;
pub mod rest;
mod serve;

pub use limits::Limits;
pub use serve::serve;
