//! Where offsets are preserved: configs of target topics that wait until no partition has filler any more.
//!
//! A compacted topic takes no record without a key, and one that has limits for timestamps none of time 0. Retention stays off: the log's start follows the
//! source's.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use towpath_domain::{Partition, TopicName, TopicPartition};
use towpath_wire::{Client, ConfigEntry, Error};

/// By name and value.
type Configs = Vec<(String, String)>;

/// What waits, by target topic.
#[derive(Debug, Default)]
pub(crate) struct Withheld(Mutex<HashMap<TopicName, Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    configs: Configs,
    filling: HashSet<Partition>,
}

/// Off on a topic that is made for preserved offsets.
const RETENTION: [&str; 2] = ["retention.ms", "retention.bytes"];
const OFF: &str = "-1";

/// What filler would be refused for.
fn is_withheld((name, value): &(String, String)) -> bool {
    match name.as_str() {
        "cleanup.policy" => value.contains("compact"),
        "message.timestamp.before.max.ms" | "message.timestamp.difference.max.ms" => true,
        _ => false,
    }
}

/// The configs that a topic is created with, and those that it gets later.
pub(crate) fn divide(configs: Configs) -> (Configs, Configs) {
    let of_retention = |(name, _): &(String, String)| RETENTION.contains(&name.as_str());
    let (withheld, mut created): (Configs, Configs) = configs
        .into_iter()
        .filter(|config| !of_retention(config))
        .partition(is_withheld);
    created.extend(RETENTION.map(|name| (name.to_owned(), OFF.to_owned())));
    (created, withheld)
}

// === impl Withheld ===

impl Withheld {
    fn topics(&self) -> MutexGuard<'_, HashMap<TopicName, Waiting>> {
        // A panic cannot leave it half written: entries come and go whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The topic is to get these.
    pub(crate) fn withhold(&self, topic: &TopicName, configs: Configs) {
        if !configs.is_empty() {
            self.topics().entry(topic.clone()).or_default().configs = configs;
        }
    }

    /// The partition has filler, or may get some.
    pub(crate) fn fills(&self, place: &TopicPartition) {
        let mut topics = self.topics();
        let waiting = topics.entry(place.topic.clone()).or_default();
        waiting.filling.insert(place.partition);
    }

    /// The partition has none, and will get none.
    pub(crate) fn is_filled(&self, place: &TopicPartition) {
        if let Some(waiting) = self.topics().get_mut(&place.topic) {
            waiting.filling.remove(&place.partition);
        }
    }

    /// Sets what has waited long enough, on topics that were made for preserved offsets: what somebody else has made stays as it is. The errors are told, and
    /// what failed is due again.
    pub(crate) async fn apply(&self, client: &Client) -> Vec<String> {
        let due: HashMap<TopicName, Configs> = self
            .topics()
            .iter()
            .filter(|(_, waiting)| waiting.filling.is_empty() && !waiting.configs.is_empty())
            .map(|(topic, waiting)| (topic.clone(), waiting.configs.clone()))
            .collect();
        if due.is_empty() {
            return Vec::new();
        }
        match self.set(client, due).await {
            Ok(troubles) => troubles,
            Err(error) => vec![format!("setting configs of target topics: {error}")],
        }
    }

    async fn set(&self, client: &Client, due: HashMap<TopicName, Configs>) -> Result<Vec<String>, Error> {
        let names: Vec<TopicName> = due.keys().cloned().collect();
        let found = client.describe_topic_configs(&names).await?;
        let (mut changes, mut done) = (Vec::new(), Vec::new());
        for (topic, configs) in due {
            let entries = found.get(&topic).map(Vec::as_slice).unwrap_or_default();
            let missing = missing(entries, &configs);
            if missing.is_empty() {
                done.push(topic);
            } else {
                changes.push((topic, missing));
            }
        }
        let mut troubles = Vec::new();
        if !changes.is_empty() {
            for (topic, result) in client.alter_topic_configs(&changes).await? {
                match result {
                    Ok(()) => {
                        tracing::info!(%topic, "the target topic has got the configs that filler had kept back");
                        done.push(topic);
                    }
                    Err(error) => troubles.push(format!("setting configs of topic {topic}: {error}")),
                }
            }
        }
        let mut topics = self.topics();
        for topic in done {
            if let Some(waiting) = topics.get_mut(&topic) {
                waiting.configs.clear();
            }
        }
        Ok(troubles)
    }
}

/// What the topic lacks; nothing when it was not made for preserved offsets.
fn missing(entries: &[ConfigEntry], configs: &Configs) -> Vec<(String, Option<String>)> {
    let value = |name: &str| {
        let own = entries
            .iter()
            .find(|entry| entry.name == name && entry.is_explicit());
        own.and_then(|entry| entry.value.as_deref())
    };
    if value(RETENTION[0]) != Some(OFF) {
        return Vec::new();
    }
    configs
        .iter()
        .filter(|(name, wanted)| value(name) != Some(wanted))
        .map(|(name, wanted)| (name.clone(), Some(wanted.clone())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(configs: &[(&str, &str)]) -> Configs {
        configs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn what_filler_would_be_refused_for_waits_and_retention_is_off() {
        let source = pairs(&[
            ("cleanup.policy", "compact,delete"),
            ("retention.ms", "1000"),
            ("segment.bytes", "1048576"),
            ("message.timestamp.before.max.ms", "5"),
        ]);
        let (created, withheld) = divide(source);
        assert_eq!(
            created,
            pairs(&[
                ("segment.bytes", "1048576"),
                ("retention.ms", "-1"),
                ("retention.bytes", "-1")
            ])
        );
        assert_eq!(
            withheld,
            pairs(&[
                ("cleanup.policy", "compact,delete"),
                ("message.timestamp.before.max.ms", "5")
            ])
        );
        assert!(divide(pairs(&[("cleanup.policy", "delete")])).1.is_empty());
    }
}
