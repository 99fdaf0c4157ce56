//! What Connect does not have: a connector's details and its lag.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde_json::Value;

use super::{
    error::Error,
    extract::Names,
    openapi::{Routes, Tag},
};
use crate::herder::{Herder, Lag};

pub(super) fn routes<H: Herder>() -> Routes<H> {
    Routes::new(Tag::Towpath)
        .route(__path_details, details::<H>)
        .route(__path_lag, lag::<H>)
}

/// All that the worker knows of a connector.
///
/// The same as in its status file.
#[utoipa::path(
    get,
    path = "/towpath/connectors/{connector}",
    operation_id = "getConnectorDetails",
    responses((status = OK, description = "as in that file", body = Object)),
)]
async fn details<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<Json<Value>, Error> {
    Ok(Json(herder.details(&name).await?))
}

/// How far a connector is behind its source, in offsets.
#[utoipa::path(
    get,
    path = "/connectors/{connector}/lag",
    operation_id = "getConnectorLag",
    responses((status = OK, description = "over all and by partition", body = Lag)),
)]
async fn lag<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<Json<Lag>, Error> {
    Ok(Json(herder.lag(&name).await?))
}
