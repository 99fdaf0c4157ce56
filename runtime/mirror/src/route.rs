//! Topic names on the target, and the proof that the way back exists.

use std::sync::Arc;

use towpath_domain::{TopicName, config::Problem};
use towpath_plugin_host as host;

use crate::stages::{Place, Watch};

/// The routers of a connector, in order. Without any, names are kept.
#[derive(Default)]
pub(crate) struct Routes {
    routers: Vec<(String, host::Router)>,
    /// of them all
    watch: Watch,
}

/// Why a topic cannot be mirrored under any name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("topic {topic} is not routed by transforms.{alias}")]
    NotRouted { alias: String, topic: TopicName },
    #[error("transforms.{alias} maps {topic} to {mapped}, but maps {mapped} back to {back}")]
    NotInvertible {
        alias: String,
        topic: TopicName,
        mapped: String,
        back: String,
    },
    #[error(
        "transforms.{alias} maps {topic} to {mapped:?}, which is no topic name: 1 to 249 of a-z A-Z 0-9 . _ -"
    )]
    NotATopicName {
        alias: String,
        topic: TopicName,
        mapped: String,
    },
    #[error("transforms.{alias} on topic {topic}: {source}")]
    Call {
        alias: String,
        topic: TopicName,
        source: host::CallError,
    },
}

// === impl Error ===

impl Error {
    /// As a mistake in the configuration, with its remedy.
    pub(crate) fn problem(&self) -> Problem {
        let (alias, remedy) = match self {
            Self::NotRouted { alias, .. } => (
                alias,
                "widen the router, or leave the topic out by `topics.exclude`",
            ),
            Self::NotInvertible { alias, .. } => (
                alias,
                "make the reverse the exact inverse: without it there is no way back for offsets, ACLs and the rollback",
            ),
            Self::NotATopicName { alias, .. } => (alias, "correct the router"),
            Self::Call { alias, .. } => (alias, "use another version of the plugin, or mend it"),
        };
        Problem::new(format!("transforms.{alias}"), None, self.to_string(), remedy)
    }
}

// === impl Routes ===

impl Routes {
    pub(crate) fn new(routers: Vec<(String, host::Router)>) -> Self {
        Self {
            routers,
            watch: Watch::default(),
        }
    }

    /// Asks every router, and every router for the way back. Calls guests: not for an async thread.
    pub(crate) fn route(&mut self, topic: &TopicName) -> Result<TopicName, Error> {
        let mut name = topic.as_str().to_owned();
        for (alias, router) in &mut self.routers {
            let call = |source| Error::Call {
                alias: alias.clone(),
                topic: topic.clone(),
                source,
            };
            let stage = format!("transforms.{alias}");
            let place = || Place {
                topic,
                partition: None,
                offset: None,
                records: 0,
            };
            let mapped = self.watch.told(&stage, place(), router.map_topic(&name));
            let Some(mapped) = mapped.map_err(call)? else {
                return Err(Error::NotRouted {
                    alias: alias.clone(),
                    topic: topic.clone(),
                });
            };
            if !TopicName::is_legal(&mapped) {
                return Err(Error::NotATopicName {
                    alias: alias.clone(),
                    topic: topic.clone(),
                    mapped,
                });
            }
            let call = |source| Error::Call {
                alias: alias.clone(),
                topic: topic.clone(),
                source,
            };
            let back = self.watch.told(&stage, place(), router.unmap_topic(&mapped));
            let back = back.map_err(call)?;
            if back.as_deref() != Some(name.as_str()) {
                let back = back.unwrap_or_else(|| "nothing".to_owned());
                return Err(Error::NotInvertible {
                    alias: alias.clone(),
                    topic: topic.clone(),
                    mapped,
                    back,
                });
            }
            name = mapped;
        }
        Ok(TopicName::from(name))
    }
}

/// Routes many topics on a thread that may block.
pub(crate) async fn route_all(
    routes: Arc<std::sync::Mutex<Routes>>,
    topics: Vec<TopicName>,
) -> Vec<(TopicName, Result<TopicName, Error>)> {
    let work = tokio::task::spawn_blocking(move || {
        let mut routes = routes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        topics
            .into_iter()
            .map(|topic| {
                let routed = routes.route(&topic);
                (topic, routed)
            })
            .collect()
    });
    match work.await {
        Ok(routed) => routed,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
