//! Decoding an answer without believing what it claims.
//!
//! `kafka-protocol` allocates room for as many items as an array's count says before it has read the first one. A few bytes could so ask for
//! hundreds of GiB, and an allocation that fails ends the process, with every connector in it. Its decoders read from any buffer, so they are given one
//! that looks at lengths first:
//!
//! - a length above what is left of the answer is refused: an item has at least a byte;
//! - an array of more than [`MOST_ITEMS`] items is refused. Records and strings may be longer; which of the two a length belongs to shows in
//!   what is read next, so the decoder gets a stand-in for a length that is larger, and after it nothing but the bytes it stands for.
//!
//! In flexible versions (KIP-482) lengths are variable-length integers, which are nothing else. In others they are 32-bit numbers like any:
//! one that is no possible length is given as a negative one. That ends the decoding of an array, and any other field lives with it: an answer that decodes
//! all the same has proved that no such number was a length, and is decoded once more as it came.

use bytes::{Buf, Bytes, TryGetError};
use kafka_protocol::{
    messages::ResponseHeader,
    protocol::{
        Decodable, HeaderVersion,
        buf::{ByteBuf, NotEnoughBytesError},
    },
};

/// Topics of a cluster, or partitions of a topic: far more than a cluster has. With the largest item of any answer this is less than 128 MiB.
const MOST_ITEMS: usize = 1 << 18;
/// What a larger length is given as: itself a length that may be believed.
const STAND_IN: usize = MOST_ITEMS;
/// The stand-in as a variable-length integer.
const STAND_IN_BYTES: [u8; 3] = [0x80, 0x80, 0x10];
/// What no array and no byte string may have as its length.
const IMPOSSIBLE: i32 = -2;
/// Numbers above [`MOST_ITEMS`] that are no lengths, in one answer of a version before the flexible ones (throttle time, session id, an epoch). A
/// broker that sends more wants to be decoded over and over.
const MOST_NUMBERS: usize = 8;

/// What an answer is decoded from.
struct Guarded<'a> {
    bytes: Bytes,
    /// Of the answer, to tell positions by.
    size: usize,
    lengths: Lengths<'a>,
    /// The rest of the stand-in, to be read byte by byte.
    stand_in: &'static [u8],
    /// A large length that was given as the stand-in: only its bytes can be read next.
    large: Option<Large>,
    /// A number was given as an impossible length.
    doubted: bool,
}

#[derive(Clone, Copy)]
enum Lengths<'a> {
    Variable,
    /// With the positions of large numbers that no bytes followed.
    Fixed(&'a [usize]),
}

#[derive(Clone, Copy)]
struct Large {
    position: usize,
    length: usize,
}

/// Decodes an answer of this version, which begins with its correlation id.
pub(crate) fn decode<A: Decodable + HeaderVersion>(mut answer: Bytes, version: i16) -> Result<A, String> {
    if A::header_version(version) > 0 {
        let mut guarded = Guarded::new(answer, Lengths::Variable);
        return ResponseHeader::decode(&mut guarded, A::header_version(version))
            .and_then(|_| A::decode(&mut guarded, version))
            .map_err(|cause| undecodable(version, &cause));
    }
    // Header version 0: nothing but the correlation id, which was there to be compared.
    answer
        .try_get_i32()
        .map_err(|cause| undecodable(version, &cause))?;
    let mut numbers = Vec::new();
    loop {
        let mut guarded = Guarded::new(answer.clone(), Lengths::Fixed(&numbers));
        match (A::decode(&mut guarded, version), guarded.large) {
            (Ok(decoded), _) if !guarded.doubted => return Ok(decoded),
            (Ok(_), _) => {
                return A::decode(&mut answer, version).map_err(|cause| undecodable(version, &cause));
            }
            (Err(_), Some(large)) if numbers.len() < MOST_NUMBERS => numbers.push(large.position),
            (Err(cause), _) => return Err(undecodable(version, &cause)),
        }
    }
}

// === impl Guarded ===

impl<'a> Guarded<'a> {
    fn new(bytes: Bytes, lengths: Lengths<'a>) -> Self {
        Self {
            size: bytes.len(),
            bytes,
            lengths,
            stand_in: &[],
            large: None,
            doubted: false,
        }
    }

    fn position(&self) -> usize {
        self.size - self.bytes.len()
    }

    /// How many bytes are meant: those of the large length after its stand-in.
    fn meant(&self, size: usize) -> Option<usize> {
        let Some(large) = self.large else {
            return Some(size);
        };
        // Compact lengths are one more than what follows; those of tagged fields are not.
        let less = STAND_IN.checked_sub(size).filter(|less| *less <= 1)?;
        Some(large.length - less)
    }
}

impl Buf for Guarded<'_> {
    /// Nothing, while only the bytes of a large length can be read.
    fn remaining(&self) -> usize {
        match self.large {
            None => self.bytes.len(),
            Some(_) => 0,
        }
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes[..self.remaining()]
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }

    /// The decoder reads variable-length integers byte by byte. Each byte that another one follows is looked at as if it were the first: for a later
    /// one this asks for less than for the first.
    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        if let Some((byte, rest)) = self.stand_in.split_first() {
            self.stand_in = rest;
            return Ok(*byte);
        }
        let byte = *self.chunk().first().ok_or(short(1, 0))?;
        if byte >= 0x80 {
            let (length, size) = varint(self.chunk());
            let left = self.remaining() - size;
            // One more than what follows.
            if length > left + 1 {
                return Err(short(length, left));
            }
            if length > MOST_ITEMS + 1 {
                let position = self.position();
                self.bytes.advance(size);
                self.large = Some(Large { position, length });
                self.stand_in = &STAND_IN_BYTES[1..];
                return Ok(STAND_IN_BYTES[0]);
            }
        }
        self.bytes.advance(1);
        Ok(byte)
    }

    fn try_get_i32(&mut self) -> Result<i32, TryGetError> {
        let position = self.position();
        let number = self.chunk().first_chunk().ok_or(short(4, self.remaining()))?;
        let number = i32::from_be_bytes(*number);
        self.bytes.advance(4);
        let (Lengths::Fixed(numbers), Ok(length)) = (self.lengths, usize::try_from(number)) else {
            return Ok(number);
        };
        if length > self.bytes.len() || numbers.contains(&position) {
            self.doubted = true;
            return Ok(IMPOSSIBLE);
        }
        if length > MOST_ITEMS {
            self.large = Some(Large { position, length });
            return Ok(STAND_IN as i32);
        }
        Ok(number)
    }
}

impl ByteBuf for Guarded<'_> {
    fn peek_bytes(&mut self, range: std::ops::Range<usize>) -> Bytes {
        self.bytes.slice(range)
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        self.bytes.split_to(size)
    }

    fn try_get_bytes(&mut self, size: usize) -> Result<Bytes, NotEnoughBytesError> {
        let size = self
            .meant(size)
            .filter(|size| *size <= self.bytes.len())
            .ok_or(NotEnoughBytesError)?;
        self.large = None;
        Ok(self.bytes.split_to(size))
    }
}

/// As the decoder reads it: value and size. At most five bytes, whatever the last one says.
fn varint(bytes: &[u8]) -> (usize, usize) {
    let mut value = 0_u32;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        value |= u32::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            return (value as usize, index + 1);
        }
    }
    (value as usize, bytes.len().min(5))
}

fn short(requested: usize, available: usize) -> TryGetError {
    TryGetError { requested, available }
}

fn undecodable(version: i16, cause: &dyn std::fmt::Display) -> String {
    format!("version {version} cannot be decoded: {cause}")
}

#[cfg(test)]
mod tests;
