use std::io::Write;

use bytes::{BufMut, BytesMut};
use towpath_wire::batch::{Compression, Headers, ProducerIdentity, Record, Transactional};

use super::*;
use crate::task::budget::Budget;

const TARGET: batch::Target = batch::Target {
    timestamp_type: TimestampType::CreateTime,
    max_message_bytes: 1 << 20,
};

/// A batch as a source's log has it.
struct Source {
    base: i64,
    values: Vec<&'static str>,
    producer: i64,
    transactional: Transactional,
    compression: Compression,
}

fn source(base: i64, values: &[&'static str]) -> Source {
    Source {
        base,
        values: values.to_vec(),
        producer: -1,
        transactional: Transactional::No,
        compression: Compression::Lz4,
    }
}

impl Source {
    fn by(self, producer: i64) -> Self {
        Self {
            producer,
            transactional: Transactional::Yes,
            ..self
        }
    }

    fn bytes(&self) -> BytesMut {
        let records: Vec<(Option<&[u8]>, &[u8])> =
            self.values.iter().map(|value| (None, value.as_bytes())).collect();
        raw(
            self.base,
            &records,
            (self.producer, self.transactional),
            self.compression,
        )
    }
}

fn raw(
    base: i64,
    records: &[(Option<&[u8]>, &[u8])],
    (id, transactional): (i64, Transactional),
    compression: Compression,
) -> BytesMut {
    let mut encoder = Encoder::new(compression);
    for (key, value) in records {
        let record = Record {
            offset: Offset(0),
            timestamp: 5,
            key: *key,
            value: Some(value),
            headers: Headers::EMPTY,
        };
        encoder.push(&record).unwrap();
    }
    let mut outgoing = encoder
        .finish(SourceSpan {
            first: Offset(0),
            next: Offset(1),
        })
        .unwrap();
    outgoing.sign(
        ProducerIdentity {
            id,
            epoch: 0,
            transactional,
        },
        0,
    );
    let mut bytes = BytesMut::from(&outgoing.header()[..]);
    bytes.extend_from_slice(outgoing.body());
    bytes[..8].copy_from_slice(&base.to_be_bytes());
    bytes[12..16].copy_from_slice(&4_i32.to_be_bytes());
    bytes
}

/// A transaction's end: `kind` 0 aborts, 1 commits.
fn marker(base: i64, producer: i64, kind: u8) -> BytesMut {
    let mut bytes = raw(
        base,
        &[(Some(&[0, 0, 0, kind]), b"")],
        (producer, Transactional::Yes),
        Compression::None,
    );
    bytes[22] |= 1 << 5;
    resign(&mut bytes);
    bytes
}

fn resign(bytes: &mut BytesMut) {
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
}

fn chunk(from: i64, batches: &[BytesMut], aborted: &[(i64, i64)]) -> Chunk {
    Chunk {
        source: TopicPartition::new("a", 0),
        from: Offset(from),
        epoch: LeaderEpoch(-1),
        records: Bytes::from(batches.concat()),
        aborted: aborted
            .iter()
            .map(|&(producer_id, first)| AbortedTransaction {
                producer_id,
                first_offset: Offset(first),
            })
            .collect(),
        target: TARGET,
        skip: 0,
        stale: None,
        preserves: false,
        target_topic: TopicName::new("b"),
        share: Budget::new(1).take(1),
    }
}

/// The values of what would be produced, batch by batch.
fn values(converted: &Converted) -> Vec<Vec<String>> {
    let decoded = converted.batches.iter().map(|prepared| {
        let mut outgoing = prepared.outgoing.clone();
        outgoing.sign(
            ProducerIdentity {
                id: 9,
                epoch: 0,
                transactional: Transactional::No,
            },
            0,
        );
        let mut bytes = BytesMut::from(&outgoing.header()[..]);
        bytes.extend_from_slice(outgoing.body());
        let batch = Batch::new(bytes.freeze()).unwrap();
        batch.verify_crc().unwrap();
        batch::decode(&batch, &LIMITS).unwrap()
    });
    decoded
        .map(|records| {
            records
                .iter()
                .map(|record| String::from_utf8_lossy(record.value.unwrap()).into_owned())
                .collect()
        })
        .collect()
}

#[test]
fn a_whole_batch_is_copied_with_every_byte_behind_its_header() {
    let batch = source(7, &["a", "b"]).bytes();
    let chunk = chunk(7, std::slice::from_ref(&batch), &[]);
    assert!(chunk.is_light());
    let converted = chunk.convert(None);
    assert_eq!(converted.batches[0].outgoing.body()[..], batch[61..]);
    assert_eq!(
        (
            converted.next,
            converted.epoch,
            converted.copied,
            converted.decoded
        ),
        (Offset(9), LeaderEpoch(4), 1, 0)
    );
}

#[test]
fn damaged_bytes_stop_the_partition_behind_what_was_sound() {
    let mut damaged = source(2, &["c", "d"]).bytes();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let converted = chunk(
        0,
        &[source(0, &["a", "b"]).bytes(), damaged, source(4, &["e"]).bytes()],
        &[],
    )
    .convert(None);
    assert_eq!(values(&converted), [["a", "b"]]);
    assert_eq!(converted.next, Offset(2));
    match converted.stop {
        Some(PartitionState::SourceCorrupt {
            offset: Offset(2),
            error,
        }) => assert!(error.contains("CRC"), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_batch_with_holes_is_written_anew_without_them() {
    let mut batch = source(10, &["a", "b"]).bytes();
    // The last offset delta of a batch whose last two records were compacted away.
    batch[23..27].copy_from_slice(&3_i32.to_be_bytes());
    resign(&mut batch);
    let chunk = chunk(10, &[batch], &[]);
    assert!(!chunk.is_light());
    let converted = chunk.convert(None);
    assert_eq!(values(&converted), [["a", "b"]]);
    assert_eq!(
        (converted.next, converted.copied, converted.decoded),
        (Offset(14), 0, 1)
    );
    assert_eq!(
        converted.batches[0].outgoing.source(),
        SourceSpan {
            first: Offset(10),
            next: Offset(14)
        }
    );
}

#[test]
fn aborted_transactions_are_left_out_and_committed_ones_beside_them_are_not() {
    let log = [
        source(0, &["plain"]).bytes(),
        source(1, &["aborted"]).by(50).bytes(),
        source(2, &["committed"]).by(60).bytes(),
        source(3, &["aborted too"]).by(50).bytes(),
        marker(4, 50, 0),
        marker(5, 60, 1),
        source(6, &["the next one of 50"]).by(50).bytes(),
        marker(7, 50, 1),
    ];
    let converted = chunk(0, &log, &[(50, 1)]).convert(None);
    assert_eq!(
        values(&converted),
        [["plain"], ["committed"], ["the next one of 50"]]
    );
    assert_eq!(converted.next, Offset(8), "the markers are passed");
    assert!(converted.stop.is_none());
    assert!(
        converted
            .batches
            .iter()
            .all(|prepared| prepared.outgoing.header()[22] & (1 << 4) == 0),
        "outside of a transaction the bit must be cleared"
    );
}

#[test]
fn a_batch_that_begins_before_the_position_gives_only_what_is_behind_it() {
    let converted = chunk(
        12,
        &[
            source(10, &["a", "b", "c", "d"]).bytes(),
            source(14, &["e"]).bytes(),
        ],
        &[],
    )
    .convert(None);
    assert_eq!(values(&converted), [vec!["c", "d"], vec!["e"]]);
    assert_eq!(converted.batches[0].outgoing.source().first, Offset(12));
}

#[test]
fn offsets_that_go_back_stop_the_partition_behind_what_was_in_order() {
    let log = [
        source(0, &["a", "b"]).bytes(),
        source(2, &["c"]).bytes(),
        source(1, &["b again", "c again", "d"]).bytes(),
        source(4, &["e"]).bytes(),
    ];
    let converted = chunk(1, &log, &[]).convert(None);
    assert_eq!(values(&converted), [["b"], ["c"]]);
    assert_eq!(converted.next, Offset(3));
    let Some(PartitionState::SourceCorrupt { offset, error }) = converted.stop else {
        panic!("{:?}", converted.stop)
    };
    assert_eq!(offset, Offset(3));
    assert!(error.contains("begins at offset 1"), "{error}");
}

/// A message of magic 0.
fn message(offset: i64, attributes: u8, value: &[u8]) -> BytesMut {
    let mut checked = BytesMut::new();
    checked.put_slice(&[0, attributes]);
    checked.put_i32(-1);
    checked.put_i32(value.len() as i32);
    checked.put_slice(value);
    let mut crc = flate2::Crc::new();
    crc.update(&checked);
    let mut bytes = BytesMut::new();
    bytes.put_i64(offset);
    bytes.put_i32(checked.len() as i32 + 4);
    bytes.put_u32(crc.sum());
    bytes.put_slice(&checked);
    bytes
}

#[test]
fn a_set_of_old_messages_ends_behind_its_last_one_whatever_its_own_offset() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for (offset, value) in [(0, "a"), (1, "b"), (2, "c")] {
        gzip.write_all(&message(offset, 0, value.as_bytes())).unwrap();
    }
    let set = message(0, 1, &gzip.finish().unwrap());

    let converted = chunk(0, &[set.clone(), message(3, 0, b"d")], &[]).convert(None);
    assert_eq!(values(&converted), [vec!["a", "b", "c"], vec!["d"]]);
    assert_eq!((converted.next, converted.stop), (Offset(4), None));

    let converted = chunk(0, std::slice::from_ref(&set), &[]).convert(None);
    assert_eq!(converted.next, Offset(3), "what is read next");

    let converted = chunk(0, &[set, message(1, 0, b"b again")], &[]).convert(None);
    assert_eq!(values(&converted), [["a", "b", "c"]]);
    assert!(matches!(
        converted.stop,
        Some(PartitionState::SourceCorrupt {
            offset: Offset(3),
            ..
        })
    ));
}

#[test]
fn a_batch_above_the_targets_limit_is_split_and_a_record_above_it_is_refused() {
    let long: &'static str = Box::leak("x".repeat(300).into_boxed_str());
    let batch = Source {
        compression: Compression::None,
        ..source(0, &[long, long, long, long])
    }
    .bytes();
    let mut small = chunk(0, &[batch], &[]);
    small.target.max_message_bytes = 800;
    let converted = small.convert(None);
    assert_eq!(converted.batches.len(), 2);
    assert!(
        converted
            .batches
            .iter()
            .all(|prepared| prepared.outgoing.size() <= 800)
    );
    let batch = Source {
        compression: Compression::None,
        ..source(0, &["ok", long])
    }
    .bytes();
    let mut tiny = chunk(0, &[batch], &[]);
    tiny.target.max_message_bytes = 200;
    match tiny.convert(None).stop {
        Some(PartitionState::TargetRefuses {
            offset: Offset(1),
            remedy,
            ..
        }) => assert!(remedy.contains("max.message.bytes")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_but_a_part_of_a_batch_is_an_error_and_not_a_silent_standstill() {
    let mut batch = source(0, &["a"]).bytes();
    batch.truncate(70);
    assert!(matches!(
        chunk(0, &[batch], &[]).convert(None).stop,
        Some(PartitionState::SourceCorrupt { .. })
    ));
}

#[test]
fn the_epoch_of_an_aborted_batch_is_remembered_too() {
    let mut newer = source(1, &["aborted"]).by(50).bytes();
    newer[12..16].copy_from_slice(&9_i32.to_be_bytes());
    let converted = chunk(0, &[source(0, &["plain"]).bytes(), newer], &[(50, 1)]).convert(None);
    assert_eq!(converted.next, Offset(2));
    assert_eq!(
        converted.epoch,
        LeaderEpoch(9),
        "with the older one the source would seem truncated"
    );
}

#[test]
fn append_time_is_written_into_each_record_for_a_target_with_create_time() {
    let mut batch = source(0, &["a", "b"]).bytes();
    batch[22] |= 1 << 3;
    // The max timestamp is when the source appended the batch.
    batch[35..43].copy_from_slice(&77_i64.to_be_bytes());
    resign(&mut batch);
    let converted = chunk(0, std::slice::from_ref(&batch), &[]).convert(None);
    assert_eq!((converted.copied, converted.decoded), (0, 1));
    let header = converted.batches[0].outgoing.header();
    assert_eq!(
        (&header[27..35], header[22] & (1 << 3)),
        (&77_i64.to_be_bytes()[..], 0)
    );
    let mut kept = chunk(0, &[batch], &[]);
    kept.target.timestamp_type = TimestampType::LogAppendTime;
    assert_eq!(kept.convert(None).copied, 1);
}

/// What compaction has left: some of the records of a batch, by their offsets in it.
fn with_holes(base: i64, kept: &[i32], last: i32) -> BytesMut {
    let mut encoder = Encoder::new(Compression::None);
    for delta in kept {
        let record = Record {
            offset: Offset(0),
            timestamp: 5,
            key: Some(b"k"),
            value: Some(b"v"),
            headers: Headers::EMPTY,
        };
        encoder.push_at(*delta, &record).unwrap();
    }
    let span = SourceSpan {
        first: Offset(0),
        next: Offset(1),
    };
    let mut outgoing = encoder.finish(span).unwrap();
    outgoing.sign(ProducerIdentity::NONE, -1);
    let mut bytes = BytesMut::new();
    bytes.put_slice(outgoing.header());
    bytes.put_slice(outgoing.body());
    bytes[0..8].copy_from_slice(&base.to_be_bytes());
    bytes[23..27].copy_from_slice(&last.to_be_bytes());
    resign(&mut bytes);
    bytes
}

#[test]
fn a_hole_that_may_hide_a_tombstone_stops_the_partition_before_it() {
    let stale = Stale {
        caught_up_at: 5,
        retention: 7,
    };
    let missed = |position, hole| Some(stale.missed(Offset(position), Offset(hole)));
    let whole = source(0, &["a", "b", "c"]).bytes();
    let cases: [(i64, Vec<BytesMut>, _, i64); 6] = [
        (0, vec![whole.clone(), source(3, &["d"]).bytes()], None, 4),
        (0, vec![whole.clone(), source(4, &["e"]).bytes()], missed(3, 3), 3),
        (0, vec![whole.clone(), with_holes(3, &[0, 2], 2)], missed(3, 4), 3),
        (0, vec![whole, with_holes(3, &[0, 1], 2)], missed(3, 5), 3),
        (5, vec![with_holes(3, &[0, 2], 2)], None, 6),
        (2, vec![with_holes(3, &[0, 1, 2], 2)], missed(2, 2), 2),
    ];
    for (from, batches, expected, next) in cases {
        let passed = chunk(from, &batches, &[]).convert(None);
        assert_eq!(passed.stop, None, "without that it is no matter");
        let mut chunk = chunk(from, &batches, &[]);
        chunk.stale = Some(stale);
        let converted = chunk.convert(None);
        assert_eq!((converted.stop, converted.next), (expected, Offset(next)));
    }
}

#[test]
fn markers_are_no_holes() {
    let mut chunk = chunk(
        0,
        &[
            source(0, &["a"]).by(9).bytes(),
            marker(1, 9, 1),
            source(2, &["b"]).bytes(),
        ],
        &[],
    );
    chunk.stale = Some(Stale {
        caught_up_at: 5,
        retention: 7,
    });
    let converted = chunk.convert(None);
    assert_eq!((converted.stop, converted.next), (None, Offset(3)));
}
