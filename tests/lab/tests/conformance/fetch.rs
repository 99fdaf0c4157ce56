use std::{
    thread,
    time::{Duration, Instant},
};

use kafka_protocol::messages::{FetchRequest, fetch_request::FetchTopic};
use uuid::Uuid;

use crate::{
    batch::{GZIP, batch, stored},
    connection::{Connection, fetch, fetch_partition},
    target::Target,
};

/// A topic with three batches: offsets 0-1, 2-3, 4-5.
fn filled(target: &Target, topic: &str) -> Connection {
    let mut connection = target.connect();
    connection.create_topic(topic, 2, &[]);
    for attributes in [0, GZIP, 0] {
        let answer = connection.produce(topic, batch(&["a", "b"]).attributes(attributes));
        assert_eq!(answer.error_code, 0);
    }
    connection
}

pub fn what_was_stored_comes_back_from_the_batch_that_has_the_offset(target: &Target) {
    let topic = "comes-back";
    let mut connection = filled(target, topic);
    for (offset, expected) in [
        (0, &[0, 2, 4][..]),
        (1, &[0, 2, 4]),
        (2, &[2, 4]),
        (5, &[4]),
        (6, &[]),
    ] {
        for version in 4..=12 {
            let answer = connection.call(&fetch(&[(topic, &[(0, offset)])]), version);
            let partition = &answer.responses[0].partitions[0];
            assert_eq!(
                (
                    partition.error_code,
                    partition.high_watermark,
                    partition.last_stable_offset
                ),
                (0, 6, 6)
            );
            assert_eq!(partition.log_start_offset, if version >= 5 { 0 } else { -1 });
            assert_eq!(partition.preferred_read_replica.0, -1);
            assert!(partition.aborted_transactions.as_ref().is_none_or(Vec::is_empty));
            let batches = stored(partition.records.as_ref().unwrap());
            assert!(
                batches
                    .iter()
                    .map(|batch| batch.base_offset)
                    .eq(expected.iter().copied())
            );
            assert!(batches.iter().all(|batch| batch.leader_epoch == 0));
        }
    }
}

pub fn offsets_out_of_range_are_told(target: &Target) {
    let topic = "out-of-range";
    let mut connection = filled(target, topic);
    for offset in [-1, 7, i64::MAX] {
        let mut request = fetch(&[(topic, &[(0, offset)])]);
        // An error does not wait.
        request.max_wait_ms = 25_000;
        let answer = connection.call(&request, 12);
        let partition = &answer.responses[0].partitions[0];
        assert_eq!(partition.error_code, 1);
        assert_eq!(
            (
                partition.high_watermark,
                partition.last_stable_offset,
                partition.log_start_offset
            ),
            (-1, -1, -1)
        );
        assert!(
            partition
                .records
                .as_ref()
                .is_none_or(|records| records.is_empty())
        );
    }
}

pub fn the_first_batch_comes_whole_however_large(target: &Target) {
    let topic = "first-whole";
    let mut connection = filled(target, topic);
    connection.call(
        &crate::connection::produce(&[(topic, &[(1, batch(&["c"]).bytes())])]),
        9,
    );
    let mut request = fetch(&[(topic, &[(0, 0), (1, 0)])]);
    request.max_bytes = 1;
    let answer = connection.call(&request, 12);
    let partitions = &answer.responses[0].partitions;
    assert_eq!(stored(partitions[0].records.as_ref().unwrap()).len(), 1);
    assert_eq!(
        stored(partitions[1].records.as_ref().unwrap()).len(),
        0,
        "the limit is reached"
    );
    // A partition's own limit lets the first batch of the answer pass as well, and no other.
    let mut request = fetch(&[(topic, &[(0, 0), (1, 0)])]);
    for partition in &mut request.topics[0].partitions {
        partition.partition_max_bytes = 1;
    }
    let answer = connection.call(&request, 12);
    let partitions = &answer.responses[0].partitions;
    assert_eq!(stored(partitions[0].records.as_ref().unwrap()).len(), 1);
    assert_eq!(partitions[1].records.as_ref().unwrap().len(), 0);
}

pub fn answers_are_cut_at_their_limit(target: &Target) {
    let topic = "cut";
    let mut connection = filled(target, topic);
    let all = connection.fetch(topic, 0).records.unwrap();
    for limit in [all.len() - 1, all.len() / 2, all.len()] {
        let mut request = fetch(&[(topic, &[(0, 0)])]);
        request.topics[0].partitions[0].partition_max_bytes = limit as i32;
        let answer = connection.call(&request, 12);
        let records = answer.responses[0].partitions[0].records.clone().unwrap();
        assert_eq!(records, all.slice(..limit));
    }
}

