//! The brokers' wall clock. It runs with the machine's, and a test can set it forward.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// What timestamps, retention and expiry go by. Waiting (long polls, session timeouts of groups) goes by tokio's time instead.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead_ms: AtomicI64,
}

// === impl Clock ===

impl Clock {
    /// ms since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as i64);
        since + self.ahead_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn advance(&self, time: Duration) {
        self.ahead_ms
            .fetch_add(time.as_millis() as i64, Ordering::Relaxed);
    }
}
