//! A worker in memory. It mirrors nothing, and is asked as a worker that does.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use towpath_domain::config::Config;
use towpath_server::herder::{
    ConnectorType, Health, Info, Level, Logger, Offset, Refusal, Run, SourceOffset, SourcePartition, State,
    Status, Target, TaskStatus,
};

mod herder;
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
            _ => self.config.get("tasks.max").map_or(1, |tasks| {
                let tasks = tasks.parse::<u32>().expect("checked");
                tasks.min(PARTITIONS)
            }),
        };
        if self.target == Target::Running {
            self.offsets = vec![self.offset(1, 496), self.offset(0, 502)];
        }
    }

    fn offset(&self, partition: i32, offset: i64) -> Offset {
        let partition = SourcePartition {
            cluster: self.value("source.cluster.alias"),
            topic: self.value("topics"),
            partition,
        };
        Offset {
            partition,
            offset: Some(SourceOffset { offset }),
        }
    }

    /// Of a key that may be left out here.
    fn value(&self, key: &str) -> String {
        self.config.get(key).cloned().unwrap_or_default()
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
