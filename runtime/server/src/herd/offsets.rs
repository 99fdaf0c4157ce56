//! A connector's offsets, listed at any time, and changed while it is stopped (KIP-875).

use std::{sync::Arc, time::Duration};

use towpath_mirror::{
    config::Class,
    connector::Connector,
    resolve::{
        self, Mode,
        offsets::{Changes, Entry, Offsets, SourceOffset, SourcePartition},
    },
};

use super::{
    handle::Handle,
    life::{Life, sentences},
    shared::Shared,
};
use crate::herder::{self, Offset, Refusal, Target};

/// How long a connector that was told to stop is waited for.
const ENDED: Duration = Duration::from_secs(30);

/// Nothing else is done about the connector as long as this is there.
struct Altering {
    shared: Arc<Shared>,
    name: String,
}

// === impl Handle ===

impl Handle {
    pub(super) async fn listed(&self, name: &str) -> Result<Vec<Offset>, Refusal> {
        let Some(connector) = self.opened(name).await? else {
            return Ok(Vec::new());
        };
        let listed = connector.offsets().await.map_err(refused)?;
        Ok(listed.offsets.into_iter().map(shown).collect())
    }

    pub(super) async fn altered(&self, name: &str, changes: Changes) -> Result<(), Refusal> {
        let guard = self.alter(name).await?;
        guard.ended().await?;
        let Some(connector) = self.opened(name).await? else {
            let what = format!(
                "Connector {name} is a MirrorCheckpoint: it mirrors no partitions and has no offsets"
            );
            return Err(Refusal::BadRequest(what));
        };
        let changed = connector.change_offsets(&changes, Mode::Write).await;
        for resolution in changed.map_err(refused)? {
            tracing::info!(connector = name, partition = %resolution.partition, "offsets are changed: {}", resolution.told);
        }
        Ok(())
    }

    async fn alter(&self, name: &str) -> Result<Altering, Refusal> {
        // Whoever stores something about the connector looks whether its offsets are being changed.
        let _storage = self.shared().storage.lock().await;
        if self.wanted(name)?.target != Target::Stopped {
            return Err(Refusal::NotStopped(name.to_owned()));
        }
        if !self.shared().state().altering.insert(name.to_owned()) {
            let what = format!("the offsets of connector {name} are being changed already");
            return Err(Refusal::Conflict(what));
        }
        Ok(Altering {
            shared: Arc::clone(self.arc()),
            name: name.to_owned(),
        })
    }

    /// A `MirrorSource` as a start would check it, not run; nothing of another class.
    async fn opened(&self, name: &str) -> Result<Option<Connector>, Refusal> {
        let wanted = self.wanted(name)?;
        let refuse = |problems: Vec<_>| {
            let what = sentences(&problems);
            Refusal::Unavailable(format!(
                "The offsets of connector {name} cannot be looked up: {what}"
            ))
        };
        match Class::parse(&wanted.config, &self.shared().defaults).map_err(refuse)? {
            Class::MirrorCheckpoint(_) => Ok(None),
            Class::MirrorSource(config) => {
                let worker = self.shared().worker.clone();
                let opened = Connector::prepare_to_decide(name.to_owned(), *config, worker).await;
                opened.map(Some).map_err(refuse)
            }
        }
    }
}

// === impl Altering ===

impl Altering {
    /// Waits until nothing of the connector runs.
    async fn ended(&self) -> Result<(), Refusal> {
        let mut changes = self.shared.changes();
        let ended = async {
            loop {
                let is_over = matches!(
                    self.shared.state().lives.get(&self.name),
                    None | Some(Life::Resting { .. } | Life::Failed { .. })
                );
                // The sender is in `shared`: there is always another change.
                if is_over || changes.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(ENDED, ended).await.map_err(|_| {
            Refusal::TimedOut(format!(
                "Connector {} was told to stop and still stores its last positions; nothing was changed",
                self.name
            ))
        })
    }
}

impl Drop for Altering {
    fn drop(&mut self) {
        self.shared.state().altering.remove(&self.name);
        self.shared.tell();
    }
}

/// As a request has them.
pub(super) fn changes(offsets: Vec<Offset>) -> Changes {
    let one = |offset: Offset| Entry {
        partition: SourcePartition {
            cluster: offset.partition.cluster,
            topic: offset.partition.topic,
            partition: offset.partition.partition,
        },
        offset: offset
            .offset
            .map(|herder::SourceOffset { offset }| SourceOffset { offset }),
    };
    Changes::These(Offsets {
        offsets: offsets.into_iter().map(one).collect(),
    })
}

fn shown(entry: Entry) -> Offset {
    Offset {
        partition: herder::SourcePartition {
            cluster: entry.partition.cluster,
            topic: entry.partition.topic,
            partition: entry.partition.partition,
        },
        offset: entry
            .offset
            .map(|SourceOffset { offset }| herder::SourceOffset { offset }),
    }
}

fn refused(error: resolve::Error) -> Refusal {
    match error {
        resolve::Error::Refused(problems) => Refusal::BadRequest(sentences(&problems)),
        resolve::Error::Overtaken => Refusal::Conflict(error.to_string()),
        resolve::Error::Unseen { .. } => Refusal::Unavailable(error.to_string()),
        resolve::Error::Kafka(error) => Refusal::Unavailable(error.to_string()),
    }
}
