//! The herder as the REST API asks it: what it knows at once, and what has to be stored or looked up first.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use towpath_domain::config::Config;
use towpath_mirror::{resolve::offsets::Changes, status::ConnectorStatus};

use super::{changing::unknown, offsets, plugins, shared::Shared, status};
use crate::herder::{
    About, ConfigKeyInfo, ConnectorType, Health, Herder, Info, Lag, Level, Logger, Offset, Plugin, Plugins,
    Put, Refusal, Restart, RestartTasks, RestartWhich, Scope, Status, Target, TaskConfig, TaskStatus,
    Validation,
};

/// Of a herder that runs. Cheap to clone.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

// === impl Handle ===

impl Handle {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0
    }

    pub(super) fn arc(&self) -> &Arc<Shared> {
        &self.0
    }

    pub(super) fn worker_id(&self) -> &str {
        &self.0.worker.id
    }

    /// What is wanted of a connector, how it is, and what it says of itself.
    fn look(&self, name: &str) -> Result<(Config, Status, Option<ConnectorStatus>), Refusal> {
        let state = self.0.state();
        let wanted = state.desired.connectors.get(name).ok_or_else(|| unknown(name))?;
        let life = state.lives.get(name);
        let status = status::status(name, wanted, life, self.worker_id());
        Ok((wanted.config.clone(), status, status::told(life)))
    }

    pub(super) fn info_of(&self, name: &str) -> Result<Info, Refusal> {
        let (config, status, _) = self.look(name)?;
        Ok(Info {
            name: name.to_owned(),
            config,
            tasks: status.tasks.iter().map(|task| task.id).collect(),
            kind: ConnectorType::Source,
        })
    }
}

impl Herder for Handle {
    async fn about(&self) -> Result<About, Refusal> {
        Ok(About {
            kafka_cluster_id: self.0.cluster_id.clone(),
        })
    }

    async fn health(&self) -> Health {
        self.0.state().health.clone()
    }

    async fn names(&self) -> Result<BTreeSet<String>, Refusal> {
        Ok(self.0.state().desired.connectors.keys().cloned().collect())
    }

    async fn info(&self, name: &str) -> Result<Info, Refusal> {
        self.info_of(name)
    }

    async fn status(&self, name: &str) -> Result<Status, Refusal> {
        Ok(self.look(name)?.1)
    }

    async fn create(&self, name: &str, config: Config, target: Target) -> Result<Info, Refusal> {
        self.created(name, config, target).await
    }

    async fn put(&self, name: &str, config: Config) -> Result<Put, Refusal> {
        self.replaced(name, config).await
    }

    async fn patch(&self, name: &str, changes: BTreeMap<String, Option<String>>) -> Result<Info, Refusal> {
        self.patched(name, changes).await
    }

    async fn delete(&self, name: &str) -> Result<(), Refusal> {
        self.deleted(name).await
    }

    async fn set_target(&self, name: &str, target: Target) -> Result<(), Refusal> {
        self.targeted(name, target).await
    }

    async fn restart(&self, name: &str, restart: Restart) -> Result<Status, Refusal> {
        self.restarted(name, restart)
    }

    async fn restart_task(&self, name: &str, task: u32) -> Result<(), Refusal> {
        self.task_status(name, task).await?;
        let restart = Restart {
            tasks: RestartTasks::Include,
            which: RestartWhich::All,
        };
        self.restarted(name, restart).map(drop)
    }

    async fn tasks(&self, name: &str) -> Result<Vec<TaskConfig>, Refusal> {
        let (config, status, told) = self.look(name)?;
        Ok(status::task_configs(&config, &status, told.as_ref()))
    }

    async fn task_status(&self, name: &str, task: u32) -> Result<TaskStatus, Refusal> {
        let (_, status, _) = self.look(name)?;
        let found = status.tasks.into_iter().find(|status| status.id == task);
        found.ok_or_else(|| Refusal::UnknownTask {
            connector: name.to_owned(),
            task,
        })
    }

    async fn topics(&self, name: &str) -> Result<BTreeSet<String>, Refusal> {
        let (_, _, told) = self.look(name)?;
        let state = self.0.state();
        Ok(told.map_or_else(BTreeSet::new, |told| status::topics(&told, state.reset.get(name))))
    }

    async fn reset_topics(&self, name: &str) -> Result<(), Refusal> {
        let (_, _, told) = self.look(name)?;
        let places = told.as_ref().map(status::places).unwrap_or_default();
        self.0.state().reset.insert(name.to_owned(), places);
        Ok(())
    }

    async fn offsets(&self, name: &str) -> Result<Vec<Offset>, Refusal> {
        self.listed(name).await
    }

    async fn alter_offsets(&self, name: &str, offsets: Vec<Offset>) -> Result<(), Refusal> {
        self.altered(name, offsets::changes(offsets)).await
    }

    async fn reset_offsets(&self, name: &str) -> Result<(), Refusal> {
        self.altered(name, Changes::Reset).await
    }

    async fn plugins(&self, which: Plugins) -> Result<Vec<Plugin>, Refusal> {
        Ok(plugins::list(which, &self.0.worker.host))
    }

    async fn plugin_config(&self, plugin: &str) -> Result<Vec<ConfigKeyInfo>, Refusal> {
        plugins::keys(plugin, &self.0.worker.host).ok_or_else(|| Refusal::UnknownPlugin(plugin.to_owned()))
    }

    async fn validate(&self, plugin: &str, config: Config) -> Result<Validation, Refusal> {
        plugins::validate(plugin, &config, (&self.0.defaults, &self.0.worker.host))
            .ok_or_else(|| Refusal::UnknownPlugin(plugin.to_owned()))
    }

    async fn loggers(&self) -> Result<BTreeMap<String, Logger>, Refusal> {
        Ok(self.0.loggers.all())
    }

    async fn logger(&self, logger: &str) -> Result<Logger, Refusal> {
        let found = self.0.loggers.one(logger);
        found.ok_or_else(|| Refusal::UnknownLogger(logger.to_owned()))
    }

    /// One worker is the cluster.
    async fn set_logger(&self, logger: &str, level: Level, _: Scope) -> Result<Vec<String>, Refusal> {
        self.0.loggers.set(logger, level).map_err(Refusal::BadRequest)
    }

    async fn details(&self, name: &str) -> Result<serde_json::Value, Refusal> {
        let (_, status, told) = self.look(name)?;
        let state = |run| serde_json::to_value(run).map_err(|error| Refusal::Failed(error.to_string()));
        let mut details = match told {
            Some(told) => serde_json::to_value(told),
            None => {
                serde_json::to_value(serde_json::json!({ "name": name, "type": status.kind, "tasks": [] }))
            }
        }
        .map_err(|error| Refusal::Failed(error.to_string()))?;
        // As it is now: a connector that is paused says what it was.
        details["connector"] = state(&status.connector)?;
        Ok(details)
    }

    async fn lag(&self, name: &str) -> Result<Lag, Refusal> {
        let state = self.0.state();
        if !state.desired.connectors.contains_key(name) {
            return Err(unknown(name));
        }
        // What was known of one that was paused is no lag of now.
        let handle = state.lives.get(name).and_then(super::Life::handle);
        match handle {
            Some(handle) => Ok(status::lag(&handle.status())),
            None => Err(Refusal::Unavailable(format!(
                "Connector {name} does not run: how far it is behind is not known"
            ))),
        }
    }
}
