//! The classes of connectors and the plugins that there are, their keys, and what is wrong with a configuration (KIP-769).
//!
//! What is said here needs no broker: whether clusters can be reached, and what they allow, is found out when a connector is created or changed.

use std::sync::Arc;

use towpath_domain::{
    config::{Config, Definition, Key, Presence, Problem, Shape, sounds_secret},
    plugin::{Kind, Reference},
};
use towpath_mirror::config::{CHECKPOINT_DEFINITION, Class, DEFINITION, Defaults};
use towpath_plugin_host as host;

use crate::herder::{
    ConfigKeyInfo, ConfigValueInfo, Importance, KeyType, Plugin, PluginType, Plugins, Row, Validation, Width,
};

/// A class of connectors.
struct Known {
    name: &'static str,
    definition: Definition,
}

const CLASSES: [Known; 2] = [
    Known {
        name: "MirrorSource",
        definition: DEFINITION,
    },
    Known {
        name: "MirrorCheckpoint",
        definition: CHECKPOINT_DEFINITION,
    },
];
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Connect's group of keys that every connector has.
const COMMON: &str = "Common";
const CLUSTERS: &str = "Clusters";
const PLUGINS: &str = "Transforms";
const ERRORS: &str = "Error Handling";
const MIRROR: &str = "Mirror";

/// Groups of plugins as a configuration names them, and what may be in them.
const ATTACHED: [(&str, &[Kind]); 5] = [
    ("transforms", &[Kind::Transformation, Kind::Router]),
    ("predicates", &[Kind::Predicate]),
    ("validators", &[Kind::Validator]),
    ("schema.checkers", &[Kind::SchemaChecker]),
    ("acl.checkers", &[Kind::AclChecker]),
];

pub(super) fn list(which: Plugins, host: &host::Host) -> Vec<Plugin> {
    let classes = CLASSES.iter().map(|class| Plugin {
        class: class.name.to_owned(),
        kind: PluginType::Source,
        version: Some(VERSION.to_owned()),
    });
    let mut all: Vec<Plugin> = classes.collect();
    if which == Plugins::All {
        // Connect has no word for validators and checkers.
        all.extend(host.plugins().filter_map(|plugin| {
            let kind = match plugin.kind() {
                Kind::Transformation | Kind::Router => PluginType::Transformation,
                Kind::Predicate => PluginType::Predicate,
                Kind::Validator | Kind::SchemaChecker | Kind::AclChecker => return None,
            };
            Some(Plugin {
                class: plugin.name().to_owned(),
                kind,
                version: Some(plugin.version().to_string()),
            })
        }));
    }
    all
}

/// Of a class of connectors, or of a plugin in `plugin.path`.
pub(super) fn keys(plugin: &str, host: &host::Host) -> Option<Vec<ConfigKeyInfo>> {
    if let Some(class) = class(plugin) {
        return Some(definitions(class));
    }
    let plugin = host.resolve(&Reference::parse(plugin)).ok()?;
    Some(plugin_keys("", &plugin))
}

/// `None`: there is no such class.
pub(super) fn validate(
    plugin: &str,
    config: &Config,
    (defaults, host): (&Defaults, &host::Host),
) -> Option<Validation> {
    let class = class(plugin)?;
    let mut definitions = definitions(class);
    for (group, kinds) in ATTACHED {
        for alias in config
            .get(group)
            .iter()
            .flat_map(|list| towpath_domain::config::items(list))
        {
            let reference = config
                .get(&format!("{group}.{alias}.type"))
                .map(|name| Reference::parse(name));
            let found = reference.and_then(|reference| host.resolve(&reference).ok());
            if let Some(plugin) = found.filter(|plugin| kinds.contains(&plugin.kind())) {
                definitions.extend(plugin_keys(&format!("{group}.{alias}."), &plugin));
            }
        }
    }
    let mut problems = Class::parse(config, defaults).err().unwrap_or_default();
    let mut rows: Vec<Row> = definitions
        .into_iter()
        .map(|definition| row(definition, config, &mut problems))
        .collect();
    // Keys that are no rows, such as misspelt ones: each has one of its own.
    while let Some(problem) = problems.first() {
        let definition = stranger(&problem.key);
        rows.push(row(definition, config, &mut problems));
    }
    let mut groups: Vec<String> = Vec::new();
    for group in rows.iter().filter_map(|row| row.definition.group.as_ref()) {
        if !groups.contains(group) {
            groups.push(group.clone());
        }
    }
    Some(Validation {
        name: class.name.to_owned(),
        groups,
        rows,
    })
}

