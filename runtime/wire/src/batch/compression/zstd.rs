//! Zstandard frames, one after the other.

use zstd::{bulk, zstd_safe};

use super::Fault;

/// Kafka's default of 3 takes half as long again and is no smaller (1 KiB JSON records).
const LEVEL: i32 = 1;
/// The most one block of a frame decompresses to (RFC 8878, 3.1.1.2.4).
const MAX_BLOCK: usize = 128 * 1024;

pub(super) struct Encoder {
    /// Made for the first batch: it is some MiB.
    zstd: Option<bulk::Compressor<'static>>,
}

// === impl Encoder ===

impl Encoder {
    pub(super) fn new() -> Self {
        Self { zstd: None }
    }

    pub(super) fn compress(&mut self, input: &[u8]) -> Result<Vec<u8>, Fault> {
        let zstd = match &mut self.zstd {
            Some(zstd) => zstd,
            none => none.insert(bulk::Compressor::new(LEVEL).map_err(Fault::corrupt)?),
        };
        zstd.compress(input).map_err(Fault::corrupt)
    }
}

/// In one step into a buffer that is large enough: a streaming decoder would allocate the window a frame claims, up to 128 MiB.
pub(super) fn decompress(input: &[u8], limit: usize) -> Result<Vec<u8>, Fault> {
    let bound = bound(input).ok_or_else(|| Fault::corrupt("not a sequence of zstd frames"))?;
    let mut output = Vec::with_capacity(bound.min(limit));
    let mut zstd = bulk::Decompressor::new().map_err(Fault::corrupt)?;
    match zstd.decompress_to_buffer(input, &mut output) {
        Ok(_) => {
            if output.capacity() / 2 > output.len() {
                output.shrink_to_fit();
            }
            Ok(output)
        }
        Err(_) if bound > limit => Err(Fault::TooLarge),
        Err(error) => Err(Fault::corrupt(error)),
    }
}

/// No less than the input decompresses to: what the frames say, or what their blocks can be at most (streaming producers, the Java
/// client among them, do not know the size when they write the frame's header).
fn bound(mut input: &[u8]) -> Option<usize> {
    let mut total = 0_usize;
    while !input.is_empty() {
        let length = zstd_safe::find_frame_compressed_size(input)
            .ok()
            .filter(|length| *length > 0)?;
        let (frame, rest) = input.split_at_checked(length)?;
        let bound = match zstd_safe::get_frame_content_size(frame).ok()? {
            Some(size) => usize::try_from(size).ok()?,
            None => blocks(frame)?,
        };
        total = total.saturating_add(bound);
        input = rest;
    }
    Some(total)
}

/// Adds up what the blocks of a frame (RFC 8878, 3.1.1) can be at most.
fn blocks(frame: &[u8]) -> Option<usize> {
    let descriptor = *frame.get(4)?;
    let single_segment = descriptor & 0b10_0000 != 0;
    let window = usize::from(!single_segment);
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 0b11)];
    let content_size = [usize::from(single_segment), 2, 4, 8][usize::from(descriptor >> 6)];
    let mut rest = frame.get(5 + window + dictionary + content_size..)?;
    let mut total = 0_usize;
    loop {
        let ([low, middle, high], after) = rest.split_first_chunk()?;
        let header = u32::from_le_bytes([*low, *middle, *high, 0]);
        let size = (header >> 3) as usize;
        let (bound, stored) = match (header >> 1) & 0b11 {
            0 => (size, size),
            1 => (size, 1),
            _ => (MAX_BLOCK, size),
        };
        total = total.saturating_add(bound);
        if header & 1 == 1 {
            return Some(total);
        }
        rest = after.get(stored..)?;
    }
}
