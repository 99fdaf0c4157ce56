//! Batches by hand: whatever a case wants to be wrong in them.

use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

/// A batch of magic 2 before it is written. What is not set is as a good producer writes it.
#[derive(Clone, Debug)]
pub struct Batch {
    pub base_offset: i64,
    pub attributes: i16,
    pub producer: (i64, i16),
    pub sequence: i32,
    pub records: Vec<Record>,
    /// Instead of the records' own.
    pub last_offset_delta: Option<i32>,
}

#[derive(Clone, Debug)]
pub struct Record {
    pub key: Option<&'static str>,
    pub value: String,
    pub timestamp: i64,
    /// Instead of its place in the batch.
    pub offset_delta: Option<i32>,
}

/// A batch out of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub base_offset: i64,
    pub last_offset: i64,
    pub leader_epoch: i32,
    pub attributes: i16,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub bytes: Bytes,
}

pub const GZIP: i16 = 1;
pub const ZSTD: i16 = 4;
pub const LOG_APPEND_TIME: i16 = 1 << 3;
pub const TRANSACTIONAL: i16 = 1 << 4;
pub const CONTROL: i16 = 1 << 5;
pub const DELETE_HORIZON: i16 = 1 << 6;

const CRC_FROM: usize = 21;

/// A batch with these values and the key "k", without a producer, made now.
pub fn batch(values: &[&str]) -> Batch {
    let record = |value: &&str| Record {
        key: Some("k"),
        value: (*value).to_owned(),
        timestamp: now_ms(),
        offset_delta: None,
    };
    Batch {
        base_offset: 0,
        attributes: 0,
        producer: (-1, -1),
        sequence: -1,
        records: values.iter().map(record).collect(),
        last_offset_delta: None,
    }
}

pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_millis()).unwrap()
}

// === impl Batch ===

impl Batch {
    pub fn attributes(mut self, attributes: i16) -> Self {
        self.attributes = attributes;
        self
    }

    pub fn producer(mut self, id: i64, epoch: i16, sequence: i32) -> Self {
        self.producer = (id, epoch);
        self.sequence = sequence;
        self
    }

    /// The first record's.
    pub fn timestamp(mut self, timestamp: i64) -> Self {
        for record in &mut self.records {
            record.timestamp = timestamp;
        }
        self
    }

    pub fn bytes(&self) -> Bytes {
        let first = self.records.first().map_or(0, |record| record.timestamp);
        let max = self
            .records
            .iter()
            .map(|record| record.timestamp)
            .max()
            .unwrap_or(0);
        let mut body = Vec::new();
        for (index, record) in (0..).zip(&self.records) {
            let mut fields = vec![0];
            varint(&mut fields, record.timestamp - first);
            varint(&mut fields, i64::from(record.offset_delta.unwrap_or(index)));
            match record.key {
                Some(key) => {
                    varint(&mut fields, key.len() as i64);
                    fields.extend(key.as_bytes());
                }
                None => varint(&mut fields, -1),
            }
            varint(&mut fields, record.value.len() as i64);
            fields.extend(record.value.as_bytes());
            varint(&mut fields, 0);
            varint(&mut body, fields.len() as i64);
            body.extend(fields);
        }
        match self.attributes & 7 {
            GZIP => {
                let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
                gzip.write_all(&body).unwrap();
                body = gzip.finish().unwrap();
            }
            ZSTD => body = zstd::encode_all(&body[..], 3).unwrap(),
            _ => {}
        }
        let count = self.records.len() as i32;
        let mut batch = self.base_offset.to_be_bytes().to_vec();
        batch.extend((body.len() as i32 + 49).to_be_bytes());
        batch.extend((-1_i32).to_be_bytes());
        batch.push(2);
        batch.extend([0; 4]);
        batch.extend(self.attributes.to_be_bytes());
        batch.extend(self.last_offset_delta.unwrap_or(count - 1).to_be_bytes());
        batch.extend(first.to_be_bytes());
        batch.extend(max.to_be_bytes());
        batch.extend(self.producer.0.to_be_bytes());
        batch.extend(self.producer.1.to_be_bytes());
        batch.extend(self.sequence.to_be_bytes());
        batch.extend(count.to_be_bytes());
        batch.extend(body);
        let crc = crc32c::crc32c(&batch[CRC_FROM..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        batch.into()
    }
}

impl From<Batch> for Bytes {
    fn from(batch: Batch) -> Self {
        batch.bytes()
    }
}

/// The whole batches of a fetch answer; fails where a checksum is wrong.
pub fn stored(records: &Bytes) -> Vec<Stored> {
    let mut rest = records.clone();
    let mut batches = Vec::new();
    while rest.len() >= 61 {
        let i64_at = |at: usize| i64::from_be_bytes(rest[at..at + 8].try_into().unwrap());
        let i32_at = |at: usize| i32::from_be_bytes(rest[at..at + 4].try_into().unwrap());
        let size = i32_at(8) as usize + 12;
        if size > rest.len() {
            break;
        }
        let batch = Stored {
            base_offset: i64_at(0),
            last_offset: i64_at(0) + i64::from(i32_at(23)),
            leader_epoch: i32_at(12),
            attributes: i16::from_be_bytes([rest[21], rest[22]]),
            max_timestamp: i64_at(35),
            producer_id: i64_at(43),
            bytes: rest.slice(..size),
        };
        let crc = i32_at(17) as u32;
        assert_eq!(
            crc,
            crc32c::crc32c(&batch.bytes[CRC_FROM..]),
            "a checksum is wrong"
        );
        batches.push(batch);
        rest = rest.slice(size..);
    }
    batches
}

fn varint(out: &mut Vec<u8>, value: i64) {
    let mut raw = ((value << 1) ^ (value >> 63)) as u64;
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}
