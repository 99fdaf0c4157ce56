//! What a transformation wants done to a batch, as plain data.

use crate::bindings::types;

mod check;

pub(crate) use check::{Fault, check};

/// Sparse edits by record index, already checked: indexes are in range and ascending, nothing contradicts, everything was declared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// Ascending by record index; several edits of one record follow each other and apply in order.
    pub edits: Vec<(u32, Edit)>,
    /// New values as one flat column, beside `edits`.
    pub values: ValueEdits,
}

/// New values of many records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueEdits {
    /// Record indexes, strictly ascending.
    pub rows: Vec<u32>,
    /// Item i is the new value of record `rows[i]`.
    pub values: Column,
}

/// Optional byte strings laid end to end: item i is `data[ends[i-1]..ends[i]]`, and null when i is in `nulls`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    pub data: Vec<u8>,
    pub ends: Vec<u32>,
    /// Strictly ascending.
    pub nulls: Vec<u32>,
}

/// An edit of one record. `Drop`, `Replace` and `Reject` are their record's only edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    Drop,
    SetTopic(String),
    SetKey(Option<Vec<u8>>),
    SetValue(Option<Vec<u8>>),
    SetHeaders(Vec<Header>),
    AppendHeader(Header),
    RemoveHeaders(String),
    /// At least one record.
    Replace(Vec<Outgoing>),
    /// The reason, for `errors.tolerance` to decide.
    Reject(String),
}

/// A header to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub key: String,
    pub value: Option<Vec<u8>>,
}

/// A record in place of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<Header>,
}

// === impl Edits ===

impl Edits {
    /// Every record passes unchanged.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty() && self.values.rows.is_empty()
    }

    /// Takes back what was asked for one record.
    pub(crate) fn remove(&mut self, record: u32) {
        self.edits.retain(|(other, _)| *other != record);
        if let Ok(row) = self.values.rows.binary_search(&record) {
            self.values.rows.remove(row);
            self.values.values.remove(row);
        }
    }

    pub(crate) fn from_wit(edits: types::Edits) -> Self {
        let types::ValueEdits { rows, values } = edits.values;
        let types::BytesColumn { data, ends, nulls } = values;
        Self {
            edits: edits
                .edits
                .into_iter()
                .map(|(index, edit)| (index, Edit::from_wit(edit)))
                .collect(),
            values: ValueEdits {
                rows,
                values: Column { data, ends, nulls },
            },
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
        let null = u32::try_from(index).is_ok_and(|index| self.nulls.binary_search(&index).is_ok());
        let start = if index == 0 {
            0
        } else {
            *self.ends.get(index - 1)? as usize
        };
        let end = *self.ends.get(index)? as usize;
        if null { None } else { self.data.get(start..end) }
    }

    /// Every item in order, null as none.
    pub fn iter(&self) -> impl Iterator<Item = Option<&[u8]>> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Takes an item and its bytes out.
    fn remove(&mut self, index: usize) {
        let Ok(row) = u32::try_from(index) else { return };
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        let gone = self.ends[index] - start;
        self.data.drain(start as usize..self.ends[index] as usize);
        self.ends.remove(index);
        self.ends[index..].iter_mut().for_each(|end| *end -= gone);
        self.nulls.retain(|null| *null != row);
        self.nulls
            .iter_mut()
            .filter(|null| **null > row)
            .for_each(|null| *null -= 1);
    }
}

// === impl Edit, Header, Outgoing ===

impl Edit {
    fn from_wit(edit: types::Edit) -> Self {
        match edit {
            types::Edit::Drop => Self::Drop,
            types::Edit::SetTopic(topic) => Self::SetTopic(topic),
            types::Edit::SetKey(key) => Self::SetKey(key),
            types::Edit::SetValue(value) => Self::SetValue(value),
            types::Edit::SetHeaders(headers) => Self::SetHeaders(Header::all(headers)),
            types::Edit::AppendHeader(header) => Self::AppendHeader(Header::from_wit(header)),
            types::Edit::RemoveHeaders(key) => Self::RemoveHeaders(key),
            types::Edit::Replace(records) => {
                Self::Replace(records.into_iter().map(Outgoing::from_wit).collect())
            }
            types::Edit::Reject(reason) => Self::Reject(reason),
        }
    }
}

impl Header {
    fn from_wit(header: types::Header) -> Self {
        Self {
            key: header.key,
            value: header.value,
        }
    }

    fn all(headers: Vec<types::Header>) -> Vec<Self> {
        headers.into_iter().map(Self::from_wit).collect()
    }
}

impl Outgoing {
    fn from_wit(record: types::Outgoing) -> Self {
        Self {
            key: record.key,
            value: record.value,
            headers: Header::all(record.headers),
        }
    }
}
