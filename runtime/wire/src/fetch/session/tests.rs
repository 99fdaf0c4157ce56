use std::time::Duration;

use towpath_domain::LeaderEpoch;
use uuid::Uuid;

use super::*;
use crate::{Address, Peer};

const VERSION: i16 = 16;

fn partition(topic: &str, partition: i32, offset: i64) -> FetchPartition {
    FetchPartition {
        topic: topic.into(),
        topic_id: TopicId(Uuid::from_u128(topic.len() as u128)),
        partition: Partition(partition),
        fetch_offset: Offset(offset),
        current_leader_epoch: LeaderEpoch(1),
        last_fetched_epoch: LeaderEpoch(1),
        max_bytes: 1000,
    }
}

/// A session in which these partitions of topic "a" are wanted from offset 0.
fn wanting(partitions: std::ops::Range<i32>) -> FetchSession {
    let mut session = FetchSession::default();
    partitions.for_each(|index| session.want(partition("a", index, 0)));
    session
}

/// The next request: id, epoch, partitions with their offsets, forgotten ones.
fn asked(session: &mut FetchSession) -> (i32, i32, Vec<(i32, i64)>, Vec<i32>) {
    asked_in(session, VERSION)
}

fn asked_in(session: &mut FetchSession, version: i16) -> (i32, i32, Vec<(i32, i64)>, Vec<i32>) {
    let (part, named) = session.request(version);
    let places = named.partitions.iter();
    (
        part.id,
        part.epoch,
        places
            .map(|place| (place.partition.0, place.fetch_offset.0))
            .collect(),
        named
            .forgotten
            .iter()
            .map(|(_, place)| place.partition.0)
            .collect(),
    )
}

fn answer(session_id: i32) -> Result<FetchAnswer, Error> {
    Ok(FetchAnswer {
        throttle: Duration::ZERO,
        partitions: Vec::new(),
        frame_bytes: 0,
        session_id,
    })
}

fn refusal(error: KafkaError) -> Error {
    Error::Kafka {
        peer: Peer {
            address: Address {
                host: "a".to_owned(),
                port: 1,
            },
            node: None,
        },
        api: "Fetch",
        on: None,
        error,
        message: None,
    }
}

/// The broker has the session 7 and everything that is wanted.
fn open(session: &mut FetchSession) {
    asked(session);
    assert!(session.take(answer(7)).unwrap().is_some());
}

#[test]
fn after_the_first_request_only_what_changed_is_named() {
    let mut session = wanting(0..3);
    assert_eq!(asked(&mut session), (0, 0, vec![(1, 0), (2, 0), (0, 0)], vec![]));
    session.take(answer(7)).unwrap();
    session.want(partition("a", 1, 5));
    session.want(partition("a", 2, 0));
    assert_eq!(asked(&mut session), (7, 1, vec![(1, 5)], vec![]));
    session.take(answer(7)).unwrap();
    assert_eq!(asked(&mut session), (7, 2, vec![], vec![]), "nothing is new");
    session.take(answer(7)).unwrap();
    session.forget(&TopicPartition::new("a", 0));
    session.want(partition("a", 3, 9));
    assert_eq!(asked(&mut session), (7, 3, vec![(3, 9)], vec![0]));
}

#[test]
fn what_changes_and_changes_back_is_not_named() {
    let mut session = wanting(0..2);
    open(&mut session);
    session.forget(&TopicPartition::new("a", 0));
    session.want(partition("a", 0, 0));
    session.want(partition("a", 5, 0));
    session.forget(&TopicPartition::new("a", 5));
    assert_eq!(asked(&mut session), (7, 1, vec![], vec![]));
}

#[test]
fn what_was_asked_is_known_while_something_else_is_wanted() {
    let place = TopicPartition::new("a", 0);
    let mut session = wanting(0..1);
    assert_eq!(session.asked(&place), None);
    asked(&mut session);
    session.want(partition("a", 0, 5));
    assert_eq!(session.asked(&place), Some(Offset(0)));
    session.forget(&place);
    assert_eq!(session.asked(&place), Some(Offset(0)), "its answer is on the way");
    assert!(session.is_empty());
    session.take(answer(7)).unwrap();
    assert_eq!(asked(&mut session), (7, 1, vec![], vec![0]));
    assert_eq!(session.asked(&place), None);
}

