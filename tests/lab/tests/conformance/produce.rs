use bytes::Bytes;
use kafka_protocol::messages::produce_request::TopicProduceData;
use uuid::Uuid;

use crate::{
    batch::{CONTROL, DELETE_HORIZON, GZIP, LOG_APPEND_TIME, TRANSACTIONAL, ZSTD, batch, now_ms, stored},
    connection::{Connection, eventually, produce},
    target::Target,
};

/// Two records "a" and "b", gap-free, are at offset 0 and 1 of a new topic.
fn with_topic(target: &Target, topic: &str) -> Connection {
    let mut connection = target.connect();
    connection.create_topic(topic, 2, &[]);
    connection
}

/// Refused with this error before the log was asked, and nothing was stored.
fn refused(connection: &mut Connection, topic: &str, records: impl Into<Bytes>, code: i16) {
    assert_eq!(log_start_of_refused(connection, topic, records, code), -1);
}

/// Refused with this error by the log, which tells where it begins, and nothing was stored.
fn refused_by_log(connection: &mut Connection, topic: &str, records: impl Into<Bytes>, code: i16) {
    assert_eq!(log_start_of_refused(connection, topic, records, code), 0);
}

fn log_start_of_refused(
    connection: &mut Connection,
    topic: &str,
    records: impl Into<Bytes>,
    code: i16,
) -> i64 {
    let before = connection.fetch(topic, 0).high_watermark;
    let answer = connection.produce(topic, records);
    assert_eq!(answer.error_code, code, "{:?}", answer.error_message);
    assert_eq!((answer.base_offset, answer.log_append_time_ms), (-1, -1));
    assert_eq!(connection.fetch(topic, 0).high_watermark, before);
    answer.log_start_offset
}

pub fn a_batch_gets_the_next_offsets(target: &Target) {
    let mut connection = with_topic(target, "next-offsets");
    for (version, offset) in (3..=12).zip((0..).step_by(2)) {
        let answer = connection.produce_in("next-offsets", batch(&["a", "b"]), version);
        assert_eq!((answer.error_code, answer.base_offset), (0, offset));
        assert_eq!(answer.log_append_time_ms, -1);
        assert_eq!(answer.log_start_offset, if version >= 5 { 0 } else { -1 });
    }
}

pub fn two_batches_for_a_partition_are_refused(target: &Target) {
    let mut connection = with_topic(target, "two-batches");
    let two = [batch(&["a"]).bytes(), batch(&["b"]).bytes()].concat();
    refused(&mut connection, "two-batches", two, 87);
}

pub fn of_a_partition_listed_twice_only_the_last_is_stored(target: &Target) {
    let topic = "listed-twice";
    let mut connection = with_topic(target, topic);
    let twice = [
        (0, batch(&["a", "a"]).bytes()),
        (1, batch(&["c"]).bytes()),
        (0, batch(&["b"]).bytes()),
    ];
    let answer = connection.call(&produce(&[(topic, &twice)]), 9);
    let mut answered: Vec<_> = answer.responses[0]
        .partition_responses
        .iter()
        .map(|partition| (partition.index, partition.error_code, partition.base_offset))
        .collect();
    answered.sort_unstable();
    assert_eq!(answered, [(0, 0, 0), (1, 0, 0)]);
    let batches = stored(&connection.fetch(topic, 0).records.unwrap());
    assert_eq!(batches.len(), 1);
    assert_eq!(
        batches[0].last_offset, 0,
        "the batch of one record, not the one of two"
    );
}

pub fn a_base_offset_other_than_0_is_refused(target: &Target) {
    let mut connection = with_topic(target, "base-offset");
    let mut wrong = batch(&["a"]);
    wrong.base_offset = 7;
    refused_by_log(&mut connection, "base-offset", wrong, 87);
}

pub fn a_partial_batch_behind_a_whole_one_is_left_out(target: &Target) {
    let mut connection = with_topic(target, "partial");
    let partial = batch(&["b"]).bytes();
    let records = [&batch(&["a"]).bytes()[..], &partial[..partial.len() - 3]].concat();
    let answer = connection.produce("partial", records);
    assert_eq!((answer.error_code, answer.base_offset), (0, 0));
    assert_eq!(connection.fetch("partial", 0).high_watermark, 1);
}

pub fn damaged_bytes_are_refused(target: &Target) {
    let mut connection = with_topic(target, "damaged");
    let mut damaged = batch(&["a"]).bytes().to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    refused(&mut connection, "damaged", damaged, 2);
    // A magic of the future, and a length that cannot be.
    let mut magic = batch(&["a"]).bytes().to_vec();
    magic[16] = 3;
    refused(&mut connection, "damaged", magic, 2);
    let mut length = batch(&["a"]).bytes().to_vec();
    length[8..12].copy_from_slice(&5_i32.to_be_bytes());
    refused(&mut connection, "damaged", length, 2);
}

