use bytes::Bytes;
use towpath_domain::Offset;

use super::*;

/// Written by Kafka 4.3.1: transactional, producer 5, epoch 1, sequence 9; "k" = "value" at 1000 with headers h = null and h = "";
/// then null = "" at 999.
const KAFKAS: &str = "00000000000000000000004bffffffff028a3d77dd00100000000100000000000003e800000000000003e8\
    000000000000000500010000000900000002\
    24000000026b0a76616c7565040268010268000c000102010000";
/// Magic 1, offset 3, null = "" at 999.
const KAFKAS_LEGACY: &str = "000000000000000300000016a7f40e1b010000000000000003e7ffffffff00000000";
/// Twice the same, as a set compressed with lz4, offsets 3 and 4.
const KAFKAS_LEGACY_SET: &str = "00000000000000040000004abbe031d7010300000000000003e7ffffffff0000003404224d1860408225000000160001\
    006316a7f40e1b0110006303e7ffffffff0d000002000019000e220050ff0000000000000000";

const TRANSACTIONAL: ProducerIdentity = ProducerIdentity {
    id: 5,
    epoch: 1,
    transactional: Transactional::Yes,
};

fn unhex(text: &str) -> Bytes {
    let digits: Vec<u8> = text
        .bytes()
        .map(|digit| (digit as char).to_digit(16).unwrap() as u8)
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn kafkas() -> Batch {
    Batch::new(unhex(KAFKAS)).unwrap()
}

/// Kafka's batch with `bytes` put at `from`.
fn with(from: usize, bytes: &[u8]) -> Batch {
    let mut batch = kafkas().bytes().to_vec();
    batch[from..from + bytes.len()].copy_from_slice(bytes);
    Batch::new(Bytes::from(batch)).unwrap()
}

fn with_attributes(attributes: i16) -> Batch {
    with(at::ATTRIBUTES, &attributes.to_be_bytes())
}

#[test]
fn kafkas_bytes_are_read_field_by_field() {
    let batch = kafkas();
    batch.verify_crc().unwrap();
    assert_eq!(
        (batch.base_offset(), batch.last_offset(), batch.next_offset()),
        (Offset(0), Offset(1), Offset(2))
    );
    assert_eq!(
        (batch.leader_epoch().0, batch.record_count(), batch.size()),
        (-1, 2, 87)
    );
    assert_eq!(
        (batch.producer_id(), batch.producer_epoch(), batch.base_sequence()),
        (5, 1, 9)
    );
    assert_eq!((batch.base_timestamp(), batch.max_timestamp()), (1000, 1000));
    assert_eq!(
        (batch.compression(), batch.timestamp_type()),
        (Compression::None, TimestampType::CreateTime)
    );
    assert!(batch.is_transactional() && !batch.is_control() && !batch.has_delete_horizon());

    let records = decode(&batch, &Limits::default()).unwrap();
    let first = records.record(0);
    assert_eq!(
        (first.offset, first.timestamp, first.key, first.value),
        (Offset(0), 1000, Some(&b"k"[..]), Some(&b"value"[..]))
    );
    assert!(
        first
            .headers
            .iter()
            .eq([(&b"h"[..], None), (&b"h"[..], Some(&b""[..]))])
    );
    let second = records.record(1);
    assert_eq!(
        (second.offset, second.timestamp, second.key, second.value),
        (Offset(1), 999, None, Some(&b""[..]))
    );
    assert!(second.headers.is_empty());
}

#[test]
fn our_bytes_are_kafkas_bytes() {
    let records = decode(&kafkas(), &Limits::default()).unwrap();
    let mut encoder = Encoder::new(Compression::None);
    for record in records.iter() {
        encoder.push(&record).unwrap();
    }
    let mut encoded = encoder.finish(records.source()).unwrap();
    encoded.sign(TRANSACTIONAL, 9);
    let mut copied = Outgoing::pass_through(&with(0, &77_i64.to_be_bytes()));
    copied.sign(TRANSACTIONAL, 9);
    for outgoing in [encoded, copied] {
        assert_eq!(
            [outgoing.header().as_slice(), outgoing.body()].concat(),
            unhex(KAFKAS)
        );
    }
}

#[test]
fn kafkas_old_messages_are_read() {
    for (text, offsets) in [(KAFKAS_LEGACY, 3..4), (KAFKAS_LEGACY_SET, 3..5)] {
        let Some(Ok(Piece::Legacy(legacy))) = batches(unhex(text)).next() else {
            panic!("not a legacy message")
        };
        legacy.verify_crc().unwrap();
        let records = decode_legacy(&legacy, &Limits::default()).unwrap();
        assert_eq!(
            records.source(),
            SourceSpan {
                first: Offset(offsets.start),
                next: Offset(offsets.end)
            }
        );
        assert!(records.iter().map(|record| record.offset.0).eq(offsets));
        for record in records.iter() {
            assert_eq!(
                (record.timestamp, record.key, record.value, record.headers.len()),
                (999, None, Some(&b""[..]), 0)
            );
        }
        let mut damaged = unhex(text).to_vec();
        *damaged.last_mut().unwrap() ^= 1;
        let Some(Ok(damaged)) = batches(Bytes::from(damaged)).next() else {
            return;
        };
        assert!(matches!(damaged.verify_crc(), Err(Error::Crc { .. })));
    }
}

#[test]
fn the_way_of_a_batch_is_the_brokers_rules() {
    let (create, append) = (TimestampType::CreateTime, TimestampType::LogAppendTime);
    let way = |batch: Batch, timestamp_type, max_message_bytes| {
        Way::of(
            &batch,
            &Target {
                timestamp_type,
                max_message_bytes,
            },
        )
    };
    assert_eq!(way(kafkas(), create, 87), Way::Copy);
    assert_eq!(way(kafkas(), create, 86), Way::Decode(Reason::TooLarge));
    assert_eq!(
        way(with_attributes(bits::CONTROL | bits::TRANSACTIONAL), create, 1000),
        Way::Skip(Skip::Control)
    );
    assert_eq!(
        way(with_attributes(bits::LOG_APPEND_TIME), create, 1000),
        Way::Decode(Reason::LogAppendTime)
    );
    assert_eq!(
        way(with_attributes(bits::LOG_APPEND_TIME), append, 1000),
        Way::Copy
    );
    assert_eq!(
        way(
            with_attributes(bits::DELETE_HORIZON | bits::TRANSACTIONAL),
            create,
            1000
        ),
        Way::Copy
    );
    assert_eq!(
        way(with(at::LAST_OFFSET_DELTA, &[0, 0, 0, 2]), append, 1000),
        Way::Decode(Reason::OffsetGaps)
    );
    assert_eq!(
        way(with(at::RECORD_COUNT, &[0, 0, 0, 0]), create, 10),
        Way::Skip(Skip::Empty)
    );
    assert_eq!(
        way(with(at::LAST_OFFSET_DELTA, &[127, 255, 255, 255]), create, 10),
        Way::Decode(Reason::OffsetGaps)
    );
}

#[test]
fn a_copy_clears_what_a_producer_must_not_send() {
    let all = bits::LOG_APPEND_TIME | bits::TRANSACTIONAL | bits::DELETE_HORIZON | Compression::Zstd.id();
    let mut copy = Outgoing::pass_through(&with_attributes(all));
    let batch =
        |copy: &Outgoing| Batch::new(Bytes::from([copy.header().as_slice(), copy.body()].concat())).unwrap();
    assert_eq!(batch(&copy).attributes(), Compression::Zstd.id());
    assert_eq!(
        (batch(&copy).producer_id(), batch(&copy).base_sequence()),
        (-1, -1)
    );
    copy.sign(TRANSACTIONAL, 0);
    assert_eq!(
        batch(&copy).attributes(),
        Compression::Zstd.id() | bits::TRANSACTIONAL
    );
    batch(&copy).verify_crc().unwrap();
}

#[test]
fn append_time_is_every_records_time() {
    let records = decode(&with_attributes(bits::LOG_APPEND_TIME), &Limits::default()).unwrap();
    assert!(records.iter().all(|record| record.timestamp == 1000));
}

#[test]
fn sequences_wrap_as_kafkas_do() {
    assert_eq!(next_sequence(0, 5), 5);
    assert_eq!(next_sequence(i32::MAX - 1, 1), i32::MAX);
    assert_eq!(next_sequence(i32::MAX, 1), 0);
    assert_eq!(next_sequence(i32::MAX - 1, 5), 3);
    assert_eq!(next_sequence(i32::MAX, i32::MAX), i32::MAX - 1);
}
