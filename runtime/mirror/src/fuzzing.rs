//! What a hostile broker or plugin reaches in the data plane, without a network or WebAssembly: doors for the fuzz targets, and no part of the API.

use bytes::Bytes;
use towpath_domain::{LeaderEpoch, Offset, Partition, TopicName, TopicPartition, state::PartitionState};
use towpath_plugin_host::Edits;
use towpath_wire::{
    AbortedTransaction,
    batch::{Outgoing, Records, Target, TimestampType},
};

use crate::{
    stages::{self, Origin},
    task,
};

/// A record as it goes to the encoder: offset, timestamp, key, value, encoded headers.
pub type Row = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<u8>);

/// Edits that keep the contract, applied; the error is a reject.
pub fn edited(records: Records, from: Offset, edits: Edits) -> Result<Vec<Row>, String> {
    let origin = Origin {
        source: TopicName::new("hostile"),
        target: TopicName::new("hostile"),
        partition: Partition(0),
        timestamp_type: TimestampType::CreateTime,
        from,
        until: None,
    };
    let rows = stages::edited(records, origin, edits).map_err(|stuck| stuck.message)?;
    Ok(rows
        .records()
        .map(|record| {
            (
                record.offset.0,
                record.timestamp,
                record.key.map(<[u8]>::to_vec),
                record.value.map(<[u8]>::to_vec),
                record.headers.raw().to_vec(),
            )
        })
        .collect())
}

/// What a fetch brought, converted without a plugin: the batches, where to go on, and why the partition stopped if it did.
pub fn converted(
    records: Bytes,
    from: Offset,
    aborted: Vec<AbortedTransaction>,
    target: Target,
) -> (Vec<Outgoing>, Offset, Option<PartitionState>) {
    task::converted(
        TopicPartition::new("hostile", 0),
        (records, from, LeaderEpoch(-1)),
        aborted,
        target,
    )
}