pub fn gaps_and_empty_batches_are_refused(target: &Target) {
    let mut connection = with_topic(target, "gaps");
    let mut gaps = batch(&["a", "b"]);
    gaps.records[1].offset_delta = Some(3);
    gaps.last_offset_delta = Some(3);
    refused_by_log(&mut connection, "gaps", gaps, 87);
    let mut empty = batch(&[]);
    empty.last_offset_delta = Some(0);
    refused_by_log(&mut connection, "gaps", empty, 87);
    let mut backwards = batch(&["a", "b"]);
    backwards.last_offset_delta = Some(-1);
    refused_by_log(&mut connection, "gaps", backwards, 87);
}

pub fn forged_offsets_pass_uncompressed_only(target: &Target) {
    let mut connection = with_topic(target, "forged");
    let mut forged = batch(&["a", "b", "c"]);
    forged.records[2].offset_delta = Some(4);
    refused_by_log(&mut connection, "forged", forged.clone().attributes(GZIP), -1);
    let answer = connection.produce("forged", forged);
    assert_eq!((answer.error_code, answer.base_offset), (0, 0));
    assert_eq!(connection.fetch("forged", 0).high_watermark, 3);
}

pub fn control_batches_are_refused(target: &Target) {
    let mut connection = with_topic(target, "control");
    refused_by_log(&mut connection, "control", batch(&["a"]).attributes(CONTROL), 87);
}

