//! The Kafka protocol client of the data plane, and of the admin calls it needs.
#![forbid(unsafe_code)]

pub mod batch;
