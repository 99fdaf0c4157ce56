//! Many bytes at once: where in them a string may end.

/// Bytes that are looked at together: a bit each.
pub(super) const SIZE: usize = 64;

/// What is known of some bytes.
pub(super) struct Window {
    /// Of the first of them in the text.
    start: usize,
    /// quotes, backslashes, control characters; what is behind the end of the text counts as such
    special: u64,
    /// not ASCII
    high: u64,
}

/// Bytes that are not special.
pub(super) struct Run {
    pub(super) length: usize,
    pub(super) ascii: bool,
    /// A special one follows; otherwise the window ends.
    pub(super) ended: bool,
}

// === impl Window ===

impl Window {
    pub(super) fn at(bytes: &[u8], start: usize) -> Self {
        let rest = bytes.get(start..).unwrap_or_default();
        let (special, high) = match rest.first_chunk() {
            Some(block) => look(block),
            None => look_at_tail(rest),
        };
        Self { start, special, high }
    }

    /// From this place in the text, at or behind the window's start, to the next special byte or to the window's end.
    #[inline]
    pub(super) fn run(&self, at: usize) -> Run {
        let offset = at - self.start;
        if offset >= SIZE {
            return Run {
                length: 0,
                ascii: true,
                ended: false,
            };
        }
        let special = self.special >> offset;
        // all bits below the special one
        let passed = (special & special.wrapping_neg()).wrapping_sub(1);
        Run {
            length: (special.trailing_zeros() as usize).min(SIZE - offset),
            ascii: (self.high >> offset) & passed == 0,
            ended: special != 0,
        }
    }
}

/// Whether among these bytes are special ones, and whether all are ASCII: what long strings need to know of most of their bytes.
pub(super) struct Glance {
    pub(super) special: bool,
    pub(super) ascii: bool,
}

impl Glance {
    /// None: so many bytes are not there any more.
    #[inline(always)]
    pub(super) fn at(bytes: &[u8], start: usize) -> Option<Self> {
        bytes.get(start..)?.first_chunk().map(glance)
    }
}

#[cold]
#[inline(never)]
fn look_at_tail(rest: &[u8]) -> (u64, u64) {
    let mut padded = [0; SIZE];
    padded[..rest.len()].copy_from_slice(rest);
    look(&padded)
}

/// Sixteen bytes of a block, and which of them are special.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn sixteen(bytes: &[u8; 16]) -> [std::arch::wasm32::v128; 2] {
    use std::arch::wasm32::{u8x16_eq, u8x16_lt, u8x16_splat, u64x2, v128_or};

    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *bytes;
    let part = u64x2(
        u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        u64::from_le_bytes([i, j, k, l, m, n, o, p]),
    );
    let quotes = v128_or(
        u8x16_eq(part, u8x16_splat(b'"')),
        u8x16_eq(part, u8x16_splat(b'\\')),
    );
    [part, v128_or(quotes, u8x16_lt(part, u8x16_splat(b' ')))]
}

/// One comparison each for 16 bytes.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
fn look(block: &[u8; SIZE]) -> (u64, u64) {
    use std::arch::wasm32::u8x16_bitmask;

    let (mut special, mut high) = (0, 0);
    let (parts, _) = block.as_chunks::<16>();
    for (at, part) in (0..).step_by(16).zip(parts) {
        let [part, found] = sixteen(part);
        special |= u64::from(u8x16_bitmask(found)) << at;
        high |= u64::from(u8x16_bitmask(part)) << at;
    }
    (special, high)
}

/// The same without saying where.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn glance(block: &[u8; SIZE]) -> Glance {
    use std::arch::wasm32::{u8x16_bitmask, v128_any_true, v128_or};

    let (parts, _) = block.as_chunks::<16>();
    let [a, b, c, d] = [&parts[0], &parts[1], &parts[2], &parts[3]].map(sixteen);
    let [all, found] = [0, 1].map(|of| v128_or(v128_or(a[of], b[of]), v128_or(c[of], d[of])));
    Glance {
        special: v128_any_true(found),
        ascii: u8x16_bitmask(all) == 0,
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
fn glance(block: &[u8; SIZE]) -> Glance {
    let (special, high) = look(block);
    Glance {
        special: special != 0,
        ascii: high == 0,
    }
}

/// Eight bytes at a time in one register.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
fn look(block: &[u8; SIZE]) -> (u64, u64) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = ONES << 7;
    // The top bit of each byte that is below the limit (at most 128): no byte's sum carries into the next one.
    let below = |word: u64, limit: u64| !(((word & !TOPS) + ONES * (128 - limit)) | word) & TOPS;
    // The top bits of eight bytes, side by side.
    let gather = |tops: u64| (tops >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    let (mut special, mut high) = (0, 0);
    let (words, _) = block.as_chunks::<8>();
    for (at, word) in (0..).step_by(8).zip(words) {
        let word = u64::from_le_bytes(*word);
        let found = below(word ^ (ONES * u64::from(b'"')), 1)
            | below(word ^ (ONES * u64::from(b'\\')), 1)
            | below(word, u64::from(b' '));
        special |= gather(found) << at;
        high |= gather(word & TOPS) << at;
    }
    (special, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_told_by_its_bit() {
        for at in 0..SIZE {
            for byte in 0..=u8::MAX {
                let mut bytes = [b'!'; SIZE];
                bytes[at] = byte;
                let window = Window::at(&bytes, 0);
                let special = byte < b' ' || byte == b'"' || byte == b'\\';
                assert_eq!(window.special, u64::from(special) << at, "{byte} at {at}");
                assert_eq!(window.high, u64::from(byte >= 0x80) << at, "{byte} at {at}");
                let glance = Glance::at(&bytes, 0).unwrap();
                assert_eq!((glance.special, glance.ascii), (special, byte < 0x80));
                assert!(Glance::at(&bytes, 1).is_none());
            }
        }
    }

    #[test]
    fn runs_end_at_what_is_special_and_at_the_end() {
        let window = Window::at(b"ab\"\xc3\xa9\"c", 0);
        let run = |offset| {
            let run = window.run(offset);
            (run.length, run.ascii)
        };
        assert_eq!(run(0), (2, true));
        assert_eq!(run(2), (0, true));
        assert_eq!(run(3), (2, false));
        assert_eq!(run(6), (1, true), "nothing is behind the end");
        let window = Window::at(&[0xa2; SIZE], 0);
        assert_eq!((window.run(1).length, window.run(1).ascii), (SIZE - 1, false));
        assert_eq!((window.run(SIZE - 1).length, window.run(SIZE).length), (1, 0));
        assert!(!window.run(SIZE - 1).ended && !window.run(SIZE).ended);
    }
}
