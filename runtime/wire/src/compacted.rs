//! A compacted topic with one partition, read as a table, and written by one owner at a time: what a worker keeps of its connectors.
//!
//! Who owns it is a transactional id: InitProducerId gives its producer another epoch, and the first row that is written under it shuts out the epochs before (KIP-98);
//! no transaction is needed for that.

use std::{collections::BTreeMap, time::Duration};

use towpath_domain::{Offset, Partition, TopicId, TopicName};

use crate::{
    Client, Error, Isolation, KafkaError, NewTopic, OffsetSpec, Operation, ProducerId, TopicMetadata, Topics,
    append::{Appender, Open},
    batch::Record,
    own,
    retry::Attempts,
    rows,
};

pub use crate::rows::Row;

/// The topic, and up to where it was read.
#[derive(Debug)]
pub struct Compacted {
    client: Client,
    topic: TopicName,
    topic_id: TopicId,
    /// as errors say it
    purpose: &'static str,
    max_message_bytes: usize,
    appender: Appender,
    /// none before the first time
    read: Option<Offset>,
}

/// Gives the rows to a function.
struct Each<F>(F);

const PARTITION: Partition = Partition(0);
/// Nothing is written in transactions: it only has to be legal.
const TRANSACTION: Duration = Duration::from_secs(60);

// === impl Compacted ===

impl Compacted {
    /// Opens the topic, and creates it when it is missing. `replication_factor` is for that; -1 is the cluster's default.
    ///
    /// Fails with [`Error::Own`] when an existing topic is unfit: several partitions, or not only compacted.
    pub async fn open(
        client: Client,
        topic: TopicName,
        purpose: &'static str,
        replication_factor: i16,
    ) -> Result<Self, Error> {
        let mut attempts = Attempts::new(client.options());
        let topic_id = loop {
            let found = described(&client, &topic, purpose).await?;
            let error = match found.error {
                Some(KafkaError::UNKNOWN_TOPIC_OR_PARTITION) => {
                    let new = NewTopic {
                        name: topic.clone(),
                        partitions: 1,
                        replication_factor,
                        configs: vec![("cleanup.policy".to_owned(), "compact".to_owned())],
                    };
                    match own::create(&client, new, purpose).await {
                        Ok(()) => own::leaderless(&topic, 0),
                        Err(error) => error,
                    }
                }
                Some(KafkaError::TOPIC_AUTHORIZATION_FAILED) => {
                    client.not_allowed(Operation::Describe, &topic)
                }
                Some(error) => own::refused((&topic, purpose), "it cannot be used".to_owned(), error),
                None if found.partitions.len() != 1 => {
                    let what = format!(
                        "it has {} partitions, one is needed, for rows must keep their order; use another topic, or delete this one if it holds nothing",
                        found.partitions.len()
                    );
                    return Err(own::unfit((&topic, purpose), what));
                }
                None if found
                    .partitions
                    .iter()
                    .all(|partition| partition.leader.is_some()) =>
                {
                    break found.id;
                }
                None => own::leaderless(&topic, 0),
            };
            attempts.wait(error).await?;
        };
        let configs = client
            .describe_topic_configs(std::slice::from_ref(&topic))
            .await?;
        let entries = configs.get(&topic).map(Vec::as_slice).unwrap_or_default();
        let policy = entries.iter().find(|entry| entry.name == "cleanup.policy");
        let policy = policy
            .and_then(|entry| entry.value.as_deref())
            .unwrap_or("unknown");
        if policy != "compact" {
            let what = format!(
                "its cleanup.policy is {policy}, rows are lost unless it is compact; alter the topic's config"
            );
            return Err(own::unfit((&topic, purpose), what));
        }
        Ok(Self {
            max_message_bytes: own::max_message_bytes(entries),
            appender: Appender::new(client.clone(), topic.clone(), purpose),
            client,
            topic,
            topic_id,
            purpose,
            read: None,
        })
    }

    pub fn topic(&self) -> &TopicName {
        &self.topic
    }

