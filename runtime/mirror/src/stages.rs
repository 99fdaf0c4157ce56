//! The transformations of a pipeline on decoded records.
//!
//! One [`Stages`] holds one instance of each transformation; a task has a few, each working on one partition at a time.

use std::{ops::Range, sync::Arc};

use towpath_domain::{Offset, Partition, TopicPartition};
use towpath_plugin_host as host;
use towpath_wire::batch::{Headers, HeadersBuilder, Record, Records, TimestampType};

/// One instance of each transformation, in order, with the alias the user gave it.
pub(crate) struct Stages {
    transformations: Vec<(String, host::Transformation)>,
}

/// Where records come from, as plugins may ask.
pub(crate) struct Origin {
    pub partition: TopicPartition,
    pub timestamp_type: TimestampType,
    /// records before it were not asked for: a batch may begin earlier
    pub from: Offset,
}

/// The record a pipeline cannot pass, and why.
#[derive(Debug)]
pub(crate) struct Stuck {
    pub offset: Offset,
    pub message: String,
}

/// Records on their way through the stages: the decoded batch, and what was changed.
pub(crate) struct Rows {
    base: Records,
    origin: Origin,
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

// === impl Stages ===

impl Stages {
    pub(crate) fn new(transformations: Vec<(String, host::Transformation)>) -> Self {
        Self { transformations }
    }

