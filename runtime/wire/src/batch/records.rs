use std::fmt;

use bytes::Bytes;
use towpath_domain::Offset;

use super::{Compression, Headers, SourceSpan};

/// The records of one batch, decoded and checked to the last byte. Owns its memory: can be kept in an `Arc` and given to plugins.
pub struct Records {
    /// Decompressed; the fetched bytes themselves when they were not compressed.
    data: Bytes,
    entries: Vec<Entry>,
    source: SourceSpan,
    compression: Compression,
}

/// One record. Borrowed, and cheap to copy; made by hand it is what an [`Encoder`](super::Encoder) takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// At the source.
    pub offset: Offset,
    /// ms since 1970, as a consumer is told it: the append time where the batch has one. -1: none.
    pub timestamp: i64,
    /// Null is not empty.
    pub key: Option<&'a [u8]>,
    /// Null is a tombstone, empty is not.
    pub value: Option<&'a [u8]>,
    pub headers: Headers<'a>,
}

/// Where a record is in the data. 40 bytes, whatever the record's size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) offset: i64,
    pub(super) timestamp: i64,
    pub(super) key: Range,
    pub(super) value: Range,
    pub(super) headers: Range,
}

/// Bytes of the data: a batch is less than 2 GiB, decompressed too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    start: u32,
    /// [`Range::NULL`]'s is no length.
    length: u32,
}

// === impl Records ===

impl Records {
    pub(super) fn new(
        data: Bytes,
        entries: Vec<Entry>,
        source: SourceSpan,
        compression: Compression,
    ) -> Self {
        Self {
            data,
            entries,
            source,
            compression,
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Record `index`, from 0. Panics when there is none, like an index.
    pub fn record(&self, index: usize) -> Record<'_> {
        let entry = &self.entries[index];
        Record {
            offset: Offset(entry.offset),
            timestamp: entry.timestamp,
            key: entry.key.of(&self.data),
            value: entry.value.of(&self.data),
            headers: entry
                .headers
                .of(&self.data)
                .map_or(Headers::EMPTY, Headers::checked),
        }
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        (0..self.len()).map(|index| self.record(index))
    }

    /// The source offsets of the batch, those without a record included.
    pub fn source(&self) -> SourceSpan {
        self.source
    }

    /// How the batch was compressed, to encode its records the same way.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Bytes of memory this takes, for budgets. Records that were not compressed share, and keep alive, the whole Fetch answer they came in.
    pub fn memory(&self) -> usize {
        self.data.len() + self.entries.capacity() * size_of::<Entry>()
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

// === impl Record ===

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("offset", &self.offset.0)
            .field("timestamp", &self.timestamp)
            .field(
                "key",
                &self.key.map(<[u8]>::escape_ascii).map(|text| text.to_string()),
            )
            .field(
                "value",
                &self.value.map(<[u8]>::escape_ascii).map(|text| text.to_string()),
            )
            .field("headers", &self.headers.len())
            .finish()
    }
}

// === impl Range ===

impl Range {
    pub(super) const NULL: Self = Self {
        start: 0,
        length: u32::MAX,
    };

    /// `start` and `end` are positions in data of less than 4 GiB.
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self {
            start: start as u32,
            length: (end - start) as u32,
        }
    }

    pub(super) fn of(self, data: &[u8]) -> Option<&[u8]> {
        if self.length == Self::NULL.length {
            return None;
        }
        Some(&data[self.start as usize..][..self.length as usize])
    }
}
