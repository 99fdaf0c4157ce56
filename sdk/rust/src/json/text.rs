//! The words of JSON: strings, numbers, whitespace, fast over what is of no interest.

use super::{Error, Problem};

/// A place in the text.
pub(super) struct Text<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

// === impl Text ===

impl<'a> Text<'a> {
    pub(super) fn error<T>(&self, problem: Problem) -> Result<T, Error> {
        let problem = if self.at >= self.bytes.len() {
            Problem::End
        } else {
            problem
        };
        Err(Error {
            position: self.at.min(self.bytes.len()),
            problem,
        })
    }

    /// The byte here; 0, which fits nowhere, after the end.
    pub(super) fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    pub(super) fn eat(&mut self, byte: u8, what: &'static str) -> Result<(), Error> {
        if self.peek() != byte {
            return self.error(Problem::Expected(what));
        }
        self.at += 1;
        Ok(())
    }

    pub(super) fn whitespace(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// A string from its opening quote on. Says whether it has escapes.
    pub(super) fn string(&mut self) -> Result<bool, Error> {
        self.eat(b'"', "a string")?;
        let mut escaped = false;
        loop {
            self.at = next_special(self.bytes, self.at);
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Ok(escaped);
                }
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return self.error(Problem::Control),
            }
        }
    }

    /// `"key" :` and the whitespace after it. Says where the key is, without its quotes, and whether it has escapes.
    pub(super) fn key(&mut self) -> Result<(&'a [u8], bool), Error> {
        let start = self.at + 1;
        let escaped = self.string()?;
        let key = &self.bytes[start..self.at - 1];
        self.whitespace();
        self.eat(b':', "`:`")?;
        self.whitespace();
        Ok((key, escaped))
    }

    pub(super) fn scalar(&mut self) -> Result<(), Error> {
        match self.peek() {
            b'"' => self.string().map(|_| ()),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.error(Problem::Expected("a value")),
        }
    }

    fn literal(&mut self, literal: &'static [u8]) -> Result<(), Error> {
        for byte in literal {
            self.eat(*byte, "true, false or null")?;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Error> {
        if self.peek() == b'-' {
            self.at += 1;
        }
        if self.peek() == b'0' {
            self.at += 1;
            if self.peek().is_ascii_digit() {
                return self.error(Problem::Number);
            }
        } else {
            self.digits()?;
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start {
            self.error(Problem::Number)
        } else {
            Ok(())
        }
    }

    fn escape(&mut self) -> Result<(), Error> {
        self.at += 1;
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_ascii_hexdigit() {
                        return self.error(Problem::Escape);
                    }
                    self.at += 1;
                }
            }
            _ => return self.error(Problem::Escape),
        }
        Ok(())
    }
}

/// What the text between two quotes means. Lone surrogates become U+FFFD: no path names them.
pub(super) fn unescape(key: &[u8], plain: &mut Vec<u8>) {
    plain.clear();
    let mut rest = key;
    while let [first, tail @ ..] = rest {
        rest = tail;
        let ([escape, after @ ..], b'\\') = (tail, *first) else {
            plain.push(*first);
            continue;
        };
        rest = after;
        match escape {
            b'b' => plain.push(8),
            b'f' => plain.push(12),
            b'n' => plain.push(b'\n'),
            b'r' => plain.push(b'\r'),
            b't' => plain.push(b'\t'),
            b'u' => {
                let (c, used) = code_point(after);
                plain.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after.get(used..).unwrap_or_default();
            }
            other => plain.push(*other),
        }
    }
}

/// The character after `\u`, and how many bytes say so: 4, or 10 for a pair of surrogates.
fn code_point(text: &[u8]) -> (char, usize) {
    let unit = |text: Option<&[u8]>| {
        let text = std::str::from_utf8(text?).ok()?;
        u32::from_str_radix(text, 16).ok()
    };
    let Some(first) = unit(text.get(..4)) else {
        return (char::REPLACEMENT_CHARACTER, 4);
    };
    if (0xD800..0xDC00).contains(&first)
        && text.get(4..6) == Some(b"\\u")
        && let Some(second) = unit(text.get(6..10))
        && (0xDC00..0xE000).contains(&second)
    {
        let c = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return (char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER), 10);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 4)
}

/// Where the next quote, backslash or control character is; the end when there is none.
fn next_special(bytes: &[u8], mut at: usize) -> usize {
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk::<16>) {
        match first_special(block) {
            16 => at += 16,
            offset => return at + offset,
        }
    }
    let special = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
    let tail = bytes.get(at..).unwrap_or_default();
    at + tail.iter().position(special).unwrap_or(tail.len())
}

/// Its offset in the block, or 16. One comparison each for all 16 bytes.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
fn first_special(block: &[u8; 16]) -> usize {
    use std::arch::wasm32::{u8x16_bitmask, u8x16_eq, u8x16_lt, u8x16_splat, u64x2, v128_or};

    let (low, high) = halves(block);
    let block = u64x2(low, high);
    let quotes = v128_or(
        u8x16_eq(block, u8x16_splat(b'"')),
        u8x16_eq(block, u8x16_splat(b'\\')),
    );
    let special = v128_or(quotes, u8x16_lt(block, u8x16_splat(b' ')));
    (u32::from(u8x16_bitmask(special)) | 1 << 16).trailing_zeros() as usize
}

/// Its offset in the block, or 16. Eight bytes at a time in one register: the classic test for a zero byte (exact for the lowest one, and the
/// lowest one is what is asked for).
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
fn first_special(block: &[u8; 16]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & TOPS;
    let special = |word: u64| {
        below(word ^ (ONES * u64::from(b'"')), 1)
            | below(word ^ (ONES * u64::from(b'\\')), 1)
            | below(word, u64::from(b' '))
    };
    let (low, high) = halves(block);
    match special(low) {
        0 => 8 + (special(high).trailing_zeros() / 8) as usize,
        found => (found.trailing_zeros() / 8) as usize,
    }
}

fn halves(block: &[u8; 16]) -> (u64, u64) {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *block;
    (
        u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        u64::from_le_bytes([i, j, k, l, m, n, o, p]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_byte_is_found_wherever_it_is() {
        for at in 0..40 {
            for special in [b'"', b'\\', 0, 0x1f] {
                let mut bytes = [b'!'; 40];
                bytes[at] = special;
                bytes[39] = b'"';
                assert_eq!(next_special(&bytes, 0), at);
                bytes[at] = 0xa2;
                assert_eq!(next_special(&bytes, 0), if at == 39 { 40 } else { 39 });
            }
        }
    }
}
