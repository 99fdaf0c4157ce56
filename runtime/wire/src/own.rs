//! Topics of Towpath's own on the target: made when they are missing, and written by [`Appender`](crate::append::Appender).

use std::time::{Duration, SystemTime};

use towpath_domain::{Partition, TopicName, TopicPartition};

use crate::{Client, ConfigEntry, Error, KafkaError, NewTopic};

/// Kafka's default.
const MAX_MESSAGE_BYTES: usize = 1_048_588;

/// Creates a topic; that somebody else was faster, or our own request was repeated, is as good. It has leaders in a moment.
pub(crate) async fn create(client: &Client, topic: NewTopic, purpose: &str) -> Result<(), Error> {
    let partitions = topic.partitions;
    for (topic, result) in client.create_topics(&[topic]).await? {
        match result {
            Ok(_) => tracing::info!(%topic, partitions, "created the topic for {purpose}"),
            Err(error) if error.kafka() == Some(KafkaError::TOPIC_ALREADY_EXISTS) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What a partition without a leader is waited for with.
pub(crate) fn leaderless(topic: &TopicName, partition: i32) -> Error {
    Error::NoLeader {
        partition: TopicPartition::new(topic.as_str(), partition),
    }
}

pub(crate) fn partition(topic: &TopicName, partition: i32) -> TopicPartition {
    TopicPartition {
        topic: topic.clone(),
        partition: Partition(partition),
    }
}

/// A broker refused something about the topic.
pub(crate) fn refused(
    (topic, purpose): (&TopicName, &'static str),
    what: String,
    error: KafkaError,
) -> Error {
    Error::Own {
        topic: topic.clone(),
        purpose,
        what,
        cause: Some(error),
    }
}

/// The topic cannot be used as it is.
pub(crate) fn unfit((topic, purpose): (&TopicName, &'static str), what: String) -> Error {
    Error::Own {
        topic: topic.clone(),
        purpose,
        what,
        cause: None,
    }
}

/// The topic's `max.message.bytes`.
pub(crate) fn max_message_bytes(configs: &[ConfigEntry]) -> usize {
    let entry = configs.iter().find(|entry| entry.name == "max.message.bytes");
    entry
        .and_then(|entry| entry.value.as_deref()?.parse().ok())
        .unwrap_or(MAX_MESSAGE_BYTES)
}

/// ms since the epoch
pub(crate) fn now() -> i64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO);
    since.as_millis() as i64
}
