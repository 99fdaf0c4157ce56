//! `worker.properties`: Connect's key names where it has one.

use std::{fs::File, io::BufReader, path::Path, path::PathBuf, time::Duration};

use towpath_domain::config::{Config, Definition, Key, Presence, Problem, Shape, Values};
use towpath_mirror::config::Defaults;
use towpath_plugin_host as host;
use towpath_server::listeners::{self, Listener, Unsecured};
use towpath_wire::{Environment, Security};

use super::{
    buckets,
    limits::{self, LIMITS, Named},
};
use crate::failure::Failure;

const TOPIC: &str = "config.storage.topic";
const REPLICATION: &str = "config.storage.replication.factor";

/// Every key of a worker.
pub(super) const DEFINITION: Definition = Definition {
    keys: &[
        Key {
            name: "bootstrap.servers",
            shape: Shape::Servers,
            presence: Presence::Optional,
            documentation: "the cluster that connectors write to when they name no target.cluster.bootstrap.servers, host:port",
        },
        Key {
            name: listeners::LISTENERS,
            shape: Shape::List,
            presence: Presence::Optional,
            documentation: "where Kafka Connect's REST API is served, such as http://127.0.0.1:8083, separated by commas; connectors are then kept in config.storage.topic, and --connector is not given. Only loopback addresses, for whoever reaches it can steer the worker",
        },
        Key {
            name: listeners::ALLOW,
            shape: Shape::Boolean,
            presence: Presence::Default("false"),
            documentation: "true: listeners may be on other addresses too, where something else keeps strangers away from them",
        },
        Key {
            name: TOPIC,
            shape: Shape::Topic,
            presence: Presence::Default("towpath-configs"),
            documentation: "with listeners: the compacted topic of one partition, on the cluster of bootstrap.servers, that holds connectors' configurations, passwords included where they are no references, and whether they run. One worker at a time has it: one that is started takes it over. Needs Read, Write, Describe, DescribeConfigs and, when it is missing, Create, and Write on the transactional id of its name with .worker behind it",
        },
        Key {
            name: REPLICATION,
            shape: Shape::Int { min: -1, max: 32_767 },
            presence: Presence::Default("-1"),
            documentation: "replicas of that topic when it is created; -1: the broker's default",
        },
        Key {
            name: "client.dns.lookup",
            shape: Shape::OneOf(&["use_all_dns_ips"]),
            presence: Presence::Default("use_all_dns_ips"),
            documentation: "use_all_dns_ips: all addresses of a name are tried, and it is resolved anew for each connection",
        },
        Key {
            name: "client.id",
            shape: Shape::Text,
            presence: Presence::Default("towpath"),
            documentation: "sent with every request to a broker",
        },
        Key {
            name: "plugin.path",
            shape: Shape::List,
            presence: Presence::Optional,
            documentation: "folders with components (*.wasm), separated by commas",
        },
        Key {
            name: "plugin.cache.dir",
            shape: Shape::Text,
            presence: Presence::Optional,
            documentation: "where compiled plugins are kept; $XDG_CACHE_HOME/towpath/plugins or ~/.cache/towpath/plugins when missing",
        },
        Key {
            name: "plugin.compile.timeout.ms",
            shape: Shape::Int {
                min: 100,
                max: 3_600_000,
            },
            presence: Presence::Default("300000"),
            documentation: "the longest compiling a plugin may take, which happens once a file, ms",
        },
        LIMITS[0],
        LIMITS[1],
        LIMITS[2],
        LIMITS[3],
        LIMITS[4],
        Key {
            name: "plugin.grants.schema-registry",
            shape: Shape::List,
            presence: Presence::Optional,
            documentation: "names of the plugins that may ask the schema registries of a connector's clusters; a plugin that asks without it is refused. Nothing else can be granted",
        },
        Key {
            name: "offset.storage.topic",
            shape: Shape::Topic,
            presence: Presence::Default("towpath-offsets"),
            documentation: "the compacted topic, on the cluster a connector writes to, that holds its positions",
        },
        Key {
            name: "offset.storage.replication.factor",
            shape: Shape::Int { min: -1, max: 32_767 },
            presence: Presence::Default("-1"),
            documentation: "replicas of that topic when it is created; -1: the broker's default",
        },
        Key {
            name: "offset.flush.interval.ms",
            shape: Shape::Int { min: 50, max: 700 },
            presence: Presence::Default("400"),
            documentation: "how old an acknowledged record may get before its position is stored, ms; below the second that bounds duplicates",
        },
        Key {
            name: buckets::KEY,
            shape: Shape::Text,
            presence: Presence::Optional,
            documentation: "a JSON file that says what this worker has of connectors that it shares with other workers, {\"connector\": [buckets, 0 to 15]}; read again when it changes. A bucket that two are given belongs to whoever took it last. Without the key: all of every connector. A MirrorCheckpoint is not shared",
        },
        Key {
            name: "request.timeout.ms",
            shape: Shape::Int {
                min: 100,
                max: 600_000,
            },
            presence: Presence::Default("30000"),
            documentation: "the longest a broker may take to answer, ms",
        },
    ],
};

/// A worker's properties, checked.
pub(super) struct Properties {
    /// What connectors take that do not say it themselves.
    pub defaults: Defaults,
    pub client_id: String,
    pub request_timeout: Duration,
    pub offset_storage_topic: String,
    pub offset_storage_replication_factor: i16,
    pub offset_flush_interval: Duration,
    pub buckets: Option<PathBuf>,
    /// None: connectors are files
    pub rest: Option<Rest>,
    pub plugins: host::Options,
    pub registries_granted_to: Vec<String>,
    /// limits of single plugins, which are in `plugins` too
    pub named: Named,
}

