//! The REST API over a worker in memory: against answers recorded from Kafka Connect, and against clients that do not behave.

mod connections;
mod errors;
mod fake;
mod golden;
mod send;
