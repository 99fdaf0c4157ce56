//! An operator's way out of partitions that have stopped: accept, restart or abort, while no worker runs the connector.
//!
//! What is wrong is looked up anew in the rows and on both clusters, as a start would find it, so a decision is about what is there now. It becomes the
//! partition's row ([`Position`](towpath_wire::positions::Position)), and the next start goes on from that. Nothing is written until every selected partition
//! can be decided; then the rows are claimed, which shuts out a worker that runs the connector exactly once all the same, and everything is looked at once more.

mod decide;
mod look;
mod missed;
pub mod offsets;
mod parted;
pub mod reseed;
mod seen;
mod store;
mod sweep;

use std::sync::{Arc, Mutex};

use towpath_domain::{Decision, Partition, TopicName, TopicPartition, config::Problem};
use towpath_wire::{Client, Isolation, KafkaError, Topics, positions::Positions};

use crate::{
    config::{Delivery, Selection},
    route::Routes,
};
use decide::{Change, Order};
use seen::Seen;
use store::{claim, write};
use sweep::Lingering;

/// What is decided, and about what.
#[derive(Clone, Debug)]
pub struct Request {
    pub decision: Decision,
    /// all that have stopped, when it is not given
    pub topic: Option<TopicName>,
    /// of that topic
    pub partition: Option<Partition>,
    pub existing: Existing,
    pub mode: Mode,
    /// when, ms since 1970
    pub at: i64,
}

/// Whether a partition is mirrored again onto records that the target has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    Refused,
    Doubled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Says what would be written.
    DryRun,
    Write,
}

/// What became of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    pub partition: TopicPartition,
    /// sentences
    pub told: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was changed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Refused(Vec<Problem>),
    #[error("{what} cannot be looked at: {error}; repeat this when it can be")]
    Unseen { what: String, error: KafkaError },
    #[error(
        "another worker has taken the connector over meanwhile: stop it and repeat this; some of what was decided may be stored"
    )]
    Overtaken,
    #[error(transparent)]
    Kafka(#[from] towpath_wire::Error),
}

/// A connector whose partitions are decided about.
pub(crate) struct Subject {
    pub connector: String,
    pub topics: Selection,
    pub delivery: Delivery,
    pub isolation: Isolation,
    /// what the target has may be something else than what the source has
    pub has_plugins: bool,
    pub source: Client,
    pub target: Client,
    pub routes: Arc<Mutex<Routes>>,
    /// the topic of the rows, and with how many replicas it would be created
    pub table: (TopicName, i16),
}

/// A partition and what is done about it; nothing when it was decided before.
type Decided = (Seen, Option<Change>, String);

/// Decides about the partitions that have stopped.
pub(crate) async fn resolve(subject: Subject, request: &Request) -> Result<Vec<Resolution>, Error> {
    let positions = open(&subject).await?;
    let mut decided = plan(&subject, &positions, request).await?;
    let is_changed = decided.iter().any(|(_, change, _)| change.is_some());
    let decided = match request.mode {
        Mode::Write if is_changed => {
            claim(&subject, &positions).await?;
            let mut decided = plan(&subject, &positions, request).await?;
            delete_lingering(&subject, &positions, &mut decided).await?;
            write(&positions, &decided).await?;
            decided
        }
        _ => {
            count_lingering(&subject, &mut decided).await?;
            decided
        }
    };
    let mut resolutions = Vec::new();
    for (seen, change, told) in decided {
        if change.is_some() && request.mode == Mode::Write {
            tracing::info!(connector = subject.connector, partition = %seen.source, decision = %request.decision, "{told}");
        }
        resolutions.push(Resolution {
            partition: seen.source,
            told,
        });
    }
    Ok(resolutions)
}

/// Says how many keys would be deleted on the target.
async fn count_lingering(subject: &Subject, decided: &mut [Decided]) -> Result<(), Error> {
    for (seen, change, told) in decided {
        if let Some(sweep) = change.as_ref().and_then(|change| change.sweep) {
            let lingering = Lingering::find(subject, seen, sweep).await?;
            told.push_str(&format!(
                "; {} keys would be deleted on the target",
                lingering.count()
            ));
        }
    }
    Ok(())
}

