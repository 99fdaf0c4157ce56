//! From where to where logs go.

use std::collections::HashMap;

use towpath_domain::{TopicId, TopicName, TopicPartition};
use towpath_wire::{Client, Isolation, KafkaError, ListedOffset, OffsetSpec, TopicMetadata, Topics};

use crate::resolve::{Error, Subject, seen::Log};

pub(super) type Logs = HashMap<TopicPartition, Log>;

/// The target's topics that there are: their ids, and their partitions' logs.
pub(super) async fn targets(
    subject: &Subject,
    names: impl Iterator<Item = &TopicName>,
) -> Result<HashMap<TopicName, (TopicId, Logs)>, Error> {
    let names: Vec<TopicName> = names.cloned().collect();
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let mut found = Vec::new();
    for topic in subject.target.metadata(Topics::Names(names)).await? {
        match topic.error {
            Some(KafkaError::UNKNOWN_TOPIC_OR_PARTITION) => {}
            Some(error) => {
                return Err(Error::Unseen {
                    what: topic.name.to_string(),
                    error,
                });
            }
            None => found.push(topic),
        }
    }
    let logs = logs(&subject.target, partitions(&found)).await?;
    let of = |name: &TopicName| -> Logs {
        let own = logs.iter().filter(|(place, _)| place.topic == *name);
        own.map(|(place, log)| (place.clone(), *log)).collect()
    };
    Ok(found
        .iter()
        .map(|topic| (topic.name.clone(), (topic.id, of(&topic.name))))
        .collect())
}

pub(super) async fn logs(
    client: &Client,
    partitions: impl Iterator<Item = TopicPartition>,
) -> Result<Logs, Error> {
    let partitions: Vec<TopicPartition> = partitions.collect();
    let list = async |at| {
        client
            .list_offsets(&partitions, at, Isolation::ReadUncommitted)
            .await
    };
    let (starts, ends) = (list(OffsetSpec::Earliest).await?, list(OffsetSpec::Latest).await?);
    let mut logs = Logs::new();
    for place in &partitions {
        let listed = |answer: &HashMap<_, Result<ListedOffset, KafkaError>>| match answer.get(place) {
            Some(Ok(listed)) => Ok(listed.offset),
            Some(Err(error)) => Err(unseen(place, *error)),
            None => Err(unseen(place, KafkaError::LEADER_NOT_AVAILABLE)),
        };
        let (start, end) = (listed(&starts)?, listed(&ends)?);
        logs.insert(place.clone(), Log { start, end });
    }
    Ok(logs)
}

fn unseen(place: &TopicPartition, error: KafkaError) -> Error {
    Error::Unseen {
        what: place.to_string(),
        error,
    }
}

pub(super) fn partitions<'a>(
    topics: impl IntoIterator<Item = &'a TopicMetadata>,
) -> impl Iterator<Item = TopicPartition> {
    topics.into_iter().flat_map(|topic| {
        topic.partitions.iter().map(|found| TopicPartition {
            topic: topic.name.clone(),
            partition: found.partition,
        })
    })
}
