//! A connector's `/topics` (KIP-558).

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    routing::{get, put},
};
use serde::Serialize;

use super::{error::Error, extract::Names};
use crate::herder::Herder;

#[derive(Serialize)]
struct ActiveTopicsInfo {
    topics: BTreeSet<String>,
}

pub(super) fn routes<H: Herder>() -> Router<Arc<H>> {
    Router::new()
        .route("/connectors/{connector}/topics", get(topics::<H>))
        .route("/connectors/{connector}/topics/reset", put(reset::<H>))
}

async fn topics<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<Json<serde_json::Value>, Error> {
    let topics = ActiveTopicsInfo {
        topics: herder.topics(&name).await?,
    };
    Ok(Json(serde_json::json!({ name: topics })))
}

async fn reset<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<StatusCode, Error> {
    herder.reset_topics(&name).await?;
    Ok(StatusCode::ACCEPTED)
}
