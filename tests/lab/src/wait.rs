//! Waiting for a condition with a deadline: the only place of the lab that sleeps.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

const INTERVAL: Duration = Duration::from_millis(50);

/// Asks `check` until it answers `Some`, or fails once `deadline` has passed, with `what` and the last answer.
pub fn until<T>(what: &str, deadline: Duration, mut check: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let started = Instant::now();
    loop {
        let last = match check() {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => String::new(),
            Err(error) if error.is::<Hopeless>() => return Err(error),
            Err(error) => format!(": {error:#}"),
        };
        if started.elapsed() > deadline {
            bail!("waited {} s for {what}{last}", deadline.as_secs());
        }
        pause(INTERVAL);
    }
}

/// An error that no waiting cures: [`until`] hands it on at once.
#[derive(Debug)]
pub struct Hopeless(pub String);

impl std::fmt::Display for Hopeless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Hopeless {}

/// Lets time pass: for pacing traffic and between two looks at a condition.
#[expect(
    clippy::disallowed_methods,
    reason = "the one sleep of the lab: callers look at a condition afterwards"
)]
pub fn pause(time: Duration) {
    thread::sleep(time);
}
