//! What the workers say of themselves while it runs: typed states, failed connectors, ends that nobody has asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::Result;

use super::{
    crew::{self, Crew},
    log::Deviation,
};
use crate::towpath::Status;

/// Kept for the report.
#[derive(Debug, Default)]
pub(super) struct Watch {
    seen: BTreeSet<String>,
    /// what was said, in order
    pub said: Vec<(Duration, String)>,
    pub deviations: Vec<Deviation>,
    /// partitions that were fenced because another worker had started later
    pub fenced: usize,
    /// how often a worker has ended by itself because it could not reach a cluster when it started
    pub ended: usize,
    /// when each worker did so last
    ended_at: BTreeMap<usize, Duration>,
}

/// States of a partition that nobody has to decide about.
const WELL: [&str; 2] = ["mirroring", "filling"];
/// Characters of what a worker said last.
const SHOWN: usize = 200;
/// A worker that goes on ending for the same reason is told of once in this time.
const QUIET: Duration = Duration::from_secs(10);
pub(super) const FENCED: &str = "fenced";

pub(super) fn is_well(state: &str) -> bool {
    WELL.contains(&state)
}

// === impl Watch ===

impl Watch {
    /// Looks once. `is_disturbed`: brokers or networks are or were not well just now, so that a worker may fail to start.
    pub(super) fn look(&mut self, crew: &mut Crew, now: Duration, is_disturbed: bool) -> Result<()> {
        for (worker, how) in crew.tend()? {
            // A worker that starts does not wait for a cluster that it cannot reach.
            if is_disturbed && !how.contains("panicked") {
                self.ended += 1;
            } else {
                self.deviate(now, format!("worker {worker} has ended by itself: {how}"));
            }
            let before = self.ended_at.insert(worker, now);
            if before.is_none_or(|before| now > before + QUIET) {
                let (first, last) = (how.lines().next(), how.lines().last());
                let last: String = last.unwrap_or_default().chars().take(SHOWN).collect();
                let what = format!(
                    "worker {worker} has ended by itself, {}: {last}",
                    first.unwrap_or_default()
                );
                self.say(now, what);
            }
        }
        let statuses = crew.statuses();
        let mut stopped: BTreeMap<(String, usize, String), Vec<String>> = BTreeMap::new();
        for ((connector, topic, partition), states) in crew::places(&statuses) {
            for (worker, state, _) in states.into_iter().filter(|(_, state, _)| !is_well(state)) {
                let what = format!(
                    "{connector} {topic}-{partition} {state} {worker} {}",
                    crew.start(worker)
                );
                if self.seen.insert(what) {
                    let group = (connector.clone(), worker, state.to_owned());
                    stopped
                        .entry(group)
                        .or_default()
                        .push(format!("{topic}-{partition}"));
                }
            }
        }
        for ((connector, worker, state), partitions) in stopped {
            let what = format!(
                "{connector}: {state} at worker {worker}: {}",
                partitions.join(", ")
            );
            self.say(now, what.clone());
            // Nothing in a schedule makes any state right but this one.
            if state == FENCED && crew.was_followed(worker) {
                self.fenced += partitions.len();
                continue;
            }
            let traces = traces(&statuses, worker, &connector);
            let why = traces.filter(|line| partitions.iter().any(|partition| line.contains(partition)));
            let why: Vec<&str> = why.collect();
            self.deviate(now, format!("{what}\n  {}", why.join("\n  ")));
        }
        for (worker, status) in &statuses {
            for connector in &status.connectors {
                if connector.connector.state != "FAILED" {
                    continue;
                }
                let trace = connector.connector.trace.clone().unwrap_or_default();
                let what = format!(
                    "connector {} has failed at worker {worker}: {trace}",
                    connector.name
                );
                if self.seen.insert(format!("{what} {}", crew.start(*worker))) {
                    self.say(now, what.clone());
                    let is_fenced = trace.contains(FENCED);
                    if !is_fenced || !crew.was_followed(*worker) {
                        self.deviate(now, what);
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn say(&mut self, now: Duration, what: String) {
        println!("{:7.2} s  | {what}", now.as_secs_f64());
        self.said.push((now, what));
    }

    fn deviate(&mut self, now: Duration, what: String) {
        self.deviations.push(Deviation { what, at: Some(now) });
    }
}

/// Why tasks of a connector have stopped, line by line.
fn traces<'a>(
    statuses: &'a [(usize, Status)],
    worker: usize,
    connector: &'a str,
) -> impl Iterator<Item = &'a str> {
    let of_worker = statuses.iter().filter(move |(index, _)| *index == worker);
    let connectors = of_worker.flat_map(|(_, status)| &status.connectors);
    let tasks = connectors
        .filter(move |found| found.name == connector)
        .flat_map(|found| &found.tasks);
    tasks
        .filter_map(|task| task.trace.as_deref())
        .flat_map(str::lines)
}
