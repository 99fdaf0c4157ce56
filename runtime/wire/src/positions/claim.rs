//! Claims: who may write a connector's rows.
//!
//! A transactional id a bucket. InitProducerId gives its producer another epoch, and the first row that is written under it shuts out the epochs before in that
//! partition (KIP-98): no transaction is needed for that. The id's producer also stands behind the [`Anchor`](super::Anchor)s of the bucket, and its
//! transactions, always empty, leave the markers that shut out late batches.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use towpath_domain::{Bucket, Partition};

use super::{Positions, markers::Claimed, write};
use crate::{Error, ProducerId};

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

/// The transactional id of a connector's bucket. It begins with the name of the topic for positions, so that one prefixed ACL covers all.
pub fn transactional_id(topic: &str, connector: &str, bucket: Bucket) -> String {
    format!("{topic}.{connector}.{}", bucket.0)
}

pub(super) async fn claim(table: &Positions, connector: &str) -> Result<Vec<ProducerId>, Error> {
    let ids: Vec<String> = (0..Bucket::COUNT)
        .map(|bucket| transactional_id(table.topic.as_str(), connector, Bucket(bucket)))
        .collect();
    let timeout = table.transaction_timeout();
    let producers = try_join_all(ids.iter().map(|id| table.client.init_transactional(id, timeout))).await?;
    let key = serde_json::to_vec(&Key {
        claimed: connector.to_owned(),
    })
    .expect("a key is a string");
    let mut rows = BTreeMap::new();
    for (bucket, producer) in producers.iter().enumerate() {
        let value = Value {
            v: VERSION,
            producer: producer.id,
            epoch: producer.epoch,
        };
        let value = serde_json::to_vec(&value).expect("numbers");
        rows.insert(Partition(bucket as i32), vec![(key.clone(), Some(value))]);
    }
    let batches = write::batches(table, rows)?;
    let mut appender = table.appender.lock().await;
    appender.identify(
        producers
            .iter()
            .enumerate()
            .map(|(bucket, producer)| (Partition(bucket as i32), *producer)),
    );
    appender.append(batches).await?;
    for (claimed, producer) in table.claimed.iter().zip(&producers) {
        *claimed.lock().await = Some(Claimed::new(*producer));
    }
    Ok(producers)
}

/// Whether it is a key of this kind.
pub(super) fn is_key(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Key>(bytes).is_ok()
}
