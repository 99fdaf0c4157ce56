//! Kafka's record batches: looked at, copied with a new header, decoded and encoded.
//!
//! A batch of magic 2, all numbers big endian (`DefaultRecordBatch` of Apache Kafka):
//!
//! | from | bytes | field | what a mirror writes |
//! |---|---|---|---|
//! | 0 | 8 | base offset | 0: the broker refuses any other in a Produce |
//! | 8 | 4 | length: bytes after this field | |
//! | 12 | 4 | partition leader epoch | -1 |
//! | 16 | 1 | magic = 2 | |
//! | 17 | 4 | CRC32C of everything from 21 on | computed after the rest |
//! | 21 | 2 | attributes: 0-2 codec, 3 timestamp type, 4 transactional, 5 control, 6 delete horizon | codec kept, 4 as the producer is, 3 and 6 cleared |
//! | 23 | 4 | last offset delta | records - 1: the broker refuses gaps |
//! | 27 | 8 | base timestamp, ms; with attribute 6 the delete horizon (KIP-534): deltas count from it all the same | |
//! | 35 | 8 | max timestamp, ms; with attribute 3 the append time of every record | |
//! | 43 | 8 | producer id | ours |
//! | 51 | 2 | producer epoch | ours |
//! | 53 | 4 | base sequence | ours |
//! | 57 | 4 | record count | |
//! | 61 | | the records, compressed as one block; copied as they are | |
//!
//! The way of a batch: [`batches`] cuts a Fetch answer without copying, [`Batch::verify_crc`] proves what arrived, [`Way::of`]
//! says whether it can be copied; then either [`Outgoing::pass_through`], or [`decode`] and [`Encoder::encode_split`];
//! at last [`Outgoing::sign`], as often as a retry needs another sequence.

use std::fmt;

use bytes::Bytes;
use towpath_domain::{LeaderEpoch, Offset};

mod compression;
mod decode;
mod encode;
mod error;
mod filler;
mod headers;
mod legacy;
mod outgoing;
mod pieces;
mod records;
mod varint;
mod way;

#[cfg(test)]
mod tests;

pub use compression::Compression;
pub use decode::{Limits, decode, decode_legacy};
pub use encode::Encoder;
pub use error::Error;
pub use headers::{Headers, HeadersBuilder};
pub use legacy::Legacy;
pub use outgoing::{Outgoing, ProducerIdentity, Start, Transactional, next_sequence};
pub use pieces::{Batches, Piece, batches};
pub use records::{Record, Records};
pub use way::{Reason, Skip, Target, Way};

/// One batch of magic 2 with its header, still as it came: a view that shares the Fetch answer's memory.
///
/// Lengths and the codec were checked when it was made; the CRC was not (see [`Batch::verify_crc`]), nor the records ([`decode`]).
#[derive(Clone, PartialEq, Eq)]
pub struct Batch {
    bytes: Bytes,
}

/// What a record's timestamp says (Kafka's `message.timestamp.type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// When its producer made it.
    CreateTime,
    /// When the broker appended its batch.
    LogAppendTime,
}

/// A range of source offsets, `next` excluded: what an outgoing batch stands for. May be empty, and may reach over offsets
/// without a record (compacted, filtered).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceSpan {
    /// The first source offset covered.
    pub first: Offset,
    /// The source offset to go on from once this is acknowledged.
    pub next: Offset,
}

/// Bytes of a batch's header, the first 61 of every batch.
pub const HEADER_SIZE: usize = 61;
/// Offset and length: the part of a batch that its length field does not count.
const LOG_OVERHEAD: usize = 12;

/// Where the fields are: see the table at the top.
mod at {
    pub(super) const LENGTH: usize = 8;
    pub(super) const LEADER_EPOCH: usize = 12;
    pub(super) const MAGIC: usize = 16;
    pub(super) const CRC: usize = 17;
    pub(super) const ATTRIBUTES: usize = 21;
    pub(super) const LAST_OFFSET_DELTA: usize = 23;
    pub(super) const BASE_TIMESTAMP: usize = 27;
    pub(super) const MAX_TIMESTAMP: usize = 35;
    pub(super) const PRODUCER_ID: usize = 43;
    pub(super) const PRODUCER_EPOCH: usize = 51;
    pub(super) const BASE_SEQUENCE: usize = 53;
    pub(super) const RECORD_COUNT: usize = 57;
}

/// The bits of the attributes.
mod bits {
    pub(super) const CODEC: i16 = 0b111;
    pub(super) const LOG_APPEND_TIME: i16 = 1 << 3;
    pub(super) const TRANSACTIONAL: i16 = 1 << 4;
    pub(super) const CONTROL: i16 = 1 << 5;
    pub(super) const DELETE_HORIZON: i16 = 1 << 6;
}

// === impl Batch ===