    /// Runs every stage over the records. On an error nothing of the batch is written, and the record is named.
    pub(crate) fn apply(&mut self, base: Records, origin: Origin) -> Result<Rows, Stuck> {
        let mut rows = Arc::new(Rows::new(base, origin));
        for (alias, transformation) in &mut self.transformations {
            if rows.rows.is_empty() {
                break;
            }
            let edits = call(alias, transformation, &rows)?;
            let Some(owned) = Arc::get_mut(&mut rows) else {
                return Err(rows.stuck(
                    0,
                    format!("transforms.{alias}: the plugin kept the batch after its call"),
                ));
            };
            owned
                .edit(edits)
                .map_err(|(index, what)| owned.stuck(index, format!("transforms.{alias}: {what}")))?;
        }
        Arc::try_unwrap(rows)
            .map_err(|rows| rows.stuck(0, "a plugin kept the batch after its call".to_owned()))
    }
}

/// One call, and one more on a fresh instance when the plugin broke: what it does must depend on configuration and batch alone, so a
/// second break means that it always breaks here.
fn call(
    alias: &str,
    transformation: &mut host::Transformation,
    rows: &Arc<Rows>,
) -> Result<host::Edits, Stuck> {
    let mut attempt = || transformation.transform(Arc::clone(rows) as Arc<dyn host::Records>);
    let result = match attempt() {
        Err(first) if is_worth_another_call(&first) => {
            tracing::warn!(alias, error = %first, "calling the plugin once more on a fresh instance");
            attempt()
        }
        result => result,
    };
    result.map_err(|error| rows.stuck(0, format!("transforms.{alias}: {error}")))
}

/// Applies what a plugin would have answered.
pub(crate) fn edited(base: Records, origin: Origin, edits: host::Edits) -> Result<Rows, Stuck> {
    let mut rows = Rows::new(base, origin);
    match rows.edit(edits) {
        Ok(()) => Ok(rows),
        Err((index, what)) => Err(rows.stuck(index, what)),
    }
}

/// What a plugin calls final is final.
fn is_worth_another_call(error: &host::CallError) -> bool {
    match error {
        host::CallError::Failure { retriable, .. } => *retriable,
        host::CallError::Broken(_) => true,
    }
}

// === impl Rows ===

impl Rows {
    fn new(base: Records, origin: Origin) -> Self {
        let rows = (0..base.len())
            .filter(|index| base.record(*index).offset >= origin.from)
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

    /// What is to be written.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.rows.iter().map(|row| self.record(row))
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

    fn stuck(&self, row: usize, message: String) -> Stuck {
        let offset = self
            .rows
            .get(row)
            .map_or(self.base.source().first, |row| self.base.record(row.index).offset);
        Stuck { offset, message }
    }

    /// Applies what the host has checked: indexes in range, ascending, no contradictions. An error is a reject and names the row.
    fn edit(&mut self, edits: host::Edits) -> Result<(), (usize, String)> {
        let host::Edits { edits, values } = edits;
        let column = self.columns.len();
        let mut start = 0;
        let mut nulls = values.values.nulls.iter().peekable();
        for (item, (row, end)) in values.rows.iter().zip(&values.values.ends).enumerate() {
            let end = *end as usize;
            let is_null = nulls.next_if(|null| **null as usize == item).is_some();
            self.rows[*row as usize].value = if is_null {
                Cell::Null
            } else {
                Cell::Column(column, start..end)
            };
            start = end;
        }
        self.columns.push(values.values.data);
        let mut removed = Vec::new();
        for (row, edit) in edits {
            let row = row as usize;
            match edit {
                host::Edit::Drop => removed.push((row, Vec::new())),
                host::Edit::Replace(records) => removed.push((row, records)),
                host::Edit::Reject(reason) => return Err((row, format!("rejected: {reason}"))),
                host::Edit::SetTopic(topic) => {
                    return Err((
                        row,
                        format!(
                            "moving single records to another topic ({topic}) is not possible in this version"
                        ),
                    ));
                }
                host::Edit::SetKey(key) => self.rows[row].key = Cell::from(key),
                host::Edit::SetValue(value) => self.rows[row].value = Cell::from(value),
                host::Edit::SetHeaders(headers) => self.rows[row].headers = Some(raw(&headers)),
                host::Edit::AppendHeader(header) => self.keep_headers(row, |_| true, Some(&header)),
                host::Edit::RemoveHeaders(name) => self.keep_headers(row, |key| key != name.as_bytes(), None),
            }
        }
        self.replace(removed);
        Ok(())
    }

    /// The headers whose key passes, byte for byte as they were, and one more.
    fn keep_headers(&mut self, row: usize, keep: impl Fn(&[u8]) -> bool, more: Option<&host::Header>) {
        let mut builder = HeadersBuilder::new();
        for (key, value) in self
            .record(&self.rows[row])
            .headers
            .iter()
            .filter(|(key, _)| keep(key))
        {
            builder.push(key, value);
        }
        if let Some(header) = more {
            builder.push(header.key.as_bytes(), header.value.as_deref());
        }
        self.rows[row].headers = Some(builder.headers().raw().to_vec());
    }

    /// Each named row gives way to its records; none: it is dropped.
    fn replace(&mut self, removed: Vec<(usize, Vec<host::Outgoing>)>) {
        if removed.is_empty() {
            return;
        }
        let mut removed = removed.into_iter().peekable();
        let rows = std::mem::take(&mut self.rows);
        for (position, row) in rows.into_iter().enumerate() {
            match removed.next_if(|(at, _)| *at == position) {
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

impl host::Records for Rows {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn topic(&self) -> &str {
        self.origin.partition.topic.as_str()
    }

    fn partition(&self) -> Partition {
        self.origin.partition.partition
    }

    fn offset(&self, index: usize) -> Offset {
        self.base.record(self.rows[index].index).offset
    }

    fn timestamp(&self, index: usize) -> i64 {
        self.base.record(self.rows[index].index).timestamp
    }

    fn timestamp_type(&self) -> host::TimestampType {
        match self.origin.timestamp_type {
            TimestampType::CreateTime => host::TimestampType::CreateTime,
            TimestampType::LogAppendTime => host::TimestampType::LogAppendTime,
        }
    }

    fn key(&self, index: usize) -> Option<&[u8]> {
        self.record(&self.rows[index]).key
    }

    fn value(&self, index: usize) -> Option<&[u8]> {
        self.record(&self.rows[index]).value
    }

    fn headers(&self, index: usize, each: &mut dyn FnMut(&[u8], Option<&[u8]>)) {
        for (key, value) in self.record(&self.rows[index]).headers.iter() {
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
