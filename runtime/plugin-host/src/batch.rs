//! Records as a guest sees them: the `batch` resource over whatever the caller holds.

use std::sync::Arc;

use serde::Serialize;
use towpath_domain::{Offset, Partition};
use wasmtime::component::Resource;

use crate::{
    Reads,
    bindings::{batches, types},
    state::State,
};

/// Records of one partition, as the caller holds them. Indexes are below [`len`](Records::len).
///
/// Only what a guest asks for is read, column by column; each accessor may be called again.
pub trait Records: Send + Sync + 'static {
    /// At least 1, at most `u32::MAX`.
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The topic that the batch was read from, as the source calls it.
    fn topic(&self) -> &str;

    fn partition(&self) -> Partition;

    fn offset(&self, index: usize) -> Offset;

    /// False for records that are about to be written: a guest sees no offsets then.
    fn has_offsets(&self) -> bool {
        true
    }

    /// ms since the epoch; -1: none.
    fn timestamp(&self, index: usize) -> i64;

    fn timestamp_type(&self) -> TimestampType;

    fn key(&self, index: usize) -> Option<&[u8]>;

    fn value(&self, index: usize) -> Option<&[u8]>;

    /// Calls `each` with key and value of every header of the record, in order. Keys need not be UTF-8.
    #[expect(clippy::type_complexity, reason = "a name for it would not say more")]
    fn headers(&self, index: usize, each: &mut dyn FnMut(&[u8], Option<&[u8]>));
}

/// Where timestamps come from (KIP-32).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}

/// The host's side of the `batch` resource: lent to a guest for one call.
pub struct Batch {
    pub(crate) records: Arc<dyn Records>,
    pub(crate) reads: Reads,
}

