//! A connector's file: Connect's `{"name", "config"}`.

use std::{fmt, path::Path};

use serde::{Deserialize, de::IgnoredAny};
use towpath_domain::config::{Config, Problem};
use towpath_mirror::config::{Class, Defaults, SOURCE_LIMIT, TARGET_LIMIT};

/// A connector as its file describes it, checked as far as that goes without brokers and plugins.
#[derive(Debug)]
pub(crate) struct ConnectorFile {
    pub name: String,
    pub config: Class,
    pub written: Written,
}

/// What was written in a file, but for the limits, which are changed without a restart.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Written {
    name: String,
    config: Config,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    name: String,
    config: serde_json::Map<String, serde_json::Value>,
    /// This and the next one are beside the others where the REST API was asked for the connector.
    #[serde(rename = "tasks")]
    _tasks: Option<IgnoredAny>,
    #[serde(rename = "type")]
    _type: Option<IgnoredAny>,
}

impl fmt::Debug for Written {
    /// There may be passwords in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [redacted]", self.name)
    }
}

pub(super) fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    std::fs::read(path)
}

/// All mistakes at once.
pub(crate) fn parse(content: &[u8], defaults: &Defaults) -> Result<ConnectorFile, Vec<Problem>> {
    let shape: Shape = serde_json::from_slice(content).map_err(|error| {
        let remedy = r#"write {"name": "...", "config": {"key": "value", ...}} as for Kafka Connect"#;
        vec![Problem::new(
            "(file)",
            None,
            format!("not a connector: {error}"),
            remedy,
        )]
    })?;
    let mut problems = Vec::new();
    if shape.name.trim().is_empty() {
        problems.push(Problem::new(
            "name",
            Some(&shape.name),
            "empty",
            "give the connector a name: its positions are found by it",
        ));
    }
    let mut config = Config::new();
    for (key, value) in shape.config {
        match value {
            serde_json::Value::String(text) => drop(config.insert(key, text)),
            // As Connect's own parser does.
            serde_json::Value::Number(_) | serde_json::Value::Bool(_) => {
                drop(config.insert(key, value.to_string()))
            }
            other => problems.push(Problem::new(
                key,
                Some(&other.to_string()),
                "not a string",
                "write the value as a string",
            )),
        }
    }
    if let Some(inner) = config.get("name").filter(|inner| **inner != shape.name) {
        let remedy = format!("write {:?}, or leave it out", shape.name);
        problems.push(Problem::new(
            "config.name",
            Some(inner),
            "differs from the connector's name",
            remedy,
        ));
    }
    match Class::parse(&config, defaults) {
        Ok(parsed) if problems.is_empty() => {
            config.retain(|key, _| ![SOURCE_LIMIT, TARGET_LIMIT].contains(&key.as_str()));
            Ok(ConnectorFile {
                name: shape.name.clone(),
                config: parsed,
                written: Written {
                    name: shape.name,
                    config,
                },
            })
        }
        Ok(_) => Err(problems),
        Err(more) => {
            problems.extend(more);
            Err(problems)
        }
    }
}

/// The sentence for a file that cannot be read.
pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!(
        "--connector {}: cannot be read: {error}; name an existing JSON file",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(content: &str) -> Vec<String> {
        parse(content.as_bytes(), &Defaults::default())
            .expect_err("wrong")
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn what_is_not_a_connector_says_where_and_how_to_write_one() {
        let all = problems(r#"{"name": "a", "configs": {}}"#);
        assert!(
            all[0].starts_with("(file): not a connector: unknown field `configs`"),
            "{all:?}"
        );
        assert!(all[0].contains(r#"write {"name": "...", "config""#), "{all:?}");
    }

    #[test]
    fn what_the_rest_api_answers_for_a_connector_is_a_file_of_it() {
        let text = r#"{"name": "a", "config": {"connector.class": "MirrorSource", "name": "a", "topics": "t", "source.cluster.bootstrap.servers": "a:1",
            "target.cluster.bootstrap.servers": "b:1"}, "tasks": [{"connector": "a", "task": 0}], "type": "source"}"#;
        let file = parse(text.as_bytes(), &Defaults::default()).expect("right");
        assert_eq!(file.name, "a");
    }

    #[test]
    fn a_file_in_which_only_limits_differ_is_told_from_others() {
        let written = |more: &str| {
            let text = format!(
                r#"{{"name": "a", "config": {{"connector.class": "MirrorSource", "topics": "t",
                "source.cluster.bootstrap.servers": "a:1", "target.cluster.bootstrap.servers": "b:1"{more}}}}}"#
            );
            let file = parse(text.as_bytes(), &Defaults::default()).expect("right");
            let Class::MirrorSource(config) = file.config else {
                panic!("it is a MirrorSource");
            };
            (file.written, config.limits)
        };
        let (plain, none) = written("");
        let (limited, some) =
            written(r#", "source.max.bytes.per.second": 1000, "target.max.bytes.per.second": "2000""#);
        assert!(plain == limited && none != some);
        assert!(plain != written(r#", "tasks.max": "2""#).0);
    }

    #[test]
    fn mistakes_of_the_file_and_of_the_configuration_come_together() {
        let all = problems(r#"{"name": "a", "config": {"name": "b", "tasks.max": 0, "topics": ["x"]}}"#);
        let starts: Vec<&str> = all
            .iter()
            .filter_map(|sentence| sentence.split(' ').next())
            .collect();
        assert_eq!(
            starts,
            [
                "topics",
                "config.name",
                "connector.class:",
                "tasks.max",
                "source.cluster.bootstrap.servers:",
                "topics:",
                "target.cluster.bootstrap.servers:"
            ],
            "{all:#?}"
        );
    }
}
