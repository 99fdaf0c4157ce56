//! Configuration definitions in the manner of Kafka's `ConfigDef`: one row a key. Parsing, "did you mean" and the docs follow from the row.

use std::{collections::BTreeMap, fmt};

use crate::TopicName;

/// A configuration as it arrives: Connect's map of strings.
pub type Config = BTreeMap<String, String>;

/// One configuration key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub shape: Shape,
    pub presence: Presence,
    /// one sentence, with the unit
    pub documentation: &'static str,
}

/// What a value may look like.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Text,
    /// anything, and never shown
    Password,
    /// comma separated, blanks around items dropped
    List,
    Boolean,
    /// a whole number within the range, both ends included
    Int {
        min: i64,
        max: i64,
    },
    OneOf(&'static [&'static str]),
    /// comma separated `host:port`
    Servers,
    /// a topic's name
    Topic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Required,
    Optional,
    Default(&'static str),
}

/// One mistake in a configuration: the field, the value found, what is wrong with it and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub key: String,
    pub value: Option<String>,
    pub message: String,
    pub remedy: String,
}

/// The rows of one kind of configuration.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    pub keys: &'static [Key],
}

/// Values that were checked against their [`Definition`], defaults filled in.
#[derive(Clone, Debug)]
pub struct Values {
    values: BTreeMap<&'static str, String>,
}

// === impl Problem ===

impl Problem {
    pub fn new(
        key: impl Into<String>,
        value: Option<&str>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            key: key.into(),
            value: value.map(str::to_owned),
            message: message.into(),
            remedy: remedy.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} = {value:?}: {}; {}", self.key, self.message, self.remedy),
            None => write!(f, "{}: {}; {}", self.key, self.message, self.remedy),
        }
    }
}

// === impl Definition ===

impl Definition {
    /// Checks every row and every key; all mistakes at once. Keys for which `elsewhere` answers true are somebody else's to check.
    /// The values are usable row by row even when there are problems: a wrong one reads as its default.
    pub fn parse(&self, config: &Config, elsewhere: impl Fn(&str) -> bool) -> (Values, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut values = BTreeMap::new();
        for (name, value) in config {
            if self.keys.iter().all(|key| key.name != name) && !elsewhere(name) {
                // A password under a name that is misspelt is a password all the same.
                let value = (!sounds_secret(name)).then_some(value.as_str());
                problems.push(Problem::new(name, value, "unknown key", self.guess(name)));
            }
        }
        for key in self.keys {
            let given = config.get(key.name).map(|value| value.trim());
            match (given, key.presence) {
                (Some(value), _) => match key.shape.check(value) {
                    Ok(()) => {
                        values.insert(key.name, value.to_owned());
                    }
                    Err((message, remedy)) => {
                        let value = (!matches!(key.shape, Shape::Password)).then_some(value);
                        problems.push(Problem::new(key.name, value, message, remedy));
                    }
                },
                (None, Presence::Required) => {
                    problems.push(Problem::new(
                        key.name,
                        None,
                        "missing",
                        format!("add it: {}", key.documentation),
                    ));
                }
                (None, Presence::Optional | Presence::Default(_)) => {}
            }
            if let Presence::Default(default) = key.presence {
                values.entry(key.name).or_insert_with(|| default.to_owned());
            }
        }
        (Values { values }, problems)
    }

    fn guess(&self, name: &str) -> String {
        match nearest(name, self.keys.iter().map(|key| key.name)) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "remove it, or see the list of keys in the documentation".to_owned(),
        }
    }
}

// === impl Shape ===