pub fn the_append_time_bit_passes_to_create_time_only(target: &Target) {
    let mut connection = with_topic(target, "append-bit");
    let with_bit = batch(&["a"]).timestamp(1_000).attributes(LOG_APPEND_TIME);
    let answer = connection.produce("append-bit", with_bit.clone());
    assert_eq!((answer.error_code, answer.log_append_time_ms), (0, -1));
    connection.create_topic("append-bit-2", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let answer = connection.produce("append-bit-2", with_bit);
    assert_eq!(answer.error_code, 32);
    assert_eq!(answer.record_errors.len(), 1);
}

pub fn the_delete_horizon_bit_is_stored(target: &Target) {
    let mut connection = with_topic(target, "horizon");
    let answer = connection.produce("horizon", batch(&["a"]).attributes(DELETE_HORIZON));
    assert_eq!(answer.error_code, 0);
    let batches = stored(&connection.fetch("horizon", 0).records.unwrap());
    assert_eq!(batches[0].attributes, DELETE_HORIZON);
}

pub fn a_transactional_batch_needs_a_transactional_id(target: &Target) {
    let mut connection = with_topic(target, "no-transaction");
    let transactional = batch(&["a"]).attributes(TRANSACTIONAL).producer(7_000, 0, 0);
    refused(&mut connection, "no-transaction", transactional, 53);
}

pub fn a_compacted_topic_refuses_null_keys(target: &Target) {
    let topic = "null-keys";
    let mut connection = target.connect();
    connection.create_topic(topic, 1, &[("cleanup.policy", "compact")]);
    for attributes in [0, GZIP] {
        let mut records = batch(&["a", "b", "c"]).attributes(attributes);
        records.records[1].key = None;
        let answer = connection.produce(topic, records);
        assert_eq!(answer.error_code, 87);
        let wrong: Vec<i32> = answer
            .record_errors
            .iter()
            .map(|error| error.batch_index)
            .collect();
        assert_eq!(wrong, [1]);
        assert!(answer.error_message.is_some());
        assert_eq!(
            connection
                .produce(topic, batch(&["a"]).attributes(attributes))
                .error_code,
            0
        );
    }
}

pub fn what_is_too_large_is_refused(target: &Target) {
    let topic = "too-large";
    let mut connection = target.connect();
    connection.create_topic(topic, 1, &[("max.message.bytes", "200")]);
    let value = "x".repeat(200);
    refused(&mut connection, topic, batch(&[&value]), 10);
    let fits = batch(&["x"]).bytes();
    connection.create_topic("just-fits", 1, &[("max.message.bytes", &fits.len().to_string())]);
    assert_eq!(connection.produce("just-fits", fits.clone()).error_code, 0);
    let less = (fits.len() - 1).to_string();
    connection.create_topic("just-too-large", 1, &[("max.message.bytes", &less)]);
    refused(&mut connection, "just-too-large", fits, 10);
}

pub fn another_codec_of_the_topic_recompresses(target: &Target) {
    let topic = "recompressed";
    let mut connection = target.connect();
    connection.create_topic(topic, 1, &[("compression.type", "zstd")]);
    let producer = 8_000_000_000;
    let value = "the same ".repeat(50);
    for (sequence, attributes) in [(0, GZIP), (2, 0), (4, ZSTD)] {
        let records = batch(&[&value, "b"])
            .attributes(attributes)
            .producer(producer, 3, sequence);
        assert_eq!(connection.produce(topic, records).error_code, 0);
    }
    let batches = stored(&connection.fetch(topic, 0).records.unwrap());
    let told: Vec<_> = batches
        .iter()
        .map(|batch| {
            (
                batch.base_offset,
                batch.last_offset,
                batch.attributes,
                batch.producer_id,
            )
        })
        .collect();
    let expected = |offset| (offset, offset + 1, ZSTD, producer);
    assert_eq!(told, [expected(0), expected(2), expected(4)]);
}

pub fn append_time_is_answered_and_stored(target: &Target) {
    let topic = "append-time";
    let mut connection = target.connect();
    connection.create_topic(topic, 1, &[("message.timestamp.type", "LogAppendTime")]);
    for attributes in [0, GZIP] {
        let answer = connection.produce(topic, batch(&["a", "b"]).timestamp(1_000).attributes(attributes));
        assert_eq!(answer.error_code, 0);
        assert!((now_ms() - answer.log_append_time_ms).abs() < 60_000);
        let records = connection.fetch(topic, answer.base_offset).records.unwrap();
        let batch = &stored(&records)[0];
        assert_eq!(batch.attributes, LOG_APPEND_TIME | attributes);
        assert_eq!(batch.max_timestamp, answer.log_append_time_ms);
    }
}

pub fn times_far_ahead_are_refused(target: &Target) {
    let mut connection = with_topic(target, "ahead-of-time");
    let answer = connection.produce(
        "ahead-of-time",
        batch(&["a", "b"]).timestamp(now_ms() + 7_200_000),
    );
    assert_eq!(answer.error_code, 32);
    assert_eq!(answer.record_errors.len(), 2);
    assert_eq!(
        connection
            .produce("ahead-of-time", batch(&["a"]).timestamp(0))
            .error_code,
        0
    );
    let bound = [("message.timestamp.before.max.ms", "3600000")];
    connection.create_topic("behind-the-times", 1, &bound);
    let answer = connection.produce("behind-the-times", batch(&["a"]).timestamp(1_000));
    assert_eq!(answer.error_code, 32);
    assert_eq!(
        connection.produce("behind-the-times", batch(&["a"])).error_code,
        0
    );
}

pub fn acks_are_minus_1_0_or_1(target: &Target) {
    let topic = "acks";
    let mut connection = with_topic(target, topic);
    for (acks, code) in [(1, 0), (-1, 0), (2, 21), (-2, 21)] {
        let request = produce(&[(topic, &[(0, batch(&["a"]).bytes())])]).with_acks(acks);
        let answer = connection.call(&request, 9);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, code);
    }
    assert_eq!(connection.fetch(topic, 0).high_watermark, 2);
}

pub fn without_acks_nothing_is_answered(target: &Target) {
    let topic = "no-acks";
    let mut connection = with_topic(target, topic);
    connection.send(
        &produce(&[(topic, &[(0, batch(&["a"]).bytes())])]).with_acks(0),
        9,
    );
    // The next answer is the next request's.
    assert_eq!(connection.fetch(topic, 0).high_watermark, 1);
    // What fails closes the connection instead.
    connection.send(
        &produce(&[("no-such-topic", &[(0, batch(&["a"]).bytes())])]).with_acks(0),
        9,
    );
    connection.expect_closed();
}

pub fn unknown_partitions_are_refused(target: &Target) {
    let topic = "known";
    let mut connection = with_topic(target, topic);
    let records = batch(&["a"]).bytes();
    let request = produce(&[
        (topic, &[(0, records.clone()), (9, records.clone())]),
        ("unknown", &[(0, records)]),
    ]);
    let answer = connection.call(&request, 9);
    let mut answered: Vec<_> = answer
        .responses
        .iter()
        .flat_map(|topic| {
            let name = topic.name.to_string();
            topic
                .partition_responses
                .iter()
                .map(move |partition| (name.clone(), partition.index, partition.error_code))
        })
        .collect();
    answered.sort_unstable();
    let expected = [("known", 0, 0), ("known", 9, 3), ("unknown", 0, 3)];
    assert_eq!(
        answered,
        expected.map(|(name, index, code)| (name.to_owned(), index, code))
    );
}

