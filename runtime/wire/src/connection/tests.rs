use std::time::Duration;

use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};
use tokio::time::Instant;

use super::*;
use crate::{
    FetchOptions, FetchPartition, FetchSession, Isolation, Lease, NodeId, ProduceRequest,
    scripted::{Answer, Broker, SIMPLE, Session},
};
use towpath_domain::{LeaderEpoch, Offset, Partition, TopicId, TopicPartition};

async fn open(broker: &Broker, options: &Options) -> (Connection, Session) {
    let peer = Peer {
        address: broker.address.clone(),
        node: None,
    };
    let (connection, session) = tokio::join!(
        Connection::open(peer, options, CancellationToken::new()),
        broker.session()
    );
    (connection.unwrap(), session)
}

/// A request that is easy to answer, see [`Answer::producer_id`].
async fn ask(connection: &Connection) -> Result<InFlight<InitProducerIdResponse>, Error> {
    connection
        .0
        .call(
            &InitProducerIdRequest::default(),
            1,
            Duration::ZERO,
            |answer, _| answer,
        )
        .await
}

#[tokio::test]
async fn requests_leave_in_order_and_answers_come_in_order() {
    let broker = Broker::start().await;
    let (connection, mut session) = open(&broker, &broker.options()).await;
    let mut waiting = Vec::new();
    for _ in 0..5 {
        waiting.push(ask(&connection).await.unwrap());
    }
    let mut correlations = Vec::new();
    for _ in 0..5 {
        correlations.push(session.asked().await.correlation);
    }
    assert!(
        correlations.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{correlations:?}"
    );
    // One of the callers goes away: the others' answers must not shift.
    drop(waiting.remove(2));
    for correlation in &correlations {
        session
            .answer(*correlation, Answer::producer_id(0, i64::from(*correlation)))
            .await;
    }
    let mut answers = Vec::new();
    for answer in waiting {
        answers.push(answer.await.unwrap().producer_id.0 as i32);
    }
    correlations.remove(2);
    assert_eq!(answers, correlations);
    assert!(connection.is_alive());
}

#[tokio::test]
async fn no_more_than_max_in_flight_are_unanswered() {
    let broker = Broker::start().await;
    let (connection, mut session) = open(
        &broker,
        &Options {
            max_in_flight: 2,
            ..broker.options()
        },
    )
    .await;
    let first = ask(&connection).await.unwrap();
    let _second = ask(&connection).await.unwrap();
    let (first_asked, _) = (session.asked().await, session.asked().await);
    let mut third = Box::pin(ask(&connection));
    assert!(futures::poll!(&mut third).is_pending());
    assert!(session.is_silent(Duration::from_millis(50)).await);
    session
        .answer(first_asked.correlation, Answer::producer_id(0, 1))
        .await;
    first.await.unwrap();
    let _third = third.await.unwrap();
    session.asked().await;
}

#[tokio::test]
async fn a_wrong_correlation_id_kills_the_connection() {
    let broker = Broker::start().await;
    let (connection, mut session) = open(&broker, &broker.options()).await;
    let (first, second) = (ask(&connection).await.unwrap(), ask(&connection).await.unwrap());
    let asked = session.asked().await;
    session
        .answer(asked.correlation + 1, Answer::producer_id(0, 1))
        .await;
    let blamed = first.await.unwrap_err();
    let expected = format!(
        "correlation id {} instead of {}",
        asked.correlation + 1,
        asked.correlation
    );
    assert!(blamed.to_string().contains(&expected), "{blamed}");
    assert!(blamed.to_string().contains("InitProducerId"), "{blamed}");
    assert!(matches!(blamed, Error::Protocol { .. }), "{blamed}");
    let other = second.await.unwrap_err();
    assert!(other.is_retriable(), "{other}");
    assert!(!connection.is_alive());
    assert!(ask(&connection).await.unwrap_err().is_retriable());
}

