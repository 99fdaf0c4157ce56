//! `/connectors`, `/connectors/{connector}` and its `/config`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use towpath_domain::config::Config;
use utoipa::ToSchema;

use super::{
    config_map::{ConfigChanges, ConfigMap},
    error::Error,
    extract::{self, Names, Pairs},
    openapi::{Routes, Tag},
    wire::{ConnectorInfo, ConnectorStateInfo},
};
use crate::herder::{Herder, Put, Refusal, Target};

/// A connector to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateConnectorRequest {
    /// not empty, without control characters, and neither `.` nor `..`; spaces around it are taken off
    #[schema(value_type = String, min_length = 1, examples("orders-mirror"))]
    name: Option<String>,
    #[schema(value_type = ConfigMap)]
    config: Option<ConfigMap>,
    /// what it is to do at first (KIP-980), in any case; `RUNNING` when left out
    #[schema(value_type = Option<Target>)]
    initial_state: Option<InitialState>,
}

/// In any case, as Connect takes it.
struct InitialState(Target);

/// Names alone; or, with `expand`, what is asked for by name.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Connectors {
    Names(BTreeSet<String>),
    Expanded(BTreeMap<String, Expanded>),
}

/// What is asked for of a connector.
#[derive(Default, Serialize, ToSchema)]
struct Expanded {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    status: Option<ConnectorStateInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    info: Option<ConnectorInfo>,
}

/// What `expand` may ask for. Anything else is left out without a word, as Connect does.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(
    dead_code,
    reason = "it is a description: what newer clients ask for is no mistake"
)]
enum Expand {
    Status,
    Info,
}

/// What a segment of a path may hold as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

pub(super) fn routes<H: Herder>() -> Routes<H> {
    Routes::new(Tag::Connectors)
        .schema::<Expand>()
        .route(__path_list, list::<H>)
        .route(__path_create, create::<H>)
        .route(__path_info, info::<H>)
        .route(__path_delete, delete::<H>)
        .route(__path_config, config::<H>)
        .route(__path_put, put::<H>)
        .route(__path_patch, patch::<H>)
}

// === impl InitialState ===

impl<'de> Deserialize<'de> for InitialState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.to_ascii_uppercase().as_str() {
            "RUNNING" => Ok(Self(Target::Running)),
            "PAUSED" => Ok(Self(Target::Paused)),
            "STOPPED" => Ok(Self(Target::Stopped)),
            _ => Err(D::Error::custom(format!(
                "initial_state {text:?} is unknown: write RUNNING, PAUSED or STOPPED"
            ))),
        }
    }
}

/// All connectors.
#[utoipa::path(
    get,
    path = "/connectors",
    operation_id = "listConnectors",
    params(("expand" = Option<Vec<Expand>>, Query, explode, description = "asks for more than names, several times if need be (KIP-465)")),
    responses((status = OK, description = "names in their order, or a map by name", body = Connectors)),
)]
async fn list<H: Herder>(State(herder): State<Arc<H>>, query: Pairs) -> Result<Json<Connectors>, Error> {
    let names = herder.names().await?;
    if query.first("expand").is_none() {
        return Ok(Json(Connectors::Names(names)));
    }
    let mut connectors = BTreeMap::new();
    for name in names {
        match expand(&*herder, &name, &query).await {
            Ok(expanded) => drop(connectors.insert(name, expanded)),
            // Deleted meanwhile.
            Err(Refusal::UnknownConnector(_)) => {}
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Ok(Json(Connectors::Expanded(connectors)))
}

async fn expand<H: Herder>(herder: &H, name: &str, query: &Pairs) -> Result<Expanded, Refusal> {
    let mut expanded = Expanded::default();
    for what in query.all("expand") {
        match what {
            "status" => expanded.status = Some(herder.status(name).await?.into()),
            "info" => expanded.info = Some(herder.info(name).await?.into()),
            // As Connect does: what a newer client asks for is not refused.
            _ => {}
        }
    }
    Ok(expanded)
}

/// Creates a connector.
///
/// Answered when it is stored; the connector begins a moment later.
#[utoipa::path(
    post,
    path = "/connectors",
    operation_id = "createConnector",
    request_body = CreateConnectorRequest,
    responses((status = CREATED, description = "it is stored", body = ConnectorInfo, headers(("Location" = String, description = "the connector's path; with scheme and host when the request named the host")))),
)]
async fn create<H: Herder>(
    State(herder): State<Arc<H>>,
    headers: HeaderMap,
    extract::Json(request): extract::Json<CreateConnectorRequest>,
) -> Result<Response, Error> {
    let name = request.name.unwrap_or_default().trim().to_owned();
    let config = request.config.unwrap_or_default().of(&name)?;
    let target = request
        .initial_state
        .map_or_else(Target::default, |state| state.0);
    let info = herder.create(&name, config, target).await?;
    Ok(created(&headers, info.into(), &name))
}

