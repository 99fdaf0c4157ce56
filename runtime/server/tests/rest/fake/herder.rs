//! What the worker in memory answers.

use std::collections::{BTreeMap, BTreeSet};

use towpath_domain::config::Config;
use towpath_server::herder::{
    About, ConfigKeyInfo, Health, Herder, Info, Lag, Level, Logger, Offset, PartitionLag, Plugin, PluginType,
    Plugins, Put, Refusal, Restart, RestartTasks, RestartWhich, Scope, State, Status, Target, TaskConfig,
    TaskStatus, Validation,
};

use super::{Connector, Fake, HANGS, check, plugins, run};

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
            let (alias, topic) = (connector.value("source.cluster.alias"), connector.value("topics"));
            Ok([format!("{alias}.{topic}")].into())
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
