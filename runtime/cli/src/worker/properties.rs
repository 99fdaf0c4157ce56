//! `worker.properties`: Connect's key names where it has one.

use std::{fs::File, io::BufReader, path::Path, path::PathBuf, time::Duration};

use towpath_domain::config::{Config, Definition, Key, Presence, Problem, Shape, Values};
use towpath_mirror::config::Defaults;
use towpath_plugin_host as host;
use towpath_wire::{Environment, Security};

use super::{
    buckets,
    limits::{self, LIMITS, Named},
};
use crate::failure::Failure;

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
    pub plugins: host::Options,
    pub registries_granted_to: Vec<String>,
    /// limits of single plugins, which are in `plugins` too
    pub named: Named,
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
            Ok(Self::from_values(&values, defaults, plugin_path, named))
        } else {
            Err(Failure::input(path.display(), &problems))
        }
    }

    fn from_values(values: &Values, defaults: Defaults, plugin_path: Vec<PathBuf>, named: Named) -> Self {
        let millis = |key| Duration::from_millis(values.int(key).unsigned_abs());
        Self {
            defaults,
            client_id: values.text("client.id").to_owned(),
            request_timeout: millis("request.timeout.ms"),
            offset_storage_topic: values.text("offset.storage.topic").to_owned(),
            offset_storage_replication_factor: values.int("offset.storage.replication.factor") as i16,
            offset_flush_interval: millis("offset.flush.interval.ms"),
            buckets: values.get(buckets::KEY).map(PathBuf::from),
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
