//! librdkafka's door: the reads and writes that must not go through Towpath's own client.
//!
//! The data plane reads and writes with its own protocol client; what checks it reads with librdkafka, so that one
//! mistake in a codec cannot hide itself. No type of rdkafka crosses this door.
#![forbid(unsafe_code)]

pub mod produce;
pub mod verify;
