//! What a transformation wants done to a batch.

use crate::{Column, Header};

/// Sparse edits by record index. Records without an edit pass unchanged.
///
/// Give edits in the order of records: the host refuses others. A record may have several edits, which apply in order, unless one of
/// them is `drop`, `replace` or `reject`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    pub(crate) edits: Vec<(u32, Edit)>,
    /// new values as one flat column: the cheap way for many records
    pub(crate) rows: Vec<u32>,
    pub(crate) values: Column,
}

/// An edit of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    Drop,
    SetTopic(String),
    SetKey(Option<Vec<u8>>),
    SetValue(Option<Vec<u8>>),
    SetHeaders(Vec<Header>),
    AppendHeader(Header),
    RemoveHeaders(String),
    Replace(Vec<Outgoing>),
    Reject(String),
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
    pub fn new() -> Self {
        Self::default()
    }

    pub fn is_empty(&self) -> bool {
        self.edits.is_empty() && self.rows.is_empty()
    }

    /// The record is not written.
    pub fn drop(&mut self, index: u32) {
        self.push(index, Edit::Drop);
    }

    /// Another target topic for this record.
    pub fn set_topic(&mut self, index: u32, topic: impl Into<String>) {
        self.push(index, Edit::SetTopic(topic.into()));
    }

    /// A new key; none: no key.
    pub fn set_key(&mut self, index: u32, key: Option<Vec<u8>>) {
        self.push(index, Edit::SetKey(key));
    }

    /// A new value; none: a tombstone. It goes into a column that all new values share.
    pub fn set_value(&mut self, index: u32, value: Option<&[u8]>) {
        self.rows.push(index);
        self.values.push(value);
    }

    /// A new value, which `write` appends to what it is given: without a copy of its own.
    pub fn write_value(&mut self, index: u32, write: impl FnOnce(&mut Vec<u8>)) {
        self.rows.push(index);
        self.values.write(write);
    }

    /// Makes room for so many new values, of so many bytes together, where that can be told before: a column that grows is copied again and again.
    pub fn reserve_values(&mut self, records: usize, bytes: usize) {
        self.rows.reserve(records);
        self.values.ends.reserve(records);
        self.values.data.reserve(bytes);
    }

    /// These headers in place of all present ones.
    pub fn set_headers(&mut self, index: u32, headers: Vec<Header>) {
        self.push(index, Edit::SetHeaders(headers));
    }

    /// One more header, after the present ones.
    pub fn append_header(&mut self, index: u32, key: impl Into<String>, value: Option<Vec<u8>>) {
        self.push(
            index,
            Edit::AppendHeader(Header {
                key: key.into(),
                value,
            }),
        );
    }

    /// Every header of this key goes.
    pub fn remove_headers(&mut self, index: u32, key: impl Into<String>) {
        self.push(index, Edit::RemoveHeaders(key.into()));
    }

    /// The record becomes these: at least one.
    pub fn replace(&mut self, index: u32, records: Vec<Outgoing>) {
        self.push(index, Edit::Replace(records));
    }

    /// The record cannot be handled: the pipeline's `errors.tolerance` decides. One sentence, lower case, without the record's content.
    pub fn reject(&mut self, index: u32, reason: impl Into<String>) {
        self.push(index, Edit::Reject(reason.into()));
    }

    /// Any edit.
    pub fn push(&mut self, index: u32, edit: Edit) {
        self.edits.push((index, edit));
    }
}
