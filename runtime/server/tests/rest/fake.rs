//! A worker in memory. It mirrors nothing, and is asked as a worker that does.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use towpath_domain::config::Config;
use towpath_server::herder::{
    About, ConfigKeyInfo, ConnectorType, Health, Herder, Info, Lag, Level, Logger, Offset, PartitionLag,
    Plugin, PluginType, Plugins, Put, Refusal, Restart, RestartTasks, RestartWhich, Run, Scope, SourceOffset,
    SourcePartition, State, Status, Target, TaskConfig, TaskStatus, Validation,
};

mod plugins;

pub struct Fake {
    connectors: Mutex<BTreeMap<String, Connector>>,
    loggers: Mutex<BTreeMap<String, Logger>>,
    health: Health,
    /// what is listed and is deleted before anybody asks for more
    vanishing: BTreeSet<String>,
}

struct Connector {
    config: Config,
    target: Target,
    tasks: u32,
    offsets: Vec<Offset>,
}

/// A connector that makes whoever asks for it panic.
pub const PANICS: &str = "panics";

/// A connector that is never answered about.
pub const HANGS: &str = "hangs";

/// Partitions of the topic that is mirrored.
const PARTITIONS: u32 = 2;

// === impl Fake ===

impl Fake {
    pub fn new() -> Self {
        let loggers = ["org.apache.kafka.connect.runtime.Worker", "root"].map(|name| {
            let logger = Logger {
                level: Level::Info,
                last_modified: None,
            };
            (name.to_owned(), logger)
        });
        Self {
            connectors: Mutex::default(),
            loggers: Mutex::new(loggers.into()),
            health: Health::Healthy,
            vanishing: BTreeSet::new(),
        }
    }

    pub fn with_health(health: Health) -> Self {
        Self {
            health,
            ..Self::new()
        }
    }

    pub fn with_vanishing(name: &str) -> Self {
        Self {
            vanishing: [name.to_owned()].into(),
            ..Self::new()
        }
    }

    /// What is asked for has happened by the next request, as it has on a worker a moment later.
    fn with<T>(
        &self,
        name: &str,
        ask: impl FnOnce(&mut Connector) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        assert_ne!(name, PANICS, "as it was asked to");
        let mut connectors = self.connectors.lock().expect("not poisoned");
        let connector = connectors
            .get_mut(name)
            .ok_or_else(|| Refusal::UnknownConnector(name.to_owned()))?;
        connector.settle();
        ask(connector)
    }
}

// === impl Connector ===

impl Connector {
    fn new(config: Config, target: Target) -> Self {
        Self {
            config,
            target,
            tasks: 0,
            offsets: Vec::new(),
        }
    }

    fn settle(&mut self) {
        self.tasks = match self.target {
            Target::Stopped => 0,
            _ => self.config["tasks.max"]
                .parse::<u32>()
                .expect("checked")
                .min(PARTITIONS),
        };
        if self.target == Target::Running {
            self.offsets = vec![self.offset(1, 496), self.offset(0, 502)];
        }
    }

    fn offset(&self, partition: i32, offset: i64) -> Offset {
        let partition = SourcePartition {
            cluster: self.config["source.cluster.alias"].clone(),
            topic: self.config["topics"].clone(),
            partition,
        };
        Offset {
            partition,
            offset: Some(SourceOffset { offset }),
        }
    }

    fn info(&self) -> Info {
        Info {
            name: self.config["name"].clone(),
            config: self.config.clone(),
            tasks: (0..self.tasks).collect(),
            kind: ConnectorType::Source,
        }
    }

    fn status(&self, connector: State, task: State) -> Status {
        Status {
            name: self.config["name"].clone(),
            connector: run(connector),
            tasks: (0..self.tasks)
                .map(|id| TaskStatus { id, run: run(task) })
                .collect(),
            kind: ConnectorType::Source,
        }
    }

    fn state(&self) -> State {
        match self.target {
            Target::Running => State::Running,
            Target::Paused => State::Paused,
            Target::Stopped => State::Stopped,
        }
    }

    fn task(&self, task: u32) -> Result<u32, Refusal> {
        if task < self.tasks {
            return Ok(task);
        }
        Err(Refusal::UnknownTask {
            connector: self.config["name"].clone(),
            task,
        })
    }

