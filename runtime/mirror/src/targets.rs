//! Topics on the target: created like the source's, and looked at before the first record is written.

use std::collections::{HashMap, HashSet};

use towpath_domain::{TopicId, TopicName};
use towpath_wire::{
    Client, ConfigEntry, Error, KafkaError, NewTopic, Operation, TopicMetadata, Topics,
    batch::{self, TimestampType},
};

/// Configs that a created topic does not take over from the source.
/// - `message.timestamp.type`: with LogAppendTime the target would replace the timestamps that the source has given; a copy keeps them
///   as create time.
/// - `*.replication.throttled.replicas`: lists broker ids of the source (Kafka's reassignment tool).
const NOT_COPIED: [&str; 3] = [
    "message.timestamp.type",
    "leader.replication.throttled.replicas",
    "follower.replication.throttled.replicas",
];

/// What the batch rewriter must know of a target topic.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// zero when the target's brokers have no topic ids
    pub id: TopicId,
    pub partitions: i32,
    pub batches: batch::Target,
}

/// Kafka's default of `delete.retention.ms`.
const DAY: i64 = 24 * 3600 * 1000;

/// A topic to be created when the target lacks it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub name: TopicName,
    pub partitions: i32,
    pub configs: Vec<(String, String)>,
}

/// How missing topics are created.
#[derive(Clone, Debug)]
pub(crate) struct Creation {
    pub replication_factor: i16,
    /// a topic of the target that is there: its configs are those that the target's brokers know
    pub model: TopicName,
}

/// The source's explicit configs, as a created topic takes them over.
pub(crate) fn copied_configs(source: &[ConfigEntry]) -> Vec<(String, String)> {
    source
        .iter()
        .filter(|entry| entry.is_explicit() && !NOT_COPIED.contains(&entry.name.as_str()))
        .filter_map(|entry| Some((entry.name.clone(), entry.value.clone()?)))
        .collect()
}

/// `delete.retention.ms` of a compacted topic.
pub(crate) fn tombstones_kept(configs: &[ConfigEntry]) -> Option<i64> {
    let value = |name: &str| {
        let entry = configs.iter().find(|entry| entry.name == name)?;
        entry.value.as_deref()
    };
    value("cleanup.policy").filter(|policy| policy.contains("compact"))?;
    let kept = value("delete.retention.ms").and_then(|kept| kept.parse().ok());
    Some(kept.unwrap_or(DAY))
}

/// Creates what is missing, adds partitions where the source has more, and says what each topic is like now.
/// Somebody else creating the same topic at the same time is no error.
pub(crate) async fn ensure(
    client: &Client,
    wanted: &[Wanted],
    creation: &Creation,
) -> Result<HashMap<TopicName, Result<Target, Error>>, Error> {
    let mut failed = HashMap::new();
    let names: Vec<TopicName> = wanted.iter().map(|topic| topic.name.clone()).collect();
    let Present {
        topics: present,
        hidden,
    } = present(client, &names).await?;
    failed.extend(hidden);
    let missing: Vec<&Wanted> = wanted
        .iter()
        .filter(|topic| !present.contains_key(&topic.name) && !failed.contains_key(&topic.name))
        .collect();
    if !missing.is_empty() {
        let known = known_configs(client, &creation.model, &missing).await;
        let missing: Vec<NewTopic> = missing
            .into_iter()
            .map(|topic| NewTopic {
                name: topic.name.clone(),
                partitions: topic.partitions,
                replication_factor: creation.replication_factor,
                configs: within(topic, known.as_ref()),
            })
            .collect();
        for (name, result) in client.create_topics(&missing).await? {
            match result {
                Ok(_) => tracing::info!(topic = %name, "created topic on the target"),
                Err(error) if error.kafka() == Some(KafkaError::TOPIC_ALREADY_EXISTS) => {}
                Err(error) => {
                    failed.insert(name, error);
                }
            }
        }
    }
    let mut grown = Vec::new();
    for topic in wanted {
        let Some(found) = present.get(&topic.name) else {
            continue;
        };
        let (from, to) = (found.partitions.len() as i32, topic.partitions);
        if from >= to {
            continue;
        }
        tracing::info!(topic = %topic.name, from, to, "adding partitions on the target");
        match client.create_partitions(&topic.name, to).await {
            Ok(()) => grown.push(topic),
            // It has them: the answer to our own request was lost, or somebody else was faster. How many it has shows below.
            Err(error) if error.kafka() == Some(KafkaError::INVALID_PARTITIONS) => grown.push(topic),
            Err(error) => {
                failed.insert(topic.name.clone(), error);
            }
        }
    }
    let mut answer = look(client, &names).await?;
    // Brokers learn of new partitions a moment later: until then there is no answer for the topic.
    for topic in grown {
        if matches!(answer.get(&topic.name), Some(Ok(target)) if target.partitions < topic.partitions) {
            answer.remove(&topic.name);
        }
    }
    answer.extend(failed.into_iter().map(|(name, error)| (name, Err(error))));
    Ok(answer)
}

