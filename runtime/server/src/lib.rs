//! The worker's server: Kafka Connect's REST API over a port, [`Herder`](herder::Herder).
#![forbid(unsafe_code)]

pub mod herder;
