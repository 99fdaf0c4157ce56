//! Between the contract's records and edits, and this crate's.

use super::wit::{batches, types};
use crate::{Column, Edit, Edits, Failure, Header, Outgoing, Source, TimestampType};

impl Source for batches::Batch {
    fn count(&self) -> u32 {
        self.len()
    }

    fn topic(&self) -> String {
        self.topic()
    }

    fn partition(&self) -> u32 {
        self.partition()
    }

    fn offsets(&self) -> Vec<i64> {
        self.offsets()
    }

    fn timestamps(&self) -> Vec<i64> {
        self.timestamps()
    }

    fn timestamp_type(&self) -> TimestampType {
        match self.timestamp_type() {
            batches::TimestampType::CreateTime => TimestampType::CreateTime,
            batches::TimestampType::LogAppendTime => TimestampType::LogAppendTime,
        }
    }

    fn keys(&self) -> Column {
        self.keys().into()
    }

    fn values(&self) -> Column {
        self.values().into()
    }

    fn key(&self, index: u32) -> Option<Vec<u8>> {
        self.key(index)
    }

    fn value(&self, index: u32) -> Option<Vec<u8>> {
        self.value(index)
    }

    fn headers(&self, index: u32) -> Vec<Header> {
        self.headers(index).into_iter().map(Header::from).collect()
    }

    fn header_column(&self, key: &str) -> Column {
        self.header_column(key).into()
    }
}

impl From<types::BytesColumn> for Column {
    fn from(column: types::BytesColumn) -> Self {
        Self {
            data: column.data,
            ends: column.ends,
            nulls: column.nulls,
        }
    }
}

impl From<Column> for types::BytesColumn {
    fn from(column: Column) -> Self {
        Self {
            data: column.data,
            ends: column.ends,
            nulls: column.nulls,
        }
    }
}

impl From<types::Header> for Header {
    fn from(header: types::Header) -> Self {
        Self {
            key: header.key,
            value: header.value,
        }
    }
}

impl From<Header> for types::Header {
    fn from(header: Header) -> Self {
        Self {
            key: header.key,
            value: header.value,
        }
    }
}

impl From<Outgoing> for types::Outgoing {
    fn from(record: Outgoing) -> Self {
        Self {
            key: record.key,
            value: record.value,
            headers: all(record.headers),
        }
    }
}

impl From<Edit> for types::Edit {
    fn from(edit: Edit) -> Self {
        match edit {
            Edit::Drop => Self::Drop,
            Edit::SetTopic(topic) => Self::SetTopic(topic),
            Edit::SetKey(key) => Self::SetKey(key),
            Edit::SetValue(value) => Self::SetValue(value),
            Edit::SetHeaders(headers) => Self::SetHeaders(all(headers)),
            Edit::AppendHeader(header) => Self::AppendHeader(header.into()),
            Edit::RemoveHeaders(key) => Self::RemoveHeaders(key),
            Edit::Replace(records) => Self::Replace(all(records)),
            Edit::Reject(reason) => Self::Reject(reason),
        }
    }
}

impl From<Edits> for types::Edits {
    fn from(edits: Edits) -> Self {
        let values = types::ValueEdits {
            rows: edits.rows,
            values: edits.values.into(),
        };
        Self {
            edits: edits
                .edits
                .into_iter()
                .map(|(index, edit)| (index, edit.into()))
                .collect(),
            values,
        }
    }
}

impl From<Failure> for types::Failure {
    fn from(failure: Failure) -> Self {
        Self {
            message: failure.message,
            retriable: failure.retriable,
        }
    }
}

pub(super) fn all<T, U: From<T>>(items: Vec<T>) -> Vec<U> {
    items.into_iter().map(U::from).collect()
}
