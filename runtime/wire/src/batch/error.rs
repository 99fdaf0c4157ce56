use towpath_domain::Offset;

use super::Compression;

/// What can be wrong with a batch. None of it goes away by asking again, except [`Error::Crc`], when the damage was done on the way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `position`: bytes from the start of the fetched record set.
    #[error(
        "batch at offset {offset} (byte {position} of the fetched records) has an impossible length of {length} bytes"
    )]
    Length {
        position: usize,
        offset: Offset,
        length: i64,
    },
    #[error(
        "batch at offset {offset} (byte {position} of the fetched records) has magic {magic}, known are 0, 1 and 2"
    )]
    Magic {
        position: usize,
        offset: Offset,
        magic: u8,
    },
    #[error(
        "batch at offset {base_offset} has an impossible header: last offset delta {last_offset_delta}, {record_count} records"
    )]
    Header {
        base_offset: Offset,
        last_offset_delta: i32,
        record_count: i32,
    },
    #[error(
        "batch at offset {offset} is damaged: its CRC is {stored:#010x}, its bytes give {computed:#010x}"
    )]
    Crc {
        offset: Offset,
        stored: u32,
        computed: u32,
    },
    #[error("batch at offset {base_offset} is compressed with unknown codec {id}")]
    Codec { base_offset: Offset, id: i16 },
    #[error("batch at offset {base_offset} does not decompress as {codec}: {reason}")]
    Decompress {
        base_offset: Offset,
        codec: Compression,
        reason: String,
    },
    /// A decompression bomb, or a limit too small for this topic.
    #[error("batch at offset {base_offset} decompresses to more than the limit of {limit} bytes")]
    TooLarge { base_offset: Offset, limit: usize },
    #[error("batch at offset {base_offset} has {count} records, the limit is {limit}")]
    TooManyRecords {
        base_offset: Offset,
        count: usize,
        limit: usize,
    },
    /// `index`: of the record in its batch, from 0.
    #[error("record {index} of the batch at offset {base_offset} is malformed: {what}")]
    Malformed {
        base_offset: Offset,
        index: usize,
        what: &'static str,
    },
    #[error("encoded headers of a record are malformed: {what}")]
    Headers { what: &'static str },
    /// The record fits in no batch the target takes: raise the target topic's `max.message.bytes`, or drop the record.
    #[error(
        "record at source offset {offset} alone makes a batch of {size} bytes, the target takes at most {limit}"
    )]
    RecordTooLarge {
        offset: Offset,
        size: usize,
        limit: usize,
    },
    #[error("a batch without records cannot be produced")]
    NoRecords,
    #[error("records do not compress as {codec}: {reason}")]
    Compress { codec: Compression, reason: String },
}