#[tokio::test]
async fn an_answer_nobody_asked_for_kills_the_connection() {
    let broker = Broker::start().await;
    let (connection, mut session) = open(&broker, &broker.options()).await;
    session.answer(77, Answer::default()).await;
    assert!(session.next().await.is_none());
    assert!(
        ask(&connection)
            .await
            .unwrap_err()
            .to_string()
            .contains("correlation id 77")
    );
}

#[tokio::test]
async fn a_frame_that_cannot_be_is_said_so() {
    let broker = Broker::start().await;
    let options = Options {
        max_frame: 1000,
        ..broker.options()
    };
    let negative = (-1_i32).to_be_bytes();
    for (bytes, expected) in [
        (
            &[0, 0, 0, 3, 1, 2, 3][..],
            "it has 3 bytes, too few for a correlation id",
        ),
        (
            &[0, 0, 3, 233],
            "an answer of 1001 bytes was announced, 1000 are allowed",
        ),
        (
            &negative,
            "an answer of 4294967295 bytes was announced, 1000 are allowed",
        ),
        // What a TLS listener says to a plain text request: an alert.
        (
            &[21, 3, 3, 0, 2, 2, 70],
            "a TLS listener says this to plain text: set security.protocol to SSL",
        ),
    ] {
        let (connection, mut session) = open(&broker, &options).await;
        let answer = ask(&connection).await.unwrap();
        session.asked().await;
        session.raw(bytes).await;
        let error = answer.await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(
            error.to_string().starts_with(&broker.address.to_string()),
            "{error}"
        );
        // Another connection may be sound; one that announces too much is of another kind.
        assert_eq!(
            error.is_retriable(),
            matches!(error, Error::Protocol { .. }),
            "{error}"
        );
        assert!(!connection.is_alive());
        assert!(session.next().await.is_none(), "the socket is closed");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_decoded_kills_the_connection() {
    let broker = Broker::start().await;
    let (connection, mut session) = open(&broker, &broker.options()).await;
    let (first, second) = (ask(&connection).await.unwrap(), ask(&connection).await.unwrap());
    let asked = session.asked().await;
    session.answer(asked.correlation, Answer::default().i32(0)).await;
    let error = first.await.unwrap_err();
    assert!(
        error.to_string().contains("version 1 cannot be decoded"),
        "{error}"
    );
    assert!(second.await.unwrap_err().is_retriable());
    assert!(!connection.is_alive());
}

#[tokio::test]
async fn a_lost_connection_fails_everything_that_waits() {
    let broker = Broker::start().await;
    for half_a_frame in [&[][..], &[0, 0], &[0, 0, 0, 20, 0, 0]] {
        let (connection, mut session) = open(&broker, &broker.options()).await;
        let waiting = [ask(&connection).await.unwrap(), ask(&connection).await.unwrap()];
        session.asked().await;
        session.asked().await;
        session.raw(half_a_frame).await;
        drop(session);
        for answer in waiting {
            let error = answer.await.unwrap_err();
            assert!(matches!(error, Error::Disconnected { .. }), "{error}");
            assert!(error.is_retriable());
            assert!(error.to_string().contains("the broker closed it"), "{error}");
        }
        assert!(!connection.is_alive());
    }
}

#[tokio::test]
async fn dropping_the_last_handle_closes_the_connection() {
    let broker = Broker::start().await;
    let (connection, mut session) = open(&broker, &broker.options()).await;
    let answer = ask(&connection).await.unwrap();
    session.asked().await;
    drop(connection);
    assert!(answer.await.unwrap_err().is_retriable());
    assert!(session.next().await.is_none());
}

#[tokio::test]
async fn a_request_without_an_answer_in_time_closes_the_connection() {
    let broker = Broker::start().await;
    let (connection, mut session) = open(
        &broker,
        &Options {
            request_timeout: Duration::from_millis(100),
            ..broker.options()
        },
    )
    .await;
    let request = InitProducerIdRequest::default();
    let patience = Duration::from_secs(5);
    let patient = connection
        .0
        .call(&request, 1, patience, |answer: InitProducerIdResponse, _| answer);
    // Answers have an order: the one behind the patient request cannot be had alone.
    let (patient, hasty) = (patient.await.unwrap(), ask(&connection).await.unwrap());
    session.asked().await;
    let error = hasty.await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("InitProducerId: no answer within 100 ms"),
        "{error}"
    );
    assert!(error.is_retriable());
    let error = patient.await.unwrap_err();
    assert!(matches!(error, Error::Disconnected { .. }), "{error}");
    assert!(!connection.is_alive());
}

#[tokio::test]
async fn throttled_requests_wait_and_do_not_time_out() {
    let broker = Broker::start().await;
    let throttle = Duration::from_millis(400);
    let options = Options {
        request_timeout: Duration::from_millis(200),
        ..broker.options()
    };
    let (connection, mut session) = open(&broker, &options).await;
    let (first, second) = (ask(&connection).await.unwrap(), ask(&connection).await.unwrap());
    let (first_asked, second_asked) = (session.asked().await, session.asked().await);
    session
        .answer(first_asked.correlation, Answer::producer_id(400, 1))
        .await;
    first.await.unwrap();
    let throttled = Instant::now();
    let third = ask(&connection).await.unwrap();
    // A broker that throttles does not read, and answers what it had read late.
    assert!(session.is_silent(throttle - Duration::from_millis(50)).await);
    session
        .answer(second_asked.correlation, Answer::producer_id(0, 2))
        .await;
    second
        .await
        .expect("the throttle is no part of the request's time");
    let third_asked = session.asked().await;
    assert!(
        throttled.elapsed() >= throttle - Duration::from_millis(20),
        "{:?}",
        throttled.elapsed()
    );
    session
        .answer(third_asked.correlation, Answer::producer_id(0, 3))
        .await;
    third.await.unwrap();
}

#[tokio::test]
async fn an_older_broker_answers_api_versions_in_version_0() {
    let broker = Broker::start().await;
    let peer = Peer {
        address: broker.address.clone(),
        node: None,
    };
    let options = broker.options();
    let (connection, ()) = tokio::join!(
        Connection::open(peer, &options, CancellationToken::new()),
        async {
            let mut session = broker.accept().await;
            let asked = session.asked().await;
            assert_eq!((asked.api, asked.version), (18, 3));
            session
                .answer(
                    asked.correlation,
                    Answer::default().i16(35).i32(1).i16(18).i16(0).i16(2),
                )
                .await;
            let asked = session.asked().await;
            assert_eq!((asked.api, asked.version, asked.body.len()), (18, 0, 0));
            session
                .answer(
                    asked.correlation,
                    Answer::default().i16(0).i32(1).i16(0).i16(0).i16(2),
                )
                .await;
        }
    );
    let error = connection
        .unwrap()
        .version(crate::api::PRODUCE, i16::MAX)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("Produce is needed in versions 3 to 8, the broker has versions 0 to 2"),
        "{error}"
    );
}

