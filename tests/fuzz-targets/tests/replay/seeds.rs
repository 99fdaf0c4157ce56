//! Sound input of every kind, for changes to begin with.

use std::io::Write;

use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use towpath_domain::Offset;
use towpath_wire::batch::{
    Compression, Encoder, HeadersBuilder, ProducerIdentity, Record, SourceSpan, Transactional,
};

use crate::answers;

pub fn of(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut random = StdRng::seed_from_u64(7);
    match target {
        "answers" => answers::answers(),
        "batches" => record_sets(&mut random),
        "compression" => blocks(),
        "convert" => record_sets(&mut random)
            .into_iter()
            .flat_map(|(name, records)| {
                // From, timestamp type, limit, aborted producer and its first offset.
                let heads: [&[u8]; 2] = [&[0, 0, 0, 255, 255, 9, 0, 0], &[0, 2, 1, 0, 200, 5, 0, 3]];
                heads.map(|head| (format!("{name}-{}", head[2]), [head, &records].concat()))
            })
            .collect(),
        "frames" => answers::conversations(),
        "positions" => {
            let key = r#"{"connector":"orders","source":"4L6g3nShT","topic":"00000000-0000-0000-0000-00000000002a","partition":3}"#;
            let value = r#"{"v":1,"offset":100,"epoch":5,"topic":"orders","target":{"topic":"west.orders","partition":3,"next":90}"#;
            let exact = r#","anchor":{"producer":4,"epoch":1,"sequence":7,"offset":80},"runs":"X1UGAQ==","open":true"#;
            let row = |more: &str| format!("{key}\n{value}{more}}}").into_bytes();
            vec![
                ("row".to_owned(), row(r#","anchor":null"#)),
                ("exact".to_owned(), row(exact)),
            ]
        }
        // Bytes that are drawn from, as `arbitrary` does it.
        "edits" | "records" => (0..24)
            .map(|at| (format!("drawn-{at}"), drawn(&mut random, 40 + at * 12)))
            .collect(),
        other => panic!("no seeds for {other}"),
    }
}

/// Odd bytes make lists go on.
fn drawn(random: &mut StdRng, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    random.fill_bytes(&mut bytes);
    for byte in &mut bytes {
        *byte = match random.random_range(0..4) {
            0 => *byte,
            1 => *byte & 0b111 | 1,
            _ => *byte & 0b1111,
        };
    }
    bytes
}

/// What logs have: every codec, transactions with their markers, holes, append time, old formats.
fn record_sets(random: &mut StdRng) -> Vec<(String, Vec<u8>)> {
    let mut sets: Vec<(String, Vec<u8>)> = Compression::ALL
        .into_iter()
        .map(|codec| {
            let first = batch(random, codec, 0, 3, -1);
            let second = batch(random, codec, 3, 4, 5);
            (codec.to_string(), [first, second].concat())
        })
        .collect();
    let mut holes = batch(random, Compression::None, 2, 3, -1);
    holes[26] += 2;
    let mut appended = batch(random, Compression::Lz4, 7, 2, -1);
    appended[22] |= 0b1000;
    let mut empty = batch(random, Compression::None, 9, 1, -1);
    empty.truncate(61);
    empty[8..12].copy_from_slice(&49_i32.to_be_bytes());
    empty[57..61].fill(0);
    sets.push(("compacted".to_owned(), [holes, appended, empty].concat()));

    let mut transaction = batch(random, Compression::None, 0, 2, 9);
    transaction[22] |= 0b1_0000;
    let mut marker = control(2, 9);
    marker.extend(batch(random, Compression::Zstd, 3, 1, 9));
    sets.push(("aborted".to_owned(), [transaction, marker].concat()));

    for magic in [0, 1] {
        // Absolute in magic 0, counted from the set's first in magic 1.
        let first = if magic == 0 { 2 } else { 0 };
        let inner: Vec<u8> = (first..first + 3)
            .flat_map(|offset| message(magic, 0, offset, b"a message"))
            .collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&inner).unwrap();
        let set = message(magic, 1, 4, &gzip.finish().unwrap());
        let alone = message(magic, 0, 1, b"alone");
        sets.push((format!("magic-{magic}"), [alone, set].concat()));
    }
    for (_, set) in &mut sets {
        *set = towpath_fuzz_targets::repair(set);
    }
    sets
}

fn batch(random: &mut StdRng, codec: Compression, base: i64, count: usize, producer: i64) -> Vec<u8> {
    let mut encoder = Encoder::new(codec);
    for index in 0..count {
        let value: Vec<u8> = b"{\"field\":42}".repeat(random.random_range(0..4));
        let mut headers = HeadersBuilder::new();
        if index % 2 == 1 {
            headers.push(b"h", Some(b"1"));
            headers.push(b"h", None);
        }
        let record = Record {
            offset: Offset(0),
            timestamp: 1_700_000_000_000 + random.random_range(-9..9),
            key: (index != 1).then_some(b"key".as_slice()),
            value: (index != 2).then_some(value.as_slice()),
            headers: headers.headers(),
        };
        encoder.push(&record).unwrap();
    }
    let span = SourceSpan {
        first: Offset(0),
        next: Offset(1),
    };
    let mut outgoing = encoder.finish(span).unwrap();
    let identity = ProducerIdentity {
        id: producer,
        epoch: 0,
        transactional: Transactional::No,
    };
    outgoing.sign(identity, 0);
    let mut bytes = [outgoing.header().as_slice(), outgoing.body()].concat();
    bytes[..8].copy_from_slice(&base.to_be_bytes());
    bytes
}

/// A marker that ends a transaction by aborting it.
fn control(base: i64, producer: i64) -> Vec<u8> {
    let mut encoder = Encoder::new(Compression::None);
    let record = Record {
        offset: Offset(0),
        timestamp: 5,
        key: Some(&[0, 0, 0, 0]),
        value: Some(&[0; 6]),
        headers: towpath_wire::batch::Headers::EMPTY,
    };
    encoder.push(&record).unwrap();
    let span = SourceSpan {
        first: Offset(0),
        next: Offset(1),
    };
    let outgoing = encoder.finish(span).unwrap();
    let mut bytes = [outgoing.header().as_slice(), outgoing.body()].concat();
    bytes[..8].copy_from_slice(&base.to_be_bytes());
    bytes[22] = 0b11_0000;
    bytes[43..51].copy_from_slice(&producer.to_be_bytes());
    bytes
}

/// A message of magic 0 or 1, its checksum to be made right.
fn message(magic: u8, codec: u8, offset: i64, value: &[u8]) -> Vec<u8> {
    let mut content = vec![magic, codec];
    if magic == 1 {
        content.extend(1_700_000_000_000_i64.to_be_bytes());
    }
    content.extend((-1_i32).to_be_bytes());
    content.extend((value.len() as i32).to_be_bytes());
    content.extend(value);
    let mut crc = flate2::Crc::new();
    crc.update(&content);
    let mut bytes = offset.to_be_bytes().to_vec();
    bytes.extend((content.len() as i32 + 4).to_be_bytes());
    bytes.extend(crc.sum().to_be_bytes());
    bytes.extend(content);
    bytes
}

/// Blocks as several writers make them, and bombs; behind codec, format and record count.
fn blocks() -> Vec<(String, Vec<u8>)> {
    let records = record_bytes(20);
    let zeros = vec![0; 4 << 20];
    let mut seeds = Vec::new();
    let mut add = |name: &str, codec: u8, count: i32, block: Vec<u8>| {
        let mut data = vec![codec | 2 << 3];
        data.extend(count.to_be_bytes());
        data.extend(block);
        seeds.push((name.to_owned(), data));
    };
    add("none", 0, 20, records.clone());
    for (name, input, count) in [("records", &records, 20), ("bomb", &zeros, 1)] {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(input).unwrap();
        add(&format!("gzip-{name}"), 1, count, gzip.finish().unwrap());
        let block = snap::raw::Encoder::new()
            .compress_vec(&input[..input.len().min(1 << 17)])
            .unwrap();
        add(&format!("snappy-bare-{name}"), 2, count, block.clone());
        let mut framed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
        for _ in 0..if count == 1 { 10 } else { 1 } {
            framed.extend((block.len() as u32).to_be_bytes());
            framed.extend(&block);
        }
        add(&format!("snappy-{name}"), 2, count, framed);
        let info = lz4_flex::frame::FrameInfo::new()
            .block_size(lz4_flex::frame::BlockSize::Max256KB)
            .block_mode(lz4_flex::frame::BlockMode::Linked)
            .block_checksums(true)
            .content_checksum(true);
        let mut lz4 = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
        lz4.write_all(input).unwrap();
        add(&format!("lz4-{name}"), 3, count, lz4.finish().unwrap());
        let mut streamed = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        streamed.write_all(input).unwrap();
        add(
            &format!("zstd-streamed-{name}"),
            4,
            count,
            streamed.finish().unwrap(),
        );
        add(
            &format!("zstd-{name}"),
            4,
            count,
            zstd::bulk::compress(input, 3).unwrap(),
        );
    }
    seeds
}

/// Encoded records, not compressed.
fn record_bytes(count: usize) -> Vec<u8> {
    let whole = batch(&mut StdRng::seed_from_u64(3), Compression::None, 0, count, -1);
    whole[61..].to_vec()
}
