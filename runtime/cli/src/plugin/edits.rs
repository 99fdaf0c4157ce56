//! What is written when a transformation's edits are applied to the records of a case.

use towpath_plugin_cases::{Header, Outgoing, Record, Rejection, Transformed};
use towpath_plugin_host as host;

/// The host has checked the edits: indexes in range and ascending, no contradictions.
pub(super) fn applied(records: &[Record], edits: host::Edits) -> Transformed {
    let mut transformed = Transformed::default();
    let host::Edits { edits, values } = edits;
    let mut edits = edits.into_iter().peekable();
    let mut rows = values.rows.iter().zip(values.values.iter()).peekable();
    for (index, record) in (0_u32..).zip(records) {
        let mut written = Some(outgoing(record));
        if let (Some((_, value)), Some(written)) = (rows.next_if(|(row, _)| **row == index), &mut written) {
            written.value = value.map(<[u8]>::to_vec);
        }
        while let Some((_, edit)) = edits.next_if(|(row, _)| *row == index) {
            match edit {
                host::Edit::Drop => written = None,
                host::Edit::Reject(reason) => {
                    written = None;
                    transformed.rejected.push(Rejection { index, reason });
                }
                host::Edit::Replace(records) => {
                    written = None;
                    transformed.records.extend(records.into_iter().map(replacing));
                }
                edit => written.iter_mut().for_each(|written| change(written, &edit)),
            }
        }
        transformed.records.extend(written);
    }
    transformed
}

/// The edits that leave a record one record.
fn change(record: &mut Outgoing, edit: &host::Edit) {
    match edit.clone() {
        host::Edit::SetTopic(topic) => record.topic = Some(topic),
        host::Edit::SetKey(key) => record.key = key,
        host::Edit::SetValue(value) => record.value = value,
        host::Edit::SetHeaders(headers) => record.headers = headers.into_iter().map(header).collect(),
        host::Edit::AppendHeader(more) => record.headers.push(header(more)),
        host::Edit::RemoveHeaders(key) => record.headers.retain(|header| header.key != key),
        host::Edit::Drop | host::Edit::Replace(_) | host::Edit::Reject(_) => {}
    }
}

fn outgoing(record: &Record) -> Outgoing {
    Outgoing {
        topic: None,
        key: record.key.clone(),
        value: record.value.clone(),
        headers: record.headers.clone(),
    }
}

fn replacing(record: host::Outgoing) -> Outgoing {
    Outgoing {
        topic: None,
        key: record.key,
        value: record.value,
        headers: record.headers.into_iter().map(header).collect(),
    }
}

fn header(header: host::Header) -> Header {
    Header {
        key: header.key,
        value: header.value,
    }
}