#[tokio::test]
async fn an_api_the_broker_lacks_is_named() {
    let broker = Broker::start().await;
    let (connection, _session) = open(&broker, &broker.options()).await;
    let error = connection
        .version(kafka_protocol::messages::CreateTopicsRequest::API, i16::MAX)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("CreateTopics is needed in versions 2 to 7, the broker has no version"),
        "{error}"
    );
    assert_eq!(
        connection.version(InitProducerIdRequest::API, i16::MAX).unwrap(),
        1
    );
    assert_eq!(SIMPLE.len(), 6);
}

fn wanted(partition: i32, offset: i64) -> FetchPartition {
    FetchPartition {
        topic: "orders".into(),
        topic_id: TopicId::ZERO,
        partition: Partition(partition),
        fetch_offset: Offset(offset),
        current_leader_epoch: LeaderEpoch(3),
        last_fetched_epoch: LeaderEpoch(3),
        max_bytes: 1000,
    }
}

fn fetch_options(rack: &str) -> FetchOptions {
    FetchOptions {
        isolation: Isolation::ReadCommitted,
        max_wait: Duration::from_millis(500),
        min_bytes: 1,
        max_bytes: 1 << 20,
        rack: Some(rack.to_owned()),
    }
}

#[tokio::test]
async fn fetched_records_are_parts_of_the_frame() {
    let broker = Broker::start().await;
    let (connection, mut session) = open(&broker, &broker.options()).await;
    let partitions: Vec<FetchPartition> = (0..2).map(|partition| wanted(partition, 7)).collect();
    let options = fetch_options("not sent in version 4");
    let (answer, ()) = tokio::join!(connection.fetch(options, &partitions), async {
        let asked = session.asked().await;
        assert_eq!((asked.api, asked.version), (1, 4));
        let expected = Answer::default()
            .i32(-1)
            .i32(500)
            .i32(1)
            .i32(1 << 20)
            .i8(1)
            .i32(1)
            .string("orders")
            .i32(2);
        let expected = expected.i32(0).i64(7).i32(1000).i32(1).i64(7).i32(1000);
        assert_eq!(asked.body, expected.0);
        let answer = Answer::default().i32(0).i32(1).string("orders").i32(2);
        let answer = answer
            .i32(0)
            .i16(0)
            .i64(20)
            .i64(19)
            .i32(1)
            .i64(99)
            .i64(8)
            .bytes(b"first batch");
        let answer = answer
            .i32(1)
            .i16(6)
            .i64(-1)
            .i64(-1)
            .i32(-1)
            .bytes(b"second batch");
        session.answer(asked.correlation, answer).await;
    });
    let answer = answer.unwrap();
    let [first, second] = &answer.partitions[..] else {
        panic!("{answer:?}")
    };
    assert_eq!(
        (first.high_watermark, first.last_stable_offset),
        (Offset(20), Offset(19))
    );
    assert_eq!(
        (first.aborted[0].producer_id, first.aborted[0].first_offset),
        (99, Offset(8))
    );
    assert_eq!(second.error, Some(KafkaError::NOT_LEADER_OR_FOLLOWER));
    assert_eq!(
        (&first.records[..], &second.records[..]),
        (&b"first batch"[..], &b"second batch"[..])
    );
    // The wire has 30 bytes between them: both are slices of one buffer.
    let between = second.records.as_ptr() as usize - first.records.as_ptr() as usize - first.records.len();
    assert_eq!(between, 4 + 2 + 8 + 8 + 4 + 4);
    assert_eq!(
        answer.frame_bytes,
        4 + 4 + 4 + 8 + 4 + (4 + 2 + 16 + 4 + 16 + 4 + 11) + (4 + 2 + 16 + 4 + 4 + 12)
    );
}

