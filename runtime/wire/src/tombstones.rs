//! Tombstones for keys of a compacted topic that nobody else deletes.

use towpath_domain::{Offset, TopicPartition};

use crate::{
    Client, Error,
    append::{Appender, Open},
    batch::{Compression, Encoder, Headers, Record, SourceSpan},
    own,
};

const PURPOSE: &str = "tombstones";
/// Encoded at a time.
const RECORDS: usize = 10_000;

// === impl Client ===

impl Client {
    /// Appends a record without a value for each of these keys, with the time of the writing. Returns once all in-sync replicas have all of them; what can be retried is
    /// retried for up to `request_timeout`. After an error any of them may or may not be there, and what was sent again may be there twice. Needs Write on the topic.
    pub async fn append_tombstones(&self, place: &TopicPartition, keys: &[Vec<u8>]) -> Result<(), Error> {
        let topic = &place.topic;
        let configs = self.describe_topic_configs(std::slice::from_ref(topic)).await?;
        let entries = configs.get(topic).map(Vec::as_slice).unwrap_or_default();
        let limit = own::max_message_bytes(entries);
        let mut appender = Appender::new(self.clone(), topic.clone(), PURPOSE);
        let mut encoder = Encoder::new(Compression::None);
        for keys in keys.chunks(RECORDS) {
            let timestamp = own::now();
            let records = (0..).zip(keys).map(|(offset, key)| Record {
                offset: Offset(offset),
                timestamp,
                key: Some(key),
                value: None,
                headers: Headers::EMPTY,
            });
            let span = SourceSpan {
                first: Offset(0),
                next: Offset(keys.len() as i64),
            };
            let batches = encoder
                .encode_split(records, span, limit)
                .map_err(|error| Error::Own {
                    topic: topic.clone(),
                    purpose: PURPOSE,
                    what: format!("they cannot be written: {error}"),
                    cause: None,
                })?;
            let mut open = Open::new();
            open.insert(place.partition, batches.into());
            appender.append_all(open).await?;
        }
        Ok(())
    }
}
