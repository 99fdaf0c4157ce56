//! LZ4 frames as Kafka's `Lz4BlockOutputStream` writes them: independent blocks of 64 KB, no content checksum. Written block by block:
//! a frame encoder costs twice as much (measured).

use lz4_flex::block::{
    CompressTable, DecompressError, compress_into_with_table, decompress_into, decompress_into_with_dict,
    get_maximum_output_size,
};

use super::Fault;

const MAGIC: [u8; 4] = 0x184D_2204_u32.to_le_bytes();
/// Magic; version 1 with independent blocks; blocks up to 64 KB; second byte of the two descriptor bytes' xxh32.
const HEADER: [u8; 7] = [MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3], 0x60, 0x40, 0x82];
const BLOCK: usize = 64 * 1024;
/// In a block's length: the block is stored as it is.
const STORED: u32 = 1 << 31;
/// LZ4 cannot do better: a block needs no more room than this many times its length.
const MAX_RATIO: usize = 255;

/// The descriptor's flags.
mod flags {
    pub(super) const VERSION: u8 = 0b1100_0000;
    pub(super) const VERSION_1: u8 = 0b0100_0000;
    pub(super) const INDEPENDENT: u8 = 0b0010_0000;
    pub(super) const BLOCK_CHECKSUM: u8 = 0b0001_0000;
    pub(super) const CONTENT_SIZE: u8 = 0b0000_1000;
    pub(super) const CONTENT_CHECKSUM: u8 = 0b0000_0100;
    pub(super) const DICTIONARY: u8 = 0b0000_0001;
}

pub(super) struct Encoder {
    /// For whole blocks and for what is smaller: the small table is the faster one.
    large: CompressTable,
    small: CompressTable,
    block: Vec<u8>,
}

/// Cuts pieces off the input.
struct Input<'a>(&'a [u8]);

// === impl Encoder ===

impl Encoder {
    pub(super) fn new() -> Self {
        Self {
            large: CompressTable::large(),
            small: CompressTable::small(),
            block: vec![0; get_maximum_output_size(BLOCK)],
        }
    }

    pub(super) fn compress(&mut self, input: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut output = Vec::with_capacity(HEADER.len() + 4 + input.len() / 2);
        output.extend_from_slice(&HEADER);
        for block in input.chunks(BLOCK) {
            let table = if block.len() < usize::from(u16::MAX) {
                &mut self.small
            } else {
                &mut self.large
            };
            let length = compress_into_with_table(block, &mut self.block, table).map_err(Fault::corrupt)?;
            if length < block.len() {
                output.extend_from_slice(&(length as u32).to_le_bytes());
                output.extend_from_slice(&self.block[..length]);
            } else {
                output.extend_from_slice(&(block.len() as u32 | STORED).to_le_bytes());
                output.extend_from_slice(block);
            }
        }
        output.extend_from_slice(&[0; 4]);
        Ok(output)
    }
}

// === impl Input ===

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or_else(|| Fault::corrupt("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self) -> Result<u32, Fault> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }
}

/// The frame's own checksums are not looked at: the batch's CRC covers the same bytes, and producers of magic 0 wrote a wrong one
/// into the descriptor (KIP-57).
pub(super) fn decompress(input: &[u8], limit: usize) -> Result<Vec<u8>, Fault> {
    let mut input = Input(input);
    if input.take(MAGIC.len())? != MAGIC {
        return Err(Fault::corrupt("not an lz4 frame"));
    }
    let (flags, sizes) = (input.byte()?, input.byte()?);
    if flags & flags::VERSION != flags::VERSION_1 || flags & flags::DICTIONARY != 0 {
        return Err(Fault::corrupt(format_args!("unknown frame flags {flags:#04x}")));
    }
    let largest = match (sizes >> 4) & 0b111 {
        size @ 4..=7 => 1_usize << (8 + 2 * size),
        size => return Err(Fault::corrupt(format_args!("unknown block size {size}"))),
    };
    if flags & flags::CONTENT_SIZE != 0 {
        input.take(8)?;
    }
    input.byte()?;

    let mut output = Vec::new();
    loop {
        let length = input.number()?;
        if length == 0 {
            break;
        }
        let block = input.take((length & !STORED) as usize)?;
        if flags & flags::BLOCK_CHECKSUM != 0 {
            input.take(4)?;
        }
        let start = output.len();
        let room = limit - start;
        if length & STORED != 0 {
            if block.len() > room {
                return Err(Fault::TooLarge);
            }
            reserve(&mut output, block.len(), input.0.len(), limit);
            output.extend_from_slice(block);
            continue;
        }
        let needed = largest.min(block.len().saturating_mul(MAX_RATIO)).min(room);
        reserve(&mut output, needed, input.0.len(), limit);
        output.resize(start + needed, 0);
        let (before, target) = output.split_at_mut(start);
        let result = if flags & flags::INDEPENDENT != 0 {
            decompress_into(block, target)
        } else {
            decompress_into_with_dict(block, target, &before[start.saturating_sub(BLOCK)..])
        };
        match result {
            Ok(written) => output.truncate(start + written),
            Err(DecompressError::OutputTooSmall { .. }) if needed == room => {
                return Err(Fault::TooLarge);
            }
            Err(error) => return Err(Fault::corrupt(error)),
        }
    }
    if flags & flags::CONTENT_CHECKSUM != 0 {
        input.take(4)?;
    }
    if !input.0.is_empty() {
        return Err(Fault::corrupt("bytes after the frame"));
    }
    Ok(output)
}

/// Makes room for `needed` more bytes, and for what the rest of the input may give, without ever going over the limit.
fn reserve(output: &mut Vec<u8>, needed: usize, rest: usize, limit: usize) {
    if output.capacity() - output.len() < needed {
        let wanted = output.len() + needed + (2 * rest).max(output.len() / 2);
        output.reserve_exact(wanted.min(limit) - output.len());
    }
}
