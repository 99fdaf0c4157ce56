//! Which plugins a connector was accepted with, so that a later start runs the same ones.

use serde::{Deserialize, Serialize};
use towpath_domain::{Bucket, TopicName};

use super::{Table, stored, unfit};
use crate::{Error, rows::Row};

/// The plugins of a connector whose configuration was accepted. The record's value, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// by `stage`, ascending
    pub plugins: Vec<AcceptedPlugin>,
}

/// A plugin as one alias of a connector has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AcceptedPlugin {
    /// such as `transforms.mask`
    pub stage: String,
    /// Stands for the alias's configuration: another one is another configuration.
    pub configuration: String,
    /// Keys whose values are no part of it: passwords, of which not even a hash may be read here.
    #[serde(default)]
    pub hidden: Vec<String>,
    pub name: String,
    pub version: String,
    /// hex sha256 of the component's file
    pub digest: String,
}

/// The record's key, as JSON. Versions that do not know it count it as a record that is not theirs, and skip it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    accepted: String,
}

/// The format of a value. A newer one may mean what this version cannot know, so it is refused, not guessed.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Value<'a> {
    v: u32,
    #[serde(flatten)]
    accepted: &'a Accepted,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// The partition that a connector's row is in: FNV-1a over its name, for good.
pub(super) fn bucket(connector: &str) -> u32 {
    let hash = connector.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    (hash % u64::from(Bucket::COUNT)) as u32
}

/// A connector without plugins has no row.
pub(super) fn row(connector: &str, accepted: &Accepted) -> Row {
    let key = Key {
        accepted: connector.to_owned(),
    };
    let value = (!accepted.plugins.is_empty()).then(|| {
        serde_json::to_vec(&Value { v: VERSION, accepted }).expect("what was accepted has only strings")
    });
    (serde_json::to_vec(&key).expect("a key is a string"), value)
}

/// The connector, when it is a key of this kind.
pub(super) fn decode_key(bytes: &[u8]) -> Option<String> {
    serde_json::from_slice(bytes)
        .ok()
        .map(|Key { accepted }| accepted)
}

pub(super) fn of(table: &Table, connector: &str, topic: &TopicName) -> Result<Accepted, Error> {
    let Some(value) = table.accepted.get(connector) else {
        return Ok(Accepted::default());
    };
    decode(value).map_err(|what| {
        let what = format!(
            "the row about the plugins that connector {connector} was accepted with cannot be read: {what}"
        );
        unfit(topic, what)
    })
}

/// The error is a sentence about the value.
fn decode(value: &[u8]) -> Result<Accepted, String> {
    let Version { v } = serde_json::from_slice(value).map_err(|cause| cause.to_string())?;
    stored::check_version(v, VERSION)?;
    serde_json::from_slice(value).map_err(|cause| cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = r#"{"accepted":"orders"}"#;
    const VALUE: &str = concat!(
        r#"{"v":1,"plugins":[{"stage":"transforms.mask","configuration":"ab","hidden":["token"],"#,
        r#""name":"mask-field","version":"0.1.0","digest":"cd"}]}"#
    );

    fn accepted() -> Accepted {
        Accepted {
            plugins: vec![AcceptedPlugin {
                stage: "transforms.mask".to_owned(),
                configuration: "ab".to_owned(),
                hidden: vec!["token".to_owned()],
                name: "mask-field".to_owned(),
                version: "0.1.0".to_owned(),
                digest: "cd".to_owned(),
            }],
        }
    }

    #[test]
    fn rows_are_stored_in_this_format_for_good() {
        let (key, value) = row("orders", &accepted());
        assert_eq!(String::from_utf8(key).expect("JSON"), KEY);
        assert_eq!(String::from_utf8(value.expect("a row")).expect("JSON"), VALUE);
        assert_eq!(decode_key(KEY.as_bytes()).as_deref(), Some("orders"));
        assert_eq!(decode(VALUE.as_bytes()), Ok(accepted()));
        assert_eq!(
            (bucket("orders"), bucket("")),
            (12, 5),
            "a row must be found again"
        );
        assert_eq!(row("orders", &Accepted::default()).1, None);
    }

    #[test]
    fn neither_kind_of_row_is_taken_for_the_other() {
        assert_eq!(stored::decode_key(KEY.as_bytes()), None);
        let position =
            r#"{"connector":"a","source":"b","topic":"00000000-0000-0000-0000-00000000002a","partition":3}"#;
        assert!(stored::decode_key(position.as_bytes()).is_some());
        assert_eq!(decode_key(position.as_bytes()), None);
    }

    #[test]
    fn what_later_versions_add_is_tolerated_and_what_they_change_is_refused() {
        let added = VALUE.replace(r#""digest":"cd""#, r#""digest":"cd","later":[1]"#);
        assert_eq!(decode(added.as_bytes()), Ok(accepted()));
        let newer = VALUE.replace(r#""v":1"#, r#""v":2"#);
        let newer = decode(newer.as_bytes()).expect_err("a newer format");
        assert!(newer.contains("format 2"), "{newer}");
        assert!(decode(b"{}").is_err());
    }
}