    /// Takes the topic over: with the next row that is written nobody who claimed it before can write another one. Needs Write on the transactional id.
    pub async fn claim(&mut self, transactional_id: &str) -> Result<ProducerId, Error> {
        let producer = self
            .client
            .init_transactional(transactional_id, TRANSACTION)
            .await?;
        self.appender.identify([(PARTITION, producer)].into_iter());
        Ok(producer)
    }

    /// Writes these rows, all or none. Returns once all in-sync replicas have them. What can be retried is retried for up to `request_timeout`; after an error they may or
    /// may not be there, and may still come: [`refresh`](Self::refresh) says it. The error [is fenced](Error::is_fenced) once somebody else has claimed the topic.
    pub async fn write(&mut self, rows: &[Row]) -> Result<(), Error> {
        let batches = self.encode(rows)?;
        self.appender.append_all(batches).await
    }

    /// Gives every row to `take` that was written since the last time, in order; the first time all. The error that `take` answers is a sentence about the row. After
    /// an error they come again from where the last call that succeeded had ended.
    pub async fn refresh(
        &mut self,
        take: impl FnMut(&[u8], Option<&[u8]>) -> Result<(), String>,
    ) -> Result<(), Error> {
        let of = (&self.topic, self.purpose);
        let place = own::partition(&self.topic, 0);
        let listed = self
            .client
            .list_offsets(
                std::slice::from_ref(&place),
                OffsetSpec::Latest,
                Isolation::ReadUncommitted,
            )
            .await?;
        let end = match listed.get(&place) {
            Some(Ok(listed)) => listed.offset,
            Some(Err(error)) => return Err(own::refused(of, "it cannot be read".to_owned(), *error)),
            None => return Err(own::unfit(of, "it was not listed".to_owned())),
        };
        let found = self.client.topic_id(&self.topic).unwrap_or(self.topic_id);
        if found != self.topic_id || self.read.is_some_and(|read| end < read) {
            let what = "it was deleted and created again, or has lost its end, and lacks what is run here; restore it, or start again to go on with what it has";
            return Err(own::unfit(of, what.to_owned()));
        }
        let mut bounds = rows::Bounds::new();
        match self.read {
            Some(read) if read == end => return Ok(()),
            Some(read) => drop(bounds.insert(PARTITION, (read, end))),
            None => bounds = rows::bounds(&self.client, of, [PARTITION]).await?,
        }
        let end = bounds.get(&PARTITION).map_or(end, |(_, end)| *end);
        rows::read(&self.client, of, bounds, &mut Each(take)).await?;
        self.read = Some(end);
        Ok(())
    }

    fn encode(&self, rows: &[Row]) -> Result<Open, Error> {
        let too_large = || {
            let what = format!(
                "rows are larger than its max.message.bytes ({})",
                self.max_message_bytes
            );
            own::unfit((&self.topic, self.purpose), what)
        };
        let batches = rows::encode(rows, self.max_message_bytes).map_err(|_| too_large())?;
        // Several could be cut apart by a crash.
        if batches.len() > 1 {
            return Err(too_large());
        }
        Ok(BTreeMap::from([(PARTITION, batches)]))
    }
}

impl<F: FnMut(&[u8], Option<&[u8]>) -> Result<(), String>> rows::Rows for Each<F> {
    fn row(&mut self, _: Partition, record: &Record<'_>) -> Result<(), String> {
        match record.key {
            Some(key) => self.0(key, record.value),
            // A compacted topic takes none.
            None => Ok(()),
        }
    }
}

async fn described(
    client: &Client,
    topic: &TopicName,
    purpose: &'static str,
) -> Result<TopicMetadata, Error> {
    let topics = client.metadata(Topics::Names(vec![topic.clone()])).await?;
    let found = topics.into_iter().find(|found| found.name == *topic);
    found.ok_or_else(|| {
        own::unfit(
            (topic, purpose),
            "the broker's answer does not mention it".to_owned(),
        )
    })
}
