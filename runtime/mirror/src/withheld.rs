//! Where offsets are preserved: configs of target topics that wait until no partition has filler any more.
//!
//! A compacted topic takes no record without a key, and one that has limits for timestamps none of time 0. Retention would delete by the time of records what is being
//! filled; then it is as on the source, so that nobody has to think of it when the mirror has ended.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use towpath_domain::{Partition, TopicName, TopicPartition};
use towpath_wire::{
    Client, ConfigEntry, Error,
    positions::{Positions, Table},
};

/// By name and value.
type Configs = Vec<(String, String)>;
/// Of those that wait, some are to be the target's own default again.
type Later = Vec<(String, Option<String>)>;

/// What waits, by target topic.
#[derive(Debug, Default)]
pub(crate) struct Withheld(Mutex<HashMap<TopicName, Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    configs: Later,
    /// how many of its partitions are written
    partitions: i32,
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
pub(crate) fn divide(configs: Configs) -> (Configs, Later) {
    let (withheld, created): (Configs, Configs) = configs.into_iter().partition(is_withheld);
    let (retention, mut created): (Configs, Configs) = created
        .into_iter()
        .partition(|(name, _)| RETENTION.contains(&name.as_str()));
    created.extend(RETENTION.map(|name| (name.to_owned(), OFF.to_owned())));
    let mut later: Later = withheld
        .into_iter()
        .map(|(name, value)| (name, Some(value)))
        .collect();
    for name in RETENTION {
        let wanted = retention.iter().find(|(found, _)| found == name);
        later.push((name.to_owned(), wanted.map(|(_, value)| value.clone())));
    }
    (created, later)
}

/// Whether a topic has retention off, as one that is made to be filled.
pub(crate) fn is_made_for_filling(entries: &[ConfigEntry]) -> bool {
    RETENTION.iter().all(|name| explicit(entries, name) == Some(OFF))
}

fn explicit<'a>(entries: &'a [ConfigEntry], name: &str) -> Option<&'a str> {
    let mut own = entries
        .iter()
        .filter(|entry| entry.name == name && entry.is_explicit());
    own.next().and_then(|entry| entry.value.as_deref())
}

// === impl Withheld ===

