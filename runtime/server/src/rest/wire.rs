//! Connect's bodies that several resources have.

use serde::Serialize;
use towpath_domain::config::Config;
use utoipa::ToSchema;

use crate::herder::{ConnectorType, Info, Run, Status, TaskStatus};

/// A connector as it was asked for.
#[derive(Serialize, ToSchema)]
pub(super) struct ConnectorInfo {
    #[schema(examples("orders-mirror"))]
    name: String,
    /// as it was given: no defaults are filled in, and passwords are in it
    #[schema(value_type = BTreeMap<String, String>)]
    config: Config,
    /// none while it is stopped
    tasks: Vec<TaskId>,
    #[serde(rename = "type")]
    kind: ConnectorType,
}

/// A task of a connector.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectorTaskId)]
pub(super) struct TaskId {
    #[schema(examples("orders-mirror"))]
    pub connector: String,
    /// from 0
    pub task: u32,
}

/// A connector as it is.
#[derive(Serialize, ToSchema)]
pub(super) struct ConnectorStateInfo {
    #[schema(examples("orders-mirror"))]
    name: String,
    connector: Run,
    tasks: Vec<TaskStatus>,
    #[serde(rename = "type")]
    kind: ConnectorType,
}

/// What was done.
#[derive(Serialize, ToSchema)]
pub(super) struct Message {
    #[schema(examples("The offsets for this connector have been reset successfully"))]
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
