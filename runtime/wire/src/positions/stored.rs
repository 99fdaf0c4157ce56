//! Rows as they are stored.

use serde::{Deserialize, Serialize};

use super::{Position, PositionKey};

/// The format of a value. A newer one may mean what this version cannot know, so it is refused, not guessed.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Value<'a> {
    v: u32,
    #[serde(flatten)]
    position: &'a Position,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

pub(crate) fn encode_key(key: &PositionKey) -> Vec<u8> {
    serde_json::to_vec(key).expect("a key has only strings and numbers")
}

pub(crate) fn encode_value(position: &Position) -> Vec<u8> {
    serde_json::to_vec(&Value { v: VERSION, position }).expect("a position has only strings and numbers")
}

/// `None`: not a key of ours.
pub(crate) fn decode_key(bytes: &[u8]) -> Option<PositionKey> {
    serde_json::from_slice(bytes).ok()
}

/// The error is a sentence about the value.
pub(crate) fn decode_value(bytes: &[u8]) -> Result<Position, String> {
    let Version { v } =
        serde_json::from_slice(bytes).map_err(|cause| format!("it is not a position: {cause}"))?;
    if v == 0 || v > VERSION {
        return Err(format!(
            "it has format {v}, this version knows {VERSION}: a newer one wrote it, run that one"
        ));
    }
    serde_json::from_slice(bytes).map_err(|cause| format!("it is not a position: {cause}"))
}

#[cfg(test)]
mod tests {
    use towpath_domain::{ClusterId, LeaderEpoch, Offset, Partition, TopicId};
    use uuid::Uuid;

    use super::{super::TargetPosition, *};

    const KEY: &str = r#"{"connector":"orders","source":"4L6g3nShT","topic":"00000000-0000-0000-0000-00000000002a","partition":3}"#;
    const VALUE: &str = concat!(
        r#"{"v":1,"offset":100,"epoch":5,"topic":"orders","#,
        r#""target":{"topic":"west.orders","topic_id":"00000000-0000-0000-0000-000000000007","partition":3,"next":90},"anchor":null}"#
    );

    fn position() -> Position {
        Position {
            offset: Offset(100),
            epoch: LeaderEpoch(5),
            topic: "orders".into(),
            target: TargetPosition {
                topic: "west.orders".into(),
                topic_id: TopicId(Uuid::from_u128(7)),
                partition: Partition(3),
                next: Some(Offset(90)),
            },
            anchor: None,
        }
    }

    fn key() -> PositionKey {
        PositionKey {
            connector: "orders".to_owned(),
            source: ClusterId("4L6g3nShT".to_owned()),
            topic: TopicId(Uuid::from_u128(42)),
            partition: Partition(3),
        }
    }

    #[test]
    fn rows_are_stored_in_this_format_for_good() {
        assert_eq!(String::from_utf8(encode_key(&key())).expect("JSON"), KEY);
        assert_eq!(String::from_utf8(encode_value(&position())).expect("JSON"), VALUE);
        assert_eq!(decode_key(KEY.as_bytes()), Some(key()));
        assert_eq!(decode_value(VALUE.as_bytes()), Ok(position()));
    }

    #[test]
    fn what_later_versions_add_is_tolerated_and_what_they_change_is_refused() {
        let added = VALUE.replace(
            r#""anchor":null"#,
            r#""anchor":{"sequence":7,"offset":80,"since":1},"later":[1]"#,
        );
        let anchor = decode_value(added.as_bytes())
            .expect("known fields")
            .anchor
            .expect("an anchor");
        assert_eq!((anchor.sequence, anchor.offset), (7, 80));
        let bare = r#"{"v":1,"offset":1,"epoch":-1,"topic":"a","target":{"topic":"b","partition":0}}"#;
        let bare = decode_value(bare.as_bytes()).expect("no next, no topic id, no anchor");
        assert_eq!((bare.target.next, bare.target.topic_id), (None, TopicId::ZERO));
        let newer =
            decode_value(VALUE.replace(r#""v":1"#, r#""v":2"#).as_bytes()).expect_err("a newer format");
        assert!(newer.contains("format 2"), "{newer}");
        assert!(decode_value(b"{}").is_err());
        assert_eq!(decode_key(b"status-connector-orders"), None);
    }
}