/// The REST API, and where the connectors are kept that it manages.
#[derive(Clone)]
pub(super) struct Rest {
    pub listeners: Vec<Listener>,
    pub topic: String,
    pub replication_factor: i16,
}

// === impl Properties ===

impl Properties {
    /// Reads a Java properties file, and opens the stores that it names; all mistakes at once.
    pub(super) fn read(path: &Path, environment: &Environment) -> Result<Self, Failure> {
        let unreadable = |what: String| Failure::Input(vec![format!("--config {}: {what}", path.display())]);
        let file = File::open(path).map_err(|error| {
            unreadable(format!(
                "cannot be read: {error}; name an existing properties file"
            ))
        })?;
        let config: Config = java_properties::read(BufReader::new(file))
            .map_err(|error| {
                unreadable(format!(
                    "is not a Java properties file: {error}; write key=value, one a line"
                ))
            })?
            .into_iter()
            .collect();
        let (values, mut problems) =
            DEFINITION.parse(&config, |key| Security::owns(key) || limits::owns(key));
        let named = Named::parse(&config, &mut problems);
        let security = Security::parse(&config, "", environment).unwrap_or_else(|mistakes| {
            problems.extend(mistakes);
            Security::default()
        });
        problems.extend(security.check());
        if values.get("bootstrap.servers").is_none() {
            problems.extend(config.keys().filter(|key| Security::owns(key)).map(|key| {
                let message = "has no effect: it is for the cluster that bootstrap.servers names, which is missing";
                Problem::new(key, None, message, "name bootstrap.servers, or put the key with its cluster's prefix into the connector's file")
            }));
        }
        let rest = Rest::parse(&config, &values, &mut problems);
        let plugin_path: Vec<PathBuf> = values
            .list("plugin.path")
            .into_iter()
            .map(PathBuf::from)
            .collect();
        for folder in plugin_path.iter().filter(|folder| !folder.exists()) {
            let folder = folder.display().to_string();
            problems.push(Problem::new(
                "plugin.path",
                Some(&folder),
                "no such folder",
                "create it, or correct the path",
            ));
        }
        if problems.is_empty() {
            let defaults = Defaults {
                bootstrap_servers: values.list("bootstrap.servers"),
                security,
                environment: environment.clone(),
            };
            Ok(Self::from_values(&values, defaults, rest, (plugin_path, named)))
        } else {
            Err(Failure::input(path.display(), &problems))
        }
    }

    fn from_values(
        values: &Values,
        defaults: Defaults,
        rest: Option<Rest>,
        (plugin_path, named): (Vec<PathBuf>, Named),
    ) -> Self {
        let millis = |key| Duration::from_millis(values.int(key).unsigned_abs());
        Self {
            defaults,
            client_id: values.text("client.id").to_owned(),
            request_timeout: millis("request.timeout.ms"),
            offset_storage_topic: values.text("offset.storage.topic").to_owned(),
            offset_storage_replication_factor: values.int("offset.storage.replication.factor") as i16,
            offset_flush_interval: millis("offset.flush.interval.ms"),
            buckets: values.get(buckets::KEY).map(PathBuf::from),
            rest,
            registries_granted_to: values.list("plugin.grants.schema-registry"),
            plugins: host::Options {
                plugin_path,
                cache_dir: values
                    .get("plugin.cache.dir")
                    .map(PathBuf::from)
                    .or_else(default_cache),
                limits: host::Limits {
                    compile_timeout: millis("plugin.compile.timeout.ms"),
                    ..limits::of(values)
                },
                limits_of: named.limits.clone(),
            },
            named,
        }
    }
}

// === impl Rest ===

impl Rest {
    fn parse(config: &Config, values: &Values, problems: &mut Vec<Problem>) -> Option<Self> {
        let Some(list) = values.get(listeners::LISTENERS) else {
            for key in [listeners::ALLOW, TOPIC, REPLICATION] {
                if let Some(value) = config.get(key) {
                    let remedy = format!("add {}, or remove it", listeners::LISTENERS);
                    let message = "has no effect: it is about the REST API, which is not served";
                    problems.push(Problem::new(key, Some(value), message, remedy));
                }
            }
            return None;
        };
        let unsecured = match values.text(listeners::ALLOW) {
            "true" => Unsecured::Allowed,
            _ => Unsecured::Refused,
        };
        let listeners = listeners::listeners(list, unsecured).unwrap_or_else(|mistakes| {
            problems.extend(mistakes);
            Vec::new()
        });
        if !config.contains_key("bootstrap.servers") {
            let remedy =
                "add it: the cluster to keep connectors in, and to write to where they name no target";
            problems.push(Problem::new("bootstrap.servers", None, "missing", remedy));
        }
        if let Some(file) = values.get(buckets::KEY) {
            let message =
                "connectors that are managed by the REST API are not shared among workers in this version";
            let remedy = format!(
                "remove it, or remove {} and name the connectors' files",
                listeners::LISTENERS
            );
            problems.push(Problem::new(buckets::KEY, Some(file), message, remedy));
        }
        let topic = values.text(TOPIC);
        if topic == values.text("offset.storage.topic") {
            let message = "is offset.storage.topic too, which has other rows";
            problems.push(Problem::new(TOPIC, Some(topic), message, "name another topic"));
        }
        Some(Self {
            listeners,
            topic: topic.to_owned(),
            replication_factor: values.int(REPLICATION) as i16,
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the composition root: the environment is read here and passed in"
)]
pub(crate) fn default_cache() -> Option<PathBuf> {
    let cache = std::env::var("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var("HOME").map(|home| PathBuf::from(home).join(".cache"));
    cache
        .or_else(|_| home())
        .ok()
        .map(|cache| cache.join("towpath/plugins"))
}