/// By its name, or with `Connector` behind it.
fn class(name: &str) -> Option<&'static Known> {
    let short = name.rsplit('.').next().unwrap_or(name);
    let short = short.strip_suffix("Connector").unwrap_or(short);
    CLASSES.iter().find(|class| class.name == short)
}

fn definitions(class: &Known) -> Vec<ConfigKeyInfo> {
    let keys = (1..).zip(class.definition.keys);
    keys.map(|(order, key)| info(order, key)).collect()
}

fn info(order: i32, key: &Key) -> ConfigKeyInfo {
    let (required, default_value) = match key.presence {
        Presence::Required => (true, None),
        Presence::Optional => (false, None),
        Presence::Default(value) => (false, Some(value.to_owned())),
    };
    ConfigKeyInfo {
        name: key.name.to_owned(),
        kind: match key.shape {
            Shape::Password => KeyType::Password,
            Shape::List | Shape::Servers => KeyType::List,
            Shape::Boolean => KeyType::Boolean,
            Shape::Int { max, .. } if max > i64::from(i32::MAX) => KeyType::Long,
            Shape::Int { .. } => KeyType::Int,
            Shape::Text | Shape::Topic | Shape::OneOf(_) => KeyType::String,
        },
        required,
        default_value,
        importance: if required {
            Importance::High
        } else {
            Importance::Medium
        },
        documentation: key.documentation.to_owned(),
        group: Some(group(key.name).to_owned()),
        order_in_group: order,
        width: Width::Medium,
        display_name: key.name.to_owned(),
        dependents: Vec::new(),
    }
}

fn group(key: &str) -> &'static str {
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| key.starts_with(prefix));
    match key {
        "name" | "connector.class" | "tasks.max" => COMMON,
        _ if begins(&["source.cluster.", "target.cluster."]) => CLUSTERS,
        _ if begins(&[
            "transforms",
            "predicates",
            "validators",
            "schema.",
            "acl.",
            "plugin.",
            "checkers.",
        ]) =>
        {
            PLUGINS
        }
        _ if begins(&["errors."]) => ERRORS,
        _ => MIRROR,
    }
}

fn plugin_keys(prefix: &str, plugin: &Arc<host::Plugin>) -> Vec<ConfigKeyInfo> {
    let one = |key: &host::ConfigKey| {
        let (required, default_value) = match &key.presence {
            host::Presence::Required => (true, None),
            host::Presence::Optional => (false, None),
            host::Presence::Default(value) => (false, Some(value.clone())),
        };
        ConfigKeyInfo {
            name: format!("{prefix}{}", key.name),
            kind: match key.config_type {
                host::ConfigType::Boolean => KeyType::Boolean,
                host::ConfigType::Int => KeyType::Int,
                host::ConfigType::Long => KeyType::Long,
                host::ConfigType::Double => KeyType::Double,
                host::ConfigType::String => KeyType::String,
                host::ConfigType::List => KeyType::List,
                host::ConfigType::Class => KeyType::Class,
                host::ConfigType::Password => KeyType::Password,
            },
            required,
            default_value,
            importance: match key.importance {
                host::Importance::Low => Importance::Low,
                host::Importance::Medium => Importance::Medium,
                host::Importance::High => Importance::High,
            },
            documentation: key.documentation.clone(),
            group: Some(PLUGINS.to_owned()),
            order_in_group: i32::try_from(key.order).unwrap_or(i32::MAX),
            width: Width::Medium,
            display_name: key.display_name.clone(),
            dependents: Vec::new(),
        }
    };
    plugin.descriptor().config.iter().map(one).collect()
}

/// A key that nobody has defined.
fn stranger(key: &str) -> ConfigKeyInfo {
    ConfigKeyInfo {
        name: key.to_owned(),
        kind: if sounds_secret(key) {
            KeyType::Password
        } else {
            KeyType::String
        },
        required: false,
        default_value: None,
        importance: Importance::Low,
        documentation: String::new(),
        group: None,
        order_in_group: -1,
        width: Width::None,
        display_name: key.to_owned(),
        dependents: Vec::new(),
    }
}