    fn stopped(&self) -> Result<(), Refusal> {
        match self.target {
            Target::Stopped => Ok(()),
            _ => Err(Refusal::NotStopped(self.config["name"].clone())),
        }
    }
}

fn run(state: State) -> Run {
    Run {
        state,
        worker_id: "127.0.0.1:8083".to_owned(),
        trace: (state == State::Failed).then(|| "it broke".to_owned()),
        version: Some("4.3.1".to_owned()),
    }
}

fn check(config: &Config) -> Result<(), Refusal> {
    let problems = plugins::problems(config);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Refusal::Invalid(problems))
    }
}

impl Herder for Fake {
    async fn about(&self) -> Result<About, Refusal> {
        Ok(About {
            kafka_cluster_id: "5L6g3nShT-eMCtK--X86sw".to_owned(),
        })
    }

    async fn health(&self) -> Health {
        self.health.clone()
    }

    async fn names(&self) -> Result<BTreeSet<String>, Refusal> {
        let connectors = self.connectors.lock().expect("not poisoned");
        Ok(connectors.keys().chain(&self.vanishing).cloned().collect())
    }

    async fn info(&self, name: &str) -> Result<Info, Refusal> {
        if name == HANGS {
            std::future::pending::<()>().await;
        }
        self.with(name, |connector| Ok(connector.info()))
    }

    async fn status(&self, name: &str) -> Result<Status, Refusal> {
        self.with(name, |connector| {
            Ok(connector.status(connector.state(), connector.state()))
        })
    }

    async fn create(&self, name: &str, config: Config, target: Target) -> Result<Info, Refusal> {
        check(&config)?;
        let mut connectors = self.connectors.lock().expect("not poisoned");
        if connectors.contains_key(name) {
            return Err(Refusal::AlreadyExists(name.to_owned()));
        }
        let connector = Connector::new(config, target);
        let info = connector.info();
        connectors.insert(name.to_owned(), connector);
        Ok(info)
    }

    async fn put(&self, name: &str, config: Config) -> Result<Put, Refusal> {
        check(&config)?;
        let mut connectors = self.connectors.lock().expect("not poisoned");
        if let Some(connector) = connectors.get_mut(name) {
            connector.config = config;
            return Ok(Put::Updated(connector.info()));
        }
        let connector = Connector::new(config, Target::Running);
        let info = connector.info();
        connectors.insert(name.to_owned(), connector);
        Ok(Put::Created(info))
    }

    async fn patch(&self, name: &str, changes: BTreeMap<String, Option<String>>) -> Result<Info, Refusal> {
        self.with(name, |connector| {
            let mut config = connector.config.clone();
            for (key, value) in changes {
                match value {
                    Some(value) => drop(config.insert(key, value)),
                    None => drop(config.remove(&key)),
                }
            }
            check(&config)?;
            connector.config = config;
            Ok(connector.info())
        })
    }

    async fn delete(&self, name: &str) -> Result<(), Refusal> {
        let gone = self.connectors.lock().expect("not poisoned").remove(name);
        gone.map(drop)
            .ok_or_else(|| Refusal::UnknownConnector(name.to_owned()))
    }

    async fn set_target(&self, name: &str, target: Target) -> Result<(), Refusal> {
        self.with(name, |connector| {
            connector.target = target;
            Ok(())
        })
    }

    async fn restart(&self, name: &str, restart: Restart) -> Result<Status, Refusal> {
        self.with(name, |connector| {
            let state = connector.state();
            // Nothing has failed here.
            let connector_state = match restart.which {
                RestartWhich::All => State::Restarting,
                RestartWhich::OnlyFailed => state,
            };
            let task_state = match restart.tasks {
                RestartTasks::Include => connector_state,
                RestartTasks::Leave => state,
            };
            Ok(connector.status(connector_state, task_state))
        })
    }

    async fn restart_task(&self, name: &str, task: u32) -> Result<(), Refusal> {
        self.with(name, |connector| connector.task(task).map(drop))
    }

    async fn tasks(&self, name: &str) -> Result<Vec<TaskConfig>, Refusal> {
        self.with(name, |connector| {
            let config = |task| TaskConfig {
                task,
                config: connector.config.clone(),
            };
            Ok((0..connector.tasks).map(config).collect())
        })
    }

