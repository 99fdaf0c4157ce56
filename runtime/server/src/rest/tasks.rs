//! A connector's `/tasks`.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use serde::Serialize;
use towpath_domain::config::Config;

use super::{error::Error, extract::Names, wire::TaskId};
use crate::herder::{Herder, Refusal, TaskStatus};

#[derive(Serialize)]
struct TaskInfo {
    id: TaskId,
    config: Config,
}

pub(super) fn routes<H: Herder>() -> Router<Arc<H>> {
    Router::new()
        .route("/connectors/{connector}/tasks", get(tasks::<H>))
        .route("/connectors/{connector}/tasks/{task}/status", get(status::<H>))
        .route("/connectors/{connector}/tasks/{task}/restart", post(restart::<H>))
}

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