/// Takes the problems that are about the key.
fn row(definition: ConfigKeyInfo, config: &Config, problems: &mut Vec<Problem>) -> Row {
    let name = definition.name.clone();
    let (own, others): (Vec<Problem>, Vec<Problem>) =
        problems.drain(..).partition(|problem| problem.key == name);
    *problems = others;
    let value = config.get(&name).or(definition.default_value.as_ref());
    let is_hidden = definition.kind == KeyType::Password || sounds_secret(&name);
    Row {
        value: ConfigValueInfo {
            value: value.filter(|_| !is_hidden).cloned(),
            recommended_values: recommended(&name),
            errors: own.iter().map(ToString::to_string).collect(),
            visible: true,
            name,
        },
        definition,
    }
}

fn recommended(name: &str) -> Vec<String> {
    let mut keys = CLASSES.iter().flat_map(|class| class.definition.keys);
    match keys.find(|key| key.name == name).map(|key| key.shape) {
        Some(Shape::OneOf(choices)) => choices.iter().map(|choice| (*choice).to_owned()).collect(),
        Some(Shape::Boolean) => vec!["true".to_owned(), "false".to_owned()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(keys: &[(&str, &str)]) -> Config {
        let keys = keys
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        keys.collect()
    }

    fn validated(config: &Config) -> Validation {
        let (host, _) = host::Host::open(host::Options::default()).unwrap();
        validate("MirrorSource", config, (&Defaults::default(), &host)).unwrap()
    }

    fn value<'a>(validation: &'a Validation, key: &str) -> &'a ConfigValueInfo {
        let mut rows = validation.rows.iter().filter(|row| row.definition.name == key);
        let row = rows.next().unwrap();
        assert!(rows.next().is_none(), "{key} is there twice");
        &row.value
    }

    #[test]
    fn mistakes_are_at_their_keys_and_every_one_is_there() {
        let config = config(&[
            ("connector.class", "MirrorSource"),
            ("topics", "(open"),
            ("tasks.max", "many"),
            ("task.max", "3"),
            ("source.cluster.bootstrap.servers", "a:1"),
            ("source.cluster.ssl.keystore.pasword", "hidden"),
            ("target.cluster.bootstrap.servers", "b:1"),
        ]);
        let validation = validated(&config);
        assert!(value(&validation, "topics").errors[0].contains("not a regular expression"));
        assert!(value(&validation, "tasks.max").errors[0].contains("not a whole number"));
        assert!(value(&validation, "task.max").errors[0].contains("tasks.max"));
        let password = value(&validation, "source.cluster.ssl.keystore.pasword");
        assert!(password.value.is_none() && !password.errors[0].contains("hidden"));
        let mut told: Vec<&String> = validation.rows.iter().flat_map(|row| &row.value.errors).collect();
        let problems = Class::parse(&config, &Defaults::default()).unwrap_err();
        let mut problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        told.sort();
        problems.sort();
        assert_eq!(told, problems.iter().collect::<Vec<_>>());
        assert_eq!(
            value(&validation, "errors.tolerance").value.as_deref(),
            Some("none")
        );
        assert_eq!(validation.groups[0], COMMON);
    }

    #[test]
    fn a_right_configuration_has_no_mistakes_and_every_key_of_its_class() {
        let config = config(&[
            ("connector.class", "MirrorSource"),
            ("topics", "orders"),
            ("source.cluster.bootstrap.servers", "a:1"),
            ("target.cluster.bootstrap.servers", "b:1"),
        ]);
        let validation = validated(&config);
        assert!(validation.rows.iter().all(|row| row.value.errors.is_empty()));
        assert_eq!(validation.rows.len(), DEFINITION.keys.len());
    }

    #[test]
    fn classes_are_known_by_their_names_and_with_connector_behind() {
        for name in ["MirrorSource", "MirrorSourceConnector"] {
            assert_eq!(class(name).map(|class| class.name), Some("MirrorSource"));
        }
        assert!(class("MirrorHeartbeat").is_none());
    }
}
