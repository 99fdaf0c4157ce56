//! `/` and `/health`.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    error::Error,
    openapi::{Routes, Tag},
};
use crate::herder::{Health, Herder};

/// What runs here.
#[derive(Serialize, ToSchema)]
#[schema(as = ServerInfo)]
struct Root {
    /// of the Kafka Connect whose API this is: clients read from it what they may ask for
    #[schema(examples("4.3.1"))]
    version: &'static str,
    /// `unknown`, as Kafka says of a build that does not know
    #[schema(examples("unknown"))]
    commit: &'static str,
    /// of the cluster that the worker keeps its own topics in
    #[schema(examples("5L6g3nShT-eMCtK--X86sw"))]
    kafka_cluster_id: String,
    /// not Connect's
    #[schema(examples("0.1.0"))]
    towpath_version: &'static str,
}

/// Whether the worker can do what it is asked (KIP-1017).
#[derive(Serialize, ToSchema)]
#[schema(as = WorkerStatus)]
struct HealthStatus {
    /// `healthy`, `starting` or `unhealthy`
    #[schema(examples("healthy"))]
    status: &'static str,
    #[schema(examples("Worker has completed startup and is ready to handle requests."))]
    message: String,
}

/// The Kafka Connect whose REST API this is. Clients read from it which requests they may send.
const CONNECT_VERSION: &str = "4.3.1";

pub(super) fn routes<H: Herder>() -> Routes<H> {
    Routes::new(Tag::Worker)
        .route(__path_root, root::<H>)
        .route(__path_health, health::<H>)
}

/// The worker's versions and its cluster.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "serverInfo",
    responses((status = OK, description = "the worker", body = Root)),
)]
async fn root<H: Herder>(State(herder): State<Arc<H>>) -> Result<Json<Root>, Error> {
    Ok(Json(Root {
        version: CONNECT_VERSION,
        // What Kafka says of a build that does not know.
        commit: "unknown",
        kafka_cluster_id: herder.about().await?.kafka_cluster_id,
        towpath_version: env!("CARGO_PKG_VERSION"),
    }))
}

/// Whether the worker is up (KIP-1017).
///
/// Answered at once, whatever is wrong.
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "healthCheck",
    responses(
        (status = OK, description = "it can do what it is asked", body = HealthStatus),
        (status = SERVICE_UNAVAILABLE, description = "it has not yet read its own topics", body = HealthStatus),
        (status = INTERNAL_SERVER_ERROR, description = "it cannot, and the message says why", body = HealthStatus),
    ),
)]
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
