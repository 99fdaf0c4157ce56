//! What the worker in memory knows of configurations.

use towpath_domain::config::{Config, Problem};
use towpath_server::herder::{
    ConfigKeyInfo, ConfigValueInfo, Importance, KeyType, Refusal, Row, Validation, Width,
};

pub const CLASS: &str = "org.apache.kafka.connect.mirror.MirrorSourceConnector";

const KEYS: [(&str, KeyType, Option<&str>); 4] = [
    ("name", KeyType::String, None),
    ("connector.class", KeyType::String, None),
    ("tasks.max", KeyType::Int, Some("1")),
    (
        "source.cluster.bootstrap.servers",
        KeyType::List,
        Some("localhost:9092"),
    ),
];

pub fn known(plugin: &str) -> Result<(), Refusal> {
    if CLASS.ends_with(plugin) {
        return Ok(());
    }
    Err(Refusal::UnknownPlugin(plugin.to_owned()))
}

pub fn keys() -> Vec<ConfigKeyInfo> {
    let keys = KEYS.iter().zip(1..);
    keys.map(|((name, kind, default), order)| ConfigKeyInfo {
        name: (*name).to_owned(),
        kind: *kind,
        required: default.is_none(),
        default_value: default.map(str::to_owned),
        importance: Importance::High,
        documentation: "what it is for".to_owned(),
        group: Some("Common".to_owned()),
        order_in_group: order,
        width: Width::Medium,
        display_name: (*name).to_owned(),
        dependents: Vec::new(),
    })
    .collect()
}

pub fn validate(config: &Config) -> Validation {
    let problems = problems(config);
    let rows = keys().into_iter().map(|definition| {
        let name = definition.name.clone();
        let errors = problems.iter().filter(|problem| problem.key == name);
        let value = ConfigValueInfo {
            value: config.get(&name).or(definition.default_value.as_ref()).cloned(),
            recommended_values: Vec::new(),
            errors: errors.map(ToString::to_string).collect(),
            visible: true,
            name,
        };
        Row { definition, value }
    });
    Validation {
        name: CLASS.to_owned(),
        groups: vec!["Common".to_owned()],
        rows: rows.collect(),
    }
}

/// All at once.
pub fn problems(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    for name in ["name", "connector.class"] {
        if !config.contains_key(name) {
            problems.push(Problem::new(name, None, "missing", "add it"));
        }
    }
    if let Some(tasks) = config.get("tasks.max")
        && tasks.parse::<u32>().is_err()
    {
        problems.push(Problem::new(
            "tasks.max",
            Some(tasks),
            "not a whole number",
            "write a whole number",
        ));
    }
    if let Some(value) = config
        .get("emit.offset-syncs.enabled")
        .filter(|value| *value != "true")
    {
        problems.push(Problem::new(
            "emit.offset-syncs.enabled",
            Some(value),
            "groups cannot be synced without",
            "write true",
        ));
    }
    problems
}
