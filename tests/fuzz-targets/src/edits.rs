use arbitrary::{Arbitrary, Unstructured};
use towpath_domain::Offset;
use towpath_mirror::fuzzing::{Row as Written, edited};
use towpath_plugin_host::{Column, Edit, Edits, Effects, Header, Outgoing, ValueEdits, fuzzing};
use towpath_wire::batch::{Compression, HeadersBuilder, Records};

use crate::records::{Row, encoded};

/// What a plugin may answer, in the shape of the contract (nothing else comes through WebAssembly), about rows of these.
type Answer<'a> = (Vec<Row<'a>>, [bool; 6], Vec<(u8, Asked)>, Columns, Option<u8>);
/// Which edit, and what it may need: a name or reason, bytes, headers, records.
type Asked = (u8, String, Bytes, Headers, Vec<(Bytes, Bytes, Headers)>);
/// The column of new values: as the contract wants it, or as a plugin may lay it out: rows, data, ends, nulls.
type Columns = Result<Vec<(u8, Bytes)>, (Vec<u8>, Vec<u8>, Vec<u16>, Vec<u8>)>;
type Headers = Vec<(String, Bytes)>;
type Bytes = Option<Vec<u8>>;

/// A record while the model works on it.
type Model = (i64, i64, Bytes, Bytes, Vec<(Vec<u8>, Bytes)>);

/// Edits of any kind of a batch of any kind: those that break the contract are refused, the others do what the contract says, as a model that
/// goes record by record does it.
pub fn edits(data: &[u8]) {
    let Ok((rows, declared, asked, columns, taken_back)) =
        Answer::arbitrary_take_rest(Unstructured::new(data))
    else {
        return;
    };
    let Some(records) = encoded(Compression::None, &rows) else {
        return;
    };
    let count = records.len() as u32;
    let [key, value, headers, drop, split, topic] = declared;
    let declared = Effects {
        key,
        value,
        headers,
        drop,
        split,
        topic,
    };
    let mut edits = Edits {
        edits: asked
            .into_iter()
            .map(|(index, asked)| (u32::from(index), edit(asked)))
            .collect(),
        values: values(columns),
    };
    if !fuzzing::keeps_the_contract(&edits, count, declared) {
        return;
    }
    if let Some(record) = taken_back {
        let record = u32::from(record);
        fuzzing::take_back(&mut edits, record);
        assert!(
            edits.edits.iter().all(|(index, _)| *index != record) && !edits.values.rows.contains(&record)
        );
        assert!(fuzzing::keeps_the_contract(&edits, count, declared));
    }
    assert!(!edits.edits.iter().any(|(_, edit)| undeclared(edit, declared)));
    let expected = model(&records, &edits);
    assert_eq!(edited(records, Offset(0), edits).ok(), expected);
}

/// None: a record is rejected, or is to go elsewhere.
fn model(records: &Records, edits: &Edits) -> Option<Vec<Written>> {
    let mut written = Vec::new();
    for (index, record) in (0_u32..).zip(records.iter()) {
        let own = record.headers.iter();
        let mut row: Model = (
            record.offset.0,
            record.timestamp,
            record.key.map(<[u8]>::to_vec),
            record.value.map(<[u8]>::to_vec),
            own.map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec)))
                .collect(),
        );
        let mut become_rows = None;
        if let Some(item) = edits.values.rows.iter().position(|row| *row == index) {
            row.3 = edits.values.values.iter().nth(item)?.map(<[u8]>::to_vec);
        }
        for (_, edit) in edits.edits.iter().filter(|(record, _)| *record == index) {
            match edit {
                Edit::Reject(_) | Edit::SetTopic(_) => return None,
                Edit::Drop => become_rows = Some(Vec::new()),
                Edit::Replace(records) => become_rows = Some(records.clone()),
                Edit::SetKey(key) => row.2 = key.clone(),
                Edit::SetValue(value) => row.3 = value.clone(),
                Edit::SetHeaders(headers) => row.4 = headers.iter().map(pair).collect(),
                Edit::AppendHeader(header) => row.4.push(pair(header)),
                Edit::RemoveHeaders(name) => row.4.retain(|(key, _)| key != name.as_bytes()),
            }
        }
        match become_rows {
            None => written.push(raw(row)),
            Some(records) => written.extend(records.into_iter().map(|record| {
                let headers = record.headers.iter().map(pair).collect();
                raw((row.0, row.1, record.key, record.value, headers))
            })),
        }
    }
    Some(written)
}

fn raw((offset, timestamp, key, value, headers): Model) -> Written {
    let mut builder = HeadersBuilder::new();
    for (key, value) in &headers {
        builder.push(key, value.as_deref());
    }
    (offset, timestamp, key, value, builder.headers().raw().to_vec())
}

fn pair(header: &Header) -> (Vec<u8>, Option<Vec<u8>>) {
    (header.key.clone().into_bytes(), header.value.clone())
}

fn undeclared(edit: &Edit, declared: Effects) -> bool {
    !match edit {
        Edit::Drop => declared.drop,
        Edit::SetTopic(_) => declared.topic,
        Edit::SetKey(_) => declared.key,
        Edit::SetValue(_) => declared.value,
        Edit::SetHeaders(_) | Edit::AppendHeader(_) | Edit::RemoveHeaders(_) => declared.headers,
        Edit::Replace(_) => declared.split,
        Edit::Reject(_) => true,
    }
}

fn edit((kind, name, bytes, all, records): Asked) -> Edit {
    match kind % 9 {
        0 => Edit::Drop,
        1 => Edit::SetTopic(name),
        2 => Edit::SetKey(bytes),
        3 => Edit::SetValue(bytes),
        4 => Edit::SetHeaders(headers(all)),
        5 => Edit::AppendHeader(Header {
            key: name,
            value: bytes,
        }),
        6 => Edit::RemoveHeaders(name),
        7 => Edit::Replace(
            records
                .into_iter()
                .map(|(key, value, all)| Outgoing {
                    key,
                    value,
                    headers: headers(all),
                })
                .collect(),
        ),
        _ => Edit::Reject(name),
    }
}

fn values(columns: Columns) -> ValueEdits {
    let mut items = match columns {
        Ok(items) => items,
        Err((rows, data, ends, nulls)) => {
            return ValueEdits {
                rows: rows.into_iter().map(u32::from).collect(),
                values: Column {
                    data,
                    ends: ends.into_iter().map(u32::from).collect(),
                    nulls: nulls.into_iter().map(u32::from).collect(),
                },
            };
        }
    };
    items.sort_by_key(|(row, _)| *row);
    items.dedup_by_key(|(row, _)| *row);
    let mut values = ValueEdits::default();
    for (item, (row, value)) in (0..).zip(items) {
        values.rows.push(u32::from(row));
        match value {
            Some(value) => values.values.data.extend(value),
            None => values.values.nulls.push(item),
        }
        values.values.ends.push(values.values.data.len() as u32);
    }
    values
}

fn headers(pairs: Headers) -> Vec<Header> {
    pairs
        .into_iter()
        .map(|(key, value)| Header { key, value })
        .collect()
}
