//! Our batch codec against Kafka's own Java classes, both ways: whatever `MemoryRecordsBuilder` and the log cleaner's filter write, we read
//! as Kafka does; whatever we pass through, encode or split, Kafka reads as it was meant, checksums verified.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use std::{
    collections::HashMap,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use batch_support::{Owned, bytes, hex, unhex};
use bytes::Bytes;
use serde_json::{Value, json};
use towpath_wire::batch::{
    Batch, Compression, Encoder, Limits, Outgoing, Piece, ProducerIdentity, Record, Records, Target,
    TimestampType, Transactional, Way, batches, decode, decode_legacy,
};

mod batch_support;

const PRODUCER: ProducerIdentity = ProducerIdentity {
    id: 123_456_789_012,
    epoch: 7,
    transactional: Transactional::Yes,
};
const SEQUENCE: i32 = i32::MAX - 3;
const SMALL: usize = 1_200;

/// What Kafka reads from a record set: the "batches" of a line that the program printed.
type Dump = Vec<Value>;

#[test]
fn kafka_and_we_read_the_same_from_what_each_writes() {
    let written = java("write", &[]);
    assert!(written.len() > 90, "only {} cases", written.len());

    let mut ours = Vec::new();
    let mut expected = HashMap::new();
    for (name, bytes, dump) in &written {
        let pieces: Vec<Piece> = batches(bytes.clone()).collect::<Result<_, _>>().unwrap();
        let read: Vec<Value> = pieces.iter().map(describe).collect();
        assert_eq!(read.len(), dump.len(), "{name}");
        for (index, (ours, kafkas)) in read.iter().zip(dump).enumerate() {
            assert_eq!(ours, kafkas, "{name}, batch {index}");
        }
        for (index, piece) in pieces.iter().enumerate() {
            for (case, outgoing, want) in rewritten(piece, &dump[index]) {
                let case = format!("{name}/{index}/{case}");
                ours.push((case.clone(), outgoing.iter().flat_map(self::bytes).collect()));
                expected.insert(case, want);
            }
        }
    }

    assert!(ours.len() > 500, "only {} cases", ours.len());
    for (case, _, dump) in java("read", &ours) {
        assert_eq!(dump, expected.remove(&case).unwrap(), "{case}");
    }
    assert_eq!(expected.len(), 0, "not read by Kafka");
}

/// Everything we can make out of a piece, each with what Kafka has to read from it.
fn rewritten(piece: &Piece, read: &Value) -> Vec<(String, Vec<Outgoing>, Dump)> {
    let records = decoded(piece);
    let mut cases = Vec::new();
    if let Piece::Batch(batch) = piece {
        let target = |timestamp_type| Target {
            timestamp_type,
            max_message_bytes: 1 << 20,
        };
        let way = Way::of(batch, &target(TimestampType::CreateTime));
        if matches!(way, Way::Skip(_)) {
            assert!(batch.is_control() || records.is_empty());
            return cases;
        }
        if Way::of(batch, &target(TimestampType::LogAppendTime)) == Way::Copy {
            let mut copy = Outgoing::pass_through(batch);
            assert_eq!(copy.body(), &batch.bytes().slice(61..));
            assert!(
                std::ptr::eq(copy.body().as_ptr(), batch.bytes()[61..].as_ptr()),
                "the body was copied"
            );
            copy.sign(ProducerIdentity::NONE, 5);
            copy.sign(PRODUCER, SEQUENCE);
            assert_eq!(copy.source(), batch.source());
            let mut want = vec![produced(
                read["records"].as_array().unwrap(),
                batch.compression(),
                copy.size(),
            )];
            want[0]["maxTimestamp"] = read["maxTimestamp"].clone();
            if way != Way::Copy {
                // The producers' timestamps show again: what a target with log append time writes over.
                let times = producers_timestamps(batch);
                for (record, time) in want[0]["records"].as_array_mut().unwrap().iter_mut().zip(times) {
                    record["timestamp"] = time.into();
                }
            }
            cases.push(("copied".to_owned(), vec![copy], want));
        }
    }
    let rows = read["records"].as_array().unwrap();
    for compression in Compression::ALL {
        let mut encoder = Encoder::new(compression);
        let sizes: Vec<usize> = records
            .iter()
            .map(|record| alone(&mut encoder, &record))
            .collect();
        for (name, limit) in [
            ("whole", usize::MAX),
            ("split", SMALL.max(sizes.iter().copied().max().unwrap_or(0))),
        ] {
            let mut outgoing = encoder
                .encode_split(records.iter(), records.source(), limit)
                .unwrap();
            let mut at = 0;
            let mut want = Vec::new();
            for batch in &mut outgoing {
                assert!(batch.size() <= limit);
                batch.sign(PRODUCER, SEQUENCE);
                let rows = &rows[at..at + batch.records() as usize];
                at += rows.len();
                want.push(produced(rows, compression, batch.size()));
            }
            assert_eq!(at, rows.len());
            cases.push((format!("{compression}-{name}"), outgoing, want));
        }
    }
    cases
}

