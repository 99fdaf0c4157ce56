//! `/` and `/health`.

use std::sync::Arc;

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde::Serialize;

use super::error::Error;
use crate::herder::{Health, Herder};

#[derive(Serialize)]
struct Root {
    version: &'static str,
    commit: &'static str,
    kafka_cluster_id: String,
    towpath_version: &'static str,
}

#[derive(Serialize)]
struct HealthStatus {
    status: &'static str,
    message: String,
}

/// The Kafka Connect whose REST API this is. Clients read from it which requests they may send.
const CONNECT_VERSION: &str = "4.3.1";

pub(super) fn routes<H: Herder>() -> Router<Arc<H>> {
    Router::new()
        .route("/", get(root::<H>))
        .route("/health", get(health::<H>))
}

async fn root<H: Herder>(State(herder): State<Arc<H>>) -> Result<Json<Root>, Error> {
    Ok(Json(Root {
        version: CONNECT_VERSION,
        // What Kafka says of a build that does not know.
        commit: "unknown",
        kafka_cluster_id: herder.about().await?.kafka_cluster_id,
        towpath_version: env!("CARGO_PKG_VERSION"),
    }))
}

async fn health<H: Herder>(State(herder): State<Arc<H>>) -> (StatusCode, Json<HealthStatus>) {
    let (code, status, message) = match herder.health().await {
        Health::Healthy => (
            StatusCode::OK,
            "healthy",
            "Worker has completed startup and is ready to handle requests.".to_owned(),
        ),
        Health::Starting => (
            StatusCode::SERVICE_UNAVAILABLE,
            "starting",
            "Worker is still starting up.".to_owned(),
        ),
        Health::Unhealthy { why } => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "unhealthy",
            format!(
                "Worker was unable to handle this request and may be unable to handle other requests: {why}"
            ),
        ),
    };
    (code, Json(HealthStatus { status, message }))
}