#[test]
fn a_lost_session_is_no_error_and_begins_anew_with_everything() {
    for (error, ends) in [
        (KafkaError::FETCH_SESSION_ID_NOT_FOUND, 0),
        (KafkaError::INVALID_FETCH_SESSION_EPOCH, 7),
        (KafkaError::FETCH_SESSION_TOPIC_ID_ERROR, 7),
    ] {
        let mut session = wanting(0..2);
        open(&mut session);
        session.want(partition("a", 1, 5));
        session.forget(&TopicPartition::new("a", 0));
        asked(&mut session);
        assert!(session.take(Err(refusal(error))).unwrap().is_none(), "{error}");
        assert_eq!(asked(&mut session), (ends, 0, vec![(1, 5)], vec![]), "{error}");
        // A full request ends every session: the same error about it is a broker's mistake.
        assert!(session.take(Err(refusal(error))).is_err());
    }
}

#[test]
fn a_lost_answer_and_a_new_connection_begin_another_session() {
    let mut session = wanting(0..1);
    open(&mut session);
    asked(&mut session);
    assert!(session.take(Err(Error::Closed)).is_err());
    assert_eq!(asked(&mut session), (7, 0, vec![(0, 0)], vec![]));
    session.take(answer(8)).unwrap();
    session.restart();
    assert_eq!(asked(&mut session), (8, 0, vec![(0, 0)], vec![]));
}

#[test]
fn a_broker_that_keeps_no_session_is_told_everything_each_time_in_turns() {
    let mut session = wanting(0..3);
    let mut firsts = Vec::new();
    for _ in 0..3 {
        let (id, epoch, partitions, _) = asked(&mut session);
        assert_eq!((id, epoch, partitions.len()), (0, 0, 3));
        firsts.push(partitions[0].0);
        session.take(answer(0)).unwrap();
    }
    firsts.sort();
    assert_eq!(firsts, [0, 1, 2], "none is always last");
}

#[test]
fn epochs_wrap_to_1() {
    let mut session = wanting(0..1);
    session.next = Next::Incremental {
        id: 7,
        epoch: i32::MAX,
    };
    session.by_id = true;
    assert_eq!(asked(&mut session).1, i32::MAX);
    session.take(answer(7)).unwrap();
    assert_eq!(asked(&mut session).1, 1);
}

#[test]
fn versions_without_sessions_and_another_way_to_name_topics_ask_for_everything() {
    let mut session = wanting(0..2);
    for _ in 0..2 {
        let (id, epoch, partitions, _) = asked_in(&mut session, 4);
        assert_eq!((id, epoch, partitions.len()), (0, -1, 2));
        session.take(answer(0)).unwrap();
    }
    open(&mut session);
    let nameless = FetchPartition {
        topic_id: TopicId::ZERO,
        ..partition("bb", 0, 0)
    };
    session.want(nameless);
    assert_eq!(session.without_id, 1);
    let (id, epoch, partitions, _) = asked_in(&mut session, 12);
    assert_eq!((id, epoch, partitions.len()), (7, 0, 3));
    session.forget(&TopicPartition::new("bb", 0));
    assert_eq!(session.without_id, 0);
}

#[test]
fn another_topic_of_the_same_name_is_another_partition() {
    let mut session = wanting(0..1);
    open(&mut session);
    let other = TopicId(Uuid::from_u128(99));
    session.want(FetchPartition {
        topic_id: other,
        ..partition("a", 0, 0)
    });
    let (_, named) = session.request(VERSION);
    assert_eq!(named.partitions[0].topic_id, other);
    assert_eq!(named.forgotten[0].0, partition("a", 0, 0).topic_id);
}
