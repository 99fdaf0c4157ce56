//! What a batch claims never decides how much memory is allocated: the limits do. Measured with a counting allocator, so it is a test binary alone.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use std::io::Write;

use batch_support::{batch, encode, random, records, resign, signed};
use bytes::Bytes;
use towpath_wire::batch::{Compression, Error, Limits, Piece, batches, decode, decode_legacy};

mod batch_support;
mod counting;

const LIMIT: usize = 1 << 20;
/// 10,000 records of 40 bytes stay below the limit too.
const LIMITS: Limits = Limits {
    max_decompressed: LIMIT,
    max_records: 10_000,
};
const ZEROS: usize = 64 << 20;

/// A batch with this codec and body, claiming `count` records.
fn raw(codec: Compression, count: i32, body: &[u8]) -> Bytes {
    let mut bytes = signed(encode(Compression::None, &records(&mut random(1), 1, 10)));
    bytes.truncate(61);
    bytes[22] = codec.id() as u8;
    bytes[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    bytes[57..61].copy_from_slice(&count.to_be_bytes());
    bytes.extend_from_slice(body);
    resign(&mut bytes);
    Bytes::from(bytes)
}

fn refused(name: &str, bytes: Bytes) -> Error {
    let (largest, error) = counting::largest_in(|| match batches(bytes).next() {
        Some(Ok(Piece::Batch(batch))) => decode(&batch, &LIMITS).unwrap_err(),
        Some(Ok(Piece::Legacy(legacy))) => decode_legacy(&legacy, &LIMITS).unwrap_err(),
        other => panic!("{name}: {other:?}"),
    });
    assert!(largest <= LIMIT, "{name}: {largest} bytes at once for: {error}");
    error
}

fn xerial(blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for block in blocks {
        bytes.extend((block.len() as u32).to_be_bytes());
        bytes.extend(block);
    }
    bytes
}

// One test: the counter is the process's.
#[test]
fn no_claim_allocates_above_the_limit() {
    let zeros = vec![0; ZEROS];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&zeros).unwrap();
    let gzip = gzip.finish().unwrap();
    let mut streamed = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    streamed.write_all(&zeros).unwrap();
    let streamed = streamed.finish().unwrap();
    let mut long = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    long.window_log(27).unwrap();
    long.write_all(&zeros).unwrap();
    let long = long.finish().unwrap();
    let told = zstd::bulk::compress(&zeros, 3).unwrap();
    let block = snap::raw::Encoder::new().compress_vec(&zeros[..1 << 19]).unwrap();
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(&zeros).unwrap();
    let lz4 = lz4.finish().unwrap();

    let mut doubled_gzip = gzip.clone();
    doubled_gzip.extend_from_slice(&gzip);
    let mut lying_gzip = gzip.clone();
    let end = lying_gzip.len();
    lying_gzip[end - 4..].fill(0xff);
    let bombs = [
        ("gzip", Compression::Gzip, gzip.clone()),
        ("gzip members", Compression::Gzip, doubled_gzip),
        ("gzip with another length", Compression::Gzip, lying_gzip),
        ("zstd streamed", Compression::Zstd, streamed),
        ("zstd with a window of 128 MiB", Compression::Zstd, long),
        ("zstd with its size", Compression::Zstd, told),
        (
            "snappy framed",
            Compression::Snappy,
            xerial(&vec![block.clone(); 200]),
        ),
        (
            "snappy bare",
            Compression::Snappy,
            snap::raw::Encoder::new().compress_vec(&zeros).unwrap(),
        ),
        ("lz4", Compression::Lz4, lz4.clone()),
    ];
    for (name, codec, body) in &bombs {
        let error = refused(name, raw(*codec, 1, body));
        assert!(
            matches!(error, Error::TooLarge { limit: LIMIT, .. }),
            "{name}: {error}"
        );
    }

    // Claims without anything behind them.
    let claim = |length: u32| {
        let mut block = Vec::new();
        let mut rest = length;
        while rest >= 0x80 {
            block.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        block.extend([rest as u8, 0, 0]);
        block
    };
    let mut lz4_claim = lz4[..7].to_vec();
    lz4_claim[5] = 0x70;
    lz4_claim.extend([0xff, 0xff, 0xff, 0x7f, 1, 2, 3]);
    let claims = [
        (
            "snappy block of 4 GiB",
            Compression::Snappy,
            xerial(&[claim(u32::MAX)]),
        ),
        (
            "snappy block of 1 MiB",
            Compression::Snappy,
            xerial(&[claim(LIMIT as u32)]),
        ),
        ("bare snappy of 4 GiB", Compression::Snappy, claim(u32::MAX)),
        (
            "snappy block behind the end",
            Compression::Snappy,
            xerial(&[])[..]
                .iter()
                .copied()
                .chain([0x7f, 255, 255, 255])
                .collect(),
        ),
        ("lz4 block behind the end", Compression::Lz4, lz4_claim),
        (
            "zstd frame of 2^60 bytes",
            Compression::Zstd,
            vec![0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x10, 1, 0, 0],
        ),
        ("records that are not there", Compression::None, vec![]),
        (
            "a record of 2 GiB",
            Compression::None,
            vec![0xfe, 0xff, 0xff, 0xff, 0x0f, 0],
        ),
        (
            "a key of 2 GiB",
            Compression::None,
            vec![20, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0],
        ),
        (
            "2^31 - 1 headers",
            Compression::None,
            vec![20, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f],
        ),
    ];
    for (name, codec, body) in &claims {
        refused(name, raw(*codec, 1, body));
        refused(name, raw(*codec, 10_000, body));
        let error = refused(name, raw(*codec, i32::MAX, body));
        assert!(matches!(error, Error::TooManyRecords { .. }), "{name}: {error}");
    }

    // A legacy set full of tiny messages.
    let tiny: Vec<u8> = (0..20_000_i64)
        .flat_map(|offset| legacy(0, offset, None))
        .collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tiny).unwrap();
    let error = refused(
        "legacy set",
        Bytes::from(legacy(1, 19_999, Some(&gzip.finish().unwrap()))),
    );
    assert!(matches!(error, Error::TooManyRecords { .. }), "{error}");

    // And what is within the limits still decodes, at the limit itself too.
    let exact = signed(encode(Compression::Zstd, &records(&mut random(2), 100, 1000)));
    let size = decode(&batch(exact.clone()), &LIMITS).unwrap().memory() - 100 * 40;
    assert!(
        decode(
            &batch(exact.clone()),
            &Limits {
                max_decompressed: size,
                max_records: 100
            }
        )
        .is_ok()
    );
    assert!(
        decode(
            &batch(exact),
            &Limits {
                max_decompressed: size - 1,
                max_records: 100
            }
        )
        .is_err()
    );
}

/// A message of magic 0.
fn legacy(codec: u8, offset: i64, value: Option<&[u8]>) -> Vec<u8> {
    let mut content = vec![0, codec];
    content.extend((-1_i32).to_be_bytes());
    content.extend(value.map_or(-1, |value| value.len() as i32).to_be_bytes());
    content.extend(value.unwrap_or_default());
    let mut crc = flate2::Crc::new();
    crc.update(&content);
    let mut bytes = offset.to_be_bytes().to_vec();
    bytes.extend((content.len() as i32 + 4).to_be_bytes());
    bytes.extend(crc.sum().to_be_bytes());
    bytes.extend(content);
    bytes
}
