//! `/admin/loggers` (KIP-495, KIP-976).

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;

use super::{
    error::Error,
    extract::{self, Names, Pairs},
};
use crate::herder::{Herder, Level, Logger, Scope};

#[derive(Deserialize)]
struct SetLevel {
    level: Option<String>,
}

pub(super) fn routes<H: Herder>() -> Router<Arc<H>> {
    Router::new()
        .route("/admin/loggers", get(list::<H>))
        .route("/admin/loggers/{logger}", get(logger::<H>).put(set::<H>))
}

async fn list<H: Herder>(State(herder): State<Arc<H>>) -> Result<Json<BTreeMap<String, Logger>>, Error> {
    Ok(Json(herder.loggers().await?))
}

async fn logger<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(logger): Names<String>,
) -> Result<Json<Logger>, Error> {
    Ok(Json(herder.logger(&logger).await?))
}

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
