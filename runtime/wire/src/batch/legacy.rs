//! Messages of magic 0 and 1 (`LegacyRecord` of Apache Kafka):
//!
//! offset 8, length 4, CRC32 of all that follows 4, magic 1, attributes 1, [magic 1: timestamp 8], key length 4, key, value length 4, value.
//!
//! A compressed set is one message whose value is the compressed messages. Its offset is the last inner one's; the inner
//! offsets are absolute in magic 0 and count from the set's start in magic 1 (KIP-31).

use bytes::Bytes;
use towpath_domain::Offset;

use super::{
    Compression, Error, LOG_OVERHEAD, TimestampType, bits,
    records::{Entry, Range},
};

/// One message as it came, alone or a compressed set. Shares the Fetch answer's memory.
#[derive(Clone, Debug)]
pub struct Legacy {
    bytes: Bytes,
    message: Message,
}

/// Where the fields of a message are in the data it was read from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub(super) offset: i64,
    pub(super) magic: u8,
    attributes: u8,
    /// -1 in magic 0.
    pub(super) timestamp: i64,
    pub(super) key: Range,
    pub(super) value: Range,
    start: usize,
    pub(super) end: usize,
}

const CRC: usize = 12;
const MAGIC: usize = 16;
const ATTRIBUTES: usize = 17;
const TIMESTAMP: usize = 18;

// === impl Legacy ===

impl Legacy {
    /// `bytes` is exactly one message. Fails when a length or the codec is impossible.
    pub fn new(bytes: Bytes) -> Result<Self, Error> {
        let offset = bytes
            .first_chunk()
            .map_or(-1, |offset| i64::from_be_bytes(*offset));
        let malformed = |what| Error::Malformed {
            base_offset: Offset(offset),
            index: 0,
            what,
        };
        let message = Message::read(&bytes, 0).map_err(malformed)?;
        if message.end != bytes.len() {
            return Err(malformed("bytes after the message"));
        }
        let id = i16::from(message.attributes) & bits::CODEC;
        match Compression::from_id(id) {
            Some(Compression::Zstd) | None => Err(Error::Codec {
                base_offset: Offset(offset),
                id,
            }),
            Some(_) => Ok(Self { bytes, message }),
        }
    }

    /// Bytes of the smallest message of magic 0 or 1.
    pub(super) fn least_size(magic: u8) -> usize {
        if magic == 0 { TIMESTAMP + 8 } else { TIMESTAMP + 16 }
    }

    /// The message's own offset: of a compressed set, the last record's.
    pub fn offset(&self) -> Offset {
        Offset(self.message.offset)
    }

    /// 0 or 1.
    pub fn magic(&self) -> u8 {
        self.message.magic
    }

    pub fn compression(&self) -> Compression {
        Compression::from_id(i16::from(self.message.attributes) & bits::CODEC)
            .expect("checked when the view was made")
    }

    pub fn timestamp_type(&self) -> TimestampType {
        self.message.timestamp_type()
    }

    /// Bytes in the log.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// See [`Batch::verify_crc`](super::Batch::verify_crc). Of a compressed set this proves the outer message; [`decode_legacy`](super::decode_legacy) proves the inner ones.
    pub fn verify_crc(&self) -> Result<(), Error> {
        self.message.verify_crc(&self.bytes)
    }

    pub(super) fn message(&self) -> Message {
        self.message
    }
}

// === impl Message ===

impl Message {
    /// Reads the message at `start`, or says what is wrong with it.
    pub(super) fn read(data: &[u8], start: usize) -> Result<Self, &'static str> {
        let rest = data.get(start..).ok_or("no message")?;
        let length = field(rest, 8).and_then(|length| usize::try_from(i32::from_be_bytes(length)).ok());
        let size = length.ok_or("no length")?.saturating_add(LOG_OVERHEAD);
        let rest = rest.get(..size).ok_or("its length reaches behind the end")?;
        let (magic, attributes) = match rest.get(MAGIC..=ATTRIBUTES) {
            Some([magic @ (0 | 1), attributes]) => (*magic, *attributes),
            Some(_) => return Err("its magic is neither 0 nor 1"),
            None => return Err("too short"),
        };
        let (timestamp, body) = match magic {
            0 => (-1, TIMESTAMP),
            _ => (
                field(rest, TIMESTAMP)
                    .map(i64::from_be_bytes)
                    .ok_or("too short")?,
                TIMESTAMP + 8,
            ),
        };
        let (key, at) = bytes(rest, body).ok_or("its key does not fit")?;
        let (value, at) = bytes(rest, at).ok_or("its value does not fit")?;
        if at != size {
            return Err("its length is not that of its fields");
        }
        let range = |range: Option<(usize, usize)>| match range {
            Some((from, to)) => Range::new(start + from, start + to),
            None => Range::NULL,
        };
        let offset = field(rest, 0).map(i64::from_be_bytes).ok_or("too short")?;
        if !(0..i64::MAX).contains(&offset) {
            return Err("its offset is impossible");
        }
        Ok(Self {
            offset,
            magic,
            attributes,
            timestamp,
            key: range(key),
            value: range(value),
            start,
            end: start + size,
        })
    }

    pub(super) fn verify_crc(&self, data: &[u8]) -> Result<(), Error> {
        let bytes = &data[self.start..self.end];
        let stored = field(bytes, CRC).map_or(0, u32::from_be_bytes);
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[MAGIC..]);
        if stored != crc.sum() {
            return Err(Error::Crc {
                offset: Offset(self.offset),
                stored,
                computed: crc.sum(),
            });
        }
        Ok(())
    }

    pub(super) fn timestamp_type(&self) -> TimestampType {
        if self.magic == 0 || i16::from(self.attributes) & bits::LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    pub(super) fn is_compressed(&self) -> bool {
        i16::from(self.attributes) & bits::CODEC != 0
    }

    pub(super) fn entry(&self, offset: i64, timestamp: i64) -> Entry {
        Entry {
            offset,
            timestamp,
            key: self.key,
            value: self.value,
            headers: Range::NULL,
        }
    }
}

fn field<const N: usize>(bytes: &[u8], from: usize) -> Option<[u8; N]> {
    bytes.get(from..)?.first_chunk().copied()
}

/// A length (-1: null) and that many bytes: their range, and where they end.
fn bytes(data: &[u8], at: usize) -> Option<(Option<(usize, usize)>, usize)> {
    let from = at + 4;
    match i32::from_be_bytes(field(data, at)?) {
        -1 => Some((None, from)),
        length => {
            let to = from.checked_add(usize::try_from(length).ok()?)?;
            (to <= data.len()).then_some((Some((from, to)), to))
        }
    }
}
