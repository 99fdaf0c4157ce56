//! How much of a worker its clients may take.

use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// bytes of a request's body
    pub body: usize,
    /// for a request's head to arrive, and for its body after it; also how long a connection may be idle, and a client not read its answer
    pub arrival: Duration,
    /// from a request's head to its answer; Connect's 90 s
    pub request: Duration,
    /// at a time, of each listener; more wait to be accepted
    pub connections: usize,
    /// for requests that are under way when the server stops
    pub shutdown: Duration,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            arrival: Duration::from_secs(10),
            request: Duration::from_secs(90),
            connections: 512,
            shutdown: Duration::from_secs(5),
        }
    }
}
