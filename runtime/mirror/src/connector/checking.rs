//! The checkers of a connector, started beside its tasks.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use towpath_registry::Registry;

use super::{Connector, lock};
use crate::{checks, registries::Names};

// === impl Connector ===

impl Connector {
    /// Starts them: a check is not what mirroring waits for.
    pub(super) async fn checks(&self, token: &CancellationToken) -> JoinSet<()> {
        let mut running = JoinSet::new();
        if !self.pipeline.has_checkers() {
            return running;
        }
        let pipeline = Arc::clone(&self.pipeline);
        let made = tokio::task::spawn_blocking(move || pipeline.checkers()).await;
        let checkers = match made {
            Ok(Ok(checkers)) => checkers,
            Ok(Err(what)) => {
                *lock(&self.shared.failed) = Some(format!("the checkers cannot start: {what}"));
                return running;
            }
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let registries = &self.config.registries;
        let subjects = checks::Subjects {
            connector: self.name.clone(),
            source: self.source.clone(),
            target: self.target.clone(),
            names: Names {
                topics: self.config.topics.clone(),
                routes: Arc::clone(&self.routes),
            },
            registries: registries
                .source
                .clone()
                .zip(registries.target.clone())
                .map(|(source, target)| (Registry::new(source), Registry::new(target))),
            more: self.config.subjects.clone(),
            interval: self.config.checkers_interval,
        };
        let (shown, token) = (Arc::clone(&self.shared.checks), token.child_token());
        running.spawn(checks::run(subjects, checkers, shown, token));
        running
    }
}