    async fn task_status(&self, name: &str, task: u32) -> Result<TaskStatus, Refusal> {
        self.with(name, |connector| {
            Ok(TaskStatus {
                id: connector.task(task)?,
                run: run(connector.state()),
            })
        })
    }

    async fn topics(&self, name: &str) -> Result<BTreeSet<String>, Refusal> {
        self.with(name, |connector| {
            let config = &connector.config;
            Ok([format!("{}.{}", config["source.cluster.alias"], config["topics"])].into())
        })
    }

    async fn reset_topics(&self, name: &str) -> Result<(), Refusal> {
        self.with(name, |_| Ok(()))
    }

    async fn offsets(&self, name: &str) -> Result<Vec<Offset>, Refusal> {
        self.with(name, |connector| Ok(connector.offsets.clone()))
    }

    async fn alter_offsets(&self, name: &str, offsets: Vec<Offset>) -> Result<(), Refusal> {
        self.with(name, |connector| {
            connector.stopped()?;
            for offset in offsets {
                connector
                    .offsets
                    .retain(|other| other.partition != offset.partition);
                if offset.offset.is_some() {
                    connector.offsets.push(offset);
                }
            }
            Ok(())
        })
    }

    async fn reset_offsets(&self, name: &str) -> Result<(), Refusal> {
        self.with(name, |connector| {
            connector.stopped()?;
            connector.offsets.clear();
            Ok(())
        })
    }

    async fn plugins(&self, which: Plugins) -> Result<Vec<Plugin>, Refusal> {
        let mut all = vec![Plugin {
            class: "org.apache.kafka.connect.mirror.MirrorSourceConnector".to_owned(),
            kind: PluginType::Source,
            version: Some("4.3.1".to_owned()),
        }];
        if which == Plugins::All {
            all.push(Plugin {
                class: "mask-field".to_owned(),
                kind: PluginType::Transformation,
                version: None,
            });
        }
        Ok(all)
    }

    async fn plugin_config(&self, plugin: &str) -> Result<Vec<ConfigKeyInfo>, Refusal> {
        plugins::known(plugin)?;
        Ok(plugins::keys())
    }

    async fn validate(&self, plugin: &str, config: Config) -> Result<Validation, Refusal> {
        plugins::known(plugin)?;
        Ok(plugins::validate(&config))
    }

    async fn loggers(&self) -> Result<BTreeMap<String, Logger>, Refusal> {
        Ok(self.loggers.lock().expect("not poisoned").clone())
    }

    async fn logger(&self, logger: &str) -> Result<Logger, Refusal> {
        let loggers = self.loggers.lock().expect("not poisoned");
        let found = loggers.get(logger).copied();
        found.ok_or_else(|| Refusal::UnknownLogger(logger.to_owned()))
    }

    async fn set_logger(&self, logger: &str, level: Level, _: Scope) -> Result<Vec<String>, Refusal> {
        let mut changed = Vec::new();
        for (name, found) in &mut *self.loggers.lock().expect("not poisoned") {
            if name.starts_with(logger) && found.level != level {
                *found = Logger {
                    level,
                    last_modified: Some(1_700_000_000_000),
                };
                changed.push(name.clone());
            }
        }
        Ok(changed)
    }

    async fn details(&self, name: &str) -> Result<serde_json::Value, Refusal> {
        self.with(name, |connector| {
            Ok(serde_json::json!({ "name": connector.config["name"], "trouble": "none" }))
        })
    }

    async fn lag(&self, name: &str) -> Result<Lag, Refusal> {
        self.with(name, |connector| {
            let partition = |offset: &Offset| PartitionLag {
                topic: offset.partition.topic.clone(),
                partition: offset.partition.partition,
                position: offset.offset.map(|offset| offset.offset),
                end: Some(510),
                lag: offset.offset.map(|offset| 510 - offset.offset),
            };
            let partitions: Vec<PartitionLag> = connector.offsets.iter().map(partition).collect();
            Ok(Lag {
                records: partitions.iter().filter_map(|partition| partition.lag).sum(),
                unknown_partitions: 0,
                partitions,
            })
        })
    }
}
