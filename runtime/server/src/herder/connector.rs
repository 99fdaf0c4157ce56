//! Connectors and tasks in Connect's words.

use serde::{Deserialize, Serialize};
use towpath_domain::config::Config;
use utoipa::ToSchema;

/// A connector as it was asked for. No `Debug`: there may be passwords in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Info {
    pub name: String,
    /// as it was given: no defaults are filled in, nothing is hidden
    pub config: Config,
    /// the ids of its tasks
    pub tasks: Vec<u32>,
    pub kind: ConnectorType,
}

/// Which way a connector goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConnectorType {
    Source,
    Sink,
    /// its class is not known
    Unknown,
}

/// A connector as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub name: String,
    pub connector: Run,
    pub tasks: Vec<TaskStatus>,
    pub kind: ConnectorType,
}

/// A task as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TaskState)]
pub struct TaskStatus {
    /// its number, from 0
    pub id: u32,
    #[serde(flatten)]
    pub run: Run,
}

/// How a connector or a task is, and where it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ConnectorState)]
pub struct Run {
    pub state: State,
    /// `host:port` of the worker's REST API
    #[schema(examples("127.0.0.1:8083"))]
    pub worker_id: String,
    /// what made it fail
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub trace: Option<String>,
    /// of its class (KIP-891)
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("4.3.1"))]
    pub version: Option<String>,
}

/// `STOPPED` is a connector's, never a task's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    Unassigned,
    Running,
    Paused,
    Failed,
    Restarting,
    /// of a connector, never of a task
    Stopped,
}

/// What a connector is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Target {
    #[default]
    Running,
    /// its tasks keep their place and do nothing
    Paused,
    /// it has no tasks
    Stopped,
}

/// What became of a configuration that was put.
#[derive(Clone, PartialEq, Eq)]
pub enum Put {
    Created(Info),
    Updated(Info),
}

/// What to restart (KIP-745).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    pub tasks: RestartTasks,
    pub which: RestartWhich,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartTasks {
    Include,
    Leave,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartWhich {
    All,
    /// those that are [`State::Failed`]
    OnlyFailed,
}

/// A task's part of its connector's configuration. No `Debug`: there may be passwords in it.
#[derive(Clone, PartialEq, Eq)]
pub struct TaskConfig {
    pub task: u32,
    pub config: Config,
}