/// Version 11: two requests of a session, and a leader that sends the reader to a replica in its rack.
#[tokio::test]
async fn a_session_names_what_is_new_and_what_is_forgotten() {
    let broker = Broker::start().await;
    let options = broker.options();
    let (connection, mut session) = {
        let peer = Peer {
            address: broker.address.clone(),
            node: None,
        };
        let (connection, session) = tokio::join!(
            Connection::open(peer, &options, CancellationToken::new()),
            async {
                let mut session = broker.accept().await;
                let asked = session.asked().await;
                session
                    .answer(asked.correlation, Answer::api_versions(&[(1, 4, 11)]))
                    .await;
                session
            }
        );
        (connection.unwrap(), session)
    };
    let head = |id: i32, epoch: i32| {
        let head = Answer::default().i32(-1).i32(500).i32(1).i32(1 << 20).i8(1);
        head.i32(id).i32(epoch)
    };
    let named = |request: Answer, partition: i32, offset: i64| {
        request.i32(partition).i32(3).i64(offset).i64(-1).i32(1000)
    };

    let mut fetches = FetchSession::default();
    (0..2).for_each(|partition| fetches.want(wanted(partition, 7)));
    let (answer, ()) = tokio::join!(fetches.fetch(&connection, fetch_options("r1")), async {
        let asked = session.asked().await;
        let expected = named(named(head(0, 0).i32(1).string("orders").i32(2), 1, 7), 0, 7);
        assert_eq!(asked.body, expected.i32(0).string("r1").0);
        let answer = Answer::default()
            .i32(0)
            .i16(0)
            .i32(42)
            .i32(1)
            .string("orders")
            .i32(1);
        let answer = answer.i32(0).i16(0).i64(20).i64(20).i64(0).i32(-1).i32(5).i32(-1);
        session.answer(asked.correlation, answer).await;
    });
    let answer = fetches.take(answer).unwrap().expect("a session");
    assert_eq!(answer.partitions[0].preferred_read_replica, Some(NodeId(5)));
    assert!(answer.partitions[0].records.is_empty());

    fetches.forget(&TopicPartition::new("orders", 0));
    let (answer, ()) = tokio::join!(fetches.fetch(&connection, fetch_options("r1")), async {
        let asked = session.asked().await;
        let forgotten = head(42, 1).i32(0).i32(1).string("orders").i32(1).i32(0);
        assert_eq!(asked.body, forgotten.string("r1").0);
        // Nothing is new.
        session
            .answer(asked.correlation, Answer::default().i32(0).i16(0).i32(42).i32(0))
            .await;
    });
    assert_eq!(
        fetches.take(answer).unwrap().expect("a session").partitions.len(),
        0
    );
}

