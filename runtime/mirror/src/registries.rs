//! The schema registries of both clusters, as plugins that were granted them may ask.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::runtime::Handle;
use towpath_domain::{TopicName, checks::SchemaReference};
use towpath_plugin_host::{Answer, Ask, SchemaText, Side};
use towpath_registry::{Error, Registry, Schema, Text};
use towpath_wire::positions::{Positions, SchemaIds};

use crate::{config::Selection, route::Routes};

/// Both registries, and what they have answered.
pub(crate) struct Registries {
    connector: String,
    source: Registry,
    target: Registry,
    names: Names,
    runtime: Handle,
    answers: RwLock<HashMap<Ask, Answer>>,
    /// One question at a time: two answers to one question could differ.
    asking: tokio::sync::Mutex<()>,
    /// where ids are stored; set before the first record
    store: OnceLock<Arc<Positions>>,
    trouble: Mutex<Option<String>>,
    closed: AtomicBool,
}

/// How topics and subjects are called on the target.
#[derive(Clone)]
pub(crate) struct Names {
    pub topics: Selection,
    pub routes: Arc<Mutex<Routes>>,
}

/// Between two attempts to reach a registry.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// References of references; deeper ones are a circle.
const DEEPEST: usize = 32;

// === impl Registries ===

impl Registries {
    /// Not for use before it is [opened](Self::open).
    pub(crate) fn new(connector: String, source: Registry, target: Registry, names: Names) -> Self {
        Self {
            connector,
            source,
            target,
            names,
            runtime: Handle::current(),
            answers: RwLock::default(),
            asking: tokio::sync::Mutex::default(),
            store: OnceLock::new(),
            trouble: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    /// With what was answered before, and where to store what is answered now.
    pub(crate) fn open(&self, store: Arc<Positions>, ids: SchemaIds) {
        let mut answers = self.answers.write().unwrap_or_else(PoisonError::into_inner);
        for ((id, subject), target) in ids {
            answers.insert(Ask::TranslateId { id, subject }, Answer::Id(Some(target)));
        }
        // Opened once, by the connector's one run.
        let _ = self.store.set(store);
    }

    /// Nobody waits for a registry any more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// What a registry is waited for with.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn ask(&self, ask: &Ask) -> Result<Answer, String> {
        let told = |error: Error| error.to_string();
        Ok(match ask {
            Ask::Schema { side, id } => {
                let registry = match side {
                    Side::Source => &self.source,
                    Side::Target => &self.target,
                };
                Answer::Schema(registry.text(*id).await.map_err(told)?.map(plain))
            }
            Ask::TranslateId { id, subject } => {
                let found = self.translate(*id, subject.as_deref()).await.map_err(told)?;
                if let (Some(found), Some(store)) = (found, self.store.get()) {
                    let stored = store
                        .remember(&self.connector, *id, subject.as_deref(), found)
                        .await;
                    stored.map_err(|error| format!("storing a schema id: {error}"))?;
                }
                Answer::Id(found)
            }
        })
    }

    /// The target's id of a schema of the source. Without a subject, under whichever the source has it.
    async fn translate(&self, id: u32, subject: Option<&str>) -> Result<Option<u32>, Error> {
        let Some(schema) = self.source.schema(id).await? else {
            return Ok(None);
        };
        let subjects = match subject {
            Some(subject) => vec![subject.to_owned()],
            None => self.source.subjects_of(id).await?,
        };
        let Some(schema) = self.on_target(schema, 0).await? else {
            return Ok(None);
        };
        for subject in subjects {
            if let Some((id, _)) = self.target.find(&self.names.subject(&subject), &schema).await? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// The schema with its references as the target has them. None: it lacks one.
    fn on_target(&self, schema: Schema, depth: usize) -> BoxFuture<'_, Result<Option<Schema>, Error>> {
        Box::pin(async move {
            let mut references = Vec::with_capacity(schema.references.len());
            for reference in &schema.references {
                if depth > DEEPEST {
                    return Ok(None);
                }
                let Some(needed) = self.source.version(reference).await? else {
                    return Ok(None);
                };
                let Some(needed) = self.on_target(needed, depth + 1).await? else {
                    return Ok(None);
                };
                let subject = self.names.subject(&reference.subject);
                let Some((_, version)) = self.target.find(&subject, &needed).await? else {
                    return Ok(None);
                };
                references.push(SchemaReference {
                    name: reference.name.clone(),
                    subject,
                    version,
                });
            }
            Ok(Some(Schema { references, ..schema }))
        })
    }
}

impl towpath_plugin_host::Registries for Registries {
    fn known(&self, ask: &Ask) -> Option<Answer> {
        let answers = self.answers.read().unwrap_or_else(PoisonError::into_inner);
        answers.get(ask).cloned()
    }

    /// Waits for a registry that does not answer, as for a broker. Fails only when nobody waits any more.
    fn fetch(&self, ask: &Ask) -> Result<Answer, String> {
        self.runtime.block_on(async {
            let _alone = self.asking.lock().await;
            if let Some(answer) = self.known(ask) {
                return Ok(answer);
            }
            let mut pause = FIRST_PAUSE;
            loop {
                let error = match self.ask(ask).await {
                    Ok(answer) => {
                        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
                        if let Answer::Id(Some(_)) | Answer::Schema(Some(_)) = answer {
                            let mut answers = self.answers.write().unwrap_or_else(PoisonError::into_inner);
                            answers.insert(ask.clone(), answer.clone());
                        }
                        return Ok(answer);
                    }
                    Err(error) => error,
                };
                if self.closed.load(Ordering::Relaxed) {
                    return Err(error);
                }
                tracing::warn!(connector = self.connector, error, "waiting for a schema registry");
                *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        })
    }
}

// === impl Names ===

impl Names {
    /// The target's name of a source's subject: of `<topic>-key` and `<topic>-value` the topic is routed where it is mirrored (TopicNameStrategy); any
    /// other name is kept. May call guests.
    pub(crate) fn subject(&self, subject: &str) -> String {
        let parts = ["-key", "-value"]
            .into_iter()
            .find_map(|suffix| Some((subject.strip_suffix(suffix)?, suffix)));
        let Some((topic, suffix)) = parts.filter(|(topic, _)| self.topics.contains(topic)) else {
            return subject.to_owned();
        };
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        match routes.route(&TopicName::new(topic)) {
            Ok(target) => format!("{target}{suffix}"),
            Err(_) => subject.to_owned(),
        }
    }
}

fn plain(text: Text) -> SchemaText {
    SchemaText {
        schema_type: text.schema.schema_type,
        schema: text.schema.text,
        references: text.references,
    }
}
