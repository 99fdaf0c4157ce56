//! Changes that are asked for: checked, stored, and then followed by the event loop.

use std::{collections::BTreeMap, time::Duration};

use towpath_domain::config::{Config, Problem};

use super::{desired::Wanted, handle::Handle, life::prepare, shared::State as Known, status};
use crate::{
    herder::{Info, Put, Refusal, Restart, RestartTasks, RestartWhich, State, Status, Target},
    storage::{self, Table},
};

/// The longest that checking a configuration may take: brokers and registries are asked.
const CHECK: Duration = Duration::from_secs(60);

// === impl Handle ===

impl Handle {
    pub(super) async fn created(&self, name: &str, config: Config, target: Target) -> Result<Info, Refusal> {
        if self.wanted(name).is_ok() {
            return Err(Refusal::AlreadyExists(name.to_owned()));
        }
        self.check(name, &config).await?;
        let stored = self.shared().store(|table, _| {
            if table.connectors.contains_key(name) {
                return Err(Refusal::AlreadyExists(name.to_owned()));
            }
            Ok(vec![
                storage::target(name, target),
                storage::connector(name, &config),
            ])
        });
        stored.await?;
        tracing::info!(connector = name, ?target, "the connector is created");
        self.info_of(name)
    }

    pub(super) async fn replaced(&self, name: &str, config: Config) -> Result<Put, Refusal> {
        self.check(name, &config).await?;
        let mut is_new = false;
        let stored = self.shared().store(|table, known| {
            free(known, name)?;
            is_new = !table.connectors.contains_key(name);
            Ok(vec![storage::connector(name, &config)])
        });
        stored.await?;
        tracing::info!(connector = name, "the connector has a new configuration");
        let info = self.info_of(name)?;
        Ok(if is_new {
            Put::Created(info)
        } else {
            Put::Updated(info)
        })
    }

    pub(super) async fn patched(
        &self,
        name: &str,
        changes: BTreeMap<String, Option<String>>,
    ) -> Result<Info, Refusal> {
        let before = self.wanted(name)?.config;
        let mut config = before.clone();
        for (key, value) in changes {
            match value {
                Some(value) => drop(config.insert(key, value)),
                None => drop(config.remove(&key)),
            }
        }
        self.check(name, &config).await?;
        let stored = self.shared().store(|table, known| {
            free(known, name)?;
            match table.connectors.get(name) {
                None => Err(unknown(name)),
                Some(now) if *now != before => Err(Refusal::Conflict(format!(
                    "connector {name} has got another configuration meanwhile"
                ))),
                Some(_) => Ok(vec![storage::connector(name, &config)]),
            }
        });
        stored.await?;
        tracing::info!(connector = name, "the connector's configuration is changed");
        self.info_of(name)
    }

    pub(super) async fn deleted(&self, name: &str) -> Result<(), Refusal> {
        let stored = self.shared().store(|table, known| {
            there(table, name)?;
            free(known, name)?;
            Ok(storage::gone(name).into())
        });
        stored.await?;
        self.shared().state().reset.remove(name);
        tracing::info!(connector = name, "the connector is deleted");
        Ok(())
    }

    pub(super) async fn targeted(&self, name: &str, target: Target) -> Result<(), Refusal> {
        let stored = self.shared().store(|table, known| {
            there(table, name)?;
            free(known, name)?;
            Ok(vec![storage::target(name, target)])
        });
        stored.await?;
        let asked = match target {
            Target::Running => "resumed",
            Target::Paused => "paused",
            Target::Stopped => "stopped",
        };
        tracing::info!(connector = name, "the connector is {asked}, as was asked");
        Ok(())
    }

    /// A connector and its tasks are one: both begin anew.
    pub(super) fn restarted(&self, name: &str, restart: Restart) -> Result<Status, Refusal> {
        let mut state = self.shared().state();
        let Some(wanted) = state.desired.connectors.get(name) else {
            return Err(unknown(name));
        };
        free(&state, name)?;
        let mut status = status::status(name, wanted, state.lives.get(name), self.worker_id());
        let is_running = wanted.target == Target::Running;
        let has_failed = |state| state == State::Failed;
        let is_meant = match restart.which {
            RestartWhich::All => true,
            RestartWhich::OnlyFailed => {
                let mut tasks = status.tasks.iter();
                has_failed(status.connector.state)
                    || restart.tasks == RestartTasks::Include && tasks.any(|task| has_failed(task.run.state))
            }
        };
        if is_running && is_meant {
            tracing::info!(connector = name, "the connector is restarted");
            state.desired.restart(name);
            status.connector.state = State::Restarting;
            for task in &mut status.tasks {
                task.run.state = State::Restarting;
            }
        }
        drop(state);
        self.shared().tell();
        Ok(status)
    }

    /// All mistakes at once. Clusters and registries are asked, and nothing is changed on them.
    async fn check(&self, name: &str, config: &Config) -> Result<(), Refusal> {
        let mut problems = Vec::new();
        if name.trim().is_empty() {
            let remedy = "give the connector a name: its positions are found by it";
            problems.push(Problem::new("name", Some(name), "empty", remedy));
        }
        if let Some(inner) = config.get("name").filter(|inner| *inner != name) {
            let remedy = format!("write {name:?}, or leave it out");
            let message = "differs from the connector's name";
            problems.push(Problem::new("name", Some(inner), message, remedy));
        }
        match tokio::time::timeout(CHECK, prepare(self.shared(), name, config)).await {
            Ok(Ok(_)) => {}
            Ok(Err(more)) => problems.extend(more),
            Err(_) => {
                return Err(Refusal::TimedOut(format!(
                    "The clusters of connector {name} were asked for {} s, and it was not stored",
                    CHECK.as_secs()
                )));
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Refusal::Invalid(problems))
        }
    }

    pub(super) fn wanted(&self, name: &str) -> Result<Wanted, Refusal> {
        let state = self.shared().state();
        state
            .desired
            .connectors
            .get(name)
            .cloned()
            .ok_or_else(|| unknown(name))
    }
}

pub(super) fn unknown(name: &str) -> Refusal {
    Refusal::UnknownConnector(name.to_owned())
}

fn there(table: &Table, name: &str) -> Result<(), Refusal> {
    match table.connectors.contains_key(name) {
        true => Ok(()),
        false => Err(unknown(name)),
    }
}

/// Nobody changes the connector's offsets just now.
fn free(known: &Known, name: &str) -> Result<(), Refusal> {
    match known.altering.contains(name) {
        false => Ok(()),
        true => Err(Refusal::Conflict(format!(
            "the offsets of connector {name} are being changed"
        ))),
    }
}
