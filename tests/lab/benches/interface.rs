//! `cargo bench -p towpath-lab`: what the plugin contract costs, host and guest together, on one thread and without Kafka. Beside `mask-field` the same
//! scanner runs natively, alone and between decoding and encoding.
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::{hint::black_box, path::PathBuf, sync::Arc};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use towpath_domain::{Offset, Partition};
use towpath_lab::{generate::Traffic, plugins};
use towpath_plugin::json::Paths;
use towpath_plugin_host as host;
use towpath_wire::batch::{
    self, Batch, Compression, Encoder, HeadersBuilder, Limits, Outgoing, Record, SourceSpan,
};

/// As a Fetch answer brings them under load.
const RECORDS: usize = 500;
const FIELDS: &str = "customer.card,customer.email";

/// Decoded records, as the pipeline shows them.
struct Shown(batch::Records);

impl host::Records for Shown {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn topic(&self) -> &str {
        "orders"
    }

    fn partition(&self) -> Partition {
        Partition(0)
    }

    fn offset(&self, index: usize) -> Offset {
        self.0.record(index).offset
    }

    fn timestamp(&self, index: usize) -> i64 {
        self.0.record(index).timestamp
    }

    fn timestamp_type(&self) -> host::TimestampType {
        host::TimestampType::CreateTime
    }

    fn key(&self, index: usize) -> Option<&[u8]> {
        self.0.record(index).key
    }

    fn value(&self, index: usize) -> Option<&[u8]> {
        self.0.record(index).value
    }

    fn headers(&self, index: usize, each: &mut dyn FnMut(&[u8], Option<&[u8]>)) {
        for (key, value) in self.0.record(index).headers.iter() {
            each(key, value);
        }
    }
}

fn span() -> SourceSpan {
    SourceSpan {
        first: Offset(0),
        next: Offset(RECORDS as i64),
    }
}

fn encode<'a>(encoder: &mut Encoder, records: impl Iterator<Item = Record<'a>>) -> Outgoing {
    for record in records {
        encoder.push(&record).unwrap();
    }
    encoder.finish(span()).unwrap()
}

/// The lab's orders of 1 KiB as one batch, each with the lab's header.
fn orders() -> Batch {
    let traffic = Traffic::orders("orders", 1, RECORDS as u64);
    let mut encoder = Encoder::new(Compression::Lz4);
    for seq in 0..RECORDS as u64 {
        let (mut key, mut value, mut headers) = (Vec::new(), Vec::new(), HeadersBuilder::new());
        traffic.key(seq, &mut key);
        traffic.value(seq, &mut value);
        headers.push(b"seq", Some(seq.to_string().as_bytes()));
        let record = Record {
            offset: Offset(seq as i64),
            timestamp: traffic.timestamp(seq),
            key: Some(&key),
            value: Some(&value),
            headers: headers.headers(),
        };
        encoder.push(&record).unwrap();
    }
    let outgoing = encoder.finish(span()).unwrap();
    Batch::new(Bytes::from(
        [outgoing.header().as_slice(), outgoing.body()].concat(),
    ))
    .unwrap()
}

fn decode(batch: &Batch) -> batch::Records {
    batch::decode(batch, &Limits::default()).unwrap()
}

fn plugin(folder: PathBuf, name: &str) -> Arc<host::Plugin> {
    let options = host::Options {
        plugin_path: vec![folder.join(format!("{name}.wasm"))],
        ..host::Options::default()
    };
    let (host, errors) = host::Host::open(options).unwrap();
    assert!(errors.is_empty(), "{errors:?}");
    host.plugins().next().unwrap().clone()
}

fn shipped(name: &str) -> Arc<host::Plugin> {
    plugin(plugins::folder().unwrap(), name)
}

