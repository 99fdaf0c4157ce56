//! The keys of one registry, as Confluent's clients call them.

use std::time::Duration;

use towpath_domain::config::{Config, Definition, Key, Presence, Problem, Shape};
use towpath_wire::{Authorization, Environment, Patience, Secret, Security, Tls, Uri, parse_url};

/// Where a registry is, and how it is asked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Asked in this order, the next one where one does not answer.
    pub(crate) urls: Vec<Uri>,
    pub(crate) authorization: Option<Credentials>,
    pub(crate) tls: Option<Tls>,
    pub(crate) patience: Patience,
}

/// Read anew for each request, so that changed files need no restart.
#[derive(Clone, Debug)]
pub(crate) enum Credentials {
    UserInfo(Secret),
    Token(Secret),
}

/// The keys, without the prefix of their cluster. `schema.registry.ssl.*` are Kafka's.
pub const DEFINITION: Definition = Definition {
    keys: &[
        Key {
            name: "schema.registry.url",
            shape: Shape::List,
            presence: Presence::Optional,
            documentation: "the cluster's schema registry, by Confluent's API: http:// or https://, several separated by commas are asked in turn",
        },
        Key {
            name: "schema.registry.basic.auth.credentials.source",
            shape: Shape::OneOf(&["USER_INFO"]),
            presence: Presence::Optional,
            documentation: "USER_INFO: user and password are in schema.registry.basic.auth.user.info",
        },
        Key {
            name: "schema.registry.basic.auth.user.info",
            shape: Shape::Password,
            presence: Presence::Optional,
            documentation: "user:password for the registry",
        },
        Key {
            name: "schema.registry.bearer.auth.token",
            shape: Shape::Password,
            presence: Presence::Optional,
            documentation: "a token for the registry, instead of user and password",
        },
    ],
};

const PREFIX: &str = "schema.registry.";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

// === impl Settings ===

impl Settings {
    pub const DEFINITION: Definition = DEFINITION;

    /// Whether the key, without the prefix of its cluster, is one of a registry.
    pub fn owns(name: &str) -> bool {
        name.starts_with(PREFIX)
    }

    /// Reads the keys with this prefix (`source.cluster.`); all mistakes at once. None: there is no registry.
    pub fn parse(
        config: &Config,
        prefix: &str,
        request_timeout: Duration,
        environment: &Environment,
    ) -> Result<Option<Self>, Vec<Problem>> {
        let own: Config = config
            .iter()
            .filter_map(|(key, value)| {
                let name = key.strip_prefix(prefix).filter(|name| Self::owns(name))?;
                Some((name.to_owned(), value.clone()))
            })
            .collect();
        let is_tls = |name: &str| {
            name.strip_prefix(PREFIX)
                .is_some_and(|name| name.starts_with("ssl."))
        };
        let (values, mistakes) = DEFINITION.parse(&own, is_tls);
        let mut problems: Vec<Problem> = mistakes
            .into_iter()
            .map(|mistake| Problem {
                key: format!("{prefix}{}", mistake.key),
                ..mistake
            })
            .collect();
        let key = |name: &str| format!("{prefix}{name}");
        let mut urls = Vec::new();
        for url in values.list("schema.registry.url") {
            match parse_url(&url) {
                Ok(url) => urls.push(url),
                Err(what) => {
                    let remedy = "write it as http://host:port or https://host:port";
                    problems.push(Problem::new(key("schema.registry.url"), Some(&url), what, remedy));
                }
            }
        }
        if urls.is_empty() && problems.is_empty() {
            if let Some(name) = own.keys().next() {
                let message = "has no effect: schema.registry.url of that cluster is missing";
                let remedy = format!("name {prefix}schema.registry.url too");
                return Err(vec![Problem::new(key(name), None, message, remedy)]);
            }
            return Ok(None);
        }
        let mut secret = |name: &str| {
            let secret = Secret::new(&key(name), own.get(name)?, environment);
            secret
                .resolve()
                .map_err(|unresolved| problems.push(unresolved.0))
                .ok()?;
            Some(secret)
        };
        let user = secret("schema.registry.basic.auth.user.info");
        let source = "schema.registry.basic.auth.credentials.source";
        let source = values.get(source).map(|value| (key(source), value));
        let token = secret("schema.registry.bearer.auth.token");
        let authorization = match (user, token) {
            (Some(_), Some(_)) => {
                let message = "is given beside schema.registry.basic.auth.user.info";
                problems.push(Problem::new(
                    key("schema.registry.bearer.auth.token"),
                    None,
                    message,
                    "give one of the two",
                ));
                None
            }
            (Some(user), None) => Some(Credentials::UserInfo(user)),
            (None, token) => token.map(Credentials::Token),
        };
        if let (Some((source, value)), false) =
            (source, own.contains_key("schema.registry.basic.auth.user.info"))
        {
            let message = "has no effect: schema.registry.basic.auth.user.info of that cluster is missing";
            let remedy = format!(
                "name user:password in {prefix}schema.registry.basic.auth.user.info, or leave this key out"
            );
            problems.push(Problem::new(source, Some(value), message, remedy));
        }
        let tls = tls(config, prefix, environment).unwrap_or_else(|mistakes| {
            problems.extend(mistakes);
            None
        });
        match problems.is_empty() {
            true => Ok(Some(Self {
                urls,
                authorization,
                tls,
                patience: Patience {
                    connect: CONNECT_TIMEOUT.min(request_timeout),
                    answer: request_timeout,
                },
            })),
            false => Err(problems),
        }
    }

    /// Opens the stores; all mistakes at once. Blocks.
    pub fn check(&self) -> Vec<Problem> {
        self.tls.as_ref().map(Tls::check).unwrap_or_default()
    }
}

// === impl Credentials ===

impl Credentials {
    pub(crate) fn authorization(&self) -> Result<Authorization, String> {
        let resolved = |secret: &Secret| secret.resolve().map_err(|unresolved| unresolved.0.to_string());
        Ok(match self {
            Self::Token(token) => Authorization::Bearer(resolved(token)?),
            Self::UserInfo(user) => {
                let text = resolved(user)?;
                let (user, password) = text.split_once(':').unwrap_or((&text, ""));
                Authorization::Basic(user.to_owned(), password.to_owned())
            }
        })
    }
}

/// `schema.registry.ssl.*`, as `ssl.*` of a cluster.
fn tls(config: &Config, prefix: &str, environment: &Environment) -> Result<Option<Tls>, Vec<Problem>> {
    let prefix = format!("{prefix}{PREFIX}");
    let mut own: Config = config
        .iter()
        .filter(|(key, _)| {
            key.strip_prefix(&prefix)
                .is_some_and(|name| name.starts_with("ssl."))
        })
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    own.insert(format!("{prefix}security.protocol"), "SSL".to_owned());
    let security = Security::parse(&own, &prefix, environment)?;
    Ok(security.tls.map(|tls| tls.to_a_registry()))
}
