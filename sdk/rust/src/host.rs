//! What the host does for every plugin. In native tests, lines and counters are kept for the test: see [`testing`](crate::testing).

use std::fmt::Display;

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// A line in the worker's log. There is a limit per second; longer lines than 1,000 bytes are cut.
pub fn log(level: Level, message: impl Display) {
    #[cfg(target_arch = "wasm32")]
    crate::guest::log(level, &message.to_string());
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::log(level, message.to_string());
}

/// Adds to a counter of the plugin's own: at most 16 names of `a-z 0-9 _`.
pub fn count(name: &str, by: u64) {
    #[cfg(target_arch = "wasm32")]
    crate::guest::count(name, by);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::count(name, by);
}
