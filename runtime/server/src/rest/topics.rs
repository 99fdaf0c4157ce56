//! A connector's `/topics` (KIP-558).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    error::Error,
    extract::Names,
    openapi::{Routes, Tag},
};
use crate::herder::Herder;

/// Topics that a connector has written to.
#[derive(Serialize, ToSchema)]
struct ActiveTopicsInfo {
    /// of the target
    #[schema(examples("src.orders"))]
    topics: BTreeSet<String>,
}

pub(super) fn routes<H: Herder>() -> Routes<H> {
    Routes::new(Tag::Connectors)
        .route(__path_topics, topics::<H>)
        .route(__path_reset, reset::<H>)
}

/// Topics that a connector has written to (KIP-558).
///
/// Since it began, or since they were reset.
#[utoipa::path(
    get,
    path = "/connectors/{connector}/topics",
    operation_id = "getConnectorActiveTopics",
    responses((status = OK, description = "by the connector's name", body = BTreeMap<String, ActiveTopicsInfo>)),
)]
async fn topics<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<Json<BTreeMap<String, ActiveTopicsInfo>>, Error> {
    let topics = ActiveTopicsInfo {
        topics: herder.topics(&name).await?,
    };
    Ok(Json([(name, topics)].into()))
}

/// Forgets which topics a connector has written to (KIP-558).
///
/// The topics themselves stay.
#[utoipa::path(
    put,
    path = "/connectors/{connector}/topics/reset",
    operation_id = "resetConnectorActiveTopics",
    responses((status = ACCEPTED, description = "they are forgotten")),
)]
async fn reset<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<StatusCode, Error> {
    herder.reset_topics(&name).await?;
    Ok(StatusCode::ACCEPTED)
}
