//! `cargo bench --workspace --bench batch`: what a record costs in the batch codec, and what a batch costs that is passed through. One thread, in
//! memory; what a mirror costs as a whole is measured by `towpath-lab bench`.
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::{hint::black_box, io::Write};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use towpath_domain::Offset;
use towpath_wire::batch::{
    Batch, Compression, Encoder, HeadersBuilder, Limits, Outgoing, ProducerIdentity, Record, SourceSpan,
    Transactional, decode,
};

/// As a producer with a linger of some ms makes them: 500 records of 1 KiB in a batch.
const RECORDS: usize = 500;
const PRODUCER: ProducerIdentity = ProducerIdentity {
    id: 4711,
    epoch: 0,
    transactional: Transactional::No,
};

/// JSON that compresses as orders do.
fn values() -> Vec<Vec<u8>> {
    let mut random = 1_u64;
    let mut number = || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        random >> 33
    };
    (0..RECORDS)
        .map(|order| {
            let mut value = Vec::new();
            write!(value, "{{\"id\":{order},\"lines\":[").unwrap();
            while value.len() < 1000 {
                write!(
                    value,
                    "{{\"sku\":\"s-{}\",\"cents\":{}}},",
                    number() % 1000,
                    number() % 100_000
                )
                .unwrap();
            }
            value.extend_from_slice(b"null]}");
            value
        })
        .collect()
}

fn encode(encoder: &mut Encoder, values: &[Vec<u8>]) -> Outgoing {
    let mut headers = HeadersBuilder::new();
    headers.push(b"seq", Some(b"12345"));
    for (offset, value) in (0..).zip(values) {
        let record = Record {
            offset: Offset(offset),
            timestamp: 1_700_000_000_000 + offset / 10,
            key: Some(b"o-000000012345"),
            value: Some(value),
            headers: headers.headers(),
        };
        encoder.push(&record).unwrap();
    }
    let source = SourceSpan {
        first: Offset(0),
        next: Offset(values.len() as i64),
    };
    encoder.finish(source).unwrap()
}

fn batch(compression: Compression, values: &[Vec<u8>]) -> Batch {
    let mut outgoing = encode(&mut Encoder::new(compression), values);
    outgoing.sign(PRODUCER, 0);
    Batch::new(Bytes::from(
        [outgoing.header().as_slice(), outgoing.body()].concat(),
    ))
    .unwrap()
}

fn codec(criterion: &mut Criterion) {
    let values = values();
    for compression in Compression::ALL {
        let mut group = criterion.benchmark_group(format!("{RECORDS} records of 1 KiB, {compression}"));
        group.throughput(Throughput::Elements(RECORDS as u64));
        let batch = batch(compression, &values);
        group.bench_function("decode", |bench| {
            bench.iter(|| decode(black_box(&batch), &Limits::default()).unwrap())
        });
        let mut encoder = Encoder::new(compression);
        group.bench_function("encode", |bench| {
            bench.iter(|| encode(&mut encoder, black_box(&values)))
        });
        group.finish();
    }
}

/// The whole of what is done to a batch that is passed through: the CRC that came, a new header, the CRC that goes.
fn pass_through(criterion: &mut Criterion) {
    let batch = batch(Compression::Lz4, &values());
    let mut group = criterion.benchmark_group(format!("passed through, {} KiB of lz4", batch.size() / 1024));
    group.throughput(Throughput::Bytes(batch.size() as u64));
    group.bench_function("verify", |bench| {
        bench.iter(|| black_box(&batch).verify_crc().unwrap())
    });
    group.bench_function("new header", |bench| {
        bench.iter(|| Outgoing::pass_through(black_box(&batch)))
    });
    group.bench_function("sign", |bench| {
        bench.iter_batched_ref(
            || Outgoing::pass_through(&batch),
            |outgoing| outgoing.sign(PRODUCER, 7),
            BatchSize::SmallInput,
        )
    });
    group.finish();
}

criterion_group!(benches, codec, pass_through);
criterion_main!(benches);
