//! Records: equal or not, a checksum of one, and one as a person reads it.

use std::fmt;

use rdkafka::{
    Message,
    message::{BorrowedMessage, Headers},
};
use towpath_domain::Offset;

use super::{Timestamps, What};

/// A copy of a record, for reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub offset: Offset,
    pub timestamp: Timestamp,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<Header>,
}

/// A header. A key may occur several times, and a null value is not an empty one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub key: String,
    pub value: Option<Vec<u8>>,
}

/// Milliseconds since 1970 and who set them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timestamp {
    None,
    CreateTime(i64),
    LogAppendTime(i64),
}

/// Shown bytes of a key or a value in text.
const SHOWN: usize = 96;

// === impl Record ===

impl Record {
    /// Copies a message; `value` stands in for its own where a mask applies.
    pub(super) fn new(message: &BorrowedMessage<'_>, value: Option<&[u8]>) -> Self {
        let headers = message.headers().map_or_else(Vec::new, |headers| {
            headers
                .iter()
                .map(|header| Header {
                    key: header.key.to_owned(),
                    value: header.value.map(<[u8]>::to_vec),
                })
                .collect()
        });
        Self {
            offset: Offset(message.offset()),
            timestamp: Timestamp::of(message),
            key: message.key().map(<[u8]>::to_vec),
            value: value.map(<[u8]>::to_vec),
            headers,
        }
    }

    /// Writes the record on one line, its value from around `byte`.
    pub(super) fn write_around(&self, f: &mut fmt::Formatter<'_>, byte: usize) -> fmt::Result {
        write!(
            f,
            "offset {}, {}, key {}, headers [",
            self.offset.0,
            self.timestamp,
            Text(self.key.as_deref(), 0)
        )?;
        for (index, header) in self.headers.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}={}", header.key, Text(header.value.as_deref(), 0))?;
        }
        write!(f, "], value {}", Text(self.value.as_deref(), byte))
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_around(f, 0)
    }
}

// === impl Timestamp ===

impl Timestamp {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        match message.timestamp() {
            rdkafka::Timestamp::NotAvailable => Self::None,
            rdkafka::Timestamp::CreateTime(ms) => Self::CreateTime(ms),
            rdkafka::Timestamp::LogAppendTime(ms) => Self::LogAppendTime(ms),
        }
    }

    fn millis(self) -> Option<i64> {
        match self {
            Self::None => None,
            Self::CreateTime(ms) | Self::LogAppendTime(ms) => Some(ms),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "no timestamp"),
            Self::CreateTime(ms) => write!(f, "CreateTime {ms}"),
            Self::LogAppendTime(ms) => write!(f, "LogAppendTime {ms}"),
        }
    }
}

/// Bytes as text, from about the given one on.
struct Text<'a>(Option<&'a [u8]>, usize);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(bytes) = self.0 else {
            return f.write_str("null");
        };
        let from = if bytes.len() <= SHOWN {
            0
        } else {
            self.1.saturating_sub(SHOWN / 3).min(bytes.len() - SHOWN)
        };
        let shown = &bytes[from..bytes.len().min(from + SHOWN)];
        let before = if from > 0 { "..." } else { "" };
        let after = if from + shown.len() < bytes.len() {
            "..."
        } else {
            ""
        };
        write!(f, "{before}\"{}\"{after}", shown.escape_ascii())?;
        if bytes.len() > SHOWN {
            write!(f, " ({} bytes from byte {from})", bytes.len())
        } else {
            Ok(())
        }
    }
}

/// The first field in which two records differ. `expected` is the source's value as the target must have it.
pub(super) fn difference(
    source: &BorrowedMessage<'_>,
    expected: Option<&[u8]>,
    target: &BorrowedMessage<'_>,
    timestamps: Timestamps,
) -> Option<What> {
    if source.key() != target.key() {
        return Some(What::Key);
    }
    if expected != target.payload() {
        return Some(What::Value);
    }
    if !same_headers(source, target) {
        return Some(What::Headers);
    }
    let (left, right) = (Timestamp::of(source), Timestamp::of(target));
    let same = match timestamps {
        Timestamps::Exact => left == right,
        Timestamps::Value => left.millis() == right.millis(),
        Timestamps::Ignored => true,
    };
    (!same).then_some(What::Timestamp)
}

fn same_headers(source: &BorrowedMessage<'_>, target: &BorrowedMessage<'_>) -> bool {
    match (source.headers(), target.headers()) {
        (None, None) => true,
        (Some(one), None) | (None, Some(one)) => one.count() == 0,
        (Some(source), Some(target)) => source.count() == target.count() && source.iter().eq(target.iter()),
    }
}

/// A checksum over key, value and headers, each with its length, so that bytes cannot move between them unseen.
/// The timestamp is left out: a record that was re-stamped is still found as the same one.
pub(super) fn checksum(message: &BorrowedMessage<'_>, value: Option<&[u8]>) -> u32 {
    let mut crc = field(field(0, message.key()), value);
    if let Some(headers) = message.headers() {
        for header in headers.iter() {
            crc = field(field(crc, Some(header.key.as_bytes())), header.value);
        }
    }
    crc
}

fn field(crc: u32, bytes: Option<&[u8]>) -> u32 {
    match bytes {
        None => crc32c::crc32c_append(crc, &[0xff; 8]),
        Some(bytes) => crc32c::crc32c_append(
            crc32c::crc32c_append(crc, &(bytes.len() as u64).to_be_bytes()),
            bytes,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_surroundings_of_the_difference() {
        let value = [b"a".repeat(500), b"X".to_vec(), b"b".repeat(500)].concat();
        let shown = Text(Some(&value), 500).to_string();
        assert!(shown.contains("aaXbb") && shown.contains("1001 bytes"), "{shown}");
        assert_eq!(Text(None, 0).to_string(), "null");
        assert_eq!(Text(Some(b""), 0).to_string(), "\"\"");
        assert_eq!(Text(Some(b"a\n\xff"), 2).to_string(), r#""a\n\xff""#);
    }

    #[test]
    fn bytes_cannot_move_between_fields() {
        assert_ne!(
            field(field(0, Some(b"ab")), Some(b"c")),
            field(field(0, Some(b"a")), Some(b"bc"))
        );
        assert_ne!(field(0, None), field(0, Some(b"")));
    }
}