/// Deletes a topic. One that is gone already is no error: the answer to our own request was lost, or somebody else was faster.
pub(crate) async fn delete(client: &Client, topic: &TopicName) -> Result<(), Error> {
    for (_, result) in client.delete_topics(std::slice::from_ref(topic)).await? {
        match result {
            Err(error) if error.kafka() == Some(KafkaError::UNKNOWN_TOPIC_OR_PARTITION) => {}
            result => result?,
        }
    }
    Ok(())
}

/// The names of the topic configs that the target's brokers have; none when nobody wants any, or when they do not tell.
async fn known_configs(client: &Client, model: &TopicName, missing: &[&Wanted]) -> Option<HashSet<String>> {
    if missing.iter().all(|topic| topic.configs.is_empty()) {
        return None;
    }
    match client.describe_topic_configs(std::slice::from_ref(model)).await {
        Ok(mut described) => Some(
            described
                .remove(model)?
                .into_iter()
                .map(|entry| entry.name)
                .collect(),
        ),
        Err(error) => {
            tracing::warn!(topic = %model, %error, "which configs the target knows cannot be told: all are copied");
            None
        }
    }
}

/// A release knows configs that another does not, and creates no topic with one that it does not know.
fn within(topic: &Wanted, known: Option<&HashSet<String>>) -> Vec<(String, String)> {
    let is_known = |name: &String| known.is_none_or(|known| known.contains(name));
    let (configs, unknown): (Vec<_>, Vec<_>) = topic
        .configs
        .iter()
        .cloned()
        .partition(|(name, _)| is_known(name));
    for (name, value) in unknown {
        tracing::warn!(topic = %topic.name, config = name, value, "left out of the created topic: the target's brokers do not know this config");
    }
    configs
}

/// What the named topics are like; absent where a topic is not there.
pub(crate) async fn look(
    client: &Client,
    names: &[TopicName],
) -> Result<HashMap<TopicName, Result<Target, Error>>, Error> {
    let present = present(client, names).await?.topics;
    let there: Vec<TopicName> = present.keys().cloned().collect();
    if there.is_empty() {
        return Ok(HashMap::new());
    }
    let mut configs = client.describe_topic_configs(&there).await?;
    Ok(present
        .into_iter()
        .map(|(name, metadata)| {
            let entries = configs.remove(&name).unwrap_or_default();
            let value = |key: &str| {
                entries
                    .iter()
                    .find(|entry| entry.name == key)
                    .and_then(|entry| entry.value.as_deref())
            };
            let target = Target {
                id: metadata.id,
                partitions: metadata.partitions.len() as i32,
                batches: batch::Target {
                    timestamp_type: match value("message.timestamp.type") {
                        Some("LogAppendTime") => TimestampType::LogAppendTime,
                        _ => TimestampType::CreateTime,
                    },
                    max_message_bytes: value("max.message.bytes")
                        .and_then(|bytes| bytes.parse().ok())
                        .unwrap_or(DEFAULT_MAX_MESSAGE_BYTES),
                },
            };
            (name, Ok(target))
        })
        .collect())
}

/// Kafka's default of `message.max.bytes`.
const DEFAULT_MAX_MESSAGE_BYTES: usize = 1_048_588;

/// What the target says of topics by name; one that is in neither is not there.
struct Present {
    topics: HashMap<TopicName, TopicMetadata>,
    /// Those that this client may not even look at.
    hidden: Vec<(TopicName, Error)>,
}

async fn present(client: &Client, names: &[TopicName]) -> Result<Present, Error> {
    let (mut topics, mut hidden) = (HashMap::new(), Vec::new());
    for topic in client.metadata(Topics::Names(names.to_vec())).await? {
        match topic.error {
            None => drop(topics.insert(topic.name.clone(), topic)),
            Some(KafkaError::TOPIC_AUTHORIZATION_FAILED) => {
                let error = client.not_allowed(Operation::Write, &topic.name);
                hidden.push((topic.name, error));
            }
            Some(_) => {}
        }
    }
    Ok(Present { topics, hidden })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configs_that_the_target_does_not_know_are_left_out() {
        let pair = |name: &str| (name.to_owned(), "1".to_owned());
        let topic = Wanted {
            name: "orders".into(),
            partitions: 1,
            configs: vec![pair("retention.ms"), pair("message.format.version")],
        };
        let known = HashSet::from(["retention.ms".to_owned(), "cleanup.policy".to_owned()]);
        assert_eq!(within(&topic, Some(&known)), [pair("retention.ms")]);
        assert_eq!(within(&topic, None), topic.configs);
    }
}