fn alone(encoder: &mut Encoder, record: &Record<'_>) -> usize {
    encoder.push(record).unwrap();
    encoder
        .finish(batch_support::span(&[Owned::of(*record)]))
        .unwrap()
        .size()
}

fn producers_timestamps(batch: &Batch) -> Vec<i64> {
    let mut bytes = batch.bytes().to_vec();
    bytes[22] &= !(1 << 3);
    let records = decode(&Batch::new(Bytes::from(bytes)).unwrap(), &Limits::default()).unwrap();
    records.iter().map(|record| record.timestamp).collect()
}

fn decoded(piece: &Piece) -> Records {
    piece.verify_crc().unwrap();
    match piece {
        Piece::Batch(batch) => decode(batch, &Limits::default()).unwrap(),
        Piece::Legacy(legacy) => decode_legacy(legacy, &Limits::default()).unwrap(),
    }
}

/// What Kafka shall read from a batch we produce with these records.
fn produced(rows: &[Value], compression: Compression, size: usize) -> Value {
    let records: Vec<Value> = rows
        .iter()
        .enumerate()
        .map(|(offset, row)| {
            let mut row = row.clone();
            row["offset"] = offset.into();
            row
        })
        .collect();
    json!({
        "magic": 2, "size": size, "baseOffset": 0, "nextOffset": rows.len(), "codec": compression.as_str(),
        "logAppendTime": false, "transactional": true, "control": false, "horizon": -1, "leaderEpoch": -1,
        "producerId": PRODUCER.id, "producerEpoch": PRODUCER.epoch, "baseSequence": SEQUENCE, "count": rows.len(),
        "maxTimestamp": rows.iter().map(|row| row["timestamp"].as_i64().unwrap()).max(),
        "records": records,
    })
}

/// What we read from a piece, in the program's words.
fn describe(piece: &Piece) -> Value {
    let records = decoded(piece);
    let rows: Vec<Value> = records
        .iter()
        .map(|record| {
            let headers = record
                .headers
                .iter()
                .map(|(key, value)| json!([hex(key), value.map(hex)]));
            json!({
                "offset": record.offset.0, "timestamp": record.timestamp, "key": record.key.map(hex),
                "value": record.value.map(hex), "headers": headers.collect::<Vec<_>>(),
            })
        })
        .collect();
    match piece {
        Piece::Batch(batch) => json!({
            "magic": 2, "size": batch.size(), "baseOffset": batch.base_offset().0, "nextOffset": batch.next_offset().0,
            "codec": batch.compression().as_str(), "logAppendTime": batch.timestamp_type() == TimestampType::LogAppendTime,
            "transactional": batch.is_transactional(), "control": batch.is_control(),
            "horizon": if batch.has_delete_horizon() { batch.base_timestamp() } else { -1 },
            "leaderEpoch": batch.leader_epoch().0, "producerId": batch.producer_id(), "producerEpoch": batch.producer_epoch(),
            "baseSequence": batch.base_sequence(), "count": batch.record_count(), "maxTimestamp": batch.max_timestamp(),
            "records": rows,
        }),
        Piece::Legacy(legacy) => json!({
            "magic": legacy.magic(), "size": legacy.size(), "baseOffset": -1, "nextOffset": piece.next_offset().0,
            "codec": legacy.compression().as_str(), "logAppendTime": legacy.timestamp_type() == TimestampType::LogAppendTime,
            "transactional": false, "control": false, "horizon": -1, "leaderEpoch": -1, "producerId": -1, "producerEpoch": -1,
            "baseSequence": -1, "count": -1, "maxTimestamp": newest(&rows), "records": rows,
        }),
    }
}

/// A compressed set's own timestamp is its newest record's: where a single message has its own.
fn newest(rows: &[Value]) -> Option<i64> {
    rows.iter().map(|row| row["timestamp"].as_i64().unwrap()).max()
}

/// Runs `java/Records.java`: name, bytes and dump of each case.
fn java(task: &str, cases: &[(String, Vec<u8>)]) -> Vec<(String, Bytes, Dump)> {
    let folder = libraries().unwrap_or_else(|| {
        panic!("set TOWPATH_KAFKA_LIBS to the libs folder of an Apache Kafka 4.3 (its jars), or run ./test, which fetches one")
    });
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/java/Records.java");
    let mut child = Command::new("java")
        .args(["-Xmx1g", "-cp", &format!("{folder}/*")])
        .arg(program)
        .arg(task)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("java 17 is on the path");
    let input: String = cases
        .iter()
        .map(|(name, bytes)| format!("{name} {}\n", hex(bytes)))
        .collect();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "java failed: see above");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| {
            let mut case: Value = serde_json::from_str(line).unwrap();
            let Value::Array(dump) = case["batches"].take() else {
                panic!("{line}")
            };
            let bytes = unhex(case["bytes"].as_str().unwrap());
            (
                case["name"].as_str().unwrap().to_owned(),
                Bytes::from(bytes),
                dump,
            )
        })
        .collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test has no main to read the environment in"
)]
fn libraries() -> Option<String> {
    std::env::var("TOWPATH_KAFKA_LIBS").ok()
}
