use std::time::Duration;

use towpath_domain::TopicPartition;

use super::{super::tests::connect, *};
use crate::{
    Retry,
    scripted::{Answer, Broker, Session},
};

const VERSIONS: &[(i16, i16, i16)] = &[
    (3, 4, 7),
    (10, 0, 2),
    (18, 0, 3),
    (22, 0, 1),
    (24, 0, 2),
    (26, 0, 2),
];
const OWNER: ProducerId = ProducerId { id: 4000, epoch: 3 };

async fn find(session: &mut Session, error: i16, node: i32) {
    let asked = session.asked().await;
    assert_eq!((asked.api, asked.version), (10, 2));
    assert_eq!(asked.body, Answer::default().string("mirror-7").i8(1).0);
    let answer = Answer::default().i32(0).i16(error).string("").i32(node);
    let answer = answer.string("127.0.0.1").i32(9092);
    session.answer(asked.correlation, answer).await;
}

async fn init(session: &mut Session, error: i16) {
    let asked = session.asked().await;
    assert_eq!((asked.api, asked.version), (22, 1));
    assert_eq!(asked.body, Answer::default().string("mirror-7").i32(60_000).0);
    let answer = match error {
        0 => Answer::default().i32(0).i16(0).i64(OWNER.id).i16(OWNER.epoch),
        _ => Answer::default().i32(0).i16(error).i64(-1).i16(-1),
    };
    session.answer(asked.correlation, answer).await;
}

/// Answers these errors for partitions 0 and 1 of "orders".
async fn add(session: &mut Session, errors: [i16; 2]) {
    let asked = session.asked().await;
    assert_eq!((asked.api, asked.version), (24, 2));
    let expected = Answer::default()
        .string("mirror-7")
        .i64(OWNER.id)
        .i16(OWNER.epoch);
    let expected = expected.i32(1).string("orders").i32(2).i32(0).i32(1);
    assert_eq!(asked.body, expected.0);
    let answer = Answer::default().i32(0).i32(1).string("orders").i32(2);
    let answer = answer.i32(0).i16(errors[0]).i32(1).i16(errors[1]);
    session.answer(asked.correlation, answer).await;
}

async fn end(session: &mut Session, commit: i8, error: i16) {
    let asked = session.asked().await;
    assert_eq!((asked.api, asked.version), (26, 2));
    let expected = Answer::default()
        .string("mirror-7")
        .i64(OWNER.id)
        .i16(OWNER.epoch);
    assert_eq!(asked.body, expected.i8(commit).0);
    session
        .answer(asked.correlation, Answer::default().i32(0).i16(error))
        .await;
}

async fn brokers(broker: &Broker, session: &mut Session) {
    let asked = session.asked().await;
    assert_eq!((asked.api, asked.version), (3, 7));
    session
        .answer(
            asked.correlation,
            Answer::metadata(&broker.address, "east", "", -1),
        )
        .await;
}

async fn start() -> (Broker, Client) {
    let broker = Broker::start().await;
    let client = connect(&broker, broker.options()).await;
    (broker, client)
}

fn partitions() -> [TopicPartition; 2] {
    [0, 1].map(|partition| TopicPartition::new("orders", partition))
}

