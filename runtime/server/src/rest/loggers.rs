//! `/admin/loggers` (KIP-495, KIP-976).

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    error::{self, Error},
    extract::{self, Names, Pairs},
    openapi::{Routes, Tag},
};
use crate::herder::{Herder, Level, Logger, Scope};

/// A level to set.
#[derive(Deserialize, ToSchema)]
struct SetLevel {
    /// in any case; `FATAL` is taken for `ERROR` and `ALL` for `TRACE`
    #[schema(value_type = Level)]
    level: Option<String>,
}

pub(super) fn routes<H: Herder>() -> Routes<H> {
    Routes::new(Tag::Loggers)
        .schema::<Scope>()
        .route(__path_list, list::<H>)
        .route(__path_logger, logger::<H>)
        .route(__path_set, set::<H>)
}

/// The loggers that have a level of their own.
#[utoipa::path(
    get,
    path = "/admin/loggers",
    operation_id = "listLoggers",
    responses((status = OK, description = "by their names", body = BTreeMap<String, Logger>)),
)]
async fn list<H: Herder>(State(herder): State<Arc<H>>) -> Result<Json<BTreeMap<String, Logger>>, Error> {
    Ok(Json(herder.loggers().await?))
}

/// A logger's level.
#[utoipa::path(
    get,
    path = "/admin/loggers/{logger}",
    operation_id = "getLogger",
    responses((status = OK, description = "its level", body = Logger)),
)]
async fn logger<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(logger): Names<String>,
) -> Result<Json<Logger>, Error> {
    Ok(Json(herder.logger(&logger).await?))
}

/// Sets the level of a logger and of those below it.
///
/// Until the worker ends.
#[utoipa::path(
    put,
    path = "/admin/loggers/{logger}",
    operation_id = "setLevel",
    params(("scope" = Option<Scope>, Query, description = "whose loggers (KIP-976); what is not `cluster` is `worker`, and so it is when left out")),
    request_body = SetLevel,
    responses(
        (status = OK, description = "names of the loggers that are changed", body = Vec<String>),
        (status = NO_CONTENT, description = "`scope=cluster`: all workers of the group are told"),
        (status = NOT_FOUND, description = "There is no such level, as Connect says it; or no such logger.", body = error::Body),
    ),
)]
async fn set<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(logger): Names<String>,
    query: Pairs,
    extract::Json(body): extract::Json<SetLevel>,
) -> Result<Response, Error> {
    let Some(level) = body.level else {
        let sentence = "Desired 'level' parameter was not specified in request.";
        return Err(Error::bad_request(sentence));
    };
    // Connect's status for it.
    let level =
        Level::parse(&level).ok_or_else(|| Error::not_found(format!("invalid log level '{level}'.")))?;
    let scope = match query.first("scope") {
        Some(scope) if scope.eq_ignore_ascii_case("cluster") => Scope::Cluster,
        // Connect takes what it does not know for the worker's.
        _ => Scope::Worker,
    };
    let changed = herder.set_logger(&logger, level, scope).await?;
    Ok(match scope {
        Scope::Worker => Json(changed).into_response(),
        Scope::Cluster => StatusCode::NO_CONTENT.into_response(),
    })
}
