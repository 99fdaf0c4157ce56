//! Connect's bodies that several resources have.

use serde::Serialize;
use towpath_domain::config::Config;

use crate::herder::{ConnectorType, Info, Run, Status, TaskStatus};

#[derive(Serialize)]
pub(super) struct ConnectorInfo {
    name: String,
    config: Config,
    tasks: Vec<TaskId>,
    #[serde(rename = "type")]
    kind: ConnectorType,
}

#[derive(Serialize)]
pub(super) struct TaskId {
    pub connector: String,
    pub task: u32,
}

#[derive(Serialize)]
pub(super) struct ConnectorStateInfo {
    name: String,
    connector: Run,
    tasks: Vec<TaskStatus>,
    #[serde(rename = "type")]
    kind: ConnectorType,
}

#[derive(Serialize)]
pub(super) struct Message {
    pub message: &'static str,
}

impl From<Info> for ConnectorInfo {
    fn from(info: Info) -> Self {
        let tasks = info.tasks.into_iter().map(|task| TaskId {
            connector: info.name.clone(),
            task,
        });
        Self {
            tasks: tasks.collect(),
            name: info.name,
            config: info.config,
            kind: info.kind,
        }
    }
}

impl From<Status> for ConnectorStateInfo {
    fn from(status: Status) -> Self {
        Self {
            name: status.name,
            connector: status.connector,
            tasks: status.tasks,
            kind: status.kind,
        }
    }
}
