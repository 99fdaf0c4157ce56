use towpath_domain::{Offset, TopicPartition};

use super::super::{Client, tests::connect};
use crate::{
    Error, KafkaError,
    scripted::{Answer, Broker, Session},
};

const VERSIONS: &[(i16, i16, i16)] = &[(3, 4, 7), (18, 0, 3), (21, 0, 1)];

async fn start() -> (Broker, Client) {
    let broker = Broker::start().await;
    let client = connect(&broker, broker.options()).await;
    (broker, client)
}

async fn metadata(broker: &Broker, session: &mut Session, epoch: i32) {
    let asked = session.asked().await;
    assert_eq!((asked.api, asked.version), (3, 7));
    let answer = Answer::metadata(&broker.address, "east", "orders", epoch);
    session.answer(asked.correlation, answer).await;
}

/// Of the partitions of "orders" that are asked about, with what each is answered.
async fn delete(session: &mut Session, answers: &[(i32, i64, i16)]) {
    let asked = session.asked().await;
    assert_eq!((asked.api, asked.version), (21, 1));
    let mut answer = Answer::default().i32(0).i32(1).string("orders");
    answer = answer.i32(answers.len() as i32);
    for (partition, low_watermark, error) in answers {
        answer = answer.i32(*partition).i64(*low_watermark).i16(*error);
    }
    session.answer(asked.correlation, answer).await;
}

#[tokio::test]
async fn a_partition_that_moved_is_asked_about_again_and_the_others_are_not() {
    let (broker, client) = start().await;
    let [first, second] = [0, 1].map(|partition| TopicPartition::new("orders", partition));
    let before = [(first.clone(), Offset(40)), (second.clone(), Offset(7))];
    let (results, ()) = tokio::join!(client.delete_records(&before), async {
        let mut session = broker.session_of(VERSIONS).await;
        metadata(&broker, &mut session, 4).await;
        // Partition 1 is in no metadata: a broker says so itself, until it is believed.
        let (mut moved, mut unknown) = (false, 0);
        while unknown < 6 {
            // Both requests go to the one broker there is, in any order.
            let request = session.asked().await;
            match request.api {
                3 => {
                    let answer = Answer::metadata(&broker.address, "east", "orders", 4);
                    session.answer(request.correlation, answer).await;
                }
                _ => {
                    let is_first = request.body[4 + 2 + 6 + 4..][..4] == [0; 4];
                    let answer = Answer::default().i32(0).i32(1).string("orders").i32(1);
                    let answer = match (is_first, moved) {
                        // NOT_LEADER_OR_FOLLOWER, then the low watermark.
                        (true, false) => answer.i32(0).i64(-1).i16(6),
                        (true, true) => answer.i32(0).i64(40).i16(0),
                        (false, _) => answer.i32(1).i64(-1).i16(3),
                    };
                    moved |= is_first;
                    unknown += i32::from(!is_first);
                    session.answer(request.correlation, answer).await;
                }
            }
        }
    });
    assert_eq!(*results[&first].as_ref().unwrap(), Offset(40));
    let error = results[&second].as_ref().unwrap_err();
    assert_eq!(error.kafka(), Some(KafkaError::UNKNOWN_TOPIC_OR_PARTITION));
}

#[tokio::test]
async fn what_is_refused_for_good_is_the_partitions_own_error() {
    let (broker, client) = start().await;
    let partition = TopicPartition::new("orders", 0);
    let before = [(partition.clone(), Offset(40))];
    let (results, ()) = tokio::join!(client.delete_records(&before), async {
        let mut session = broker.session_of(VERSIONS).await;
        metadata(&broker, &mut session, 4).await;
        delete(&mut session, &[(0, -1, 29)]).await;
    });
    let text = results[&partition].as_ref().unwrap_err().to_string();
    assert!(
        text.ends_with(
            "DeleteRecords of orders-0: TOPIC_AUTHORIZATION_FAILED (error 29, until it is granted): grant Delete on the \
             topic to User:ANONYMOUS"
        ),
        "{text}"
    );
}

#[tokio::test]
async fn a_partition_that_no_answer_is_about_has_an_error_all_the_same() {
    let (broker, client) = start().await;
    let partition = TopicPartition::new("orders", 0);
    let before = [(partition.clone(), Offset(40))];
    let (results, ()) = tokio::join!(client.delete_records(&before), async {
        let mut session = broker.session_of(VERSIONS).await;
        metadata(&broker, &mut session, 4).await;
        delete(&mut session, &[(1, 40, 0)]).await;
    });
    let error = results[&partition].as_ref().unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error}");
    assert_eq!(results.len(), 1);
}
