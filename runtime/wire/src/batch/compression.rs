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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

    use super::*;

    fn text(length: usize) -> Vec<u8> {
        (0..length).map(|at| b'a' + (at * at / 50 % 26) as u8).collect()
    }

    #[test]
    fn other_writers_lz4_frames_are_read() {
        let text = text(700_000);
        for mode in [BlockMode::Independent, BlockMode::Linked] {
            for size in [
                BlockSize::Max64KB,
                BlockSize::Max256KB,
                BlockSize::Max1MB,
                BlockSize::Max4MB,
            ] {
                let info = FrameInfo::new().block_mode(mode).block_size(size);
                let info = info
                    .block_checksums(true)
                    .content_checksum(true)
                    .content_size(Some(text.len() as u64));
                let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
                encoder.write_all(&text).unwrap();
                let frame = encoder.finish().unwrap();
                assert_eq!(
                    decompress(Compression::Lz4, &frame, text.len()).unwrap(),
                    text,
                    "{size:?}"
                );
                assert_eq!(
                    decompress(Compression::Lz4, &frame, text.len() - 1),
                    Err(Fault::TooLarge),
                    "{size:?}"
                );
            }
        }
    }

    #[test]
    fn our_lz4_frames_are_frames() {
        let mut output = Vec::new();
        let frame = Compressor::new(Compression::Lz4)
            .compress(&mut text(200_000))
            .unwrap();
        std::io::copy(&mut lz4_flex::frame::FrameDecoder::new(&frame[..]), &mut output).unwrap();
        assert_eq!(output, text(200_000));
    }

    #[test]
    fn several_frames_in_a_row_are_one() {
        for compression in [Compression::Gzip, Compression::Snappy, Compression::Zstd] {
            let frame = Compressor::new(compression).compress(&mut text(50_000)).unwrap();
            let output = decompress(compression, &[frame.clone(), frame].concat(), 100_000).unwrap();
            assert_eq!(output, [text(50_000), text(50_000)].concat(), "{compression}");
        }
    }

    #[test]
    fn bare_snappy_and_streamed_zstd_are_read() {
        let text = text(300_000);
        let bare = snap::raw::Encoder::new().compress_vec(&text).unwrap();
        assert_eq!(decompress(Compression::Snappy, &bare, text.len()).unwrap(), text);
        for level in [1, 3, 19] {
            let mut stream = ::zstd::stream::write::Encoder::new(Vec::new(), level).unwrap();
            stream.include_checksum(true).unwrap();
            for piece in text.chunks(70_001) {
                stream.write_all(piece).unwrap();
                stream.flush().unwrap();
            }
            let frame = stream.finish().unwrap();
            assert_eq!(decompress(Compression::Zstd, &frame, text.len()).unwrap(), text);
            assert_eq!(
                decompress(Compression::Zstd, &frame, text.len() - 1),
                Err(Fault::TooLarge)
            );
        }
    }
}