fn config(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// What `mask-field` does, by hand: new values end to end, and where each ends.
fn mask(paths: &Paths, records: &batch::Records, data: &mut Vec<u8>, ends: &mut Vec<usize>) {
    let mut found = Vec::new();
    data.clear();
    ends.clear();
    for record in records.iter() {
        let value = record.value.unwrap();
        paths.find(value, &mut found).unwrap();
        let mut from = 0;
        for found in &found {
            data.extend_from_slice(&value[from..found.range.start]);
            data.extend_from_slice(b"\"***\"");
            from = found.range.end;
        }
        data.extend_from_slice(&value[from..]);
        ends.push(data.len());
    }
}

/// The records with new values.
fn rewritten(
    encoder: &mut Encoder,
    records: &batch::Records,
    data: &[u8],
    ends: impl Iterator<Item = usize>,
) -> Outgoing {
    let mut start = 0;
    let records = records.iter().zip(ends).map(|(record, end)| {
        let value = Some(&data[std::mem::replace(&mut start, end)..end]);
        Record { value, ..record }
    });
    encode(encoder, records)
}

fn kinds(criterion: &mut Criterion) {
    let shown: Arc<dyn host::Records> = Arc::new(Shown(decode(&orders())));
    let mut group = criterion.benchmark_group(format!("batches of {RECORDS} records of 1 KiB"));
    group.throughput(Throughput::Elements(RECORDS as u64));
    let mut transformation = |name: &str, plugin: Arc<host::Plugin>, pairs: &[(&str, &str)]| {
        let mut plugin = plugin.transformation(&config(pairs)).unwrap();
        group.bench_function(name, |bench| {
            bench.iter(|| plugin.transform(Arc::clone(&shown)).unwrap())
        });
    };
    let hostile = plugin(plugins::adversaries().unwrap(), "hostile");
    transformation(
        "a transformation that reads nothing",
        hostile,
        &[("act", "nothing")],
    );
    let header = [("header", "origin"), ("value.literal", "eu-west")];
    transformation("insert-header", shipped("insert-header"), &header);
    transformation("mask-field", shipped("mask-field"), &[("fields", FIELDS)]);
    let mut predicate = shipped("has-header")
        .predicate(&config(&[("name", "seq")]))
        .unwrap();
    group.bench_function("has-header", |bench| {
        bench.iter(|| predicate.matching(Arc::clone(&shown)).unwrap())
    });
    group.finish();
}

/// Asked once a topic: not once a record, and not once a batch.
fn router(criterion: &mut Criterion) {
    let pairs = [
        ("regex", "(.*)"),
        ("replacement", "eu.$1"),
        ("reverse.regex", "eu[.](.*)"),
        ("reverse.replacement", "$1"),
    ];
    let mut router = shipped("route-by-regex").router(&config(&pairs)).unwrap();
    criterion.bench_function("map-topic, a topic", |bench| {
        bench.iter(|| router.map_topic(black_box("payments.orders")).unwrap())
    });
}

fn masks(criterion: &mut Criterion) {
    let batch = orders();
    let records = Arc::new(Shown(decode(&batch)));
    let paths = Paths::parse(FIELDS.split(',')).unwrap();
    let (mut data, mut ends) = (Vec::new(), Vec::new());
    let mut plugin = shipped("mask-field")
        .transformation(&config(&[("fields", FIELDS)]))
        .unwrap();

    mask(&paths, &records.0, &mut data, &mut ends);
    let edits = plugin
        .transform(Arc::clone(&records) as Arc<dyn host::Records>)
        .unwrap();
    assert_eq!(edits.values.values.data, data, "both mask the same");

    let mut group = criterion.benchmark_group("masking");
    group.throughput(Throughput::Elements(RECORDS as u64));
    group.bench_function("alone, native", |bench| {
        bench.iter(|| mask(&paths, black_box(&records.0), &mut data, &mut ends))
    });
    group.bench_function("alone, component", |bench| {
        bench.iter(|| {
            plugin
                .transform(Arc::clone(&records) as Arc<dyn host::Records>)
                .unwrap()
        })
    });
    let mut encoder = Encoder::new(Compression::Lz4);
    group.bench_function("decoded way, native", |bench| {
        bench.iter(|| {
            let records = decode(black_box(&batch));
            mask(&paths, &records, &mut data, &mut ends);
            rewritten(&mut encoder, &records, &data, ends.iter().copied())
        })
    });
    group.bench_function("decoded way, component", |bench| {
        bench.iter(|| {
            let records = Arc::new(Shown(decode(black_box(&batch))));
            let edits = plugin
                .transform(Arc::clone(&records) as Arc<dyn host::Records>)
                .unwrap();
            let column = &edits.values.values;
            let ends = column.ends.iter().map(|end| *end as usize);
            rewritten(&mut encoder, &records.0, &column.data, ends)
        })
    });
    group.finish();
}

criterion_group!(benches, kinds, router, masks);
criterion_main!(benches);
