//! What Connect does not have: a connector's details and its lag.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::get};

use super::{error::Error, extract::Names};
use crate::herder::{Herder, Lag};

pub(super) fn routes<H: Herder>() -> Router<Arc<H>> {
    Router::new()
        .route("/towpath/connectors/{connector}", get(details::<H>))
        .route("/connectors/{connector}/lag", get(lag::<H>))
}

async fn details<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<Json<serde_json::Value>, Error> {
    Ok(Json(herder.details(&name).await?))
}

async fn lag<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<Json<Lag>, Error> {
    Ok(Json(herder.lag(&name).await?))
}