pub fn a_long_poll_waits_for_its_time_and_no_longer(target: &Target) {
    let topic = "long-poll";
    let mut connection = filled(target, topic);
    let mut request = fetch(&[(topic, &[(0, 6)])]);
    request.max_wait_ms = 200;
    let started = Instant::now();
    let answer = connection.call(&request, 12);
    assert!(started.elapsed() >= Duration::from_millis(199));
    assert_eq!(
        answer.responses[0].partitions[0].records.as_ref().unwrap().len(),
        0
    );
    // More than there is, so that what there is comes late.
    let mut request = fetch(&[(topic, &[(0, 0)])]);
    (request.max_wait_ms, request.min_bytes) = (200, 1 << 20);
    let started = Instant::now();
    let answer = connection.call(&request, 12);
    assert!(started.elapsed() >= Duration::from_millis(199));
    assert_eq!(
        stored(answer.responses[0].partitions[0].records.as_ref().unwrap()).len(),
        3
    );
}

pub fn a_long_poll_ends_with_an_append(target: &Target) {
    let topic = "woken";
    let mut connection = filled(target, topic);
    let mut request = fetch(&[(topic, &[(0, 6), (1, 0)])]);
    request.max_wait_ms = 25_000;
    connection.send(&request, 12);
    // Whether the poll has begun or not: it ends, long before its time.
    let bootstrap = target.bootstrap.clone();
    let producing = thread::spawn(move || {
        Connection::open(&bootstrap)
            .produce("woken", batch(&["c"]))
            .error_code
    });
    let started = Instant::now();
    let answer = connection.receive::<FetchRequest>(12);
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(producing.join().unwrap(), 0);
    let batches = stored(answer.responses[0].partitions[0].records.as_ref().unwrap());
    assert_eq!(batches[0].base_offset, 6);
}

pub fn unknown_topics_and_ids_are_told(target: &Target) {
    let mut connection = target.connect();
    let id = connection.create_topic("fetch-known", 1, &[]);
    let request = fetch(&[("fetch-unknown", &[(0, 0)]), ("fetch-known", &[(7, 0)])]);
    let answer = connection.call(&request, 12);
    let mut codes: Vec<_> = answer
        .responses
        .iter()
        .map(|topic| (topic.topic.to_string(), topic.partitions[0].error_code))
        .collect();
    codes.sort_unstable();
    assert_eq!(
        codes,
        [("fetch-known".to_owned(), 3), ("fetch-unknown".to_owned(), 3)]
    );

    let by_id = |id| {
        let topic = FetchTopic::default()
            .with_topic_id(id)
            .with_partitions(vec![fetch_partition(&(0, 0))]);
        fetch(&[]).with_topics(vec![topic])
    };
    for version in 13..=17 {
        let answer = connection.call(&by_id(id), version);
        assert_eq!(
            (
                answer.responses[0].topic_id,
                answer.responses[0].partitions[0].error_code
            ),
            (id, 0)
        );
        let unknown = Uuid::from_u128(99);
        let answer = connection.call(&by_id(unknown), version);
        assert_eq!(
            (
                answer.responses[0].topic_id,
                answer.responses[0].partitions[0].error_code
            ),
            (unknown, 100)
        );
    }
}

pub fn leader_epochs_are_checked(target: &Target) {
    let topic = "epochs";
    let mut connection = filled(target, topic);
    for (epoch, code) in [(-1, 0), (0, 0), (1, 75)] {
        let mut request = fetch(&[(topic, &[(0, 0)])]);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        let answer = connection.call(&request, 12);
        assert_eq!(answer.responses[0].partitions[0].error_code, code);
    }
}

pub fn a_history_that_never_was_diverges(target: &Target) {
    let topic = "diverging";
    let mut connection = filled(target, topic);
    let ask = |connection: &mut Connection, offset, epoch| {
        let mut request = fetch(&[(topic, &[(0, offset)])]);
        request.topics[0].partitions[0].last_fetched_epoch = epoch;
        let mut answer = connection.call(&request, 12);
        answer.responses.remove(0).partitions.remove(0)
    };
    let sound = ask(&mut connection, 2, 0);
    assert_eq!((sound.error_code, sound.diverging_epoch.end_offset), (0, -1));
    assert_eq!(stored(sound.records.as_ref().unwrap()).len(), 2);
    // Behind the end of this epoch there is nothing that can have been read.
    let beyond = ask(&mut connection, 9, 0);
    assert_eq!(
        (
            beyond.error_code,
            beyond.diverging_epoch.epoch,
            beyond.diverging_epoch.end_offset
        ),
        (0, 0, 6)
    );
    assert_eq!(beyond.records.as_ref().map_or(0, |records| records.len()), 0);
    // An epoch of which the log knows nothing.
    let unknown = ask(&mut connection, 2, 5);
    assert_eq!(unknown.error_code, 1);
}

pub fn committed_readers_get_a_list_of_aborted_transactions(target: &Target) {
    let topic = "committed";
    let mut connection = filled(target, topic);
    let mut request = fetch(&[(topic, &[(0, 0)])]);
    request.isolation_level = 1;
    let answer = connection.call(&request, 12);
    let partition = &answer.responses[0].partitions[0];
    assert_eq!(partition.aborted_transactions.as_deref(), Some(&[][..]));
    assert_eq!(stored(partition.records.as_ref().unwrap()).len(), 3);
}
