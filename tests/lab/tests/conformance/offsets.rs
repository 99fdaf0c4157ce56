use kafka_protocol::messages::{
    DeleteRecordsRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest,
    delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic},
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
    list_offsets_response::ListOffsetsPartitionResponse,
    offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic},
};

use crate::{
    batch::{GZIP, batch, stored},
    connection::{Connection, topic_name},
    target::Target,
};

/// Offsets 0 to 5 with the times 1000, 1001 - 3000, 3001 - 2000, 2001.
fn filled(target: &Target, topic: &str) -> Connection {
    let mut connection = target.connect();
    connection.create_topic(topic, 1, &[("retention.ms", "-1")]);
    for (time, attributes) in [(1_000, 0), (3_000, GZIP), (2_000, 0)] {
        let mut records = batch(&["a", "b"]).timestamp(time).attributes(attributes);
        records.records[1].timestamp += 1;
        assert_eq!(connection.produce(topic, records).error_code, 0);
    }
    connection
}

fn list(
    connection: &mut Connection,
    topic: &str,
    timestamp: i64,
    version: i16,
) -> ListOffsetsPartitionResponse {
    list_partition(
        connection,
        topic,
        ListOffsetsPartition::default()
            .with_timestamp(timestamp)
            .with_current_leader_epoch(-1),
        version,
    )
}

fn list_partition(
    connection: &mut Connection,
    topic: &str,
    partition: ListOffsetsPartition,
    version: i16,
) -> ListOffsetsPartitionResponse {
    let topic = ListOffsetsTopic::default()
        .with_name(topic_name(topic))
        .with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default()
        .with_replica_id((-1).into())
        .with_topics(vec![topic]);
    let mut answer = connection.call(&request, version);
    answer.topics.remove(0).partitions.remove(0)
}

pub fn the_ends_of_a_log_are_found(target: &Target) {
    let topic = "ends";
    let mut connection = filled(target, topic);
    for version in 1..=10 {
        for (timestamp, offset) in [(-1, 6), (-2, 0)] {
            let found = list(&mut connection, topic, timestamp, version);
            assert_eq!((found.error_code, found.offset, found.timestamp), (0, offset, -1));
            assert_eq!(found.leader_epoch, if version >= 4 { 0 } else { -1 });
        }
    }
    let earliest = list(&mut connection, topic, -4, 8);
    assert_eq!((earliest.error_code, earliest.offset), (0, 0));
    let tiered = list(&mut connection, topic, -5, 9);
    assert_eq!((tiered.error_code, tiered.offset), (0, -1));
    connection.create_topic("no-ends", 1, &[]);
    for (timestamp, offset) in [(-1, 0), (-2, 0), (-3, -1), (0, -1)] {
        let found = list(&mut connection, "no-ends", timestamp, 7);
        assert_eq!((found.error_code, found.offset), (0, offset));
    }
}

pub fn offsets_are_found_by_time(target: &Target) {
    let topic = "by-time";
    let mut connection = filled(target, topic);
    // The first offset with such a time or a later one.
    for (time, offset, found_time) in [
        (0, 0, 1_000),
        (1_000, 0, 1_000),
        (1_001, 1, 1_001),
        (1_002, 2, 3_000),
        (2_000, 2, 3_000),
        (3_001, 3, 3_001),
        (3_002, -1, -1),
    ] {
        let found = list(&mut connection, topic, time, 7);
        assert_eq!(
            (found.error_code, found.offset, found.timestamp),
            (0, offset, found_time),
            "{time}"
        );
    }
    let largest = list(&mut connection, topic, -3, 7);
    assert_eq!(
        (largest.error_code, largest.offset, largest.timestamp),
        (0, 3, 3_001)
    );
}

