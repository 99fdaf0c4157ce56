//! Snappy as snappy-java's `SnappyOutputStream` frames it: a header of 16 bytes, then blocks with their length in front.
//! Other clients have written bare snappy blocks: both are read, the framed one is written.

use super::Fault;

const MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
/// Version 1, readable by version 1.
const HEADER: [u8; 16] = *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
/// What the Java client puts into one block.
const BLOCK: usize = 32 * 1024;
/// Snappy cannot do better than 64 bytes from 3: what a length claims above it is a lie.
const MAX_RATIO: usize = 24;

pub(super) struct Encoder {
    snappy: snap::raw::Encoder,
    block: Vec<u8>,
}

/// The blocks of a framed or bare input.
struct Blocks<'a> {
    rest: &'a [u8],
    framed: bool,
}

// === impl Encoder ===

impl Encoder {
    pub(super) fn new() -> Self {
        Self {
            snappy: snap::raw::Encoder::new(),
            block: vec![0; snap::raw::max_compress_len(BLOCK)],
        }
    }

    pub(super) fn compress(&mut self, input: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut output = Vec::with_capacity(HEADER.len() + input.len() / 2);
        output.extend_from_slice(&HEADER);
        for block in input.chunks(BLOCK) {
            let length = self
                .snappy
                .compress(block, &mut self.block)
                .map_err(Fault::corrupt)?;
            output.extend_from_slice(&(length as u32).to_be_bytes());
            output.extend_from_slice(&self.block[..length]);
        }
        Ok(output)
    }
}

// === impl Blocks ===

impl<'a> Blocks<'a> {
    fn new(input: &'a [u8]) -> Self {
        let framed = input.starts_with(&MAGIC) && input.len() >= HEADER.len();
        Self {
            rest: if framed { &input[HEADER.len()..] } else { input },
            framed,
        }
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Result<&'a [u8], Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        // Concatenated streams repeat the header (snappy-java reads on, so do we).
        while self.framed && self.rest.starts_with(&MAGIC) && self.rest.len() >= HEADER.len() {
            self.rest = &self.rest[HEADER.len()..];
        }
        if self.rest.is_empty() {
            return None;
        }
        if !self.framed {
            return Some(Ok(std::mem::take(&mut self.rest)));
        }
        let block = self
            .rest
            .split_first_chunk()
            .and_then(|(length, rest)| rest.split_at_checked(u32::from_be_bytes(*length) as usize));
        let Some((block, rest)) = block else {
            self.rest = &[];
            return Some(Err(Fault::corrupt("a block does not fit")));
        };
        self.rest = rest;
        Some(Ok(block))
    }
}

pub(super) fn decompress(input: &[u8], limit: usize) -> Result<Vec<u8>, Fault> {
    let mut total = 0_usize;
    for block in Blocks::new(input) {
        total = total.saturating_add(length(block?)?);
        if total > limit {
            return Err(Fault::TooLarge);
        }
    }
    let mut output = vec![0; total];
    let mut rest = output.as_mut_slice();
    let mut decoder = snap::raw::Decoder::new();
    for block in Blocks::new(input) {
        let written = decoder.decompress(block?, rest).map_err(Fault::corrupt)?;
        rest = &mut rest[written..];
    }
    Ok(output)
}

/// What a block says it decompresses to, when that is possible at all.
fn length(block: &[u8]) -> Result<usize, Fault> {
    let length = snap::raw::decompress_len(block).map_err(Fault::corrupt)?;
    if length > block.len().saturating_mul(MAX_RATIO) {
        return Err(Fault::corrupt("a block claims an impossible length"));
    }
    Ok(length)
}
