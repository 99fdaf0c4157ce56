//! Topics on the target: created like the source's, and looked at before the first record is written.

use std::collections::HashMap;

use towpath_domain::TopicName;
use towpath_wire::{
    Client, ConfigEntry, Error, KafkaError, NewTopic, TopicMetadata, Topics,
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
    pub partitions: i32,
    pub batches: batch::Target,
}

/// A topic to be created when the target lacks it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub name: TopicName,
    pub partitions: i32,
    pub configs: Vec<(String, String)>,
}

/// The source's explicit configs, as a created topic takes them over.
pub(crate) fn copied_configs(source: &[ConfigEntry]) -> Vec<(String, String)> {
    source
        .iter()
        .filter(|entry| entry.is_explicit() && !NOT_COPIED.contains(&entry.name.as_str()))
        .filter_map(|entry| Some((entry.name.clone(), entry.value.clone()?)))
        .collect()
}

/// Creates what is missing, adds partitions where the source has more, and says what each topic is like now.
/// Somebody else creating the same topic at the same time is no error.
pub(crate) async fn ensure(
    client: &Client,
    wanted: &[Wanted],
    replication_factor: i16,
) -> Result<HashMap<TopicName, Result<Target, Error>>, Error> {
    let mut failed = HashMap::new();
    let names: Vec<TopicName> = wanted.iter().map(|topic| topic.name.clone()).collect();
    let present = present(client, &names).await?;
    let missing: Vec<NewTopic> = wanted
        .iter()
        .filter(|topic| !present.contains_key(&topic.name))
        .map(|topic| NewTopic {
            name: topic.name.clone(),
            partitions: topic.partitions,
            replication_factor,
            configs: topic.configs.clone(),
        })
        .collect();
    if !missing.is_empty() {
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

/// What the named topics are like; absent where a topic is not there.
pub(crate) async fn look(
    client: &Client,
    names: &[TopicName],
) -> Result<HashMap<TopicName, Result<Target, Error>>, Error> {
    let present = present(client, names).await?;
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

async fn present(client: &Client, names: &[TopicName]) -> Result<HashMap<TopicName, TopicMetadata>, Error> {
    let topics = client.metadata(Topics::Names(names.to_vec())).await?;
    Ok(topics
        .into_iter()
        .filter(|topic| topic.error.is_none())
        .map(|topic| (topic.name.clone(), topic))
        .collect())
}
