//! Bytes that look random and are the same everywhere.

/// The stream starts anew with every call of the guest: the same batch gives the same bytes, whatever came before it and on whichever instance.
pub(crate) struct Random {
    state: u64,
}

/// The golden ratio, as splitmix64 has it. Also the seed that `insecure-seed` gives.
pub(crate) const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

// === impl Random ===

impl Random {
    pub(crate) fn restart(&mut self) {
        *self = Self::default();
    }

    /// splitmix64.
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(SEED);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len);
        while bytes.len() < len {
            let word = self.next().to_le_bytes();
            bytes.extend_from_slice(&word[..word.len().min(len - bytes.len())]);
        }
        bytes
    }
}

impl Default for Random {
    fn default() -> Self {
        Self { state: SEED }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_starts_anew_is_the_same_and_does_not_repeat_itself() {
        let mut random = Random::default();
        let first = random.bytes(1001);
        assert_eq!(first.len(), 1001);
        assert_ne!(first[..8], first[8..16]);
        random.restart();
        assert_eq!(random.bytes(1001), first);
    }
}
