//! Orders as JSON, and text to fill them up.

use std::{io::Write, sync::OnceLock};

use super::mix;

const FIRST_NAMES: [&str; 8] = ["Ada", "Bjørn", "Chiara", "Dilek", "Łukasz", "Mei", "Nuno", "Zoë"];
const LAST_NAMES: [&str; 8] = [
    "Lovelace", "Andersen", "Rossi", "Yılmaz", "Nowak", "Chen", "Silva", "O'Neil",
];
const CITIES: [&str; 4] = ["Utrecht", "Genève", "Leeds", "Kraków"];
const WORDS: [&str; 16] = [
    "barge", "canal", "lock", "towpath", "rope", "mule", "bridge", "quay", "freight", "weir", "stern", "bow",
    "tiller", "basin", "wharf", "aqueduct",
];

/// Text to cut pieces from. Longer than any window a codec looks back, so that pieces compress as text does, not as copies.
const POOL: usize = 8 << 20;

/// Writes an order's id, which is its key.
pub(super) fn id(seq: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"o-");
    let mut digits = [b'0'; 12];
    let mut rest = seq;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits);
}

/// Writes an order, filled up with a note to `size` bytes where it is shorter.
pub(super) fn order(seed: u64, seq: u64, created: i64, size: usize, out: &mut Vec<u8>) {
    let random = mix(seed, seq);
    let pick = |shift: u32, of: u64| ((random >> shift) % of) as usize;
    let (first, last) = (FIRST_NAMES[pick(0, 8)], LAST_NAMES[pick(4, 8)]);
    let (card, number) = (mix(random, 1) % 1_000_000_000_000, mix(random, 2) % 100_000);
    out.extend_from_slice(b"{\"id\":\"");
    id(seq, out);
    // Writing into a vector cannot fail.
    let _ = write!(
        out,
        "\",\"customer\":{{\"name\":\"{first} {last}\",\"email\":\"customer{number}@example.org\",\"card\":\"4000{card:012}\",\"city\":\"{}\"}},\
         \"items\":[{{\"sku\":\"{}-{}\",\"quantity\":{},\"cents\":{}}}],\"paid\":{},\"rating\":{}.5,\"coupon\":null,\"created\":{created},\"note\":\"",
        CITIES[pick(8, 4)],
        WORDS[pick(12, 16)],
        pick(16, 1000),
        1 + pick(28, 9),
        pick(32, 100_000),
        if random & 1 == 0 { "true" } else { "false" },
        pick(52, 5),
    );
    let note = size.saturating_sub(out.len() + 2);
    out.extend_from_slice(text(random, note));
    out.extend_from_slice(b"\"}");
}

/// A piece of plain words of a size in bytes (up to 4 MiB), chosen by a number.
pub fn text(choice: u64, size: usize) -> &'static [u8] {
    static TEXT: OnceLock<Vec<u8>> = OnceLock::new();
    let pool = TEXT.get_or_init(|| {
        let mut pool = Vec::with_capacity(POOL + 64);
        for number in 0.. {
            if pool.len() >= POOL {
                break;
            }
            let random = mix(7, number);
            let _ = write!(
                pool,
                "{} {} ",
                WORDS[(random % 16) as usize],
                (random >> 8) % 10_000
            );
        }
        pool
    });
    let size = size.min(POOL / 2);
    let from = (choice % (POOL - size) as u64) as usize;
    &pool[from..from + size]
}
