//! Calls of plugins that may break: once more on a fresh instance, later when the plugin says so, and record by record to find the one it breaks on.

use std::{
    thread,
    time::{Duration, Instant},
};

use towpath_plugin_host::CallError;

use crate::config::{Errors, Tolerance};

/// Why a plugin gave no answer for some rows.
#[derive(Debug)]
pub(super) struct Trouble {
    pub kind: Kind,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// the plugin says that this record cannot pass
    Rejected,
    /// the plugin says that the call cannot be answered
    Failed,
    /// it trapped, ran too long, took too much, or broke the contract
    Broken,
}

/// What came of some rows, in their order.
pub(super) type Pieces<'a, A> = Vec<(&'a [u32], Result<A, Trouble>)>;

/// The first pause before a retriable call is made again, as Connect's `RetryWithToleranceOperator` has it.
const FIRST_PAUSE: Duration = Duration::from_millis(300);

/// Asks about these rows, in one call when the plugin bears it. What it breaks on is halved until it is one record, so that all others have
/// their answer: a plugin's answers depend on configuration and records alone. What it fails on is not: it knows what it says of the whole call.
///
/// Nothing is asked about after the first trouble of a pipeline that tolerates none.
pub(super) fn ask<'a, A>(
    errors: &Errors,
    rows: &'a [u32],
    mut call: impl FnMut(&[u32]) -> Result<A, CallError>,
) -> Pieces<'a, A> {
    let mut pieces = Vec::new();
    let mut open = vec![rows];
    while let Some(rows) = open.pop() {
        // A whole batch may break on a moment's weakness (a busy machine, a deadline), and a single record must not be condemned for one.
        let again = pieces.is_empty() && open.is_empty() || rows.len() == 1;
        match patiently(errors, again, || call(rows)) {
            Ok(answer) => pieces.push((rows, Ok(answer))),
            Err(CallError::Broken(_)) if rows.len() > 1 => {
                let (first, second) = rows.split_at(rows.len() / 2);
                open.extend([second, first]);
            }
            Err(error) => {
                pieces.push((rows, Err(Trouble::of(error))));
                if errors.tolerance == Tolerance::None {
                    break;
                }
            }
        }
    }
    pieces
}

/// One call, and more of them where more may help.
fn patiently<A>(
    errors: &Errors,
    again: bool,
    mut call: impl FnMut() -> Result<A, CallError>,
) -> Result<A, CallError> {
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut broke = false;
    loop {
        let error = match call() {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        match &error {
            CallError::Broken(_) if again && !broke => {
                tracing::debug!("calling the plugin once more on a fresh instance");
                broke = true;
            }
            CallError::Failure { retriable: true, .. } => {
                let is_over = errors
                    .retry_timeout
                    .is_some_and(|timeout| started.elapsed() >= timeout);
                if is_over {
                    return Err(error);
                }
                pause = pause.min(errors.retry_delay_max);
                tracing::warn!(%error, ?pause, "calling the plugin again");
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the pause that is asked for, on a thread that may block"
                )]
                thread::sleep(pause);
                pause *= 2;
            }
            _ => return Err(error),
        }
    }
}

// === impl Trouble ===

impl Trouble {
    fn of(error: CallError) -> Self {
        Self {
            kind: match error {
                CallError::Failure { .. } | CallError::Unavailable(_) => Kind::Failed,
                CallError::Broken(_) => Kind::Broken,
            },
            message: error.to_string(),
        }
    }
}

// === impl Kind ===

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Broken => "broken",
        }
    }
}

#[cfg(test)]
mod tests;
