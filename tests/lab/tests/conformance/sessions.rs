use kafka_protocol::messages::{
    FetchRequest, FetchResponse,
    fetch_request::{FetchTopic, ForgottenTopic},
};

use crate::{
    batch::{batch, stored},
    connection::{Connection, fetch, fetch_partition, topic_name},
    target::Target,
};

/// A topic of three partitions, and a session that has the first two.
fn begin(target: &Target, topic: &str) -> (Connection, i32) {
    let mut connection = target.connect();
    connection.create_topic(topic, 3, &[]);
    let answer = connection.call(&full(topic), 12);
    assert_eq!((answer.error_code, answer.responses[0].partitions.len()), (0, 2));
    assert_ne!(answer.session_id, 0);
    (connection, answer.session_id)
}

fn full(topic: &str) -> FetchRequest {
    fetch(&[(topic, &[(0, 0), (1, 0)])]).with_session_epoch(0)
}

fn next(id: i32, epoch: i32) -> FetchRequest {
    fetch(&[]).with_session_id(id).with_session_epoch(epoch)
}

/// Index and offsets of what was answered.
fn told(answer: &FetchResponse) -> Vec<(i32, Vec<i64>)> {
    let mut told: Vec<_> = answer
        .responses
        .iter()
        .flat_map(|topic| &topic.partitions)
        .map(|partition| {
            let batches = stored(partition.records.as_ref().unwrap());
            let offsets = batches.iter().map(|batch| batch.base_offset).collect();
            (partition.partition_index, offsets)
        })
        .collect();
    told.sort_unstable();
    told
}

pub fn a_session_answers_what_changes(target: &Target) {
    let topic = "session";
    let (mut connection, id) = begin(target, topic);
    let answer = connection.call(&next(id, 1), 12);
    assert_eq!(
        (answer.error_code, answer.session_id, told(&answer)),
        (0, id, vec![])
    );
    assert_eq!(connection.produce(topic, batch(&["a", "b"])).error_code, 0);
    let answer = connection.call(&next(id, 2), 12);
    assert_eq!(told(&answer), [(0, vec![0])]);
    // It has not said that it has read them: they come again, until it does.
    let answer = connection.call(&next(id, 3), 12);
    assert_eq!(told(&answer), [(0, vec![0])]);
    let mut further = next(id, 4);
    further.topics = fetch(&[(topic, &[(0, 2)])]).topics;
    assert_eq!(told(&connection.call(&further, 12)), []);
    // A new high watermark alone is news as well: it is told once, with nothing to read where nothing was asked for.
    assert_eq!(connection.produce(topic, batch(&["c"])).error_code, 0);
    assert_eq!(told(&connection.call(&next(id, 5), 12)), [(0, vec![2])]);
}

pub fn wrong_ids_and_epochs_are_told(target: &Target) {
    let (mut connection, id) = begin(target, "session-errors");
    for (id, epoch, code) in [(id, 2, 71), (id ^ 1, 1, 70), (id, 1, 0), (id, 1, 71), (id, 2, 0)] {
        let answer = connection.call(&next(id, epoch), 12);
        assert_eq!(answer.error_code, code, "session {id} epoch {epoch}");
        assert!(answer.responses.is_empty());
    }
}

pub fn partitions_are_added_and_forgotten(target: &Target) {
    let topic = "session-parts";
    let (mut connection, id) = begin(target, topic);
    let mut more = next(id, 1);
    more.topics = fetch(&[(topic, &[(2, 0)])]).topics;
    assert_eq!(
        told(&connection.call(&more, 12)),
        [(2, vec![])],
        "what is new is told"
    );
    let mut less = next(id, 2);
    less.forgotten_topics_data = vec![
        ForgottenTopic::default()
            .with_topic(topic_name(topic))
            .with_partitions(vec![0]),
    ];
    assert_eq!(told(&connection.call(&less, 12)), []);
    assert_eq!(connection.produce(topic, batch(&["a"])).error_code, 0);
    assert_eq!(told(&connection.call(&next(id, 3), 12)), [], "forgotten");
    // An unknown partition is told each time.
    let mut unknown = next(id, 4);
    unknown.topics = fetch(&[(topic, &[(9, 0)])]).topics;
    let answer = connection.call(&unknown, 12);
    assert_eq!(answer.responses[0].partitions[0].error_code, 3);
    let answer = connection.call(&next(id, 5), 12);
    assert_eq!(answer.responses[0].partitions[0].error_code, 3);
}

pub fn a_session_ends_with_its_final_epoch(target: &Target) {
    let topic = "session-end";
    let (mut connection, id) = begin(target, topic);
    let last = fetch(&[(topic, &[(0, 0)])])
        .with_session_id(id)
        .with_session_epoch(-1);
    let answer = connection.call(&last, 12);
    assert_eq!((answer.error_code, answer.session_id), (0, 0));
    assert_eq!(connection.call(&next(id, 1), 12).error_code, 70);
    // A new session in place of an old one.
    let answer = connection.call(&full(topic), 12);
    let old = answer.session_id;
    let answer = connection.call(&full(topic).with_session_id(old), 12);
    assert!(answer.session_id != 0 && answer.session_id != old);
    assert_eq!(connection.call(&next(old, 1), 12).error_code, 70);
}

pub fn names_and_ids_do_not_mix(target: &Target) {
    let topic = "session-mix";
    let mut connection = target.connect();
    let topic_id = connection.create_topic(topic, 1, &[]);
    let by_id = FetchTopic::default()
        .with_topic_id(topic_id)
        .with_partitions(vec![fetch_partition(&(0, 0))]);
    let request = fetch(&[]).with_session_epoch(0).with_topics(vec![by_id]);
    let answer = connection.call(&request, 16);
    assert_eq!((answer.error_code, answer.responses[0].topic_id), (0, topic_id));
    let id = answer.session_id;
    let mut by_name = next(id, 1);
    by_name.topics = fetch(&[(topic, &[(0, 0)])]).topics;
    assert_eq!(connection.call(&by_name, 12).error_code, 106);
}
