//! Rows as they are stored.

use serde::{Deserialize, Serialize};

use super::{Position, PositionKey};

/// The newest format of a value. A newer one may mean what this version cannot know, so it is refused, not guessed.
const VERSION: u32 = 3;
/// The format of rows of preserved offsets: whoever takes offsets for free to shift must not touch them.
const PRESERVED: u32 = 2;
/// The format of rows in which nothing is new: versions that know no other one go on with them.
const PLAIN: u32 = 1;

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

/// Whether a value of this format can be read; the error is a sentence about it. A newer one may mean what this version cannot know, so it is refused.
pub(super) fn check_version(v: u32, known: u32) -> Result<(), String> {
    if (1..=known).contains(&v) {
        return Ok(());
    }
    Err(format!(
        "it has format {v}, this version knows {known}: a newer one wrote it, run that one"
    ))
}

/// Runs as a row has them.
pub(super) mod runs {
    use data_encoding::BASE64;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use towpath_domain::offset_map::Runs;

    pub(in crate::positions) fn serialize<S: Serializer>(
        runs: &Runs,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&runs.encode()))
    }

    pub(in crate::positions) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Runs, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64.decode(text.as_bytes()).map_err(D::Error::custom)?;
        Runs::decode(&bytes).map_err(D::Error::custom)
    }
}

pub(crate) fn encode_key(key: &PositionKey) -> Vec<u8> {
    serde_json::to_vec(key).expect("a key has only strings and numbers")
}

pub(crate) fn encode_value(position: &Position) -> Vec<u8> {
    let v = if position.transactional {
        // Whoever takes what was aborted for mirrored would lose it.
        VERSION
    } else if position.preserved.is_some() {
        PRESERVED
    } else {
        PLAIN
    };
    serde_json::to_vec(&Value { v, position }).expect("a position has only strings and numbers")
}

/// `None`: not a key of ours.
pub(crate) fn decode_key(bytes: &[u8]) -> Option<PositionKey> {
    serde_json::from_slice(bytes).ok()
}

/// The error is a sentence about the value.
pub(crate) fn decode_value(bytes: &[u8]) -> Result<Position, String> {
    let Version { v } =
        serde_json::from_slice(bytes).map_err(|cause| format!("it is not a position: {cause}"))?;
    check_version(v, VERSION)?;
    serde_json::from_slice(bytes).map_err(|cause| format!("it is not a position: {cause}"))
}

#[cfg(test)]
mod tests {
    use towpath_domain::{
        ClusterId, Decision, LeaderEpoch, Offset, Partition, TopicId,
        offset_map::{Run, Runs},
    };
    use uuid::Uuid;

    use super::{
        super::{Anchor, Preserved, Resolved, Span, TargetPosition},
        *,
    };

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
            runs: Runs::default(),
            open: false,
            preserved: None,
            transactional: false,
            caught_up_at: None,
            resolved: None,
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
    fn exact_rows_have_the_anchor_and_the_runs() {
        let mut exact = position();
        exact.anchor = Some(Anchor {
            producer: 4,
            epoch: 1,
            sequence: 7,
            offset: Offset(80),
        });
        exact.runs = [(95, 85), (99, 88)]
            .map(|(source, target)| Run {
                source: Offset(source),
                target: Offset(target),
            })
            .into_iter()
            .collect();
        exact.open = true;
        let value = VALUE.replace(
            r#""anchor":null"#,
            r#""anchor":{"producer":4,"epoch":1,"sequence":7,"offset":80},"runs":"X1UGAQ==","open":true"#,
        );
        assert_eq!(String::from_utf8(encode_value(&exact)).expect("JSON"), value);
        assert_eq!(decode_value(value.as_bytes()), Ok(exact));
        let damaged = decode_value(value.replace("X1UG", "X1WG").as_bytes()).expect_err("no runs");
        assert!(damaged.contains("offset map"), "{damaged}");
    }

    #[test]
    fn rows_of_preserved_offsets_have_a_format_that_others_do_not_go_on_with() {
        let mut preserved = position();
        preserved.preserved = Some(Preserved {
            begins: Offset(80),
            readable: true,
        });
        let value = VALUE.replace(r#""v":1"#, r#""v":2"#).replace(
            r#""anchor":null"#,
            r#""anchor":null,"preserved":{"begins":80,"readable":true}"#,
        );
        assert_eq!(String::from_utf8(encode_value(&preserved)).expect("JSON"), value);
        assert_eq!(decode_value(value.as_bytes()), Ok(preserved));
    }

    #[test]
    fn rows_behind_which_records_may_not_count_have_a_format_that_others_do_not_go_on_with() {
        let mut transactional = position();
        transactional.transactional = true;
        let value = VALUE
            .replace(r#""v":1"#, r#""v":3"#)
            .replace(r#""anchor":null"#, r#""anchor":null,"transactional":true"#);
        assert_eq!(
            String::from_utf8(encode_value(&transactional)).expect("JSON"),
            value
        );
        assert_eq!(decode_value(value.as_bytes()), Ok(transactional));
    }

    #[test]
    fn what_an_operator_decided_is_in_the_row_that_it_is_of() {
        let mut resolved = position();
        resolved.resolved = Some(Resolved {
            decision: Decision::Accept,
            state: "data-loss".to_owned(),
            at: 1_700_000_000_000,
            source: Some(Span {
                from: Offset(90),
                to: Offset(100),
            }),
            target: None,
        });
        let value = VALUE.replace(
            r#""anchor":null"#,
            concat!(
                r#""anchor":null,"resolved":{"decision":"accept","state":"data-loss","at":1700000000000,"#,
                r#""source":{"from":90,"to":100}}"#
            ),
        );
        assert_eq!(String::from_utf8(encode_value(&resolved)).expect("JSON"), value);
        assert_eq!(decode_value(value.as_bytes()), Ok(resolved));
    }

    #[test]
    fn rows_of_compacted_topics_say_when_everything_was_mirrored_and_versions_that_do_not_know_that_go_on() {
        let mut fresh = position();
        fresh.caught_up_at = Some(1_700_000_000_000);
        let value = VALUE.replace(
            r#""anchor":null"#,
            r#""anchor":null,"caught_up_at":1700000000000"#,
        );
        assert_eq!(String::from_utf8(encode_value(&fresh)).expect("JSON"), value);
        assert_eq!(decode_value(value.as_bytes()), Ok(fresh));
    }

    #[test]
    fn what_later_versions_add_is_tolerated_and_what_they_change_is_refused() {
        let added = VALUE.replace(
            r#""anchor":null"#,
            r#""anchor":{"producer":4,"epoch":1,"sequence":7,"offset":80,"since":1},"later":[1]"#,
        );
        let anchor = decode_value(added.as_bytes())
            .expect("known fields")
            .anchor
            .expect("an anchor");
        assert_eq!((anchor.sequence, anchor.offset), (7, Offset(80)));
        let bare = r#"{"v":1,"offset":1,"epoch":-1,"topic":"a","target":{"topic":"b","partition":0}}"#;
        let bare = decode_value(bare.as_bytes()).expect("no next, no topic id, no anchor");
        assert_eq!((bare.target.next, bare.target.topic_id), (None, TopicId::ZERO));
        let newer =
            decode_value(VALUE.replace(r#""v":1"#, r#""v":4"#).as_bytes()).expect_err("a newer format");
        assert!(newer.contains("format 4"), "{newer}");
        assert!(decode_value(b"{}").is_err());
        assert_eq!(decode_key(b"status-connector-orders"), None);
    }
}
