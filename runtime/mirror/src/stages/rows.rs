//! Records on their way through the stages: the decoded batch, and what was changed.

use std::{ops::Range, sync::Arc};

use towpath_domain::{Offset, Partition, TopicName};
use towpath_plugin_host as host;
use towpath_wire::batch::{Headers, HeadersBuilder, Record, Records, TimestampType};

use super::{Origin, Place};

pub(crate) struct Rows {
    base: Arc<Records>,
    origin: Arc<Origin>,
    rows: Vec<Row>,
    /// the value columns of the stages so far
    columns: Vec<Vec<u8>>,
}

/// One outgoing record. `index` is the decoded record whose offset and timestamp it has.
#[derive(Clone)]
struct Row {
    index: usize,
    key: Cell,
    value: Cell,
    /// none: the decoded record's own
    headers: Option<Vec<u8>>,
}

#[derive(Clone)]
enum Cell {
    Base,
    Null,
    Own(Vec<u8>),
    /// bytes of a stage's value column
    Column(usize, Range<usize>),
}

/// Some of the rows, by index, as a plugin is shown them.
pub(super) struct Part {
    pub rows: Arc<Rows>,
    pub indexes: Vec<u32>,
    pub side: Side,
}

/// Of which cluster a plugin is shown rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// what was read
    Source,
    /// what is about to be written: under the target's name, and without offsets
    Target,
}

// === impl Rows ===

impl Rows {
    /// The records that were asked for.
    pub(super) fn new(base: Arc<Records>, origin: Arc<Origin>) -> Self {
        let rows = (0..base.len())
            .filter(|index| origin.wants(base.record(*index).offset))
            .map(|index| Row {
                index,
                key: Cell::Base,
                value: Cell::Base,
                headers: None,
            })
            .collect();
        Self {
            base,
            origin,
            rows,
            columns: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// What is to be written.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.rows.iter().map(|row| self.record(row))
    }

    /// The decoded record that a row came from, as it was read.
    pub(super) fn source(&self, row: usize) -> Record<'_> {
        self.base.record(self.rows[row].index)
    }

    /// Which decoded record each row came from, in order.
    pub(super) fn sources(&self) -> impl Iterator<Item = usize> {
        self.rows.iter().map(|row| row.index)
    }

    pub(super) fn source_index(&self, row: usize) -> usize {
        self.rows[row].index
    }

    pub(super) fn place(&self) -> (&TopicName, Partition) {
        (&self.origin.source, self.origin.partition)
    }

