//! `transforms=a,b` and `transforms.<alias>.*`, as Connect writes them.

use towpath_domain::{
    config::{Config, Problem, Values},
    plugin::Reference,
};

/// One attached plugin: a router or a transformation.
#[derive(Clone, Debug)]
pub struct Transform {
    pub alias: String,
    pub plugin: Reference,
    /// the plugin's own keys, without their prefix
    pub config: Vec<(String, String)>,
}

// === impl Transform ===

impl Transform {
    /// The key under which the user wrote the plugin's `key`.
    pub fn key(&self, key: &str) -> String {
        format!("transforms.{}.{key}", self.alias)
    }
}

pub(super) fn parse(config: &Config, values: &Values, problems: &mut Vec<Problem>) -> Vec<Transform> {
    let aliases = values.list("transforms");
    for (index, alias) in aliases.iter().enumerate() {
        if aliases[..index].contains(alias) {
            problems.push(Problem::new(
                "transforms",
                Some(alias),
                "this alias stands twice",
                "name each alias once",
            ));
        }
    }
    for (key, value) in config {
        let Some(rest) = key.strip_prefix("transforms.") else {
            continue;
        };
        let alias = rest.split('.').next().unwrap_or(rest);
        if !aliases.iter().any(|known| known == alias) {
            let remedy = format!("add {alias} to `transforms`, or remove the key");
            problems.push(Problem::new(
                key,
                Some(value),
                "belongs to an alias that `transforms` does not name",
                remedy,
            ));
        }
    }
    aliases
        .into_iter()
        .filter_map(|alias| one(config, alias, problems))
        .collect()
}

fn one(config: &Config, alias: String, problems: &mut Vec<Problem>) -> Option<Transform> {
    let prefix = format!("transforms.{alias}.");
    let own = config
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(&prefix)?, value)));
    let mut plugin = None;
    let mut rest = Vec::new();
    for (key, value) in own {
        match key {
            "type" => plugin = Some(Reference::parse(value.trim())),
            "predicate" | "negate" => problems.push(Problem::new(
                format!("{prefix}{key}"),
                Some(value),
                "predicates cannot be attached to a pipeline in this version",
                "remove the key",
            )),
            _ => rest.push((key.to_owned(), value.clone())),
        }
    }
    if plugin.is_none() {
        let remedy = "name a plugin in plugin.path: name or name@version";
        problems.push(Problem::new(format!("{prefix}type"), None, "missing", remedy));
    }
    Some(Transform {
        alias,
        plugin: plugin?,
        config: rest,
    })
}
