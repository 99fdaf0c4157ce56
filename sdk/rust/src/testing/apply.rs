//! Applying edits to records, as the mirror would.

use super::{TestBatch, TestRecord};
use crate::{Edit, Edits, Effects};

/// What becomes of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Changed or not.
    Written(TestRecord),
    Dropped,
    Replaced(Vec<TestRecord>),
    /// With the reason.
    Rejected(String),
}

/// Panics where the host would call the plugin broken.
pub(super) fn apply(edits: Edits, batch: &TestBatch, effects: Effects) -> Vec<Outcome> {
    let Edits { edits, rows, values } = edits;
    let mut outcomes: Vec<Outcome> = batch.records.iter().cloned().map(Outcome::Written).collect();
    assert!(
        rows.is_sorted_by(|one, other| one < other),
        "new values must ascend by record: {rows:?}"
    );
    assert!(
        edits.is_sorted_by_key(|(index, _)| *index),
        "edits must ascend by record"
    );
    assert!(
        rows.is_empty() || effects.value,
        "the plugin did not declare that it changes values"
    );
    for (row, value) in rows.iter().zip(values.iter()) {
        let Some(Outcome::Written(record)) = outcomes.get_mut(*row as usize) else {
            panic!(
                "a new value for record {row} of a batch of {}",
                batch.records.len()
            );
        };
        record.value = value.map(<[u8]>::to_vec);
    }
    let mut former = None;
    for (index, edit) in edits {
        let (declared, stands_alone) = rules(&edit, effects);
        assert!(
            declared,
            "the plugin did not declare that it may do this: {edit:?}"
        );
        let twice = former == Some(index) || rows.binary_search(&index).is_ok();
        assert!(
            !(twice && stands_alone),
            "{edit:?} must be the only edit of record {index}"
        );
        former = Some(index);
        let len = outcomes.len();
        let outcome = outcomes
            .get_mut(index as usize)
            .unwrap_or_else(|| panic!("record {index} of a batch of {len}"));
        let Outcome::Written(record) = outcome else {
            panic!("record {index} has an edit that stands alone, and {edit:?}");
        };
        match edit {
            Edit::Drop => *outcome = Outcome::Dropped,
            Edit::Reject(reason) => *outcome = Outcome::Rejected(reason),
            Edit::SetTopic(topic) => record.topic = Some(topic),
            Edit::SetKey(key) => record.key = key,
            Edit::SetValue(value) => {
                assert!(
                    rows.binary_search(&index).is_err(),
                    "two new values for record {index}"
                );
                record.value = value;
            }
            Edit::SetHeaders(headers) => record.headers = headers,
            Edit::AppendHeader(header) => record.headers.push(header),
            Edit::RemoveHeaders(key) => record.headers.retain(|header| header.key != key),
            Edit::Replace(records) => {
                assert!(
                    !records.is_empty(),
                    "a record replaced by nothing is dropped: say so"
                );
                let become_records = records.into_iter().map(|outgoing| TestRecord {
                    key: outgoing.key,
                    value: outgoing.value,
                    headers: outgoing.headers,
                    ..record.clone()
                });
                *outcome = Outcome::Replaced(become_records.collect());
            }
        }
    }
    outcomes
}

/// Whether it was declared, and whether it must be its record's only edit.
fn rules(edit: &Edit, effects: Effects) -> (bool, bool) {
    match edit {
        Edit::Drop => (effects.drop, true),
        Edit::Reject(_) => (true, true),
        Edit::Replace(_) => (effects.split, true),
        Edit::SetTopic(_) => (effects.topic, false),
        Edit::SetKey(_) => (effects.key, false),
        Edit::SetValue(_) => (effects.value, false),
        Edit::SetHeaders(_) | Edit::AppendHeader(_) | Edit::RemoveHeaders(_) => (effects.headers, false),
    }
}