impl Batch {
    /// `bytes` is exactly one batch. Fails when a length, the magic byte, the codec or an offset is impossible.
    pub fn new(bytes: Bytes) -> Result<Self, Error> {
        if bytes.len() < HEADER_SIZE {
            return Err(Error::Length {
                position: 0,
                offset: Offset(-1),
                length: bytes.len() as i64,
            });
        }
        let batch = Self { bytes };
        let offset = batch.base_offset();
        let length = i64::from(batch.i32(at::LENGTH));
        if length + LOG_OVERHEAD as i64 != batch.bytes.len() as i64 {
            return Err(Error::Length {
                position: 0,
                offset,
                length,
            });
        }
        if batch.bytes[at::MAGIC] != 2 {
            return Err(Error::Magic {
                position: 0,
                offset,
                magic: batch.bytes[at::MAGIC],
            });
        }
        if Compression::from_id(batch.attributes() & bits::CODEC).is_none() {
            return Err(Error::Codec {
                base_offset: offset,
                id: batch.attributes() & bits::CODEC,
            });
        }
        let (delta, count) = (batch.last_offset_delta(), batch.record_count());
        let ends = offset
            .0
            .checked_add(i64::from(delta))
            .and_then(|last| last.checked_add(1));
        if offset.0 < 0 || delta < 0 || count < 0 || ends.is_none() {
            return Err(Error::Header {
                base_offset: offset,
                last_offset_delta: delta,
                record_count: count,
            });
        }
        Ok(batch)
    }

    pub fn base_offset(&self) -> Offset {
        Offset(self.i64(0))
    }

    pub fn last_offset_delta(&self) -> i32 {
        self.i32(at::LAST_OFFSET_DELTA)
    }

    /// The last offset the batch stands for, whether its record is still there or not.
    pub fn last_offset(&self) -> Offset {
        Offset(self.base_offset().0 + i64::from(self.last_offset_delta()))
    }

    /// Where to fetch from next.
    pub fn next_offset(&self) -> Offset {
        Offset(self.last_offset().0 + 1)
    }

    pub fn source(&self) -> SourceSpan {
        SourceSpan {
            first: self.base_offset(),
            next: self.next_offset(),
        }
    }

    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.i32(at::LEADER_EPOCH))
    }

    /// The raw attribute bits.
    pub fn attributes(&self) -> i16 {
        self.i16(at::ATTRIBUTES)
    }

    pub fn compression(&self) -> Compression {
        Compression::from_id(self.attributes() & bits::CODEC).expect("checked when the view was made")
    }

    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes() & bits::LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    pub fn is_transactional(&self) -> bool {
        self.attributes() & bits::TRANSACTIONAL != 0
    }

    /// A transaction's end marker or another record for brokers: never for consumers, never to be produced.
    pub fn is_control(&self) -> bool {
        self.attributes() & bits::CONTROL != 0
    }

    /// The cleaner stamped the batch with the time at which its tombstones may go (KIP-534).
    pub fn has_delete_horizon(&self) -> bool {
        self.attributes() & bits::DELETE_HORIZON != 0
    }

    /// -1 when the producer was not idempotent.
    pub fn producer_id(&self) -> i64 {
        self.i64(at::PRODUCER_ID)
    }

    pub fn producer_epoch(&self) -> i16 {
        self.i16(at::PRODUCER_EPOCH)
    }

    /// -1 when the producer was not idempotent.
    pub fn base_sequence(&self) -> i32 {
        self.i32(at::BASE_SEQUENCE)
    }

    /// How many records the header claims: believe it only after [`decode`].
    pub fn record_count(&self) -> i32 {
        self.i32(at::RECORD_COUNT)
    }

    /// What the records' timestamp deltas are relative to, ms: a record's time, or the delete horizon.
    pub fn base_timestamp(&self) -> i64 {
        self.i64(at::BASE_TIMESTAMP)
    }

    /// The largest record timestamp, ms; every record's with [`TimestampType::LogAppendTime`].
    pub fn max_timestamp(&self) -> i64 {
        self.i64(at::MAX_TIMESTAMP)
    }

    /// Bytes, header included: what `max.message.bytes` is compared with.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Header and records.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The records, compressed as they came. Shares memory.
    pub fn body(&self) -> Bytes {
        self.bytes.slice(HEADER_SIZE..)
    }

    /// Proves that the bytes are what the producer, or the last broker that rewrote them, has written. To be called before a batch is
    /// signed again: a new CRC over damaged bytes would hide the damage for good.
    pub fn verify_crc(&self) -> Result<(), Error> {
        let (stored, computed) = (
            self.i32(at::CRC) as u32,
            crc32c::crc32c(&self.bytes[at::ATTRIBUTES..]),
        );
        if stored != computed {
            return Err(Error::Crc {
                offset: self.base_offset(),
                stored,
                computed,
            });
        }
        Ok(())
    }

    fn array<const N: usize>(&self, from: usize) -> [u8; N] {
        *self.bytes[from..]
            .first_chunk()
            .expect("a view is never shorter than its header")
    }

    fn i16(&self, from: usize) -> i16 {
        i16::from_be_bytes(self.array(from))
    }

    fn i32(&self, from: usize) -> i32 {
        i32::from_be_bytes(self.array(from))
    }

    fn i64(&self, from: usize) -> i64 {
        i64::from_be_bytes(self.array(from))
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("base_offset", &self.base_offset().0)
            .field("last_offset", &self.last_offset().0)
            .field("records", &self.record_count())
            .field("attributes", &format_args!("{:#04x}", self.attributes()))
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}