impl Withheld {
    fn topics(&self) -> MutexGuard<'_, HashMap<TopicName, Waiting>> {
        // A panic cannot leave it half written: entries come and go whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The topic, of which so many partitions are written, is to get these. Of partitions that are to be begun it is not known yet whether they will have filler:
    /// they are waited for, however many rounds that takes.
    pub(crate) fn withhold(
        &self,
        topic: &TopicName,
        configs: Later,
        partitions: i32,
        to_begin: impl Iterator<Item = Partition>,
    ) {
        if !configs.is_empty() {
            let mut topics = self.topics();
            let waiting = topics.entry(topic.clone()).or_default();
            waiting.configs = configs;
            waiting.partitions = partitions;
            waiting.filling.extend(to_begin);
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
    /// what failed is due again. `others`: the rows of those workers that may have some of the partitions.
    pub(crate) async fn apply(&self, client: &Client, others: Option<&Positions>) -> Vec<String> {
        let mut due = self.due();
        if due.is_empty() {
            return Vec::new();
        }
        if let Some(positions) = others {
            match positions.load().await {
                Ok(table) => due.retain(|topic, _| self.is_filled_by_all(topic, &table)),
                Err(error) => return vec![format!("looking whether target topics are filled: {error}")],
            }
        }
        match self.set(client, due).await {
            Ok(troubles) => troubles,
            Err(error) => vec![format!("setting configs of target topics: {error}")],
        }
    }

    /// Whether rows say of every partition that readers may have it.
    fn is_filled_by_all(&self, topic: &TopicName, table: &Table) -> bool {
        let partitions = self.topics().get(topic).map_or(0, |waiting| waiting.partitions);
        let readable: HashSet<Partition> = table
            .positions
            .values()
            .filter(|row| row.target.topic == *topic)
            .filter(|row| row.preserved.is_some_and(|preserved| preserved.readable))
            .map(|row| row.target.partition)
            .collect();
        (0..partitions).all(|partition| readable.contains(&Partition(partition)))
    }

    fn due(&self) -> HashMap<TopicName, Later> {
        let topics = self.topics();
        let due = topics
            .iter()
            .filter(|(_, waiting)| waiting.filling.is_empty() && !waiting.configs.is_empty());
        due.map(|(topic, waiting)| (topic.clone(), waiting.configs.clone()))
            .collect()
    }

    async fn set(&self, client: &Client, due: HashMap<TopicName, Later>) -> Result<Vec<String>, Error> {
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

/// What the topic lacks; nothing when it was not made for preserved offsets, or has got it already.
fn missing(entries: &[ConfigEntry], configs: &Later) -> Later {
    if !is_made_for_filling(entries) {
        return Vec::new();
    }
    // One that its brokers do not have would be refused, and the others with it.
    let is_known = |name: &String| entries.iter().any(|entry| entry.name == *name);
    let differs = |(name, wanted): &&(String, Option<String>)| {
        is_known(name) && explicit(entries, name) != wanted.as_deref()
    };
    configs.iter().filter(differs).cloned().collect()
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

    fn later(configs: &[(&str, Option<&str>)]) -> Later {
        configs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned)))
            .collect()
    }

    #[test]
    fn what_filler_would_be_refused_for_waits_and_so_does_retention() {
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
            later(&[
                ("cleanup.policy", Some("compact,delete")),
                ("message.timestamp.before.max.ms", Some("5")),
                ("retention.ms", Some("1000")),
                ("retention.bytes", None)
            ])
        );
        let (_, withheld) = divide(pairs(&[("cleanup.policy", "delete")]));
        assert_eq!(
            withheld,
            later(&[("retention.ms", None), ("retention.bytes", None)])
        );
    }

    #[test]
    fn only_what_was_made_for_filling_gets_them_and_once() {
        let entry = |name: &str, value: &str| ConfigEntry {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            source: towpath_wire::ConfigSource::DynamicTopic,
            sensitive: false,
        };
        let wanted = later(&[("retention.ms", None), ("retention.bytes", Some("9"))]);
        let made = [entry("retention.ms", OFF), entry("retention.bytes", OFF)];
        assert_eq!(missing(&made, &wanted), wanted);
        let unknown = [
            &wanted[..],
            &later(&[("message.timestamp.before.max.ms", Some("5"))]),
        ]
        .concat();
        assert_eq!(missing(&made, &unknown), wanted, "an old broker does not have it");
        let by_hand = [entry("retention.ms", OFF)];
        assert_eq!(missing(&by_hand, &wanted), []);
        let done = [entry("retention.bytes", "9")];
        assert_eq!(missing(&done, &wanted), []);
    }

    #[test]
    fn a_topic_waits_for_partitions_that_are_not_begun_yet_and_for_those_that_are_filled() {
        let withheld = Withheld::default();
        let compact = later(&[("cleanup.policy", Some("compact"))]);
        let place = |partition| TopicPartition::new("t", partition);
        withheld.withhold(&"t".into(), compact.clone(), 2, [0, 1].map(Partition).into_iter());
        assert!(withheld.due().is_empty(), "a round that came to nothing");
        withheld.is_filled(&place(0));
        assert!(withheld.due().is_empty(), "partition 1 is left to the next round");
        withheld.fills(&place(1));
        assert!(withheld.due().is_empty());
        withheld.is_filled(&place(1));
        assert_eq!(withheld.due(), HashMap::from([("t".into(), compact)]));
        // It gets another partition.
        withheld.withhold(
            &"t".into(),
            later(&[("cleanup.policy", Some("compact"))]),
            3,
            [Partition(2)].into_iter(),
        );
        assert!(withheld.due().is_empty());
    }
}
