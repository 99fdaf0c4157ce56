//! The REST API over a worker in memory: against answers recorded from Kafka Connect, against what it says of itself, and against clients that do not behave.

mod connections;
mod document;
mod errors;
mod fake;
mod golden;
mod openapi;
mod send;
