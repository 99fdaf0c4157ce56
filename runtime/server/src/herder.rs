//! What the REST API asks of a worker: Connect's `Herder`, in Connect's words. Knows nothing of HTTP.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
};

use towpath_domain::config::Config;

mod connector;
mod lag;
mod logger;
mod offsets;
mod plugin;
mod refusal;

pub use connector::{
    ConnectorType, Info, Put, Restart, RestartTasks, RestartWhich, Run, State, Status, Target, TaskConfig,
    TaskStatus,
};
pub use lag::{Lag, PartitionLag};
pub use logger::{Level, Logger, Scope};
pub use offsets::{Offset, SourceOffset, SourcePartition};
pub use plugin::{
    ConfigKeyInfo, ConfigValueInfo, Importance, KeyType, Plugin, PluginType, Plugins, Row, Validation, Width,
};
pub use refusal::Refusal;

/// The worker behind the REST API. Every method may be called at any time and by many callers at once; a call whose caller went away is dropped
/// half way. What takes longer than a caller waits is refused with [`Refusal::TimedOut`] and may still be done.
///
/// Whoever changes something is answered when it is stored: what is read afterwards shows it.
pub trait Herder: Send + Sync + 'static {
    /// The cluster that the worker keeps its own topics in.
    fn about(&self) -> impl Future<Output = Result<About, Refusal>> + Send;

    /// Must answer at once, whatever is wrong.
    fn health(&self) -> impl Future<Output = Health> + Send;

    fn names(&self) -> impl Future<Output = Result<BTreeSet<String>, Refusal>> + Send;

    fn info(&self, name: &str) -> impl Future<Output = Result<Info, Refusal>> + Send;

    fn status(&self, name: &str) -> impl Future<Output = Result<Status, Refusal>> + Send;

    /// A new connector. `config` has its `name`, the same as `name`. Refused with [`Refusal::AlreadyExists`], or with all mistakes at once.
    fn create(
        &self,
        name: &str,
        config: Config,
        target: Target,
    ) -> impl Future<Output = Result<Info, Refusal>> + Send;

    /// The whole configuration, of a connector that is there or is not. `config` has its `name`, the same as `name`.
    fn put(&self, name: &str, config: Config) -> impl Future<Output = Result<Put, Refusal>> + Send;

    /// Keys to set, and with `None` to take away (KIP-477).
    fn patch(
        &self,
        name: &str,
        changes: BTreeMap<String, Option<String>>,
    ) -> impl Future<Output = Result<Info, Refusal>> + Send;

    fn delete(&self, name: &str) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Answers when it is stored. The connector follows.
    fn set_target(&self, name: &str, target: Target) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Answers with the status as it is while what was asked for restarts.
    fn restart(&self, name: &str, restart: Restart) -> impl Future<Output = Result<Status, Refusal>> + Send;

    fn restart_task(&self, name: &str, task: u32) -> impl Future<Output = Result<(), Refusal>> + Send;

    fn tasks(&self, name: &str) -> impl Future<Output = Result<Vec<TaskConfig>, Refusal>> + Send;

    fn task_status(&self, name: &str, task: u32) -> impl Future<Output = Result<TaskStatus, Refusal>> + Send;

    /// Topics of the target that the connector has written to since it began or since [`reset_topics`](Self::reset_topics) (KIP-558).
    fn topics(&self, name: &str) -> impl Future<Output = Result<BTreeSet<String>, Refusal>> + Send;

    fn reset_topics(&self, name: &str) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Where the connector goes on (KIP-875).
    fn offsets(&self, name: &str) -> impl Future<Output = Result<Vec<Offset>, Refusal>> + Send;

    /// All or none, and only of a connector that is stopped, else [`Refusal::NotStopped`]. There is at least one, and none is there twice.
    fn alter_offsets(
        &self,
        name: &str,
        offsets: Vec<Offset>,
    ) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Takes all away. Only of a connector that is stopped, else [`Refusal::NotStopped`].
    fn reset_offsets(&self, name: &str) -> impl Future<Output = Result<(), Refusal>> + Send;

    fn plugins(&self, which: Plugins) -> impl Future<Output = Result<Vec<Plugin>, Refusal>> + Send;

    /// `plugin` is a class, or its short name, with or without `Connector` at its end.
    fn plugin_config(&self, plugin: &str)
    -> impl Future<Output = Result<Vec<ConfigKeyInfo>, Refusal>> + Send;

    /// Mistakes are in the answer's rows, not a refusal. `config` may lack its `connector.class`; one that it has is `plugin`.
    fn validate(
        &self,
        plugin: &str,
        config: Config,
    ) -> impl Future<Output = Result<Validation, Refusal>> + Send;

    fn loggers(&self) -> impl Future<Output = Result<BTreeMap<String, Logger>, Refusal>> + Send;

    fn logger(&self, logger: &str) -> impl Future<Output = Result<Logger, Refusal>> + Send;

    /// Answers with the names of the loggers that are changed.
    fn set_logger(
        &self,
        logger: &str,
        level: Level,
        scope: Scope,
    ) -> impl Future<Output = Result<Vec<String>, Refusal>> + Send;

    /// All that the worker knows of a connector, as in its status file. Not Connect's.
    fn details(&self, name: &str) -> impl Future<Output = Result<serde_json::Value, Refusal>> + Send;

    /// How far the connector is behind. Not Connect's.
    fn lag(&self, name: &str) -> impl Future<Output = Result<Lag, Refusal>> + Send;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    pub kafka_cluster_id: String,
}

/// Whether the worker can do what it is asked (KIP-1017).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It has not yet read its own topics.
    Starting,
    Healthy,
    Unhealthy {
        why: String,
    },
}
