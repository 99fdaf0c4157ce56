//! The dead letter queue: a topic of the target for records that a pipeline cannot pass.

use std::collections::BTreeMap;

use tokio::sync::Mutex;
use towpath_domain::{Offset, Partition, TopicName};

use crate::{
    Client, Error, KafkaError, NewTopic, Operation, Topics,
    append::{Appender, Open},
    batch::{self, Compression, Encoder, Headers, Record, SourceSpan},
    own,
    retry::Attempts,
};

/// A record for the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Letters of one source partition keep their order.
    pub source: Partition,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    /// encoded
    pub headers: Vec<u8>,
}

/// The queue, opened.
#[derive(Debug)]
pub struct DeadLetters {
    topic: TopicName,
    partitions: i32,
    max_message_bytes: usize,
    appender: Mutex<Appender>,
}

const PURPOSE: &str = "dead letters";

// === impl DeadLetters ===

impl DeadLetters {
    /// Opens the topic, and creates it with one partition when it is missing. `replication_factor` is for that; -1 is the target's default.
    pub async fn open(client: Client, topic: TopicName, replication_factor: i16) -> Result<Self, Error> {
        let mut attempts = Attempts::new(client.options());
        let partitions = loop {
            let error = match look_up(&client, &topic).await? {
                Found::Partitions(count) => break count,
                Found::Missing => {
                    let new = NewTopic {
                        name: topic.clone(),
                        partitions: 1,
                        replication_factor,
                        configs: Vec::new(),
                    };
                    match own::create(&client, new, PURPOSE).await {
                        Ok(()) => own::leaderless(&topic, 0),
                        Err(error) => error,
                    }
                }
                Found::Leaderless => own::leaderless(&topic, 0),
                Found::Refused(error) => error,
            };
            attempts.wait(error).await?;
        };
        let configs = client
            .describe_topic_configs(std::slice::from_ref(&topic))
            .await
            .unwrap_or_default();
        let entries = configs.get(&topic).map(Vec::as_slice).unwrap_or_default();
        let max_message_bytes = own::max_message_bytes(entries);
        Ok(Self {
            appender: Mutex::new(Appender::new(client, topic.clone(), PURPOSE)),
            topic,
            partitions,
            max_message_bytes,
        })
    }

    /// The name of the topic.
    pub fn topic(&self) -> &TopicName {
        &self.topic
    }

    /// Letters have the time of their writing, or the queue's retention would delete those of old records at once.
    ///
    /// Returns once all in-sync replicas have every letter. What can be retried is retried for up to `request_timeout`; after an error any of
    /// them may or may not be there.
    pub async fn write(&self, letters: &[DeadLetter]) -> Result<(), Error> {
        let batches = self.encode(letters)?;
        self.appender.lock().await.append_all(batches).await
    }

    fn encode(&self, letters: &[DeadLetter]) -> Result<Open, Error> {
        let now = own::now();
        let mut by_partition: BTreeMap<Partition, Vec<&DeadLetter>> = BTreeMap::new();
        for letter in letters {
            let partition = Partition(letter.source.0 % self.partitions);
            by_partition.entry(partition).or_default().push(letter);
        }
        let mut encoder = Encoder::new(Compression::None);
        let mut open = Open::new();
        for (partition, letters) in by_partition {
            let mut records = Vec::with_capacity(letters.len());
            for (offset, letter) in (0..).zip(letters) {
                records.push(Record {
                    offset: Offset(offset),
                    timestamp: now,
                    key: letter.key.as_deref(),
                    value: letter.value.as_deref(),
                    headers: Headers::parse(&letter.headers).map_err(|error| self.unfit(&error))?,
                });
            }
            let span = SourceSpan {
                first: Offset(0),
                next: Offset(records.len() as i64),
            };
            let batches = encoder
                .encode_split(records, span, self.max_message_bytes)
                .map_err(|error| self.unfit(&error))?;
            open.insert(partition, batches.into());
        }
        Ok(open)
    }

    fn unfit(&self, error: &batch::Error) -> Error {
        let what = match error {
            batch::Error::RecordTooLarge { size, limit, .. } => format!(
                "a letter makes a batch of {size} bytes, and its max.message.bytes is {limit}: raise it, and start the connector again"
            ),
            error => format!("a letter cannot be written: {error}"),
        };
        Error::Own {
            topic: self.topic.clone(),
            purpose: PURPOSE,
            what,
            cause: None,
        }
    }
}

enum Found {
    Partitions(i32),
    Missing,
    Leaderless,
    Refused(Error),
}

async fn look_up(client: &Client, topic: &TopicName) -> Result<Found, Error> {
    let found = client.metadata(Topics::Names(vec![topic.clone()])).await?;
    let Some(found) = found.into_iter().find(|found| found.name == *topic) else {
        return Ok(Found::Missing);
    };
    Ok(match found.error {
        Some(KafkaError::UNKNOWN_TOPIC_OR_PARTITION) => Found::Missing,
        Some(KafkaError::TOPIC_AUTHORIZATION_FAILED) => {
            Found::Refused(client.not_allowed(Operation::Describe, topic))
        }
        Some(error) => Found::Refused(Error::Own {
            topic: topic.clone(),
            purpose: PURPOSE,
            what: "it cannot be used".to_owned(),
            cause: Some(error),
        }),
        None if found
            .partitions
            .iter()
            .any(|partition| partition.leader.is_none()) =>
        {
            Found::Leaderless
        }
        None => Found::Partitions((found.partitions.len() as i32).max(1)),
    })
}