impl Shape {
    fn check(self, value: &str) -> Result<(), (String, String)> {
        let fail = |message: &str, remedy: String| Err((message.to_owned(), remedy));
        match self {
            Self::Text | Self::Password if value.is_empty() => {
                fail("empty", "give a value, or remove the key".to_owned())
            }
            Self::Text | Self::Password => Ok(()),
            Self::List if items(value).next().is_none() => fail(
                "an empty list",
                "name at least one, separated by commas".to_owned(),
            ),
            Self::List => Ok(()),
            Self::Boolean if matches!(value, "true" | "false") => Ok(()),
            Self::Boolean => fail("not a boolean", "write true or false".to_owned()),
            Self::Int { min, max } => match value.parse::<i64>() {
                Ok(number) if (min..=max).contains(&number) => Ok(()),
                Ok(_) => fail(
                    "out of range",
                    format!("write a whole number from {min} to {max}"),
                ),
                Err(_) => fail(
                    "not a whole number",
                    format!("write a whole number from {min} to {max}"),
                ),
            },
            Self::OneOf(choices) if choices.contains(&value) => Ok(()),
            Self::OneOf(choices) => fail(
                "not one of the choices",
                format!(
                    "write one of {}",
                    choices
                        .iter()
                        .map(|choice| named(choice))
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            ),
            Self::Topic if TopicName::is_legal(value) => Ok(()),
            Self::Topic => fail(
                "not a topic's name",
                "use 1 to 249 of a-z A-Z 0-9 . _ -".to_owned(),
            ),
            Self::Servers => {
                if items(value).next().is_none() {
                    return fail("no server", "write host:port, separated by commas".to_owned());
                }
                match items(value).find(|server| !is_server(server)) {
                    None => Ok(()),
                    Some(server) => fail(
                        &format!("{server:?} is not host:port"),
                        "write host:port, separated by commas, for example kafka-1:9092,kafka-2:9092"
                            .to_owned(),
                    ),
                }
            }
        }
    }
}

// === impl Values ===

impl Values {
    /// The value, when the key was given or has a default.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The value of a key that is required or has a default; empty when it was missing or wrong (there is a [`Problem`] then).
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    pub fn list(&self, name: &str) -> Vec<String> {
        items(self.text(name)).map(str::to_owned).collect()
    }

    /// 0 when the key was missing or wrong (there is a [`Problem`] then).
    pub fn int(&self, name: &str) -> i64 {
        self.text(name).parse().unwrap_or_default()
    }
}

/// Whether a key with this name may hold what must not be shown: a password, a private key, a JAAS line.
pub fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [
        "pass",
        "secret",
        "jaas",
        "token",
        "credential",
        "certificate",
        ".key",
    ]
    .iter()
    .any(|word| name.contains(word))
}

/// The items of a comma separated list.
pub fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// The name among `known` that `name` was probably meant to be.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// A choice as it can be read in a list of choices.
fn named(choice: &'static str) -> &'static str {
    if choice.is_empty() {
        "nothing at all"
    } else {
        choice
    }
}

fn is_server(server: &str) -> bool {
    server.rsplit_once(':').is_some_and(|(host, port)| {
        let host_is_clear =
            !host.is_empty() && !host.contains("//") && (!host.contains(':') || host.starts_with('['));
        host_is_clear && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFINITION: Definition = Definition {
        keys: &[
            Key {
                name: "tasks.max",
                shape: Shape::Int { min: 1, max: 1000 },
                presence: Presence::Default("1"),
                documentation: "tasks",
            },
            Key {
                name: "topics",
                shape: Shape::List,
                presence: Presence::Required,
                documentation: "regular expressions",
            },
            Key {
                name: "servers",
                shape: Shape::Servers,
                presence: Presence::Optional,
                documentation: "brokers",
            },
            Key {
                name: "password",
                shape: Shape::Password,
                presence: Presence::Optional,
                documentation: "of the store",
            },
        ],
    };

    fn parse(pairs: &[(&str, &str)]) -> (Values, Vec<String>) {
        let config = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let (values, problems) = DEFINITION.parse(&config, |key| key.starts_with("transforms."));
        (values, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_mistake_is_reported_at_once_with_field_value_and_remedy() {
        let (_, problems) = parse(&[
            ("task.max", "3"),
            ("tasks.max", "many"),
            ("servers", "http://kafka"),
            ("transforms.a", "b"),
        ]);
        assert_eq!(
            problems,
            [
                r#"task.max = "3": unknown key; did you mean "tasks.max"?"#,
                r#"tasks.max = "many": not a whole number; write a whole number from 1 to 1000"#,
                "topics: missing; add it: regular expressions",
                r#"servers = "http://kafka": "http://kafka" is not host:port; write host:port, separated by commas, for example kafka-1:9092,kafka-2:9092"#,
            ]
        );
    }

    #[test]
    fn what_may_be_a_password_is_not_shown() {
        let (_, problems) = parse(&[
            ("topics", "a"),
            ("password", ""),
            ("ssl.keystore.pasword", "x"),
            ("ssl.passphrase", "hidden"),
        ]);
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(
            problems.iter().all(|problem| !problem.contains("hidden")),
            "{problems:?}"
        );
        assert_eq!(problems[2], "password: empty; give a value, or remove the key");
    }

    #[test]
    fn good_values_are_typed_and_defaults_filled_in() {
        let (values, problems) = parse(&[("topics", " a , b ,"), ("servers", "[::1]:9092, kafka:9093")]);
        assert_eq!(problems, [""; 0]);
        assert_eq!(values.list("topics"), ["a", "b"]);
        assert_eq!(values.int("tasks.max"), 1);
        assert_eq!(values.list("servers"), ["[::1]:9092", "kafka:9093"]);
    }
}
