//! What a schema registry answered, so that a record that is written again has the same bytes.

use serde::{Deserialize, Serialize};

use super::stored;
use crate::rows::Row;

/// The record's key, as JSON. Versions that do not know it count it as a record that is not theirs, and skip it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    pub(super) connector: String,
    /// the source's id, as in `GET /schemas/ids/{id}`
    pub(super) schema: u32,
    /// the subject it was asked for, where one was named
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<String>,
}

/// The format of a value. A newer one is refused, not guessed.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Value {
    v: u32,
    /// the target's id
    id: u32,
}

pub(super) fn row(key: &Key, id: u32) -> Row {
    let value = Value { v: VERSION, id };
    let text = |text: serde_json::Result<Vec<u8>>| text.expect("numbers and strings have a form in JSON");
    (
        text(serde_json::to_vec(key)),
        Some(text(serde_json::to_vec(&value))),
    )
}

pub(super) fn decode_key(bytes: &[u8]) -> Option<Key> {
    serde_json::from_slice(bytes).ok()
}

/// The error is a sentence about the value.
pub(super) fn decode(value: &[u8]) -> Result<u32, String> {
    let Value { v, id } = serde_json::from_slice(value).map_err(|cause| cause.to_string())?;
    stored::check_version(v, VERSION)?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_stored_in_this_format_for_good() {
        let key = |subject: Option<&str>| Key {
            connector: "orders".to_owned(),
            schema: 7,
            subject: subject.map(str::to_owned),
        };
        let (named, value) = row(&key(Some("orders-value")), 12);
        let text = br#"{"connector":"orders","schema":7,"subject":"orders-value"}"#;
        assert_eq!(named, text);
        assert_eq!(value.as_deref(), Some(&br#"{"v":1,"id":12}"#[..]));
        assert_eq!(row(&key(None), 12).0, br#"{"connector":"orders","schema":7}"#);
        assert_eq!(decode_key(text), Some(key(Some("orders-value"))));
        assert_eq!(decode(br#"{"v":1,"id":12,"later":true}"#), Ok(12));
        assert!(
            decode(br#"{"v":2,"id":12}"#)
                .expect_err("newer")
                .contains("format 2")
        );
    }

    #[test]
    fn no_other_kind_of_row_is_taken_for_one() {
        let position =
            br#"{"connector":"a","source":"b","topic":"00000000-0000-0000-0000-00000000002a","partition":3}"#;
        assert_eq!(decode_key(position), None);
        assert_eq!(decode_key(br#"{"accepted":"orders"}"#), None);
        assert_eq!(stored::decode_key(br#"{"connector":"orders","schema":7}"#), None);
    }
}