#[tokio::test]
async fn the_coordinator_is_looked_up_once_and_again_when_it_is_another() {
    let (broker, client) = start().await;
    let operations = async {
        let owner = client
            .init_transactional("mirror-7", Duration::from_secs(60))
            .await?;
        client.add_partitions("mirror-7", owner, &partitions()).await?;
        client.end_transaction("mirror-7", owner, true).await?;
        client.end_transaction("mirror-7", owner, false).await?;
        Ok::<_, Error>(owner)
    };
    let (owner, ()) = tokio::join!(operations, async {
        let mut session = broker.session_of(VERSIONS).await;
        // Nobody coordinates yet, then one that the cluster's metadata does not have.
        find(&mut session, 15, -1).await;
        find(&mut session, 0, 2).await;
        brokers(&broker, &mut session).await;
        find(&mut session, 0, 1).await;
        // It loads, then what an earlier owner left is being ended: it is the coordinator all the same.
        init(&mut session, 14).await;
        init(&mut session, 51).await;
        init(&mut session, 0).await;
        add(&mut session, [0, 0]).await;
        end(&mut session, 1, 16).await;
        find(&mut session, 0, 1).await;
        end(&mut session, 1, 0).await;
        // Whether it was carried out is not known, and where the coordinator is now neither.
        assert_eq!(session.asked().await.api, 26);
        drop(session);
        let mut session = broker.session_of(VERSIONS).await;
        brokers(&broker, &mut session).await;
        find(&mut session, 0, 1).await;
        end(&mut session, 0, 0).await;
    });
    assert_eq!(owner.unwrap(), OWNER);
}

#[tokio::test]
async fn an_owner_that_was_fenced_is_told_at_once() {
    let (broker, client) = start().await;
    let partitions = partitions();
    let operations = async {
        let mut errors = Vec::new();
        for _ in 0..2 {
            let added = client.add_partitions("mirror-7", OWNER, &partitions).await;
            errors.push(added.unwrap_err());
            let ended = client.end_transaction("mirror-7", OWNER, true).await;
            errors.push(ended.unwrap_err());
        }
        errors
    };
    let (errors, ()) = tokio::join!(operations, async {
        let mut session = broker.session_of(VERSIONS).await;
        find(&mut session, 0, 1).await;
        for code in [90, 47] {
            add(&mut session, [code; 2]).await;
            end(&mut session, 1, code).await;
        }
    });
    let codes: Vec<_> = errors.iter().map(|error| error.kafka().unwrap()).collect();
    let (fenced, epoch) = (KafkaError::PRODUCER_FENCED, KafkaError::INVALID_PRODUCER_EPOCH);
    assert_eq!(codes, [fenced, fenced, epoch, epoch]);
    assert!(errors.iter().all(|error| error.retry() == Retry::Never));
    let text = errors[1].to_string();
    assert!(
        text.ends_with("EndTxn of transactional id mirror-7: PRODUCER_FENCED (error 90, not retriable)"),
        "{text}"
    );
}

#[tokio::test]
async fn of_the_partitions_that_are_refused_the_one_is_told_that_is_the_cause() {
    let (broker, client) = start().await;
    let partitions = partitions();
    let (added, ()) = tokio::join!(client.add_partitions("mirror-7", OWNER, &partitions), async {
        let mut session = broker.session_of(VERSIONS).await;
        find(&mut session, 0, 1).await;
        // Not attempted because of a partition that is not known yet, then because of one that needs permission.
        add(&mut session, [55, 3]).await;
        brokers(&broker, &mut session).await;
        add(&mut session, [55, 29]).await;
    });
    let error = added.unwrap_err();
    let text = error.to_string();
    assert!(
        text.ends_with(
            "AddPartitionsToTxn of orders-1 for transactional id mirror-7: TOPIC_AUTHORIZATION_FAILED \
             (error 29, until it is granted): grant Write on the topic to User:ANONYMOUS"
        ),
        "{text}"
    );
    assert_eq!(error.retry(), Retry::WhenMended);
}

#[tokio::test]
async fn what_to_grant_on_a_transactional_id_is_said() {
    let (broker, client) = start().await;
    let (taken, ()) = tokio::join!(
        client.init_transactional("mirror-7", Duration::from_secs(60)),
        async {
            let mut session = broker.session_of(VERSIONS).await;
            find(&mut session, 53, -1).await;
        }
    );
    let text = taken.unwrap_err().to_string();
    assert!(
        text.ends_with(
            "FindCoordinator of transactional id mirror-7: TRANSACTIONAL_ID_AUTHORIZATION_FAILED (error 53, until it is \
             granted): grant Write and Describe on the transactional id to User:ANONYMOUS"
        ),
        "{text}"
    );
}
