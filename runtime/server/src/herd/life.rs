//! One life of a connector: checked, run until it is told to end, and what came of it.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use towpath_domain::config::{Config, Problem};
use towpath_mirror::{config::Class, status::ConnectorStatus};

use super::{
    desired::{Generation, WrittenLimits, limits},
    reconcile::{Due, Observed},
    shared::Shared,
};
use crate::class::{Connector, Handle};

/// What there is of a connector.
pub(super) enum Life {
    Living {
        generation: Generation,
        token: CancellationToken,
        phase: Phase,
    },
    /// It was told to end.
    Ending { handle: Option<Handle> },
    Failed {
        generation: Generation,
        failure: Failure,
    },
    /// It has ended, and was so at last.
    Resting { last: Option<Box<ConnectorStatus>> },
}

pub(super) enum Phase {
    /// Its clusters and plugins are looked at.
    Checking {
        /// why the time before came to nothing
        before: Option<String>,
    },
    Running {
        handle: Handle,
        limits: WrittenLimits,
    },
}

pub(super) enum Failure {
    /// It could not begin: a cluster may be back some time.
    Refused { trace: String, again: Instant },
    /// It ended by itself, and says why. That is not tried again: a person has to look.
    Ended { handle: Handle },
    /// A bug of ours.
    Panicked { trace: String },
}

/// How a life ended.
pub(super) enum End {
    Told,
    Refused(String),
    ByItself,
    Panicked(String),
}

/// After that what could not begin is tried again.
const AGAIN: Duration = Duration::from_secs(5);

// === impl Life ===

impl Life {
    pub(super) fn observed(&self, now: Instant) -> Observed {
        match self {
            Self::Living {
                generation, phase, ..
            } => Observed::Living {
                generation: *generation,
                limits: match phase {
                    Phase::Checking { .. } => None,
                    Phase::Running { limits, .. } => Some(limits.clone()),
                },
            },
            Self::Ending { .. } => Observed::Ending,
            Self::Failed { generation, failure } => Observed::Failed {
                generation: *generation,
                due: match failure {
                    Failure::Refused { again, .. } if *again <= now => Due::Now,
                    _ => Due::NotYet,
                },
            },
            Self::Resting { .. } => Observed::Resting,
        }
    }

    /// What is there to ask.
    pub(super) fn handle(&self) -> Option<&Handle> {
        match self {
            Self::Living {
                phase: Phase::Running { handle, .. },
                ..
            }
            | Self::Failed {
                failure: Failure::Ended { handle },
                ..
            } => Some(handle),
            Self::Ending { handle } => handle.as_ref(),
            _ => None,
        }
    }

    /// Why it does not run.
    pub(super) fn trace(&self) -> Option<&str> {
        match self {
            Self::Living {
                phase: Phase::Checking { before },
                ..
            } => before.as_deref(),
            Self::Failed {
                failure: Failure::Refused { trace, .. } | Failure::Panicked { trace },
                ..
            } => Some(trace),
            _ => None,
        }
    }

    /// What becomes of it when its work has ended so.
    pub(super) fn ended(self, end: End, now: Instant) -> Self {
        match (self, end) {
            (Self::Living { generation, .. }, End::Refused(trace)) => Self::Failed {
                generation,
                failure: Failure::Refused {
                    trace,
                    again: now + AGAIN,
                },
            },
            (Self::Living { generation, .. }, End::Panicked(trace)) => Self::Failed {
                generation,
                failure: Failure::Panicked { trace },
            },
            (
                Self::Living {
                    generation,
                    phase: Phase::Running { handle, .. },
                    ..
                },
                End::ByItself,
            ) => Self::Failed {
                generation,
                failure: Failure::Ended { handle },
            },
            (life, _) => Self::Resting {
                last: life.handle().map(|handle| Box::new(handle.status())),
            },
        }
    }
}

/// Lives it.
pub(super) async fn live(
    shared: Arc<Shared>,
    name: String,
    config: Config,
    generation: Generation,
    token: CancellationToken,
) -> End {
    let work = async {
        let Some(prepared) = token.run_until_cancelled(prepare(&shared, &name, &config)).await else {
            return End::Told;
        };
        let connector = match prepared {
            Ok(connector) => connector,
            Err(problems) => return End::Refused(sentences(&problems)),
        };
        shared.runs(&name, generation, (connector.handle(), limits(&config)));
        connector.run(token.clone()).await;
        if token.is_cancelled() {
            End::Told
        } else {
            End::ByItself
        }
    };
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(end) => end,
        Err(panic) => End::Panicked(format!(
            "the connector ended: {}; restart it and report this",
            text(panic.as_ref())
        )),
    }
}

/// Checks a connector's configuration, its plugins and its clusters; all mistakes at once. Changes nothing.
pub(super) async fn prepare(shared: &Shared, name: &str, config: &Config) -> Result<Connector, Vec<Problem>> {
    let class = Class::parse(config, &shared.defaults)?;
    Connector::prepare(name.to_owned(), class, shared.worker.clone()).await
}

pub(super) fn sentences(problems: &[Problem]) -> String {
    let sentences: Vec<String> = problems.iter().map(ToString::to_string).collect();
    sentences.join("\n")
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".to_owned())
}
