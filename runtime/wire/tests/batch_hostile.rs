//! Batches that were truncated or changed, checksums made right again: an error or sound records, never a panic or an overread.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use batch_support::{Owned, batch, encode, random, records, resign, signed};
use bytes::Bytes;
use rand::RngExt;
use towpath_wire::batch::{
    Batch, Compression, Error, Limits, Piece, Records, batches, decode, decode_legacy,
};

mod batch_support;

const LIMITS: Limits = Limits {
    max_decompressed: 1 << 20,
    max_records: 10_000,
};

fn samples() -> Vec<(Compression, Vec<u8>)> {
    let mut random = random(11);
    Compression::ALL
        .into_iter()
        .flat_map(|compression| [3, 40].map(|count| (compression, count)))
        .map(|(compression, count)| {
            (
                compression,
                signed(encode(compression, &records(&mut random, count, 120))),
            )
        })
        .collect()
}

/// Touches everything a decoded batch has.
fn read_all(records: &Records) -> usize {
    Owned::all(records).len()
}

/// A legacy set of `bytes` compressed by `codec`, with a right checksum.
fn legacy_set(magic: u8, codec: Compression, offset: i64, value: &[u8]) -> Vec<u8> {
    let mut bytes = offset.to_be_bytes().to_vec();
    bytes.extend([0; 8]);
    bytes.extend([magic, codec.id() as u8]);
    if magic == 1 {
        bytes.extend(1_700_000_000_000_i64.to_be_bytes());
    }
    bytes.extend((-1_i32).to_be_bytes());
    bytes.extend((value.len() as i32).to_be_bytes());
    bytes.extend(value);
    resign_legacy(&mut bytes);
    bytes
}

fn resign_legacy(bytes: &mut [u8]) {
    let length = (bytes.len() - 12) as i32;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[16..]);
    bytes[12..16].copy_from_slice(&crc.sum().to_be_bytes());
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_partial_trailing_batch_is_left_out_at_every_byte() {
    for (_, bytes) in samples().into_iter().step_by(2) {
        let whole = Bytes::from([bytes.as_slice(), &bytes].concat());
        for length in 0..whole.len() {
            let mut pieces = batches(whole.slice(..length));
            let count = pieces.by_ref().inspect(|piece| assert!(piece.is_ok())).count();
            assert_eq!(count, length / bytes.len());
            let partial = (length % bytes.len() > 16).then_some(bytes.len());
            assert_eq!(pieces.partial(), partial, "{length}");
        }
    }
}

#[test]
fn a_truncated_body_is_an_error_at_every_byte() {
    for (compression, bytes) in samples() {
        for length in 61..bytes.len() {
            let mut cut = bytes[..length].to_vec();
            resign(&mut cut);
            let batch = batch(cut);
            batch.verify_crc().unwrap();
            assert!(
                decode(&batch, &LIMITS).is_err(),
                "{compression} cut at {length} of {}",
                bytes.len()
            );
        }
        let mut more = bytes.clone();
        more.push(0);
        resign(&mut more);
        assert!(
            decode(&batch(more), &LIMITS).is_err(),
            "{compression} with a byte behind"
        );
    }
}

