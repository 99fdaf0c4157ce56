//! The records that mirrors get wrong: nulls, empties, repeated headers, large values, every codec.

use std::time::Instant;

use anyhow::Result;

use super::{Codec, Generated, Item, SEQ_HEADER, Sink, decimal, text};

/// How many kinds of odd records there are; each is written in turn with each codec.
pub const EDGE_KINDS: u64 = 11;

/// Largest value written. With its key and headers it stays below the default `message.max.bytes`.
const LARGE: usize = 900 * 1024;

/// Writes `rounds` times every kind of odd record with every codec into one topic: `rounds * EDGE_KINDS * 5` records.
pub fn edges(bootstrap: &str, topic: &str, partitions: i32, rounds: u64) -> Result<Generated> {
    let started = Instant::now();
    let mut generated = Generated {
        records: vec![0; usize::try_from(partitions)?],
        ..Generated::default()
    };
    let base = super::Traffic::orders(topic, partitions, 0).base_timestamp;
    let mut seq = 0;
    for codec in Codec::ALL {
        let sink = Sink::new(bootstrap, topic, codec, &[])?;
        for _ in 0..rounds * EDGE_KINDS {
            let (mut key, mut number) = (format!("k{}", seq % 7).into_bytes(), Vec::new());
            key.truncate(8);
            decimal(seq, &mut number);
            let item = odd(seq, base, partitions, &key, &number);
            let mut headers = vec![(SEQ_HEADER, Some(&number[..]))];
            headers.extend_from_slice(item.headers);
            sink.send(&Item {
                headers: &headers,
                ..item
            })?;
            generated.records[usize::try_from(item.partition)?] += 1;
            generated.bytes += (item.key.map_or(0, <[u8]>::len) + item.value.map_or(0, <[u8]>::len)) as u64;
            seq += 1;
        }
        sink.finish()?;
    }
    generated.elapsed = started.elapsed();
    Ok(generated)
}

fn odd<'a>(seq: u64, base: i64, partitions: i32, key: &'a [u8], number: &'a [u8]) -> Item<'a> {
    let ordinary = Item {
        partition: (seq % u64::from(partitions.unsigned_abs())) as i32,
        timestamp: base + i64::try_from(seq).unwrap_or(0),
        key: Some(key),
        value: Some(number),
        headers: &[],
    };
    match seq % EDGE_KINDS {
        0 => Item {
            value: None,
            ..ordinary
        },
        1 => Item {
            key: None,
            ..ordinary
        },
        2 => Item {
            key: Some(b""),
            ..ordinary
        },
        3 => Item {
            value: Some(b""),
            ..ordinary
        },
        4 => Item {
            key: None,
            value: None,
            ..ordinary
        },
        5 => Item {
            headers: &[
                ("h", Some(b"1")),
                ("other", Some(b"x")),
                ("h", Some(b"2")),
                ("h", Some(b"1")),
            ],
            ..ordinary
        },
        6 => Item {
            headers: &[("null", None), ("empty", Some(b"")), ("null", None)],
            ..ordinary
        },
        7 => Item {
            headers: &[("", Some(b"no key")), ("\u{e4}\u{1F6A2}", Some(b"\0\xff"))],
            ..ordinary
        },
        8 => Item {
            value: Some(text(seq, LARGE)),
            ..ordinary
        },
        // Behind the one before it: timestamps need not grow.
        9 => Item {
            timestamp: ordinary.timestamp - 60_000,
            ..ordinary
        },
        _ => ordinary,
    }
}