/// Code and base offset of each partition, in the answer of a request by id.
fn produced_by_id(connection: &mut Connection, topics: &[(Uuid, &[i32])]) -> Vec<(Uuid, i32, i16, i64)> {
    let topic = |(id, partitions): &(Uuid, &[i32])| {
        let records: Vec<_> = partitions
            .iter()
            .map(|partition| (*partition, batch(&["a"]).bytes()))
            .collect();
        let partitions = produce(&[("", &records)]).topic_data.remove(0).partition_data;
        TopicProduceData::default()
            .with_topic_id(*id)
            .with_partition_data(partitions)
    };
    let request = produce(&[]).with_topic_data(topics.iter().map(topic).collect());
    let answer = connection.call(&request, 13);
    let mut answered = Vec::new();
    for topic in &answer.responses {
        for partition in &topic.partition_responses {
            assert_eq!(partition.log_append_time_ms, -1);
            answered.push((
                topic.topic_id,
                partition.index,
                partition.error_code,
                partition.base_offset,
            ));
        }
    }
    answered.sort_unstable();
    answered
}

pub fn topics_go_by_id_from_version_13(target: &Target) {
    let mut connection = target.connect();
    let id = connection.create_topic("by-id", 2, &[]);
    assert_eq!(produced_by_id(&mut connection, &[(id, &[0])]), [(id, 0, 0, 0)]);
    let unknown = Uuid::from_u128(77);
    let mut expected = vec![
        (id, 0, 0, 1),
        (id, 1, 0, 0),
        (id, 9, 3, -1),
        (unknown, 0, 100, -1),
        (unknown, 1, 100, -1),
    ];
    expected.sort_unstable();
    assert_eq!(
        produced_by_id(&mut connection, &[(id, &[0, 1, 9]), (unknown, &[0, 1])]),
        expected
    );
}

pub fn no_id_is_an_unknown_id(target: &Target) {
    let mut connection = with_topic(target, "no-id");
    assert_eq!(
        produced_by_id(&mut connection, &[(Uuid::nil(), &[0])]),
        [(Uuid::nil(), 0, 100, -1)]
    );
}

pub fn the_id_of_a_deleted_topic_is_unknown_when_its_name_is_used_again(target: &Target) {
    let topic = "deleted-by-id";
    let mut connection = target.connect();
    let old = connection.create_topic(topic, 1, &[]);
    assert_eq!(produced_by_id(&mut connection, &[(old, &[0])]), [(old, 0, 0, 0)]);
    connection.delete_topic(topic);
    eventually("the deleted topic to be unknown", || {
        produced_by_id(&mut connection, &[(old, &[0])]) == [(old, 0, 100, -1)]
    });
    let new = connection.create_topic(topic, 1, &[]);
    assert_ne!(new, old);
    let mut expected = vec![(old, 0, 100, -1), (new, 0, 0, 0)];
    expected.sort_unstable();
    assert_eq!(
        produced_by_id(&mut connection, &[(old, &[0]), (new, &[0])]),
        expected
    );
    // By name it is the new one that gets the records.
    let answer = connection.produce_in(topic, batch(&["b"]), 12);
    assert_eq!((answer.error_code, answer.base_offset), (0, 1));
}

pub fn what_is_no_batch_is_refused(target: &Target) {
    let topic = "no-batch";
    let mut connection = with_topic(target, topic);
    refused(&mut connection, topic, Bytes::new(), 87);
    refused(&mut connection, topic, Bytes::from_static(&[1, 2, 3]), 87);
    // "k" = "v" as a message of magic 1: offset, length, checksum, magic, attributes, timestamp, key, value.
    let mut message = vec![1, 0];
    message.extend(1_000_i64.to_be_bytes());
    message.extend([0, 0, 0, 1, b'k', 0, 0, 0, 1, b'v']);
    let mut crc = flate2::Crc::new();
    crc.update(&message);
    let old = [
        &[0; 8][..],
        &(message.len() as i32 + 4).to_be_bytes(),
        &crc.sum().to_be_bytes(),
        &message,
    ]
    .concat();
    refused(&mut connection, topic, old, 87);
    // A producer id without a sequence.
    refused_by_log(&mut connection, topic, batch(&["a"]).producer(7_001, 0, -1), 87);
}

pub fn zstd_needs_version_7(target: &Target) {
    let mut connection = with_topic(target, "zstd");
    let records = batch(&["a"]).attributes(ZSTD);
    assert_eq!(connection.produce_in("zstd", records.clone(), 6).error_code, 76);
    assert_eq!(connection.produce_in("zstd", records, 7).error_code, 0);
}