    /// Where these rows come from.
    pub(super) fn place_of(&self, indexes: &[u32]) -> Place<'_> {
        Place {
            topic: &self.origin.source,
            partition: Some(self.origin.partition),
            offset: indexes.first().map(|row| self.offset_of(*row as usize)),
            records: indexes.len(),
        }
    }

    /// The first offset there is.
    pub(super) fn first(&self) -> Offset {
        self.rows
            .first()
            .map_or(self.base.source().first, |row| self.base.record(row.index).offset)
    }

    pub(super) fn offset_of(&self, row: usize) -> Offset {
        self.source(row).offset
    }

    fn record<'a>(&'a self, row: &'a Row) -> Record<'a> {
        let base = self.base.record(row.index);
        Record {
            key: self.cell(&row.key, base.key),
            value: self.cell(&row.value, base.value),
            headers: match &row.headers {
                // The builder wrote them, so they parse.
                Some(raw) => Headers::parse(raw).unwrap_or(Headers::EMPTY),
                None => base.headers,
            },
            ..base
        }
    }

    fn cell<'a>(&'a self, cell: &'a Cell, base: Option<&'a [u8]>) -> Option<&'a [u8]> {
        match cell {
            Cell::Base => base,
            Cell::Null => None,
            Cell::Own(bytes) => Some(bytes),
            Cell::Column(column, range) => Some(&self.columns[*column][range.clone()]),
        }
    }

    /// Applies what the host has checked: indexes into `indexes` (which are rows) in range, ascending, no contradictions. Gives the rows that
    /// the plugin rejects, and why; they are as they were.
    pub(super) fn edit(
        &mut self,
        edits: host::Edits,
        indexes: &[u32],
        gone: &mut Gone,
    ) -> Vec<(usize, String)> {
        let host::Edits { edits, values } = edits;
        let column = self.columns.len();
        let mut start = 0;
        let mut nulls = values.values.nulls.iter().peekable();
        for (item, (row, end)) in values.rows.iter().zip(&values.values.ends).enumerate() {
            let end = *end as usize;
            let is_null = nulls.next_if(|null| **null as usize == item).is_some();
            self.rows[indexes[*row as usize] as usize].value = if is_null {
                Cell::Null
            } else {
                Cell::Column(column, start..end)
            };
            start = end;
        }
        if !values.rows.is_empty() {
            self.columns.push(values.values.data);
        }
        let mut rejected = Vec::new();
        for (row, edit) in edits {
            let row = indexes[row as usize] as usize;
            match edit {
                host::Edit::Drop => gone.push((row, Vec::new())),
                host::Edit::Replace(records) => gone.push((row, records)),
                host::Edit::Reject(reason) => rejected.push((row, reason)),
                // Refused when the connector starts: a plugin that declares no such effect breaks on one.
                host::Edit::SetTopic(topic) => rejected.push((
                    row,
                    format!("single records cannot be moved to another topic ({topic}) in this version"),
                )),
                host::Edit::SetKey(key) => self.rows[row].key = Cell::from(key),
                host::Edit::SetValue(value) => self.rows[row].value = Cell::from(value),
                host::Edit::SetHeaders(headers) => self.rows[row].headers = Some(raw(&headers)),
                host::Edit::AppendHeader(header) => {
                    self.append_header(row, &header.key, header.value.as_deref())
                }
                host::Edit::RemoveHeaders(name) => self.keep_headers(row, |key| key != name.as_bytes(), None),
            }
        }
        rejected
    }

    pub(super) fn append_header(&mut self, row: usize, key: &str, value: Option<&[u8]>) {
        self.keep_headers(row, |_| true, Some((key, value)));
    }

    /// The headers whose key passes, byte for byte as they were, and one more.
    fn keep_headers(
        &mut self,
        row: usize,
        keep: impl Fn(&[u8]) -> bool,
        more: Option<(&str, Option<&[u8]>)>,
    ) {
        let mut builder = HeadersBuilder::new();
        for (key, value) in self
            .record(&self.rows[row])
            .headers
            .iter()
            .filter(|(key, _)| keep(key))
        {
            builder.push(key, value);
        }
        if let Some((key, value)) = more {
            builder.push(key.as_bytes(), value);
        }
        self.rows[row].headers = Some(builder.headers().raw().to_vec());
    }

    /// Each named row, ascending, gives way to its records; none: it is gone.
    pub(super) fn replace(&mut self, gone: Gone) {
        if gone.is_empty() {
            return;
        }
        let mut gone = gone.into_iter().peekable();
        let rows = std::mem::take(&mut self.rows);
        for (position, row) in rows.into_iter().enumerate() {
            match gone.next_if(|(at, _)| *at == position) {
                None => self.rows.push(row),
                Some((_, records)) => self.rows.extend(records.into_iter().map(|record| Row {
                    index: row.index,
                    key: Cell::from(record.key),
                    value: Cell::from(record.value),
                    headers: Some(raw(&record.headers)),
                })),
            }
        }
    }
}

/// Rows that leave, and what takes their place.
pub(super) type Gone = Vec<(usize, Vec<host::Outgoing>)>;

// === impl Part ===

impl Part {
    fn row(&self, index: usize) -> Record<'_> {
        self.rows.record(&self.rows.rows[self.indexes[index] as usize])
    }
}

impl host::Records for Part {
    fn len(&self) -> usize {
        self.indexes.len()
    }

    fn topic(&self) -> &str {
        match self.side {
            Side::Source => self.rows.origin.source.as_str(),
            Side::Target => self.rows.origin.target.as_str(),
        }
    }

    fn partition(&self) -> Partition {
        self.rows.origin.partition
    }

    fn offset(&self, index: usize) -> Offset {
        self.rows.offset_of(self.indexes[index] as usize)
    }

    fn has_offsets(&self) -> bool {
        self.side == Side::Source
    }

    fn timestamp(&self, index: usize) -> i64 {
        self.rows.source(self.indexes[index] as usize).timestamp
    }

    fn timestamp_type(&self) -> host::TimestampType {
        match self.rows.origin.timestamp_type {
            TimestampType::CreateTime => host::TimestampType::CreateTime,
            TimestampType::LogAppendTime => host::TimestampType::LogAppendTime,
        }
    }

    fn key(&self, index: usize) -> Option<&[u8]> {
        self.row(index).key
    }

    fn value(&self, index: usize) -> Option<&[u8]> {
        self.row(index).value
    }

    fn headers(&self, index: usize, each: &mut dyn FnMut(&[u8], Option<&[u8]>)) {
        for (key, value) in self.row(index).headers.iter() {
            each(key, value);
        }
    }
}

// === impl Cell ===

impl From<Option<Vec<u8>>> for Cell {
    fn from(bytes: Option<Vec<u8>>) -> Self {
        bytes.map_or(Self::Null, Self::Own)
    }
}

fn raw(headers: &[host::Header]) -> Vec<u8> {
    let mut builder = HeadersBuilder::new();
    for header in headers {
        builder.push(header.key.as_bytes(), header.value.as_deref());
    }
    builder.headers().raw().to_vec()
}
