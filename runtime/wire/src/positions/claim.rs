//! Claims: who may write a connector's rows.
//!
//! A transactional id a bucket. InitProducerId gives its producer another epoch, and the first row that is written under it shuts out the epochs before in that
//! partition (KIP-98): no transaction is needed for that. The id's producer also stands behind the [`Anchor`](super::Anchor)s of the bucket, and its
//! transactions, always empty, leave the markers that shut out late batches.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use tokio::sync::{MappedMutexGuard, MutexGuard};
use towpath_domain::{Bucket, Buckets, Partition};

use super::{Positions, markers::Claimed, write};
use crate::{Error, ProducerId, rows::Row};

/// The record's key, as JSON. Versions that do not know it count it as a record that is not theirs, and skip it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    claimed: String,
}

/// The record's value, as JSON: for people, nobody reads it.
#[derive(Serialize)]
struct Value {
    v: u32,
    producer: i64,
    epoch: i16,
}

const VERSION: u32 = 1;

/// Whose buckets are, as they were when it was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// still the caller's
    pub held: Buckets,
    /// somebody else's
    pub lost: Buckets,
}

/// The transactional id of a connector's bucket. It begins with the name of the topic for positions, so that one prefixed ACL covers all.
pub fn transactional_id(topic: &str, connector: &str, bucket: Bucket) -> String {
    format!("{topic}.{connector}.{}", bucket.0)
}

pub(super) async fn claim(
    table: &Positions,
    connector: &str,
    buckets: Buckets,
) -> Result<BTreeMap<Bucket, ProducerId>, Error> {
    let timeout = table.transaction_timeout();
    let producers = try_join_all(buckets.iter().map(|bucket| async move {
        let id = transactional_id(table.topic.as_str(), connector, bucket);
        let producer = table.client.init_transactional(&id, timeout).await?;
        Ok::<_, Error>((bucket, producer))
    }))
    .await?;
    let mut rows = BTreeMap::new();
    for (bucket, producer) in &producers {
        let row = row(connector, (producer.id, producer.epoch));
        rows.insert(Partition(bucket.0 as i32), vec![row]);
    }
    let batches = write::batches(table, rows)?;
    let mut appender = table.appender.lock().await;
    appender.identify(
        producers
            .iter()
            .map(|(bucket, producer)| (Partition(bucket.0 as i32), *producer)),
    );
    appender.append_all(batches).await?;
    for (bucket, producer) in &producers {
        if let Some(claimed) = table.claimed.get(bucket.0 as usize) {
            *claimed.lock().await = Some(Claimed::new(*producer));
        }
    }
    Ok(producers.into_iter().collect())
}

// === impl Positions ===

impl Positions {
    /// Writes these claims once more: some time between call and answer nobody else had claimed the buckets that are held. One that was not claimed, or was released, is
    /// neither held nor lost.
    ///
    /// Brokers forget a claim that is older than their `producer.id.expiration.ms`, and take a write of the one before: who was not heard of for that long must not ask.
    pub async fn hold(&self, connector: &str, buckets: Buckets) -> Result<Held, Error> {
        let mut appender = self.appender.lock().await;
        let rows: BTreeMap<Partition, Vec<Row>> = buckets
            .iter()
            .filter_map(|bucket| {
                let partition = Partition(bucket.0 as i32);
                let identity = appender.identity(partition)?;
                let row = row(connector, (identity.id, identity.epoch));
                Some((partition, vec![row]))
            })
            .collect();
        let bucket = |partition: &Partition| Bucket(partition.0 as u32);
        let claimed: Buckets = rows.keys().map(bucket).collect();
        let shut = appender.append(write::batches(self, rows)?).await?;
        let lost: Buckets = shut.iter().map(bucket).collect();
        Ok(Held {
            held: claimed - lost,
            lost,
        })
    }

    /// The bucket's producer, for one caller at a time.
    pub(super) async fn claimed(
        &self,
        bucket: Bucket,
        purpose: &'static str,
    ) -> Result<MappedMutexGuard<'_, Claimed>, Error> {
        let own = |what: String| Error::Own {
            topic: self.topic.clone(),
            purpose,
            what,
            cause: None,
        };
        let Some(claimed) = self.claimed.get(bucket.0 as usize) else {
            return Err(own(format!("there is no bucket {}", bucket.0)));
        };
        MutexGuard::try_map(claimed.lock().await, Option::as_mut)
            .map_err(|_| own(format!("bucket {} was not claimed", bucket.0)))
    }
}

fn row(connector: &str, (producer, epoch): (i64, i16)) -> Row {
    let key = Key {
        claimed: connector.to_owned(),
    };
    let value = Value {
        v: VERSION,
        producer,
        epoch,
    };
    (
        serde_json::to_vec(&key).expect("a key is a string"),
        Some(serde_json::to_vec(&value).expect("numbers")),
    )
}

/// Whether it is a key of this kind.
pub(super) fn is_key(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Key>(bytes).is_ok()
}
