//! What a connector last committed for a group on the target, so that a commit of somebody else is told from its own.

use serde::{Deserialize, Serialize};
use towpath_domain::{GroupId, Offset, Partition, TopicName};

use super::stored;
use crate::rows::Row;

/// Whose commit it is. The record's key, as JSON; the order of the fields is part of the format. Versions that do not know it count it as a record that is
/// not theirs, and skip it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointKey {
    pub connector: String,
    pub group: GroupId,
    /// the target's
    pub topic: TopicName,
    pub partition: Partition,
}

/// A commit that was made, or is about to be: the row is written before it. The record's value, as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// the group's offset on the source
    pub source: Offset,
    /// and what it is on the target
    pub target: Offset,
    /// What was committed on the target before: as long as the commit has not come through, that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Offset>,
    /// What was to be committed before that and had not come through: a request that is late, of a worker that is frozen or gone, may still set the group to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<Offset>,
}

/// The format of a value. A newer one is refused, not guessed.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Value {
    v: u32,
    #[serde(flatten)]
    checkpoint: Checkpoint,
}

// === impl Checkpoint ===

impl Checkpoint {
    /// Whether an offset that is committed on the target is this connector's.
    pub fn is_ours(&self, committed: Offset) -> bool {
        committed == self.target || [self.before, self.late].contains(&Some(committed))
    }
}

pub(super) fn row(key: &CheckpointKey, checkpoint: Checkpoint) -> Row {
    let value = Value {
        v: VERSION,
        checkpoint,
    };
    let text = |text: serde_json::Result<Vec<u8>>| text.expect("numbers and strings have a form in JSON");
    (
        text(serde_json::to_vec(key)),
        Some(text(serde_json::to_vec(&value))),
    )
}

pub(super) fn decode_key(bytes: &[u8]) -> Option<CheckpointKey> {
    serde_json::from_slice(bytes).ok()
}

/// The error is a sentence about the value.
pub(super) fn decode(value: &[u8]) -> Result<Checkpoint, String> {
    let Value { v, checkpoint } = serde_json::from_slice(value).map_err(|cause| cause.to_string())?;
    stored::check_version(v, VERSION)?;
    Ok(checkpoint)
}

#[cfg(test)]
mod tests {
    use super::{super::answers, *};

    const KEY: &[u8] = br#"{"connector":"groups","group":"billing","topic":"orders","partition":3}"#;

    fn key() -> CheckpointKey {
        CheckpointKey {
            connector: "groups".to_owned(),
            group: GroupId("billing".to_owned()),
            topic: "orders".into(),
            partition: Partition(3),
        }
    }

    #[test]
    fn rows_are_stored_in_this_format_for_good() {
        let first = Checkpoint {
            source: Offset(12),
            target: Offset(10),
            before: None,
            late: None,
        };
        let (stored, value) = row(&key(), first);
        assert_eq!(stored, KEY);
        assert_eq!(value.as_deref(), Some(&br#"{"v":1,"source":12,"target":10}"#[..]));
        let next = Checkpoint {
            before: Some(Offset(8)),
            ..first
        };
        let text = br#"{"v":1,"source":12,"target":10,"before":8}"#;
        assert_eq!(row(&key(), next).1.as_deref(), Some(&text[..]));
        assert_eq!(decode_key(KEY), Some(key()));
        assert_eq!(decode(text), Ok(next));
        let last = Checkpoint {
            late: Some(Offset(9)),
            ..next
        };
        let text = br#"{"v":1,"source":12,"target":10,"before":8,"late":9}"#;
        assert_eq!(row(&key(), last).1.as_deref(), Some(&text[..]));
        assert_eq!(decode(text), Ok(last));
        assert_eq!(
            decode(br#"{"v":1,"source":12,"target":10,"anything":true}"#),
            Ok(first)
        );
        let newer = decode(br#"{"v":2,"source":12,"target":10}"#).expect_err("newer");
        assert!(newer.contains("format 2"), "{newer}");
    }

    #[test]
    fn no_other_kind_of_row_is_taken_for_one() {
        let position =
            br#"{"connector":"a","source":"b","topic":"00000000-0000-0000-0000-00000000002a","partition":3}"#;
        assert_eq!(decode_key(position), None);
        assert_eq!(decode_key(br#"{"accepted":"orders"}"#), None);
        assert_eq!(stored::decode_key(KEY), None);
        assert_eq!(answers::decode_key(KEY), None);
    }

    #[test]
    fn before_and_after_it_comes_through_a_commit_is_ours() {
        let checkpoint = Checkpoint {
            source: Offset(12),
            target: Offset(10),
            before: Some(Offset(8)),
            late: Some(Offset(5)),
        };
        let ours = [5, 8, 9, 10, 11].map(|offset| checkpoint.is_ours(Offset(offset)));
        assert_eq!(ours, [true, true, false, true, false]);
    }
}
