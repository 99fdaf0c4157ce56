//! What a worker is to run, kept in a compacted topic as Connect keeps it: connectors' configurations and target states, with one worker at a time that writes.

use std::collections::BTreeMap;

use towpath_domain::{TopicName, config::Config};
use towpath_wire::{
    Client, ProducerId,
    compacted::{Compacted, Row},
};

mod rows;

use crate::herder::Target;
use rows::{Key, Owner};

pub use rows::{connector, gone, target};

/// The topic, claimed by this worker.
pub struct Storage {
    log: Compacted,
    table: Table,
    producer: ProducerId,
}

/// What the topic holds: the last row of each key.
#[derive(Clone, Default)]
pub struct Table {
    pub connectors: BTreeMap<String, Config>,
    /// of connectors that are there or were
    targets: BTreeMap<String, Target>,
    owner: Option<Owner>,
    /// keys whose rows cannot be read, and why
    unreadable: BTreeMap<String, String>,
    /// records whose key is not one of ours
    foreign: u64,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Nothing can be written any more, and nothing may be run.
    #[error(
        "worker {by} has taken over topic {topic}, and what it says is run there: one worker at a time runs the connectors of one config.storage.topic in this \
         version. Stop one of both, or give this one a topic of its own"
    )]
    Fenced { topic: TopicName, by: String },
    #[error("topic {topic} has rows that cannot be read: {what}")]
    Unreadable { topic: TopicName, what: String },
    #[error(transparent)]
    Kafka(#[from] towpath_wire::Error),
}

const PURPOSE: &str = "connectors (config.storage.topic)";

// === impl Storage ===

impl Storage {
    /// Opens the topic, reads all of it, and takes it over: a worker that had it writes nothing more, and finds out by its next
    /// [`refresh`](Self::refresh). Nothing is taken over when there are rows that this version cannot read.
    pub async fn open(
        client: Client,
        topic: &str,
        replication_factor: i16,
        worker: &str,
    ) -> Result<Self, Error> {
        let mut log = Compacted::open(client, TopicName::new(topic), PURPOSE, replication_factor).await?;
        let mut table = Table::default();
        log.refresh(|key, value| table.row(key, value)).await?;
        table.check(log.topic())?;
        // One prefixed ACL covers the topic and the id.
        let producer = log.claim(&format!("{topic}.worker")).await?;
        log.write(&[rows::owner(worker, producer)]).await?;
        let mut storage = Self { log, table, producer };
        storage.refresh().await?;
        if storage.table.foreign > 0 {
            let records = storage.table.foreign;
            tracing::warn!(%topic, records, "the topic for connectors has records that are not of a worker");
        }
        Ok(storage)
    }

    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Takes over what was written, by whomever. What is wrong with that is answered every time, until it is mended; what was read before is there meanwhile.
    pub async fn refresh(&mut self) -> Result<(), Error> {
        let known = &self.table;
        let mut next = None;
        self.log
            .refresh(|key, value| next.get_or_insert_with(|| known.clone()).row(key, value))
            .await?;
        // These rows do not come again.
        if let Some(next) = next {
            self.table = next;
        }
        if let Some(owner) = &self.table.owner
            && !owner.is(self.producer)
        {
            return Err(self.fenced(&owner.worker));
        }
        self.table.check(self.log.topic())
    }

    /// Writes rows, all or none, and takes them over when they are there. After an error they may or may not be there: [`refresh`](Self::refresh) finds out.
    pub async fn write(&mut self, rows: &[Row]) -> Result<(), Error> {
        match self.log.write(rows).await {
            Ok(()) => {}
            Err(error) if error.is_fenced() => {
                self.refresh().await?;
                return Err(self.fenced("(unknown)"));
            }
            Err(error) => return Err(error.into()),
        }
        for (key, value) in rows {
            // What was just encoded can be read.
            drop(self.table.row(key, value.as_deref()));
        }
        Ok(())
    }

    fn fenced(&self, by: &str) -> Error {
        Error::Fenced {
            topic: self.log.topic().clone(),
            by: by.to_owned(),
        }
    }
}

// === impl Table ===

impl Table {
    /// What a connector is to do; it runs unless something else was said.
    pub fn target(&self, name: &str) -> Target {
        self.targets.get(name).copied().unwrap_or_default()
    }

    /// Takes a row over. One that cannot be read is noted: what was written after it may have replaced it.
    fn row(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), String> {
        let Some(parsed) = Key::parse(key) else {
            self.foreign += 1;
            return Ok(());
        };
        let text = parsed.to_string();
        self.unreadable.remove(&text);
        if let Err(what) = self.take(parsed, value) {
            self.unreadable.insert(text, what);
        }
        Ok(())
    }

    fn take(&mut self, key: Key, value: Option<&[u8]>) -> Result<(), String> {
        match (key, value) {
            (Key::Connector(name), Some(value)) => {
                self.connectors.insert(name, rows::decode_connector(value)?);
            }
            (Key::Connector(name), None) => drop(self.connectors.remove(&name)),
            (Key::Target(name), Some(value)) => {
                self.targets.insert(name, rows::decode_target(value)?);
            }
            (Key::Target(name), None) => drop(self.targets.remove(&name)),
            (Key::Owner, value) => self.owner = value.map(rows::decode_owner).transpose()?,
        }
        Ok(())
    }

    fn check(&self, topic: &TopicName) -> Result<(), Error> {
        if self.unreadable.is_empty() {
            return Ok(());
        }
        let rows = self.unreadable.iter();
        let rows: Vec<String> = rows.map(|(key, what)| format!("{key}: {what}")).collect();
        Err(Error::Unreadable {
            topic: topic.clone(),
            what: rows.join("; "),
        })
    }
}

#[cfg(test)]
mod tests;