/// Deletes on the target the keys that the source does not have any more. Whoever dies meanwhile leaves partitions that are to be decided about as before.
async fn delete_lingering(
    subject: &Subject,
    positions: &Positions,
    decided: &mut [Decided],
) -> Result<(), Error> {
    for (seen, change, told) in decided {
        let Some(change) = change else { continue };
        let Some(sweep) = change.sweep else { continue };
        let lingering = Lingering::find(subject, seen, sweep).await?;
        let count = lingering.count();
        told.push_str(&format!("; {count} keys are deleted on the target"));
        if count == 0 {
            continue;
        }
        if let Some(before) = sweep::before(seen, change) {
            write(positions, &[(seen.clone(), Some(before), String::new())]).await?;
        }
        let end = lingering.delete(subject, seen).await?;
        sweep::behind(change, end);
    }
    Ok(())
}

/// The table of rows, where there is one.
async fn open(subject: &Subject) -> Result<Positions, Error> {
    let (name, replication_factor) = &subject.table;
    let found = subject.target.metadata(Topics::Names(vec![name.clone()])).await?;
    if found
        .iter()
        .any(|topic| topic.error == Some(KafkaError::UNKNOWN_TOPIC_OR_PARTITION))
    {
        let message = "the target has no such topic: nothing was mirrored by this connector";
        let remedy = "correct offset.storage.topic or the cluster to write to, or start the worker";
        return Err(refused(
            "offset.storage.topic",
            Some(name.as_str()),
            message,
            remedy,
        ));
    }
    let opened = Positions::open(subject.target.clone(), name.as_str(), *replication_factor).await;
    Ok(opened?)
}

async fn plan(subject: &Subject, positions: &Positions, request: &Request) -> Result<Vec<Decided>, Error> {
    let table = positions.load().await?;
    let chunks = positions.sealed().await?;
    let mut seen = look::look(subject, &table, chunks.as_ref(), request.topic.as_ref()).await?;
    missed::look_for_missed(subject, chunks.as_ref(), &mut seen, request.at).await?;
    select(seen, request, subject.has_plugins).map_err(Error::Refused)
}

/// What to do about each of the selected partitions; all mistakes at once.
fn select(seen: Vec<Seen>, request: &Request, has_plugins: bool) -> Result<Vec<Decided>, Vec<Problem>> {
    let order = Order {
        decision: request.decision,
        existing: request.existing,
        at: request.at,
        has_plugins,
    };
    let is_selected = |seen: &Seen| {
        request
            .partition
            .is_none_or(|wanted| wanted == seen.source.partition)
    };
    let mut decided = Vec::new();
    let mut problems = Vec::new();
    for seen in seen.into_iter().filter(is_selected) {
        let state = seen.state();
        if let Some(before) = decide::decided(&seen, request.decision)
            && (state.is_none() || before.is_abort())
        {
            let told = format!(
                "nothing is changed: {} of {} was decided already, at {} ms since 1970, and no worker has gone on since",
                before.decision, before.state, before.at
            );
            decided.push((seen, None, told));
            continue;
        }
        let Some(state) = state else { continue };
        if request.topic.is_none() && request.decision != Decision::Abort && seen.is_aborted() {
            let told =
                format!("nothing is changed: {state}; what an operator left stopped is decided by --topic");
            decided.push((seen, None, told));
            continue;
        }
        if let (Some(partition), true) = (request.partition, decide::is_of_topic(&state)) {
            let message = format!("{state}; that is so of the whole topic");
            let remedy = "leave --partition out: all of its partitions are decided together";
            problems.push(Problem::new(
                "--partition",
                Some(&partition.to_string()),
                message,
                remedy,
            ));
            continue;
        }
        match decide::decide(&seen, &state, order) {
            Ok(change) => {
                let told = format!("{state}. {}: {}", request.decision, change.told);
                decided.push((seen, Some(change), told));
            }
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    if decided.is_empty() {
        return Err(vec![nothing(request)]);
    }
    Ok(decided)
}

fn nothing(request: &Request) -> Problem {
    let remedy = "see `state` in the worker's status; what shows only while records are mirrored (target-refuses, plugin-failed, source-corrupt, topic-collision, \
                  partitions-shrunk, fenced) is mended as it says, and tried again at each start";
    let stopped = "has not stopped, by its row and by what both clusters have, or was never mirrored";
    match (&request.topic, request.partition) {
        (Some(topic), Some(partition)) => {
            let place = format!("{topic}-{partition}");
            Problem::new("--partition", Some(&place), stopped, remedy)
        }
        (Some(topic), None) => Problem::new("--topic", Some(topic.as_str()), stopped, remedy),
        (None, _) => {
            let message =
                "no partition of the connector has stopped, by its row and by what both clusters have";
            Problem::new("--connector", None, message, remedy)
        }
    }
}

fn refused(key: &str, value: Option<&str>, message: &str, remedy: &str) -> Error {
    Error::Refused(vec![Problem::new(key, value, message, remedy)])
}

#[cfg(test)]
mod tests;
