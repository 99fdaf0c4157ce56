//! `/connector-plugins` (KIP-769).

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    routing::{get, put},
};
use serde::Serialize;

use super::{
    config_map::ConfigMap,
    error::Error,
    extract::{self, Names, Pairs},
};
use crate::herder::{ConfigKeyInfo, Herder, Plugin, Plugins, Row, Validation};

#[derive(Serialize)]
struct ConfigInfos {
    name: String,
    error_count: usize,
    groups: Vec<String>,
    configs: Vec<Row>,
}

const CLASS: &str = "connector.class";

pub(super) fn routes<H: Herder>() -> Router<Arc<H>> {
    Router::new()
        .route("/connector-plugins", get(list::<H>))
        .route("/connector-plugins/{plugin}/config", get(config::<H>))
        .route("/connector-plugins/{plugin}/config/validate", put(validate::<H>))
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

async fn list<H: Herder>(State(herder): State<Arc<H>>, query: Pairs) -> Result<Json<Vec<Plugin>>, Error> {
    let which = match query.is_true("connectorsOnly") {
        None | Some(true) => Plugins::Connectors,
        Some(false) => Plugins::All,
    };
    Ok(Json(herder.plugins(which).await?))
}

async fn config<H: Herder>(
    State(herder): State<Arc<H>>,
    Names(plugin): Names<String>,
) -> Result<Json<Vec<ConfigKeyInfo>>, Error> {
    Ok(Json(herder.plugin_config(&plugin).await?))
}

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
