use kafka_protocol::messages::{
    DescribeProducersRequest, InitProducerIdRequest, describe_producers_request::TopicRequest,
};

use std::time::Duration;

use towpath_lab::wait;

use crate::{
    batch::batch,
    connection::{Connection, topic_name},
    target::Target,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// A producer's id of its own, and a topic.
fn begin(target: &Target, topic: &str) -> (Connection, i64) {
    let mut connection = target.connect();
    connection.create_topic(topic, 1, &[]);
    // The first one waits until the controller has given its broker a block of ids: COORDINATOR_LOAD_IN_PROGRESS.
    let answer = wait::until("a producer id", PATIENCE, || {
        let answer = connection.call(&InitProducerIdRequest::default().with_transactional_id(None), 4);
        Ok((answer.error_code != 14).then_some(answer))
    })
    .expect("within the deadline");
    assert_eq!((answer.error_code, answer.producer_epoch), (0, 0));
    (connection, answer.producer_id.0)
}

/// Two records from this sequence on; error and offset.
fn send(connection: &mut Connection, topic: &str, (id, epoch): (i64, i16), sequence: i32) -> (i16, i64) {
    let answer = connection.produce(topic, batch(&["a", "b"]).producer(id, epoch, sequence));
    (answer.error_code, answer.base_offset)
}

pub fn a_repeated_batch_is_answered_as_the_first_time(target: &Target) {
    let topic = "repeated";
    let (mut connection, id) = begin(target, topic);
    for index in 0..8 {
        assert_eq!(
            send(&mut connection, topic, (id, 0), index * 2),
            (0, i64::from(index) * 2)
        );
    }
    // The last five, in any order.
    for index in [7, 3, 5] {
        assert_eq!(
            send(&mut connection, topic, (id, 0), index * 2),
            (0, i64::from(index) * 2)
        );
    }
    assert_eq!(
        send(&mut connection, topic, (id, 0), 4),
        (45, -1),
        "the sixth from the end"
    );
    // The same first sequence with another count is no repetition.
    let longer = connection.produce(topic, batch(&["a", "b", "c"]).producer(id, 0, 14));
    assert_eq!(longer.error_code, 45);
    assert_eq!(connection.fetch(topic, 0).high_watermark, 16);
}

pub fn sequences_may_not_skip(target: &Target) {
    let topic = "skipped";
    let (mut connection, id) = begin(target, topic);
    assert_eq!(send(&mut connection, topic, (id, 0), 0), (0, 0));
    assert_eq!(send(&mut connection, topic, (id, 0), 4), (45, -1));
    assert_eq!(send(&mut connection, topic, (id, 0), 1), (45, -1));
    assert_eq!(send(&mut connection, topic, (id, 0), 2), (0, 2));
}

pub fn a_producer_without_state_may_begin_anywhere(target: &Target) {
    let topic = "anywhere";
    let (mut connection, id) = begin(target, topic);
    assert_eq!(send(&mut connection, topic, (id, 5), 1_000), (0, 0));
    assert_eq!(send(&mut connection, topic, (id, 5), 1_002), (0, 2));
}

pub fn older_epochs_are_fenced(target: &Target) {
    let topic = "fenced";
    let (mut connection, id) = begin(target, topic);
    assert_eq!(send(&mut connection, topic, (id, 1), 0), (0, 0));
    assert_eq!(send(&mut connection, topic, (id, 0), 0), (47, -1));
    assert_eq!(
        send(&mut connection, topic, (id, 2), 2),
        (45, -1),
        "a new epoch begins at 0"
    );
    assert_eq!(send(&mut connection, topic, (id, 2), 0), (0, 2));
    assert_eq!(send(&mut connection, topic, (id, 1), 2), (47, -1));
}

pub fn sequences_go_on_at_0_behind_the_largest(target: &Target) {
    let topic = "wrapped";
    let (mut connection, id) = begin(target, topic);
    assert_eq!(send(&mut connection, topic, (id, 0), i32::MAX - 2), (0, 0));
    assert_eq!(
        send(&mut connection, topic, (id, 0), i32::MAX),
        (0, 2),
        "the last one and 0"
    );
    assert_eq!(send(&mut connection, topic, (id, 0), 1), (0, 4));
    assert_eq!(send(&mut connection, topic, (id, 0), i32::MAX), (0, 2));
}

pub fn producers_are_described(target: &Target) {
    let topic = "described";
    let (mut connection, id) = begin(target, topic);
    send(&mut connection, topic, (id, 3), 10);
    let request = DescribeProducersRequest::default().with_topics(vec![
        TopicRequest::default()
            .with_name(topic_name(topic))
            .with_partition_indexes(vec![0, 1]),
    ]);
    let answer = connection.call(&request, 0);
    let partitions = &answer.topics[0].partitions;
    assert_eq!((partitions[0].error_code, partitions[1].error_code), (0, 3));
    let producer = &partitions[0].active_producers[0];
    assert_eq!(
        (
            producer.producer_id.0,
            producer.producer_epoch,
            producer.last_sequence
        ),
        (id, 3, 11)
    );
    assert_eq!(
        (producer.coordinator_epoch, producer.current_txn_start_offset),
        (-1, -1)
    );
}