#[test]
fn flipped_bits_never_panic_and_are_found_by_the_checksum() {
    let mut random = random(12);
    let samples = samples();
    let (mut refused, mut decoded) = (0, 0);
    for round in 0..60_000 {
        let (_, original) = &samples[round % samples.len()];
        let mut bytes = original.clone();
        for _ in 0..random.random_range(1..4) {
            // More often where the structure is.
            let end = if round % 3 == 0 {
                bytes.len().min(130)
            } else {
                bytes.len()
            };
            let at = random.random_range(0..end);
            bytes[at] ^= 1 << random.random_range(0..8);
        }
        if bytes == *original {
            continue;
        }
        if round % 16 == 0 {
            let unsigned: Vec<Piece> = batches(Bytes::from(bytes.clone()))
                .map_while(Result::ok)
                .collect();
            if let [Piece::Batch(batch)] = &unsigned[..]
                && bytes[..21] == original[..21]
            {
                assert!(matches!(batch.verify_crc(), Err(Error::Crc { .. })));
            }
        }
        resign(&mut bytes);
        for piece in batches(Bytes::from(bytes)) {
            let Ok(Piece::Batch(batch)) = piece else {
                refused += 1;
                continue;
            };
            match decode(&batch, &LIMITS) {
                Err(_) => refused += 1,
                Ok(records) => {
                    assert_eq!(read_all(&records), batch.record_count() as usize);
                    let offsets: Vec<i64> = records.iter().map(|record| record.offset.0).collect();
                    assert!(offsets.is_sorted_by(|a, b| a < b));
                    assert!(
                        offsets
                            .iter()
                            .all(|at| (batch.base_offset().0..=batch.last_offset().0).contains(at))
                    );
                    decoded += 1;
                }
            }
        }
    }
    assert!(
        refused > 10_000 && decoded > 3_000,
        "{refused} refused, {decoded} decoded"
    );
}

