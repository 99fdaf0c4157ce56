//! Byte strings as a person writes them: text where it is text.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error, ser::SerializeMap};
use serde_json::Value;

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let wrong = "must be a text, {\"base64\": \"...\"}, {\"json\": ...} or null";
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.into_bytes())),
        Value::Object(object) if object.len() == 1 => match object.iter().next() {
            Some((key, value)) if key == "json" => Ok(Some(value.to_string().into_bytes())),
            Some((key, Value::String(text))) if key == "base64" => match STANDARD.decode(text) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) => Err(D::Error::custom(format!("is not base64: {error}"))),
            },
            _ => Err(D::Error::custom(wrong)),
        },
        _ => Err(D::Error::custom(wrong)),
    }
}

/// The most readable form that reads back as the same bytes.
pub(crate) fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    let Some(bytes) = bytes else {
        return serializer.serialize_none();
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return form(serializer, "base64", &STANDARD.encode(bytes));
    };
    match serde_json::from_str::<Value>(text) {
        Ok(value @ (Value::Object(_) | Value::Array(_)))
            if serde_json::to_string(&value).is_ok_and(|compact| compact == text) =>
        {
            form(serializer, "json", &value)
        }
        _ => serializer.serialize_str(text),
    }
}

fn form<S: Serializer>(serializer: S, name: &str, value: &impl Serialize) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(name, value)?;
    map.end()
}

#[cfg(test)]
mod tests {
    use crate::Header;

    fn read(json: &str) -> Result<Option<Vec<u8>>, String> {
        let header: Result<Header, _> =
            serde_json::from_str(&format!("{{\"key\": \"k\", \"value\": {json}}}"));
        header
            .map(|header| header.value)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn each_form_is_read() {
        let cases = [
            ("null", None),
            ("\"\"", Some(&b""[..])),
            ("\"a\\u00e9\"", Some("aé".as_bytes())),
            ("{\"base64\": \"AP8=\"}", Some(b"\0\xff")),
            (
                "{\"json\": {\"b\": [1, 2.50, null], \"a\": \"x\"}}",
                Some(br#"{"b":[1,2.5,null],"a":"x"}"#),
            ),
            ("{\"json\": null}", Some(b"null")),
        ];
        for (json, expected) in cases {
            assert_eq!(read(json).unwrap().as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn other_forms_are_mistakes() {
        for json in [
            "1",
            "[]",
            "{}",
            "{\"hex\": \"00\"}",
            "{\"base64\": 1}",
            "{\"json\": 1, \"base64\": \"\"}",
        ] {
            assert!(read(json).unwrap_err().contains("must be a text"), "{json}");
        }
        assert!(
            read("{\"base64\": \"AP8\"}")
                .unwrap_err()
                .contains("is not base64")
        );
    }

    #[test]
    fn what_is_written_reads_back_as_the_same_bytes() {
        let cases: [(&[u8], &str); 7] = [
            (b"", "\"\""),
            (b"text", "\"text\""),
            (b"17", "\"17\""),
            (br#"{"b":1,"a":[]}"#, r#"{"json":{"b":1,"a":[]}}"#),
            // as a tree these would lose a blank, a duplicate, digits
            (br#"{"b": 1}"#, r#""{\"b\": 1}""#),
            (br#"{"b":1,"b":2}"#, r#""{\"b\":1,\"b\":2}""#),
            (b"\x80", r#"{"base64":"gA=="}"#),
        ];
        for (bytes, json) in cases {
            let header = Header {
                key: "k".to_owned(),
                value: Some(bytes.to_vec()),
            };
            let written = serde_json::to_string(&header).unwrap();
            assert_eq!(written, format!("{{\"key\":\"k\",\"value\":{json}}}"));
            assert_eq!(serde_json::from_str::<Header>(&written).unwrap(), header);
        }
    }
}
