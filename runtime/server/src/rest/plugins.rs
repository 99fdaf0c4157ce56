//! `/connector-plugins` (KIP-769).

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    config_map::ConfigMap,
    error::Error,
    extract::{self, Names, Pairs},
    openapi::{Routes, Tag},
};
use crate::herder::{ConfigKeyInfo, Herder, Plugin, Plugins, Row, Validation};

/// A configuration held against a plugin's keys.
#[derive(Serialize, ToSchema)]
struct ConfigInfos {
    /// the plugin's class
    name: String,
    /// mistakes, in all values
    error_count: usize,
    /// of keys, for forms
    groups: Vec<String>,
    configs: Vec<Row>,
}

const CLASS: &str = "connector.class";

pub(super) fn routes<H: Herder>() -> Routes<H> {
    Routes::new(Tag::Plugins)
        .route(__path_list, list::<H>)
        .route(__path_config, config::<H>)
        .route(__path_validate, validate::<H>)
}

// === impl ConfigInfos ===

impl From<Validation> for ConfigInfos {
    fn from(validation: Validation) -> Self {
        let error_count = validation.rows.iter().map(|row| row.value.errors.len()).sum();
        Self {
            name: validation.name,
            error_count,
            groups: validation.groups,
            configs: validation.rows,
        }
    }
}

/// The plugins of the worker.
#[utoipa::path(
    get,
    path = "/connector-plugins",
    operation_id = "listConnectorPlugins",
    params(("connectorsOnly" = Option<bool>, Query, description = "`false` for plugins of all kinds (KIP-769); `true` when left out")),
    responses((status = OK, description = "classes with their kinds and versions", body = Vec<Plugin>)),
)]
async fn list<H: Herder>(State(herder): State<Arc<H>>, query: Pairs) -> Result<Json<Vec<Plugin>>, Error> {
    let which = match query.is_true("connectorsOnly") {
        None | Some(true) => Plugins::Connectors,
        Some(false) => Plugins::All,
    };
    Ok(Json(herder.plugins(which).await?))
}

/// The configuration keys of a plugin (KIP-769).
#[utoipa::path(
    get,
    path = "/connector-plugins/{plugin}/config",
    operation_id = "getConnectorConfigDef",
    responses((status = OK, description = "its keys", body = Vec<ConfigKeyInfo>)),
)]
async fn config<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(plugin): Names<String>,
) -> Result<Json<Vec<ConfigKeyInfo>>, Error> {
    Ok(Json(herder.plugin_config(&plugin).await?))
}

/// Holds a configuration against a plugin's keys.
///
/// Nothing is changed. Mistakes are in the answer: 400 is for what is no configuration, or one of another class.
#[utoipa::path(
    put,
    path = "/connector-plugins/{plugin}/config/validate",
    operation_id = "validateConfigs",
    request_body = ConfigMap,
    responses((status = OK, description = "each key with its value and what is wrong with it", body = ConfigInfos)),
)]
async fn validate<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(plugin): Names<String>,
    extract::Json(config): extract::Json<ConfigMap>,
) -> Result<Json<ConfigInfos>, Error> {
    let config = config.config()?;
    if let Some(class) = config.get(CLASS)
        && !is_same_class(class, &plugin)
    {
        return Err(Error::bad_request(format!(
            "Included connector type {class} does not match request type {plugin}"
        )));
    }
    Ok(Json(herder.validate(&plugin, config).await?.into()))
}

/// A class by its name or its short name, with or without `Connector` at its end.
fn is_same_class(class: &str, plugin: &str) -> bool {
    let normalized = |name: &'_ str| name.strip_suffix("Connector").unwrap_or(name).to_owned();
    let short = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
    let (class, plugin) = (normalized(class), normalized(plugin));
    class == plugin || short(&class) == plugin || class == short(&plugin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_known_by_its_short_name_too() {
        let class = "org.apache.kafka.connect.mirror.MirrorSourceConnector";
        for plugin in [class, "MirrorSourceConnector", "MirrorSource"] {
            assert!(is_same_class(class, plugin), "{plugin}");
            assert!(is_same_class(plugin, class), "{plugin}");
        }
        assert!(is_same_class("MirrorSource", "MirrorSourceConnector"));
        for plugin in [
            "MirrorHeartbeatConnector",
            "Source",
            "",
            "other.MirrorSourceConnector",
        ] {
            assert!(!is_same_class(class, plugin), "{plugin}");
        }
    }
}