#[test]
fn random_bytes_never_panic() {
    let mut random = random(13);
    for round in 0..40_000 {
        let mut bytes: Vec<u8> = (0..random.random_range(0..200))
            .map(|_| random.random())
            .collect();
        if bytes.len() > 30 && round % 4 != 0 {
            bytes[16] = random.random_range(0..3);
            let length = (bytes.len() - 12) as i32;
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
        }
        if bytes.len() > 61 && bytes[16] == 2 {
            bytes[21..27].copy_from_slice(&[0, (round % 5) as u8, 0, 0, 0, 50]);
            bytes[..8].fill(0);
            bytes[57..61].copy_from_slice(&2_i32.to_be_bytes());
        }
        for piece in batches(Bytes::from(bytes)) {
            match piece {
                Ok(Piece::Batch(batch)) => drop(decode(&batch, &LIMITS).map(|records| read_all(&records))),
                Ok(Piece::Legacy(legacy)) => {
                    drop(decode_legacy(&legacy, &LIMITS).map(|records| read_all(&records)))
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
}

#[test]
fn damaged_legacy_sets_never_panic() {
    let mut random = random(14);
    let inner: Vec<u8> = (0..5)
        .flat_map(|offset| legacy_set(1, Compression::None, offset, b"a value"))
        .collect();
    let whole = legacy_set(1, Compression::Gzip, 104, &gzip(&inner));
    let Some(Ok(Piece::Legacy(legacy))) = batches(Bytes::from(whole)).next() else {
        panic!()
    };
    let records = decode_legacy(&legacy, &LIMITS).unwrap();
    assert!(records.iter().map(|record| record.offset.0).eq(100..105));
    assert_eq!(records.record(2).value, Some(&b"a value"[..]));

    let mut refused = 0;
    for round in 0..20_000 {
        let mut damaged = inner.clone();
        let at = random.random_range(0..damaged.len());
        damaged[at] ^= 1 << random.random_range(0..8);
        if round % 4 == 0 {
            damaged.truncate(random.random_range(0..damaged.len()));
        }
        if round % 2 == 0 && damaged.len() > 41 {
            resign_legacy(&mut damaged[..41]);
        }
        let mut bytes = legacy_set(1, Compression::Gzip, 104, &gzip(&damaged));
        if round % 8 == 0 {
            let at = random.random_range(16..bytes.len());
            bytes[at] ^= 1 << random.random_range(0..8);
            resign_legacy(&mut bytes);
        }
        for piece in batches(Bytes::from(bytes)) {
            match piece {
                Ok(Piece::Legacy(legacy)) => match decode_legacy(&legacy, &LIMITS) {
                    Ok(records) => drop(read_all(&records)),
                    Err(_) => refused += 1,
                },
                Ok(Piece::Batch(_)) | Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 10_000, "{refused} refused");
}

#[test]
fn sets_inside_sets_other_magics_and_impossible_offsets_are_refused() {
    let decode = |bytes: Vec<u8>| {
        let Some(Ok(Piece::Legacy(legacy))) = batches(Bytes::from(bytes)).next() else {
            panic!()
        };
        decode_legacy(&legacy, &LIMITS).map(|records| read_all(&records))
    };
    let set = |inner: &[u8], offset| legacy_set(1, Compression::Gzip, offset, &gzip(inner));
    let one = |magic, offset| legacy_set(magic, Compression::None, offset, b"v");
    assert_eq!(decode(set(&one(1, 0), 5)), Ok(1));
    assert!(decode(set(&set(&one(1, 0), 0), 5)).is_err(), "compressed twice");
    assert!(decode(set(&one(0, 0), 5)).is_err(), "another magic");
    assert!(decode(set(&one(1, 6), 5)).is_err(), "behind its set");
    assert!(
        decode(set(&[one(1, 1), one(1, 1)].concat(), 5)).is_err(),
        "the same offset twice"
    );
    assert!(decode(set(b"", 5)).is_err(), "nothing in it");
}

#[test]
fn impossible_headers_are_refused_with_their_place() {
    let (_, bytes) = samples().remove(0);
    let broken = |from: usize, with: &[u8]| {
        let mut second = bytes.clone();
        second[from..from + with.len()].copy_from_slice(with);
        let mut pieces = batches(Bytes::from([bytes.as_slice(), &second].concat()));
        assert!(matches!(pieces.next(), Some(Ok(Piece::Batch(_)))));
        let error = pieces.next().unwrap().unwrap_err();
        assert!(pieces.next().is_none(), "ends after an error");
        error
    };
    let position = bytes.len();
    assert!(matches!(broken(16, &[3]), Error::Magic { magic: 3, position: at, .. } if at == position));
    assert!(matches!(broken(8, &[255; 4]), Error::Length { length: -1, position: at, .. } if at == position));
    assert!(matches!(
        broken(8, &[0, 0, 0, 48]),
        Error::Length { length: 48, .. }
    ));
    assert!(matches!(broken(22, &[5]), Error::Codec { id: 5, .. }));
    assert!(matches!(broken(23, &[255]), Error::Header { .. }));
    assert!(matches!(broken(57, &[255]), Error::Header { .. }));
    assert!(matches!(broken(0, &[255]), Error::Header { .. }));
    assert!(matches!(
        broken(0, &[127, 255, 255, 255, 255, 255, 255, 255]),
        Error::Header { .. }
    ));
    assert!(Batch::new(Bytes::from(bytes[..60].to_vec())).is_err());
    assert!(Batch::new(Bytes::from([bytes.as_slice(), &[0]].concat())).is_err());
}

#[test]
fn records_out_of_order_or_out_of_range_are_refused() {
    // Three records of 7 bytes each: length, attributes, timestamp, offset, key, value, headers.
    let decode = |deltas: [u8; 3], last: u8, count: u8| {
        let (_, mut bytes) = samples().remove(0);
        bytes.truncate(61);
        bytes[23..27].copy_from_slice(&[0, 0, 0, last]);
        bytes[57..61].copy_from_slice(&[0, 0, 0, count]);
        for delta in deltas {
            bytes.extend([12, 0, 0, delta, 1, 1, 0]);
        }
        resign(&mut bytes);
        decode(&batch(bytes), &LIMITS).map(|records| read_all(&records))
    };
    assert_eq!(decode([0, 2, 4], 2, 3), Ok(3));
    assert_eq!(decode([2, 4, 8], 9, 3), Ok(3), "gaps are compaction's");
    assert!(decode([0, 2, 2], 2, 3).is_err(), "twice");
    assert!(decode([0, 4, 2], 2, 3).is_err(), "backwards");
    assert!(decode([1, 2, 4], 2, 3).is_err(), "negative");
    assert!(decode([0, 2, 6], 2, 3).is_err(), "behind the last");
    assert!(decode([0, 2, 4], 2, 2).is_err(), "more than the count");
    assert!(decode([0, 2, 4], 3, 4).is_err(), "fewer than the count");
}