/// A connector as it was asked for.
#[utoipa::path(
    get,
    path = "/connectors/{connector}",
    operation_id = "getConnector",
    responses((status = OK, description = "its configuration and its tasks", body = ConnectorInfo)),
)]
async fn info<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<Json<ConnectorInfo>, Error> {
    Ok(Json(herder.info(&name).await?.into()))
}

/// Deletes a connector.
#[utoipa::path(
    delete,
    path = "/connectors/{connector}",
    operation_id = "destroyConnector",
    responses((status = NO_CONTENT, description = "it is gone")),
)]
async fn delete<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<StatusCode, Error> {
    herder.delete(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A connector's configuration as it was given.
///
/// No defaults are filled in, and nothing is hidden: passwords are in it.
#[utoipa::path(
    get,
    path = "/connectors/{connector}/config",
    operation_id = "getConnectorConfig",
    responses((status = OK, description = "keys and values", body = BTreeMap<String, String>)),
)]
async fn config<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<Json<Config>, Error> {
    Ok(Json(herder.info(&name).await?.config))
}

/// Creates a connector, or replaces its whole configuration.
#[utoipa::path(
    put,
    path = "/connectors/{connector}/config",
    operation_id = "putConnectorConfig",
    request_body = ConfigMap,
    responses(
        (status = OK, description = "it was there, and has another configuration now", body = ConnectorInfo),
        (status = CREATED, description = "it is new", body = ConnectorInfo, headers(("Location" = String, description = "the connector's path; with scheme and host when the request named the host"))),
    ),
)]
async fn put<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
    headers: HeaderMap,
    extract::Json(config): extract::Json<ConfigMap>,
) -> Result<Response, Error> {
    Ok(match herder.put(&name, config.of(&name)?).await? {
        Put::Created(info) => created(&headers, info.into(), &name),
        Put::Updated(info) => Json(ConnectorInfo::from(info)).into_response(),
    })
}

/// Changes keys of a connector's configuration (KIP-477).
///
/// The others stay as they are.
#[utoipa::path(
    patch,
    path = "/connectors/{connector}/config",
    operation_id = "patchConnectorConfig",
    request_body = ConfigChanges,
    responses((status = OK, description = "what it is now", body = ConnectorInfo)),
)]
async fn patch<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
    extract::Json(changes): extract::Json<ConfigMap>,
) -> Result<Json<ConnectorInfo>, Error> {
    let changes = changes.changes(&name)?;
    Ok(Json(herder.patch(&name, changes).await?.into()))
}

/// `Location` is absolute when the client said how it calls this worker, as Connect's is.
fn created(headers: &HeaderMap, info: ConnectorInfo, name: &str) -> Response {
    let base = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .map(|host| format!("http://{host}"))
        .unwrap_or_default();
    let location = format!("{base}/connectors/{}", utf8_percent_encode(name, ESCAPED));
    (StatusCode::CREATED, [(header::LOCATION, location)], Json(info)).into_response()
}
