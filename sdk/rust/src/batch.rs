//! Records as a plugin sees them.

use crate::Reads;

/// A batch of records of one partition, lent for one call. Every accessor copies, so ask once and for whole columns.
///
/// Accessors of columns that were not declared in [`Needs`](crate::Needs) stop the plugin: it is broken.
pub struct Batch<'a> {
    source: &'a dyn Source,
}

/// Where a batch's records come from: the host, or a test.
#[doc(hidden)]
pub trait Source {
    fn count(&self) -> u32;
    fn topic(&self) -> String;
    fn partition(&self) -> u32;
    fn offsets(&self) -> Vec<i64>;
    fn timestamps(&self) -> Vec<i64>;
    fn timestamp_type(&self) -> TimestampType;
    fn keys(&self) -> Column;
    fn values(&self) -> Column;
    fn key(&self, index: u32) -> Option<Vec<u8>>;
    fn value(&self, index: u32) -> Option<Vec<u8>>;
    fn headers(&self, index: u32) -> Vec<Header>;
    fn header_column(&self, key: &str) -> Column;
}

/// Where timestamps come from (KIP-32).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}

/// A record header. A key may occur more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub key: String,
    pub value: Option<Vec<u8>>,
}

/// One optional byte string per record, laid end to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// The items' bytes, one after the other.
    pub data: Vec<u8>,
    /// Where each item ends in `data`.
    pub ends: Vec<u32>,
    /// Which items are null, ascending.
    pub nulls: Vec<u32>,
}

/// Some columns of a batch, to be looked at record by record.
#[derive(Clone, Debug, Default)]
pub struct Records {
    len: u32,
    keys: Column,
    values: Column,
    timestamps: Vec<i64>,
    offsets: Vec<i64>,
}

/// One record of [`Records`]. What was not asked for is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub index: u32,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// ms since the epoch
    pub timestamp: Option<i64>,
    pub offset: Option<i64>,
}

// === impl Batch ===

impl<'a> Batch<'a> {
    #[doc(hidden)]
    pub fn new(source: &'a dyn Source) -> Self {
        Self { source }
    }

    /// How many records there are, at least 1.
    pub fn len(&self) -> u32 {
        self.source.count()
    }

    /// Never, in a call from the host.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The topic that the batch was read from.
    pub fn topic(&self) -> String {
        self.source.topic()
    }

    pub fn partition(&self) -> u32 {
        self.source.partition()
    }

    /// One per record, ascending, possibly with gaps; empty for records not yet written. Reads `offset`.
    pub fn offsets(&self) -> Vec<i64> {
        self.source.offsets()
    }

    /// ms since the epoch, one per record; -1: none. Reads `timestamp`.
    pub fn timestamps(&self) -> Vec<i64> {
        self.source.timestamps()
    }

    /// Reads `timestamp`.
    pub fn timestamp_type(&self) -> TimestampType {
        self.source.timestamp_type()
    }

    /// All keys. Reads `key`.
    pub fn keys(&self) -> Column {
        self.source.keys()
    }

    /// All values; null: a tombstone. Reads `value`.
    pub fn values(&self) -> Column {
        self.source.values()
    }

    /// One key, where only few are looked at. Reads `key`.
    pub fn key(&self, index: u32) -> Option<Vec<u8>> {
        self.source.key(index)
    }

    /// One value, where only few are looked at. Reads `value`.
    pub fn value(&self, index: u32) -> Option<Vec<u8>> {
        self.source.value(index)
    }

    /// All headers of one record, in order. Reads `header`.
    pub fn headers(&self, index: u32) -> Vec<Header> {
        self.source.headers(index)
    }

    /// The last value of the header of this key, per record. Reads `header`.
    pub fn header_column(&self, key: &str) -> Column {
        self.source.header_column(key)
    }

    /// These columns, to be looked at record by record; headers are not among them.
    pub fn records(&self, reads: Reads) -> Records {
        Records {
            len: self.len(),
            keys: if reads.key { self.keys() } else { Column::default() },
            values: if reads.value {
                self.values()
            } else {
                Column::default()
            },
            timestamps: if reads.timestamp {
                self.timestamps()
            } else {
                Vec::new()
            },
            offsets: if reads.offset { self.offsets() } else { Vec::new() },
        }
    }
}

// === impl Column ===

impl Column {
    /// How many items there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Item `index`; none: null, or not there.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        if u32::try_from(index).is_ok_and(|index| self.nulls.binary_search(&index).is_ok()) {
            return None;
        }
        let start = if index == 0 {
            0
        } else {
            *self.ends.get(index - 1)? as usize
        };
        self.data.get(start..*self.ends.get(index)? as usize)
    }

    /// Every item in order, null as none.
    pub fn iter(&self) -> impl Iterator<Item = Option<&[u8]>> {
        let (mut start, mut nulls) = (0, self.nulls.iter().copied().peekable());
        self.ends.iter().zip(0..).map(move |(end, index)| {
            let item = self.data.get(start..*end as usize);
            start = *end as usize;
            if nulls.next_if_eq(&index).is_some() {
                None
            } else {
                item
            }
        })
    }

    /// One more item at the end.
    pub fn push(&mut self, item: Option<&[u8]>) {
        match item {
            Some(bytes) => self.write(|data| data.extend_from_slice(bytes)),
            None => {
                self.nulls.push(self.ends.len() as u32);
                self.write(|_| {});
            }
        }
    }

    /// One more item at the end, which `write` appends to the bytes.
    pub(crate) fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.data);
        // a guest's memory has less than 4 GiB
        self.ends.push(self.data.len() as u32);
    }
}

impl<'a> FromIterator<Option<&'a [u8]>> for Column {
    fn from_iter<T: IntoIterator<Item = Option<&'a [u8]>>>(items: T) -> Self {
        let mut column = Self::default();
        items.into_iter().for_each(|item| column.push(item));
        column
    }
}

// === impl Records ===

impl Records {
    /// Every record, in order.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        let (mut keys, mut values) = (self.keys.iter(), self.values.iter());
        (0..self.len).map(move |index| Record {
            index,
            key: keys.next().flatten(),
            value: values.next().flatten(),
            timestamp: self.timestamps.get(index as usize).copied(),
            offset: self.offsets.get(index as usize).copied(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_tells_null_from_empty() {
        let items = [Some(&b"ab"[..]), None, Some(b""), Some(b"c"), None];
        let column: Column = items.into_iter().collect();
        assert_eq!(
            (column.data.as_slice(), column.nulls.as_slice()),
            (&b"abc"[..], &[1, 4][..])
        );
        assert_eq!(column.iter().collect::<Vec<_>>(), items);
        assert_eq!(
            (0..6).map(|index| column.get(index)).collect::<Vec<_>>()[..5],
            items
        );
    }
}