/// A guest reached for what it did not declare.
#[derive(Debug, thiserror::Error)]
#[error("it read {0}, which it did not declare after `init`")]
pub(crate) struct Undeclared(&'static str);

/// A guest called an accessor wrongly.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Misuse(String);

// === impl Batch ===

impl Batch {
    pub(crate) fn new(records: &Arc<dyn Records>, reads: Reads) -> Self {
        Self {
            records: Arc::clone(records),
            reads,
        }
    }

    fn index(&self, index: u32) -> wasmtime::Result<usize> {
        let len = self.records.len();
        match usize::try_from(index) {
            Ok(index) if index < len => Ok(index),
            _ => Err(misuse(format!("it asked for record {index} of a batch of {len}"))),
        }
    }

    fn header(key: &[u8], value: Option<&[u8]>) -> types::Header {
        types::Header {
            key: String::from_utf8_lossy(key).into_owned(),
            value: value.map(<[u8]>::to_vec),
        }
    }
}

impl batches::Host for State {}

impl batches::HostBatch for State {
    fn len(&mut self, batch: Resource<Batch>) -> wasmtime::Result<u32> {
        length(self.batch(&batch)?.records.len())
    }

    fn topic(&mut self, batch: Resource<Batch>) -> wasmtime::Result<String> {
        Ok(self.batch(&batch)?.records.topic().to_owned())
    }

    fn partition(&mut self, batch: Resource<Batch>) -> wasmtime::Result<u32> {
        Ok(u32::try_from(self.batch(&batch)?.records.partition().0)?)
    }

    fn offsets(&mut self, batch: Resource<Batch>) -> wasmtime::Result<Vec<i64>> {
        let batch = self.batch(&batch)?;
        declared(batch.reads.offset, "offsets")?;
        if !batch.records.has_offsets() {
            return Ok(Vec::new());
        }
        Ok((0..batch.records.len())
            .map(|index| batch.records.offset(index).0)
            .collect())
    }

    fn timestamps(&mut self, batch: Resource<Batch>) -> wasmtime::Result<Vec<i64>> {
        let batch = self.batch(&batch)?;
        declared(batch.reads.timestamp, "timestamps")?;
        Ok((0..batch.records.len())
            .map(|index| batch.records.timestamp(index))
            .collect())
    }

    fn timestamp_type(&mut self, batch: Resource<Batch>) -> wasmtime::Result<batches::TimestampType> {
        let batch = self.batch(&batch)?;
        declared(batch.reads.timestamp, "the timestamp type")?;
        Ok(match batch.records.timestamp_type() {
            TimestampType::CreateTime => batches::TimestampType::CreateTime,
            TimestampType::LogAppendTime => batches::TimestampType::LogAppendTime,
        })
    }

    fn keys(&mut self, batch: Resource<Batch>) -> wasmtime::Result<types::BytesColumn> {
        let batch = self.batch(&batch)?;
        declared(batch.reads.key, "keys")?;
        column(batch.records.len(), |index| batch.records.key(index))
    }

    fn values(&mut self, batch: Resource<Batch>) -> wasmtime::Result<types::BytesColumn> {
        let batch = self.batch(&batch)?;
        declared(batch.reads.value, "values")?;
        column(batch.records.len(), |index| batch.records.value(index))
    }

    fn key(&mut self, batch: Resource<Batch>, index: u32) -> wasmtime::Result<Option<Vec<u8>>> {
        let batch = self.batch(&batch)?;
        declared(batch.reads.key, "a key")?;
        Ok(batch.records.key(batch.index(index)?).map(<[u8]>::to_vec))
    }

    fn value(&mut self, batch: Resource<Batch>, index: u32) -> wasmtime::Result<Option<Vec<u8>>> {
        let batch = self.batch(&batch)?;
        declared(batch.reads.value, "a value")?;
        Ok(batch.records.value(batch.index(index)?).map(<[u8]>::to_vec))
    }

    fn headers(&mut self, batch: Resource<Batch>, index: u32) -> wasmtime::Result<Vec<types::Header>> {
        let batch = self.batch(&batch)?;
        declared(batch.reads.header, "headers")?;
        let mut headers = Vec::new();
        let index = batch.index(index)?;
        batch
            .records
            .headers(index, &mut |key, value| headers.push(Batch::header(key, value)));
        Ok(headers)
    }

    fn header_column(&mut self, batch: Resource<Batch>, key: String) -> wasmtime::Result<types::BytesColumn> {
        let batch = self.batch(&batch)?;
        declared(batch.reads.header, "headers")?;
        let last: Vec<Option<Vec<u8>>> = (0..batch.records.len())
            .map(|index| {
                let mut last = None;
                batch.records.headers(index, &mut |name, value| {
                    if name == key.as_bytes() {
                        last = value.map(<[u8]>::to_vec);
                    }
                });
                last
            })
            .collect();
        column(last.len(), |index| last[index].as_deref())
    }

    fn drop(&mut self, _batch: Resource<Batch>) -> wasmtime::Result<()> {
        Err(misuse("it dropped a batch that it was only lent".to_owned()))
    }
}

/// What is said of a record that no guest that reads headers can judge.
pub const UNREADABLE_HEADER: &str = "a header key is not UTF-8, and this plugin reads headers";

/// The guest saw a replacement character where a header's key is not UTF-8: whatever it concluded from that does not count.
pub(crate) fn unreadable_headers(records: &dyn Records) -> impl Iterator<Item = u32> {
    (0..records.len())
        .filter(|index| {
            let mut readable = true;
            records.headers(*index, &mut |key, _| readable &= std::str::from_utf8(key).is_ok());
            !readable
        })
        .filter_map(|index| u32::try_from(index).ok())
}

fn declared(declared: bool, what: &'static str) -> wasmtime::Result<()> {
    if declared {
        Ok(())
    } else {
        Err(wasmtime::Error::new(Undeclared(what)))
    }
}

fn misuse(message: String) -> wasmtime::Error {
    wasmtime::Error::new(Misuse(message))
}

/// Batches come from requests whose sizes are 32 bits wide; decoded ones are still checked.
fn length(bytes: usize) -> wasmtime::Result<u32> {
    u32::try_from(bytes).map_err(|_| misuse(format!("a column of {bytes} bytes is too long for a guest")))
}

fn column<'a>(len: usize, item: impl Fn(usize) -> Option<&'a [u8]>) -> wasmtime::Result<types::BytesColumn> {
    let bytes = (0..len).map(|index| item(index).map_or(0, <[u8]>::len)).sum();
    length(bytes)?;
    let mut column = types::BytesColumn {
        data: Vec::with_capacity(bytes),
        ends: Vec::with_capacity(len),
        nulls: Vec::new(),
    };
    for index in 0..len {
        match item(index) {
            Some(bytes) => column.data.extend_from_slice(bytes),
            None => column.nulls.push(length(index)?),
        }
        column.ends.push(length(column.data.len())?);
    }
    Ok(column)
}
