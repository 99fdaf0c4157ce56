//! What the demo's records hold: a function of their number, so that every record can be judged at the end.

use std::{io::Write, sync::OnceLock};

/// A topic's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// 1 KiB of compact JSON, with a customer whose email and card are to be masked.
    Orders,
    /// 512 bytes of words.
    Payments,
}

/// How the masked fields of an order read.
#[derive(Clone, Copy)]
enum Shown<'a> {
    AsTheyAre,
    Masked(&'a str),
}

const ORDER_BYTES: usize = 1024;
const PAYMENT_BYTES: usize = 512;
const NAMES: [&str; 6] = [
    "Ada Lovelace",
    "Chiara Rossi",
    "Dilek Yılmaz",
    "Mei Chen",
    "Nuno Silva",
    "Zoë O'Neil",
];
const WORDS: [&str; 8] = [
    "barge", "canal", "lock", "towpath", "mule", "quay", "weir", "tiller",
];
/// Longer than a codec looks back: its pieces compress as text does.
const POOL_BYTES: usize = 1 << 20;
/// Digits of a record's number in its key.
const DIGITS: usize = 12;

// === impl Content ===

impl Content {
    /// Writes a record's key.
    pub(super) fn key(self, number: u64, out: &mut Vec<u8>) {
        let prefix = match self {
            Self::Orders => 'o',
            Self::Payments => 'p',
        };
        // Writing into a vector cannot fail.
        let _ = write!(out, "{prefix}-{number:0DIGITS$}");
    }

    /// Writes a record's value.
    pub(super) fn value(self, number: u64, out: &mut Vec<u8>) {
        match self {
            Self::Orders => order(number, Shown::AsTheyAre, out),
            Self::Payments => out.extend_from_slice(words(mix(number), PAYMENT_BYTES)),
        }
    }
}

/// Writes what the target must have for an order of the source: the same with its fields masked. What is no order of the demo is written as it
/// is, which is another value than a masked one.
pub(super) fn masked(value: &[u8], replacement: &str, out: &mut Vec<u8>) {
    let digits = value
        .get(br#"{"id":"o-"#.len()..)
        .and_then(|rest| rest.get(..DIGITS));
    let number = digits
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok());
    let Some(number) = number else {
        return out.extend_from_slice(value);
    };
    order(number, Shown::AsTheyAre, out);
    let is_ours = out == value;
    out.clear();
    match is_ours {
        true => order(number, Shown::Masked(replacement), out),
        false => out.extend_from_slice(value),
    }
}

fn order(number: u64, shown: Shown<'_>, out: &mut Vec<u8>) {
    let random = mix(number);
    let name = NAMES[(random % NAMES.len() as u64) as usize];
    let email = format!("customer{}@example.org", random >> 8 & 0xffff);
    let card = format!("4000{:012}", mix(random) % 1_000_000_000_000);
    let start = out.len();
    let _ = write!(
        out,
        r#"{{"id":"o-{number:0DIGITS$}","customer":{{"name":"{name}","email":""#
    );
    let (email_shown, card_shown) = match shown {
        Shown::AsTheyAre => (email.as_str(), card.as_str()),
        Shown::Masked(replacement) => (replacement, replacement),
    };
    let _ = write!(
        out,
        r#"{email_shown}","card":"{card_shown}"}},"cents":{},"paid":{},"note":""#,
        random >> 24 & 0xffff,
        random & 1 == 0
    );
    // The note fills the order up, as if nothing were masked.
    let used = out.len() - start - email_shown.len() - card_shown.len() + email.len() + card.len();
    out.extend_from_slice(words(random, ORDER_BYTES.saturating_sub(used + 2)));
    out.extend_from_slice(br#""}"#);
}

/// A piece of plain words, chosen by a number.
fn words(choice: u64, bytes: usize) -> &'static [u8] {
    static POOL: OnceLock<Vec<u8>> = OnceLock::new();
    let pool = POOL.get_or_init(|| {
        let mut pool = Vec::with_capacity(POOL_BYTES + 16);
        for number in 0.. {
            if pool.len() >= POOL_BYTES {
                break;
            }
            let random = mix(number);
            let word = WORDS[(random % WORDS.len() as u64) as usize];
            let _ = write!(pool, "{word} {} ", random >> 8 & 0x1fff);
        }
        pool
    });
    let from = (choice % (POOL_BYTES - bytes) as u64) as usize;
    &pool[from..from + bytes]
}

/// Splitmix64: the same on every machine.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(content: Content, number: u64) -> Vec<u8> {
        let mut out = Vec::new();
        content.value(number, &mut out);
        out
    }

    #[test]
    fn an_order_is_json_of_1_kib_and_masking_changes_its_two_fields_alone() {
        for number in [0, 1, 77, 123_456_789] {
            let order = value(Content::Orders, number);
            assert_eq!(order.len(), ORDER_BYTES);
            let mut expected: serde_json::Value = serde_json::from_slice(&order).expect("JSON");
            expected["customer"]["email"] = "***".into();
            expected["customer"]["card"] = "***".into();
            let mut out = Vec::new();
            masked(&order, "***", &mut out);
            assert_eq!(out, serde_json::to_vec(&expected).expect("JSON"));
        }
        assert_eq!(value(Content::Payments, 5).len(), PAYMENT_BYTES);
    }

    #[test]
    fn what_was_not_written_by_the_demo_is_not_taken_for_masked() {
        let mut order = value(Content::Orders, 9);
        let last = order.len() - 3;
        order[last] ^= 1;
        for foreign in [order.as_slice(), b"", br#"{"id":"o-xxxxxxxxxxxx"}"#] {
            let mut out = Vec::new();
            masked(foreign, "***", &mut out);
            assert_eq!(out, foreign);
        }
    }
}
