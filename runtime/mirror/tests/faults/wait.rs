//! Waiting for a condition, with a deadline.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::pair::PATIENCE;

const INTERVAL: Duration = Duration::from_millis(10);

/// Looks until there is an answer; none came within [`PATIENCE`] otherwise.
pub async fn poll<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = look();
        if found.is_some() || Instant::now() > deadline {
            return found;
        }
        sleep(INTERVAL).await;
    }
}

/// Waits, and panics where it was in vain, with what is to be said then.
pub async fn until(is_so: impl Fn() -> bool, in_vain: impl FnOnce() -> String) {
    if poll(|| is_so().then_some(())).await.is_none() {
        panic!("waited in vain: {}", in_vain());
    }
}
