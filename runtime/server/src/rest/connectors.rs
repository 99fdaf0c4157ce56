//! `/connectors`, `/connectors/{connector}` and its `/config`.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use towpath_domain::config::Config;

use super::{
    config_map::ConfigMap,
    error::Error,
    extract::{self, Names, Pairs},
    wire::{ConnectorInfo, ConnectorStateInfo},
};
use crate::herder::{Herder, Put, Refusal, Target};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateConnectorRequest {
    name: Option<String>,
    config: Option<ConfigMap>,
    initial_state: Option<InitialState>,
}

/// In any case, as Connect takes it.
struct InitialState(Target);

#[derive(Default, Serialize)]
struct Expanded {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<ConnectorStateInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<ConnectorInfo>,
}

/// What a segment of a path may hold as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

pub(super) fn routes<H: Herder>() -> Router<Arc<H>> {
    Router::new()
        .route("/connectors", get(list::<H>).post(create::<H>))
        .route("/connectors/{connector}", get(info::<H>).delete(delete::<H>))
        .route(
            "/connectors/{connector}/config",
            get(config::<H>).put(put::<H>).patch(patch::<H>),
        )
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

async fn list<H: Herder>(State(herder): State<Arc<H>>, query: Pairs) -> Result<Response, Error> {
    let names = herder.names().await?;
    if query.first("expand").is_none() {
        return Ok(Json(names).into_response());
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
    Ok(Json(connectors).into_response())
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

async fn info<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<Json<ConnectorInfo>, Error> {
    Ok(Json(herder.info(&name).await?.into()))
}

async fn delete<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<StatusCode, Error> {
    herder.delete(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn config<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(name): Names<String>,
) -> Result<Json<Config>, Error> {
    Ok(Json(herder.info(&name).await?.config))
}

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
