//! Checkers on a connector: at the start and at intervals, what both clusters say about themselves is read and judged.
//!
//! A check only looks. Nothing is mended here, and a check that cannot be made is shown as unknown, never as clean.

mod acls;
mod schemas;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use serde::Serialize;
use tokio_util::sync::CancellationToken;
use towpath_domain::{
    TopicName,
    checks::{Finding, Severity},
};
use towpath_plugin_host as host;
use towpath_registry::Registry;
use towpath_wire::Client;

use crate::{config::Selection, discovery, registries::Names, route};

/// A check as the status shows it.
#[derive(Clone, Debug, Serialize)]
pub struct CheckStatus {
    /// such as `acl.checkers.drift`
    pub name: String,
    /// `name@version`
    pub plugin: String,
    pub state: State,
    /// when the findings were made, ms since the epoch
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<u64>,
    /// the gravest first
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// why it is unknown
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// it has not been made, or could not be
    Unknown,
    Clean,
    /// there are findings, none of them blocking
    Warning,
    /// there are findings that keep a gate shut
    Blocking,
}

/// A checker that runs.
pub(crate) enum Checker {
    Acl(host::AclChecker),
    Schema(host::SchemaChecker),
}

/// A checker with its name.
pub(crate) struct Named {
    pub name: String,
    pub plugin: String,
    pub checker: Checker,
}

/// What checks look at.
pub(crate) struct Subjects {
    pub connector: String,
    pub source: Client,
    pub target: Client,
    pub names: Names,
    /// present where a schema checker is
    pub registries: Option<(Registry, Registry)>,
    /// subjects of the source beside those of the topics
    pub more: Option<Selection>,
    pub interval: Duration,
}

/// Shared with the status.
pub(crate) type Shown = Arc<Mutex<Vec<CheckStatus>>>;

/// After a check that could not be made.
const SOONER: Duration = Duration::from_secs(10);

/// Makes all checks again and again until told to stop.
pub(crate) async fn run(
    subjects: Subjects,
    mut checkers: Vec<Named>,
    shown: Shown,
    token: CancellationToken,
) {
    set(&shown, |all| *all = checkers.iter().map(Named::unknown).collect());
    loop {
        let mut pause = subjects.interval;
        let mut checked = Vec::with_capacity(checkers.len());
        for named in checkers {
            let Some((named, result)) = token.run_until_cancelled(check(&subjects, named)).await else {
                return;
            };
            if result.is_err() {
                pause = pause.min(SOONER);
            }
            set(&shown, |all| {
                if let Some(status) = all.iter_mut().find(|status| status.name == named.name) {
                    status.take(&subjects.connector, result);
                }
            });
            checked.push(named);
        }
        checkers = checked;
        if token
            .run_until_cancelled(tokio::time::sleep(pause))
            .await
            .is_none()
        {
            return;
        }
    }
}

/// Reads what the checker needs, and asks it on a thread that may block.
async fn check(subjects: &Subjects, mut named: Named) -> (Named, Result<Vec<Finding>, String>) {
    let topics = match topics(subjects).await {
        Ok(topics) => topics,
        Err(error) => return (named, Err(error)),
    };
    let result;
    (named.checker, result) = match named.checker {
        Checker::Acl(checker) => match acls::read(subjects, &topics).await {
            Ok(acls) => asked(checker, Checker::Acl, move |checker| acls.check(checker)).await,
            Err(error) => (Checker::Acl(checker), Err(error)),
        },
        Checker::Schema(checker) => match schemas::read(subjects, &topics).await {
            Ok(pairs) => {
                asked(checker, Checker::Schema, move |checker| {
                    schemas::check(checker, &pairs)
                })
                .await
            }
            Err(error) => (Checker::Schema(checker), Err(error)),
        },
    };
    (named, result)
}

/// The topics that are mirrored, with their names on the target. Those that no router takes are told elsewhere.
async fn topics(subjects: &Subjects) -> Result<Vec<(TopicName, TopicName)>, String> {
    let selected = discovery::select(&subjects.source, &subjects.names.topics)
        .await
        .map_err(|error| format!("topics cannot be listed: {error}"))?;
    let names = selected.topics.into_iter().map(|topic| topic.name).collect();
    let routed = route::route_all(Arc::clone(&subjects.names.routes), names).await;
    Ok(routed
        .into_iter()
        .filter_map(|(topic, target)| Some((topic, target.ok()?)))
        .collect())
}

async fn asked<C: Send + 'static>(
    mut checker: C,
    back: fn(C) -> Checker,
    ask: impl FnOnce(&mut C) -> Result<Vec<Finding>, host::CallError> + Send + 'static,
) -> (Checker, Result<Vec<Finding>, String>) {
    let work = tokio::task::spawn_blocking(move || {
        let result = ask(&mut checker).map_err(|error| error.to_string());
        (back(checker), result)
    });
    match work.await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn set(shown: &Shown, change: impl FnOnce(&mut Vec<CheckStatus>)) {
    change(&mut shown.lock().unwrap_or_else(PoisonError::into_inner));
}

// === impl Named ===

impl Named {
    fn unknown(&self) -> CheckStatus {
        CheckStatus {
            name: self.name.clone(),
            plugin: self.plugin.clone(),
            state: State::Unknown,
            checked_at: None,
            findings: Vec::new(),
            trouble: Some("it has not been made yet".to_owned()),
        }
    }
}

// === impl CheckStatus ===

impl CheckStatus {
    /// Takes over a result; what is new is logged. What was found before an attempt that failed is not shown as if it still were so.
    fn take(&mut self, connector: &str, result: Result<Vec<Finding>, String>) {
        let name = self.name.as_str();
        match result {
            Err(trouble) => {
                if self.trouble.as_ref() != Some(&trouble) {
                    tracing::warn!(connector, check = name, trouble, "a check could not be made");
                }
                (self.state, self.trouble) = (State::Unknown, Some(trouble));
                self.findings.clear();
                self.checked_at = None;
            }
            Ok(mut findings) => {
                findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
                let state = match findings.first() {
                    None => State::Clean,
                    Some(finding) if finding.severity == Severity::Blocking => State::Blocking,
                    Some(_) => State::Warning,
                };
                if self.state != state || self.findings != findings {
                    let count = findings.len();
                    tracing::info!(
                        connector,
                        check = name,
                        findings = count,
                        ?state,
                        "a check was made"
                    );
                }
                self.state = state;
                self.findings = findings;
                self.trouble = None;
                let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
                self.checked_at = u64::try_from(since.as_millis()).ok();
            }
        }
    }
}
