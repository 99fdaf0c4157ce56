//! Rows as record batches.

use std::collections::BTreeMap;

use towpath_domain::{Offset, Partition};

use super::{Position, PositionKey, Positions, stored, unfit};
use crate::{
    Error,
    append::Open,
    batch::{Compression, Encoder, Headers, Record, SourceSpan},
    own,
};

/// A row's key and value as bytes.
pub(super) type Row = (Vec<u8>, Option<Vec<u8>>);

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
    let now = own::now();
    let mut encoder = Encoder::new(Compression::None);
    let mut open = Open::new();
    for (bucket, rows) in by_bucket {
        let records = rows.iter().enumerate().map(|(index, (key, value))| Record {
            offset: Offset(index as i64),
            timestamp: now,
            key: Some(key),
            value: value.as_deref(),
            headers: Headers::EMPTY,
        });
        let span = SourceSpan {
            first: Offset(0),
            next: Offset(rows.len() as i64),
        };
        let batches = encoder
            .encode_split(records, span, table.max_message_bytes)
            .map_err(|cause| unfit(&table.topic, format!("rows cannot be written: {cause}")))?;
        open.insert(bucket, batches.into());
    }
    Ok(open)
}
