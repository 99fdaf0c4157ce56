//! Rows as record batches.

use std::collections::BTreeMap;

use towpath_domain::Partition;

use super::{Position, PositionKey, Positions, stored, unfit};
use crate::{
    Error,
    append::Open,
    rows::{self, Row},
};

/// Batches of at most `max.message.bytes`, usually one a bucket.
pub(super) fn encode(table: &Positions, rows: Vec<(PositionKey, Option<Position>)>) -> Result<Open, Error> {
    let mut by_bucket: BTreeMap<Partition, Vec<Row>> = BTreeMap::new();
    for (key, position) in rows {
        let bucket = Partition(key.bucket().0 as i32);
        let value = position.as_ref().map(stored::encode_value);
        by_bucket
            .entry(bucket)
            .or_default()
            .push((stored::encode_key(&key), value));
    }
    batches(table, by_bucket)
}

pub(super) fn batches(table: &Positions, by_bucket: BTreeMap<Partition, Vec<Row>>) -> Result<Open, Error> {
    let mut open = Open::new();
    for (bucket, rows) in by_bucket {
        let batches = rows::encode(&rows, table.max_message_bytes)
            .map_err(|cause| unfit(&table.topic, format!("rows cannot be written: {cause}")))?;
        open.insert(bucket, batches);
    }
    Ok(open)
}
