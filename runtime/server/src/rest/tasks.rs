//! A connector's `/tasks`.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use towpath_domain::config::Config;
use utoipa::ToSchema;

use super::{
    error::Error,
    extract::Names,
    openapi::{Routes, Tag},
    wire::TaskId,
};
use crate::herder::{Herder, Refusal, TaskStatus};

/// A task and its configuration, which is its connector's: partitions move between tasks without a restart.
#[derive(Serialize, ToSchema)]
struct TaskInfo {
    id: TaskId,
    /// keys and values, passwords included
    #[schema(value_type = BTreeMap<String, String>)]
    config: Config,
}

pub(super) fn routes<H: Herder>() -> Routes<H> {
    Routes::new(Tag::Tasks)
        .route(__path_tasks, tasks::<H>)
        .route(__path_status, status::<H>)
        .route(__path_restart, restart::<H>)
}

/// A connector's tasks and their configurations.
///
/// There are none while it is stopped.
#[utoipa::path(
    get,
    path = "/connectors/{connector}/tasks",
    operation_id = "getTaskConfigs",
    responses((status = OK, description = "by their numbers", body = Vec<TaskInfo>)),
)]
async fn tasks<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<Json<Vec<TaskInfo>>, Error> {
    let tasks = herder.tasks(&name).await?.into_iter().map(|task| TaskInfo {
        id: TaskId {
            connector: name.clone(),
            task: task.task,
        },
        config: task.config,
    });
    Ok(Json(tasks.collect()))
}

/// How a task is.
#[utoipa::path(
    get,
    path = "/connectors/{connector}/tasks/{task}/status",
    operation_id = "getTaskStatus",
    responses((status = OK, description = "as the worker knows it now", body = TaskStatus)),
)]
async fn status<H: Herder>(
    State(herder): State<Arc<H>>,
    Names((name, task)): Names<(String, u32)>,
) -> Result<Json<TaskStatus>, Error> {
    match herder.task_status(&name, task).await {
        Ok(status) => Ok(Json(status)),
        Err(Refusal::UnknownConnector(_) | Refusal::UnknownTask { .. }) => Err(Error::not_found(format!(
            "No status found for task {name}-{task}"
        ))),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Restarts a task.
#[utoipa::path(
    post,
    path = "/connectors/{connector}/tasks/{task}/restart",
    operation_id = "restartTask",
    responses((status = NO_CONTENT, description = "it restarts")),
)]
async fn restart<H: Herder>(
    State(herder): State<Arc<H>>,
    Names((name, task)): Names<(String, u32)>,
) -> Result<StatusCode, Error> {
    herder
        .restart_task(&name, task)
        .await
        .map_err(|refusal| Error::worded(refusal, |name| format!("Unknown connector: {name}")))?;
    Ok(StatusCode::NO_CONTENT)
}
