//! A connector's `/status`, and what makes it run, pause, stop and begin anew.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post, put},
};

use super::{
    error::Error,
    extract::{Names, Pairs},
    wire::ConnectorStateInfo,
};
use crate::herder::{Herder, Restart, RestartTasks, RestartWhich, Target};

pub(super) fn routes<H: Herder>() -> Router<Arc<H>> {
    Router::new()
        .route("/connectors/{connector}/status", get(status::<H>))
        .route("/connectors/{connector}/pause", put(pause::<H>))
        .route("/connectors/{connector}/resume", put(resume::<H>))
        .route("/connectors/{connector}/stop", put(stop::<H>))
        .route("/connectors/{connector}/restart", post(restart::<H>))
}

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

async fn pause<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<StatusCode, Error> {
    steer(&*herder, &name, Target::Paused).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn resume<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<StatusCode, Error> {
    steer(&*herder, &name, Target::Running).await?;
    Ok(StatusCode::ACCEPTED)
}

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
