//! A connector's state in Connect's words: what is wanted of it, and what is there.

use std::collections::{BTreeMap, BTreeSet};

use towpath_domain::{config::Config, state};
use towpath_mirror::status::{ConnectorStatus, PartitionStatus, RunStatus};

use super::{desired::Wanted, life::Life};
use crate::herder::{ConnectorType, Lag, PartitionLag, Run, State, Status, Target, TaskConfig, TaskStatus};

/// MirrorMaker 2's key of a task: its partitions.
const ASSIGNED: &str = "task.assigned.partitions";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a connector says of itself, or said when it was paused. Nothing of one that has not run.
pub(super) fn told(life: Option<&Life>) -> Option<ConnectorStatus> {
    let life = life?;
    match (life.handle(), life) {
        (Some(handle), _) => Some(handle.status()),
        (None, Life::Resting { last }) => last.as_deref().cloned(),
        (None, _) => None,
    }
}

pub(super) fn status(name: &str, wanted: &Wanted, life: Option<&Life>, worker_id: &str) -> Status {
    let run = |state, trace: Option<&str>| Run {
        state,
        worker_id: worker_id.to_owned(),
        trace: trace.map(str::to_owned),
        version: Some(VERSION.to_owned()),
    };
    let told = told(life);
    let (connector, tasks) = match (life, wanted.target) {
        // As it is, until it has ended.
        (Some(life), _) if life.handle().is_some() => match &told {
            Some(told) => (of(&told.connector, worker_id), tasks(told, worker_id)),
            None => (run(State::Unassigned, None), Vec::new()),
        },
        (Some(life), Target::Running) => match life.trace() {
            Some(trace) => (run(State::Failed, Some(trace)), Vec::new()),
            None => (run(State::Unassigned, None), Vec::new()),
        },
        (None, Target::Running) => (run(State::Unassigned, None), Vec::new()),
        (_, Target::Paused) => {
            let mut tasks = told
                .as_ref()
                .map(|told| tasks(told, worker_id))
                .unwrap_or_default();
            for task in &mut tasks {
                task.run = run(State::Paused, None);
            }
            (run(State::Paused, None), tasks)
        }
        (_, Target::Stopped) => (run(State::Stopped, None), Vec::new()),
    };
    Status {
        name: name.to_owned(),
        connector,
        tasks,
        kind: ConnectorType::Source,
    }
}

/// Of a connector that is there, with nothing of tasks that a stopped one had.
pub(super) fn task_configs(
    config: &Config,
    status: &Status,
    told: Option<&ConnectorStatus>,
) -> Vec<TaskConfig> {
    let one = |task: &TaskStatus| {
        let mut config = config.clone();
        let partitions = told
            .and_then(|told| told.tasks.get(task.id as usize))
            .map(|told| told.partitions.as_slice())
            .unwrap_or_default();
        let places: Vec<String> = partitions
            .iter()
            .map(|partition| format!("{}-{}", partition.topic, partition.partition))
            .collect();
        if !places.is_empty() {
            config.insert(ASSIGNED.to_owned(), places.join(","));
        }
        TaskConfig {
            task: task.id,
            config,
        }
    };
    status.tasks.iter().map(one).collect()
}

/// Topics of the target that are further than they were when they were reset.
pub(super) fn topics(told: &ConnectorStatus, reset: Option<&BTreeMap<String, i64>>) -> BTreeSet<String> {
    let is_used = |topic: &String, place: i64| match reset.and_then(|reset| reset.get(topic)) {
        Some(before) => place != *before,
        None => true,
    };
    let places = places(told).into_iter();
    places
        .filter(|(topic, place)| is_used(topic, *place))
        .map(|(topic, _)| topic)
        .collect()
}

/// How far each topic of the target is: all its partitions together.
pub(super) fn places(told: &ConnectorStatus) -> BTreeMap<String, i64> {
    let mut places = BTreeMap::new();
    for partition in partitions(told) {
        if let Some(position) = partition.position {
            *places.entry(partition.target.to_string()).or_default() += position;
        }
    }
    places
}

pub(super) fn lag(told: &ConnectorStatus) -> Lag {
    let one = |partition: &PartitionStatus| PartitionLag {
        topic: partition.topic.to_string(),
        partition: partition.partition,
        position: partition.position,
        end: partition.end,
        lag: partition.lag,
    };
    let mut all: Vec<PartitionLag> = partitions(told).map(one).collect();
    all.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    Lag {
        records: told.lag.records,
        unknown_partitions: told.lag.unknown_partitions,
        partitions: all,
    }
}

fn partitions(told: &ConnectorStatus) -> impl Iterator<Item = &PartitionStatus> {
    told.tasks.iter().flat_map(|task| &task.partitions)
}

fn tasks(told: &ConnectorStatus, worker_id: &str) -> Vec<TaskStatus> {
    // A MirrorCheckpoint does its work in one piece.
    if told.groups.is_some() {
        return vec![TaskStatus {
            id: 0,
            run: of(&told.connector, worker_id),
        }];
    }
    let one = |task: &towpath_mirror::status::TaskStatus| TaskStatus {
        id: task.id as u32,
        run: of(&task.run, worker_id),
    };
    told.tasks.iter().map(one).collect()
}

fn of(run: &RunStatus, worker_id: &str) -> Run {
    Run {
        state: match run.state {
            state::Run::Unassigned => State::Unassigned,
            state::Run::Running => State::Running,
            state::Run::Failed => State::Failed,
        },
        worker_id: worker_id.to_owned(),
        trace: run.trace.clone(),
        version: Some(VERSION.to_owned()),
    }
}