pub fn list_offsets_checks_what_it_is_asked(target: &Target) {
    let topic = "listed";
    let mut connection = filled(target, topic);
    for (index, epoch, code) in [(0, 0, 0), (0, 1, 75), (5, -1, 3)] {
        let partition = ListOffsetsPartition::default()
            .with_partition_index(index)
            .with_timestamp(-1)
            .with_current_leader_epoch(epoch);
        let found = list_partition(&mut connection, topic, partition, 7);
        assert_eq!(found.error_code, code);
        if code != 0 {
            assert_eq!((found.offset, found.timestamp, found.leader_epoch), (-1, -1, -1));
        }
    }
    assert_eq!(list(&mut connection, "not-listed", -1, 7).error_code, 3);
}

pub fn records_are_deleted_up_to_an_offset(target: &Target) {
    let topic = "deleted";
    let mut connection = filled(target, topic);
    let mut delete = |index, offset| {
        let partition = DeleteRecordsPartition::default()
            .with_partition_index(index)
            .with_offset(offset);
        let topic = DeleteRecordsTopic::default()
            .with_name(topic_name(topic))
            .with_partitions(vec![partition]);
        let request = DeleteRecordsRequest::default()
            .with_timeout_ms(30_000)
            .with_topics(vec![topic]);
        let answer = connection.call(&request, 2);
        let partition = &answer.topics[0].partitions[0];
        (partition.error_code, partition.low_watermark)
    };
    assert_eq!(delete(0, 3), (0, 3));
    assert_eq!(delete(0, 2), (0, 3), "it never goes back");
    assert_eq!(delete(0, 7), (1, -1));
    assert_eq!(delete(0, -2), (1, -1));
    assert_eq!(delete(4, 0), (3, -1));
    assert_eq!(list(&mut connection, topic, -2, 7).offset, 3);
    assert_eq!(connection.fetch(topic, 2).error_code, 1);
    // In the middle of a batch: it is still there whole.
    let rest = connection.fetch(topic, 3);
    assert_eq!((rest.error_code, rest.log_start_offset), (0, 3));
    assert_eq!(stored(rest.records.as_ref().unwrap())[0].base_offset, 2);
    let mut connection = target.connect();
    let all = DeleteRecordsPartition::default().with_offset(-1);
    let all = DeleteRecordsTopic::default()
        .with_name(topic_name(topic))
        .with_partitions(vec![all]);
    let request = DeleteRecordsRequest::default()
        .with_timeout_ms(30_000)
        .with_topics(vec![all]);
    assert_eq!(
        connection.call(&request, 2).topics[0].partitions[0].low_watermark,
        6
    );
    let empty = connection.fetch(topic, 6);
    assert_eq!(
        (empty.error_code, empty.log_start_offset, empty.high_watermark),
        (0, 6, 6)
    );
    // The next record goes on where the log ended.
    assert_eq!(connection.produce(topic, batch(&["c"])).base_offset, 6);
}

pub fn epochs_end_where_the_log_does(target: &Target) {
    let topic = "epoch-ends";
    let mut connection = filled(target, topic);
    for (index, current, epoch, expected) in [
        (0, -1, 0, (0, 0, 6)),
        (0, 0, 0, (0, 0, 6)),
        (0, -1, 1, (0, -1, -1)),
        (0, -1, -1, (0, -1, -1)),
        (0, 1, 0, (75, -1, -1)),
        (3, -1, 0, (3, -1, -1)),
    ] {
        let partition = OffsetForLeaderPartition::default()
            .with_partition(index)
            .with_current_leader_epoch(current)
            .with_leader_epoch(epoch);
        let topic = OffsetForLeaderTopic::default()
            .with_topic(topic_name(topic))
            .with_partitions(vec![partition]);
        let request = OffsetForLeaderEpochRequest::default()
            .with_replica_id((-1).into())
            .with_topics(vec![topic]);
        let answer = connection.call(&request, 4);
        let partition = &answer.topics[0].partitions[0];
        let told = (partition.error_code, partition.leader_epoch, partition.end_offset);
        assert_eq!(
            told, expected,
            "partition {index}, current {current}, epoch {epoch}"
        );
    }
}
