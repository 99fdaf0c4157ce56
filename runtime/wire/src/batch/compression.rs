//! Kafka's codecs, each as its Java client frames them. A decompressor never allocates more than its limit,
//! whatever the input claims.

use std::fmt;

mod gzip;
mod lz4;
mod snappy;
mod zstd;

/// How a batch's records are compressed (Kafka's `compression.type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// Compresses batch after batch; keeps what costs to set up.
pub(super) struct Compressor {
    codec: Codec,
}

enum Codec {
    None,
    Gzip,
    Snappy(Box<snappy::Encoder>),
    Lz4(Box<lz4::Encoder>),
    Zstd(Box<zstd::Encoder>),
}

/// Why a codec refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The output would be larger than the limit.
    TooLarge,
    Corrupt(String),
}

// === impl Compression ===

impl Compression {
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// From the attributes' lowest three bits.
    pub fn from_id(id: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|compression| compression.id() == id)
    }

    pub fn id(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Compressor ===

impl Compressor {
    pub(super) fn new(compression: Compression) -> Self {
        let codec = match compression {
            Compression::None => Codec::None,
            Compression::Gzip => Codec::Gzip,
            Compression::Snappy => Codec::Snappy(Box::new(snappy::Encoder::new())),
            Compression::Lz4 => Codec::Lz4(Box::new(lz4::Encoder::new())),
            Compression::Zstd => Codec::Zstd(Box::new(zstd::Encoder::new())),
        };
        Self { codec }
    }

    /// Takes the input away and leaves a buffer to fill again: uncompressed records become a batch's body without a copy.
    pub(super) fn compress(&mut self, input: &mut Vec<u8>) -> Result<Vec<u8>, Fault> {
        let output = match &mut self.codec {
            Codec::None => return Ok(std::mem::take(input)),
            Codec::Gzip => gzip::compress(input)?,
            Codec::Snappy(encoder) => encoder.compress(input)?,
            Codec::Lz4(encoder) => encoder.compress(input)?,
            Codec::Zstd(encoder) => encoder.compress(input)?,
        };
        input.clear();
        Ok(output)
    }
}

// === impl Fault ===

impl Fault {
    fn corrupt(reason: impl fmt::Display) -> Self {
        Self::Corrupt(reason.to_string())
    }
}

/// Decompresses all of `input` to at most `limit` bytes. Not for [`Compression::None`], which has nothing to undo.
pub(super) fn decompress(compression: Compression, input: &[u8], limit: usize) -> Result<Vec<u8>, Fault> {
    match compression {
        Compression::None => Ok(input.to_vec()),
        Compression::Gzip => gzip::decompress(input, limit),
        Compression::Snappy => snappy::decompress(input, limit),
        Compression::Lz4 => lz4::decompress(input, limit),
        Compression::Zstd => zstd::decompress(input, limit),
    }
}
