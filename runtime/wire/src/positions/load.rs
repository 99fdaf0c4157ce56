//! Reading the topic of positions from its start, or from where it was read up to.

use towpath_domain::{Buckets, Partition, TopicName};

use super::{PURPOSE, Table, accepted, answers, checkpoints, claim, stored};
use crate::{Client, Error, batch::Record, rows};

pub(super) use crate::rows::{Bounds, Rows};

/// Reads these partitions of the table.
pub(super) async fn load(client: &Client, topic: &TopicName, buckets: Buckets) -> Result<Table, Error> {
    let mut table = Table::default();
    let left = bounds(client, topic, buckets).await?;
    read(client, topic, left, &mut table).await?;
    if table.foreign > 0 {
        tracing::warn!(%topic, records = table.foreign, "the topic for positions has records that are not positions");
    }
    Ok(table)
}

/// Gives every row within these bounds to `rows`, those of a partition in order.
pub(super) async fn read<R: Rows>(
    client: &Client,
    topic: &TopicName,
    left: Bounds,
    rows: &mut R,
) -> Result<(), Error> {
    rows::read(client, (topic, PURPOSE), left, rows).await
}

/// From where to where each partition is to be read; empty ones are left out.
pub(super) async fn bounds(client: &Client, topic: &TopicName, buckets: Buckets) -> Result<Bounds, Error> {
    let partitions = buckets.iter().map(|bucket| Partition(bucket.0 as i32));
    rows::bounds(client, (topic, PURPOSE), partitions).await
}

// === impl Table ===

impl Rows for Table {
    fn row(&mut self, _: Partition, record: &Record<'_>) -> Result<(), String> {
        if let Some(connector) = record.key.and_then(accepted::decode_key) {
            // As bytes: what a newer version stored for another connector is no concern of ours.
            match record.value {
                None => drop(self.accepted.remove(&connector)),
                Some(value) => drop(self.accepted.insert(connector, value.to_vec())),
            }
            return Ok(());
        }
        if let Some(key) = record.key.and_then(answers::decode_key) {
            let ids = self.answers.entry(key.connector).or_default();
            let asked = (key.schema, key.subject);
            match record.value.map(answers::decode) {
                None => drop(ids.remove(&asked)),
                Some(id) => drop(ids.insert(asked, id?)),
            }
            return Ok(());
        }
        if let Some(key) = record.key.and_then(checkpoints::decode_key) {
            match record.value.map(checkpoints::decode) {
                None => drop(self.checkpoints.remove(&key)),
                Some(checkpoint) => drop(self.checkpoints.insert(key, checkpoint?)),
            }
            return Ok(());
        }
        let Some(key) = record.key.and_then(stored::decode_key) else {
            self.foreign += u64::from(!record.key.is_some_and(claim::is_key));
            return Ok(());
        };
        match record.value {
            None => drop(self.positions.remove(&key)),
            Some(value) => drop(self.positions.insert(key, stored::decode_value(value)?)),
        }
        Ok(())
    }
}
