//! Kafka Connect's REST API over a [`Herder`], path by path and status by status as Connect 4.3 has it. `REST.md` says where it differs and why.

use std::sync::Arc;

use axum::{Router, http::StatusCode, middleware, response::IntoResponse};
use tower_http::{catch_panic::CatchPanicLayer, normalize_path::NormalizePath};

mod config_map;
mod connectors;
mod error;
mod extract;
mod guard;
mod loggers;
mod offsets;
mod openapi;
mod plugins;
mod root;
mod steering;
mod tasks;
mod topics;
mod towpath;
mod wire;

use self::error::Error;
use crate::{herder::Herder, limits::Limits};

/// From where a listener can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// from this machine alone: requests must call it by a name of this machine
    Loopback,
    Network,
}

/// The whole API. Whatever goes wrong is answered with Connect's `{"error_code", "message"}`.
pub fn router<H: Herder>(herder: Arc<H>, limits: Limits, reach: Reach) -> Router {
    let routes = root::routes()
        .merge(connectors::routes())
        .merge(steering::routes())
        .merge(tasks::routes())
        .merge(topics::routes())
        .merge(offsets::routes())
        .merge(plugins::routes())
        .merge(loggers::routes())
        .merge(towpath::routes())
        .merge(openapi::routes())
        .into_router()
        .route_layer(middleware::from_fn(guard::accept))
        .method_not_allowed_fallback(|| plain(StatusCode::METHOD_NOT_ALLOWED))
        .fallback(|| plain(StatusCode::NOT_FOUND))
        .with_state(herder);
    // Slashes at the end are taken off before a route is looked for.
    Router::new()
        .fallback_service(NormalizePath::trim_trailing_slash(routes))
        .layer(middleware::from_fn_with_state(reach, guard::origin))
        .layer(middleware::from_fn_with_state(limits, guard::limit))
        .layer(CatchPanicLayer::custom(guard::panicked))
}

async fn plain(status: StatusCode) -> impl IntoResponse {
    Error::plain(status)
}
