//! Kafka's variable-length integers (`ByteUtils`): zigzag, seven bits a byte, the lowest first.

/// Reads what a stranger wrote: every step answers `None` instead of reading past the end.
pub(super) struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

/// Bytes the longest 32-bit varint takes.
pub(super) const MAX_VARINT: usize = 5;

// === impl Reader ===

impl<'a> Reader<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// Goes on at `at`, which is not behind the end of `data`.
    pub(super) fn starting_at(data: &'a [u8], at: usize) -> Self {
        Self { data, at }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.data.len()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let byte = *self.data.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let bytes = self.data.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    /// A length and that many bytes; any negative length is null, as in Kafka.
    pub(super) fn nullable(&mut self) -> Option<Option<&'a [u8]>> {
        match usize::try_from(self.varint()?) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Some(None),
        }
    }

    pub(super) fn varint(&mut self) -> Option<i32> {
        let mut raw = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            raw |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some((raw >> 1) as i32 ^ -((raw & 1) as i32));
            }
        }
        None
    }

    pub(super) fn varlong(&mut self) -> Option<i64> {
        let mut raw = 0_u64;
        for shift in [0, 7, 14, 21, 28, 35, 42, 49, 56, 63] {
            let byte = self.byte()?;
            raw |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some((raw >> 1) as i64 ^ -((raw & 1) as i64));
            }
        }
        None
    }
}

pub(super) fn write_varint(out: &mut Vec<u8>, value: i32) {
    write_varlong(out, i64::from(value));
}

pub(super) fn write_varlong(out: &mut Vec<u8>, value: i64) {
    let mut raw = zigzag(value);
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// Bytes [`write_varlong`] and [`write_varint`] take.
pub(super) fn size(value: i64) -> usize {
    let significant = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    significant.div_ceil(7)
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_and_take_the_size_told() {
        let mut values = vec![
            0,
            -1,
            1,
            63,
            64,
            -64,
            -65,
            i64::MAX,
            i64::MIN,
            i64::from(i32::MAX),
            i64::from(i32::MIN),
        ];
        values.extend((0..64).flat_map(|bit| {
            [
                1_i64 << bit,
                -(1_i64 << (bit % 63)),
                (1_i64 << bit).wrapping_sub(1),
            ]
        }));
        for value in values {
            let mut out = Vec::new();
            write_varlong(&mut out, value);
            assert_eq!(out.len(), size(value), "{value}");
            let mut reader = Reader::new(&out);
            assert_eq!(reader.varlong(), Some(value));
            assert!(reader.is_at_end());
            if let Ok(small) = i32::try_from(value) {
                assert_eq!(Reader::new(&out).varint(), Some(small));
            }
            assert_eq!(Reader::new(&out[..out.len() - 1]).varlong(), None, "truncated");
        }
    }

    #[test]
    fn endless_varints_are_refused() {
        assert_eq!(Reader::new(&[0xff; 20]).varint(), None);
        assert_eq!(Reader::new(&[0xff; 20]).varlong(), None);
    }
}