#[tokio::test]
async fn produce_answers_each_partition() {
    let broker = Broker::start().await;
    let (connection, mut session) = open(&broker, &broker.options()).await;
    let request = ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout: Duration::from_secs(1),
        partitions: Vec::new(),
    };
    let answer = connection.produce(request).await.unwrap();
    let asked = session.asked().await;
    assert_eq!((asked.api, asked.version), (0, 5));
    assert_eq!(asked.body, Answer::default().i16(-1).i16(-1).i32(1000).i32(0).0);
    let body = Answer::default().i32(1).string("orders").i32(2);
    let body = body
        .i32(0)
        .i16(0)
        .i64(41)
        .i64(-1)
        .i64(5)
        .i32(1)
        .i16(10)
        .i64(-1)
        .i64(-1)
        .i64(-1)
        .i32(0);
    session.answer(asked.correlation, body).await;
    let answer = answer.await.unwrap();
    let (first, second) = (&answer.partitions[0], &answer.partitions[1]);
    assert_eq!(first.0, TopicPartition::new("orders", 0));
    assert_eq!(
        first.1.as_ref().map(|appended| appended.base_offset),
        Ok(Offset(41))
    );
    assert_eq!(
        (&second.0, second.1),
        (
            &TopicPartition::new("orders", 1),
            Err(KafkaError::MESSAGE_TOO_LARGE)
        )
    );
}

#[tokio::test]
async fn what_may_not_be_written_any_more_closes_the_connection_instead() {
    let broker = Broker::start().await;
    let request = || ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout: Duration::from_secs(1),
        partitions: Vec::new(),
    };
    let (connection, mut session) = open(&broker, &broker.options()).await;
    let lease = Lease::until(std::time::Instant::now() + Duration::from_secs(60));
    let first = connection.produce_under(request(), Some(lease.clone())).await;
    assert_eq!(
        session.asked().await.api,
        0,
        "it is written while the lease lasts"
    );
    let second = connection.produce_under(request(), Some(lease.clone())).await;
    assert_eq!(session.asked().await.api, 0);
    lease.end();
    // It leaves with one that has none, and neither is written.
    let late = connection.produce_under(request(), Some(lease)).await;
    for answer in [first, second, late] {
        let error = answer.unwrap().await.unwrap_err();
        assert!(
            error.is_retriable() && error.to_string().contains("lease"),
            "{error}"
        );
    }
    assert!(!connection.is_alive());
    assert!(session.next().await.is_none(), "nothing more was written");
}
