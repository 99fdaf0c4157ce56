//! A connector's `/status`, and what makes it run, pause, stop and begin anew.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{
    error::Error,
    extract::{Names, Pairs},
    openapi::{Routes, Tag},
    wire::ConnectorStateInfo,
};
use crate::herder::{Herder, Restart, RestartTasks, RestartWhich, Target};

pub(super) fn routes<H: Herder>() -> Routes<H> {
    Routes::new(Tag::Connectors)
        .route(__path_status, status::<H>)
        .route(__path_pause, pause::<H>)
        .route(__path_resume, resume::<H>)
        .route(__path_stop, stop::<H>)
        .route(__path_restart, restart::<H>)
}

/// How a connector and its tasks are.
#[utoipa::path(
    get,
    path = "/connectors/{connector}/status",
    operation_id = "getConnectorStatus",
    responses((status = OK, description = "as the worker knows it now", body = ConnectorStateInfo)),
)]
async fn status<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<Json<ConnectorStateInfo>, Error> {
    let status = herder
        .status(&name)
        .await
        .map_err(|refusal| Error::worded(refusal, |name| format!("No status found for connector {name}")))?;
    Ok(Json(status.into()))
}

/// Pauses a connector.
///
/// Its tasks keep their place and do nothing. Answered when it is stored; the connector follows.
#[utoipa::path(
    put,
    path = "/connectors/{connector}/pause",
    operation_id = "pauseConnector",
    responses((status = ACCEPTED, description = "it is stored")),
)]
async fn pause<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<StatusCode, Error> {
    steer(&*herder, &name, Target::Paused).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Makes a connector run that is paused or stopped.
///
/// Answered when it is stored; the connector follows.
#[utoipa::path(
    put,
    path = "/connectors/{connector}/resume",
    operation_id = "resumeConnector",
    responses((status = ACCEPTED, description = "it is stored")),
)]
async fn resume<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<StatusCode, Error> {
    steer(&*herder, &name, Target::Running).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Stops a connector (KIP-875).
///
/// It has no tasks then, and its offsets can be changed. Answered when it is stored; the connector follows.
#[utoipa::path(
    put,
    path = "/connectors/{connector}/stop",
    operation_id = "stopConnector",
    responses((status = NO_CONTENT, description = "it is stored")),
)]
async fn stop<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<StatusCode, Error> {
    steer(&*herder, &name, Target::Stopped).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn steer<H: Herder>(herder: &H, name: &str, target: Target) -> Result<(), Error> {
    herder
        .set_target(name, target)
        .await
        .map_err(|refusal| Error::worded(refusal, |name| format!("Unknown connector {name}")))
}

/// Restarts a connector (KIP-745).
#[utoipa::path(
    post,
    path = "/connectors/{connector}/restart",
    operation_id = "restartConnector",
    params(
        ("includeTasks" = Option<bool>, Query, description = "its tasks as well; what is not `true` is `false`"),
        ("onlyFailed" = Option<bool>, Query, description = "only what has failed; what is not `true` is `false`"),
    ),
    responses(
        (status = ACCEPTED, description = "a parameter is `true`: how it is while it restarts", body = ConnectorStateInfo),
        (status = NO_CONTENT, description = "no parameter is `true`: it restarts"),
    ),
)]
async fn restart<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
    query: Pairs,
) -> Result<Response, Error> {
    let tasks = match query.is_true("includeTasks") {
        Some(true) => RestartTasks::Include,
        _ => RestartTasks::Leave,
    };
    let which = match query.is_true("onlyFailed") {
        Some(true) => RestartWhich::OnlyFailed,
        _ => RestartWhich::All,
    };
    let status = herder
        .restart(&name, Restart { tasks, which })
        .await
        .map_err(|refusal| Error::worded(refusal, |name| format!("Unknown connector: {name}")))?;
    // Connect's: what was there before KIP-745 answers nothing.
    Ok(match (tasks, which) {
        (RestartTasks::Leave, RestartWhich::All) => StatusCode::NO_CONTENT.into_response(),
        _ => (StatusCode::ACCEPTED, Json(ConnectorStateInfo::from(status))).into_response(),
    })
}
