//! A connector's `/offsets` (KIP-875).

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use self::alter::AlterOffsets;
use super::{
    error::Error,
    extract::{self, Names},
    openapi::{Routes, Tag},
    wire::Message,
};
use crate::herder::{Herder, Offset};

mod alter;

/// Where a connector goes on.
#[derive(Serialize, ToSchema)]
struct ConnectorOffsets {
    offsets: Vec<Offset>,
}

pub(super) fn routes<H: Herder>() -> Routes<H> {
    Routes::new(Tag::Offsets)
        .route(__path_list, list::<H>)
        .route(__path_change, change::<H>)
        .route(__path_reset, reset::<H>)
}

/// Where a connector goes on.
#[utoipa::path(
    get,
    path = "/connectors/{connector}/offsets",
    operation_id = "getOffsets",
    responses((status = OK, description = "each source partition that has a position", body = ConnectorOffsets)),
)]
async fn list<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<Json<ConnectorOffsets>, Error> {
    let offsets = herder.offsets(&name).await?;
    Ok(Json(ConnectorOffsets { offsets }))
}

/// Sets positions of a connector that is stopped, or takes them away.
///
/// All or none: 400 unless the connector is stopped, and when a partition is named twice. Partitions that are not named stay as they are.
#[utoipa::path(
    patch,
    path = "/connectors/{connector}/offsets",
    operation_id = "alterConnectorOffsets",
    request_body = AlterOffsets,
    responses((status = OK, description = "they are set", body = Message)),
)]
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

/// Takes away all positions of a connector that is stopped.
///
/// It begins then as if it had never mirrored. 400 unless the connector is stopped.
#[utoipa::path(
    delete,
    path = "/connectors/{connector}/offsets",
    operation_id = "resetConnectorOffsets",
    responses((status = OK, description = "they are gone", body = Message)),
)]
async fn reset<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<Json<Message>, Error> {
    herder.reset_offsets(&name).await?;
    Ok(Json(Message {
        message: "The offsets for this connector have been reset successfully",
    }))
}
