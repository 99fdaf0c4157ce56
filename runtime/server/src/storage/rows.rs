//! Rows as they are stored: Connect's keys (`KafkaConfigBackingStore`), and values that say their format.

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use towpath_domain::config::Config;
use towpath_wire::{ProducerId, compacted::Row};

use crate::herder::Target;

/// What a row is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Connector(String),
    Target(String),
    /// the worker that may write
    Owner,
}

#[derive(Serialize, Deserialize)]
struct Connector {
    v: u32,
    properties: Config,
}

#[derive(Serialize, Deserialize)]
struct TargetState {
    v: u32,
    state: State,
}

/// Connect's stored words (`TargetState`), which are not those of its REST API.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum State {
    Started,
    Paused,
    Stopped,
}

/// Who may write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    v: u32,
    /// for people
    pub(super) worker: String,
    producer: i64,
    epoch: i16,
}

/// All that is known of a value before its format is.
#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// The format of values. A newer one is refused, not guessed.
const VERSION: u32 = 1;
const CONNECTOR: &str = "connector-";
const TARGET: &str = "target-state-";
const OWNER: &str = "towpath-worker";

// === impl Key ===

impl Key {
    /// `None`: not a key of ours.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        if text == OWNER {
            return Some(Self::Owner);
        }
        if let Some(name) = text.strip_prefix(CONNECTOR) {
            return Some(Self::Connector(name.to_owned()));
        }
        let name = text.strip_prefix(TARGET)?;
        Some(Self::Target(name.to_owned()))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connector(name) => write!(f, "{CONNECTOR}{name}"),
            Self::Target(name) => write!(f, "{TARGET}{name}"),
            Self::Owner => f.write_str(OWNER),
        }
    }
}

// === impl Owner ===

impl Owner {
    pub(super) fn is(&self, producer: ProducerId) -> bool {
        (self.producer, self.epoch) == (producer.id, producer.epoch)
    }
}

/// A connector's configuration.
pub fn connector(name: &str, config: &Config) -> Row {
    let value = Connector {
        v: VERSION,
        properties: config.clone(),
    };
    row(&Key::Connector(name.to_owned()), &value)
}

/// What a connector is to do.
pub fn target(name: &str, target: Target) -> Row {
    let state = match target {
        Target::Running => State::Started,
        Target::Paused => State::Paused,
        Target::Stopped => State::Stopped,
    };
    row(&Key::Target(name.to_owned()), &TargetState { v: VERSION, state })
}

/// A connector is there no more.
pub fn gone(name: &str) -> [Row; 2] {
    let name = name.to_owned();
    [Key::Connector(name.clone()), Key::Target(name)].map(|key| (key.to_string().into_bytes(), None))
}

pub(super) fn owner(worker: &str, producer: ProducerId) -> Row {
    let value = Owner {
        v: VERSION,
        worker: worker.to_owned(),
        producer: producer.id,
        epoch: producer.epoch,
    };
    row(&Key::Owner, &value)
}

/// The error is a sentence about the value, here and below.
pub(super) fn decode_connector(value: &[u8]) -> Result<Config, String> {
    decode::<Connector>(value).map(|connector| connector.properties)
}

pub(super) fn decode_target(value: &[u8]) -> Result<Target, String> {
    Ok(match decode::<TargetState>(value)?.state {
        State::Started => Target::Running,
        State::Paused => Target::Paused,
        State::Stopped => Target::Stopped,
    })
}

pub(super) fn decode_owner(value: &[u8]) -> Result<Owner, String> {
    decode(value)
}

fn row(key: &Key, value: &impl Serialize) -> Row {
    let value = serde_json::to_vec(value).expect("strings and numbers have a form in JSON");
    (key.to_string().into_bytes(), Some(value))
}

fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T, String> {
    let Version { v } = serde_json::from_slice(value).map_err(|_| {
        "it does not say its format, so no worker of Towpath wrote it: give Towpath a config.storage.topic of its own"
            .to_owned()
    })?;
    if !(1..=VERSION).contains(&v) {
        return Err(format!(
            "it has format {v}, this version knows {VERSION}: a newer one wrote it, run that one"
        ));
    }
    serde_json::from_slice(value).map_err(|cause| cause.to_string())
}
