//! A connector's `/offsets` (KIP-875).

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::get};
use serde::Serialize;

use self::alter::AlterOffsets;
use super::{
    error::Error,
    extract::{self, Names},
    wire::Message,
};
use crate::herder::{Herder, Offset};

mod alter;

#[derive(Serialize)]
struct ConnectorOffsets {
    offsets: Vec<Offset>,
}

pub(super) fn routes<H: Herder>() -> Router<Arc<H>> {
    Router::new().route(
        "/connectors/{connector}/offsets",
        get(list::<H>).patch(change::<H>).delete(reset::<H>),
    )
}

async fn list<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<Json<ConnectorOffsets>, Error> {
    let offsets = herder.offsets(&name).await?;
    Ok(Json(ConnectorOffsets { offsets }))
}

async fn change<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
    extract::Json(request): extract::Json<AlterOffsets>,
) -> Result<Json<Message>, Error> {
    herder.alter_offsets(&name, request.offsets()?).await?;
    Ok(Json(Message {
        message: "The offsets for this connector have been altered successfully",
    }))
}

async fn reset<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<Json<Message>, Error> {
    herder.reset_offsets(&name).await?;
    Ok(Json(Message {
        message: "The offsets for this connector have been reset successfully",
    }))
}
