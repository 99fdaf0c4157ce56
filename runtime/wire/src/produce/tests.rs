use tokio_util::sync::CancellationToken;
use towpath_domain::TopicId;

use super::*;
use crate::{
    Peer,
    batch::{Compression, Encoder, Headers, Record, SourceSpan},
    scripted::{Answer, Broker, Session},
};

pub(super) fn batch(value: &[u8]) -> Outgoing {
    let record = Record {
        offset: Offset(0),
        timestamp: 0,
        key: None,
        value: Some(value),
        headers: Headers::EMPTY,
    };
    let span = SourceSpan {
        first: Offset(0),
        next: Offset(1),
    };
    Encoder::new(Compression::None)
        .encode_split([record], span, usize::MAX)
        .unwrap()
        .remove(0)
}

/// Bills have id 9, orders 5: by id they come the other way round.
pub(super) fn part(topic: &str, partition: i32, batch: &Outgoing) -> ProducePartition {
    let id = if topic == "orders" { 5 } else { 9 };
    ProducePartition {
        partition: TopicPartition::new(topic, partition),
        topic_id: TopicId(Uuid::from_u128(id)),
        batch: batch.clone(),
    }
}

pub(super) fn request(partitions: Vec<ProducePartition>) -> ProduceRequest {
    ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout: Duration::from_secs(10),
        partitions,
    }
}

async fn open(broker: &Broker, versions: (i16, i16, i16)) -> (Connection, Session) {
    let peer = Peer {
        address: broker.address.clone(),
        node: None,
    };
    let options = broker.options();
    let versions = [versions, (18, 0, 3)];
    let (connection, session) = tokio::join!(
        Connection::open(peer, &options, CancellationToken::new()),
        broker.session_of(&versions)
    );
    (connection.unwrap(), session)
}

#[tokio::test]
async fn topics_go_by_id_where_the_broker_takes_that_and_every_id_is_known() {
    let (known, unknown) = (part("orders", 0, &batch(b"a")), part("orders", 1, &batch(b"a")));
    let unknown = ProducePartition {
        topic_id: TopicId::ZERO,
        ..unknown
    };
    for (offered, partitions, version) in [
        ((0, 3, 13), vec![known.clone()], 13),
        ((0, 9, 20), vec![known.clone()], 13),
        ((0, 3, 12), vec![known.clone()], 8),
        ((0, 3, 13), vec![known, unknown], 8),
    ] {
        let broker = Broker::start().await;
        let (connection, mut session) = open(&broker, offered).await;
        let _answer = connection.produce(request(partitions)).await.unwrap();
        let asked = session.asked().await;
        assert_eq!((asked.api, asked.version), (0, version), "{offered:?}");
        // The header's tagged fields, and no transactional id.
        let begin = if version == 13 { [0, 0] } else { [0xff, 0xff] };
        assert_eq!(asked.body[..2], begin);
    }
}

#[tokio::test]
async fn a_topic_that_is_another_one_by_now_is_told_by_its_name() {
    let broker = Broker::start().await;
    let (connection, mut session) = open(&broker, (0, 3, 13)).await;
    let answer = connection
        .produce(request(vec![part("orders", 0, &batch(b"a"))]))
        .await
        .unwrap();
    let asked = session.asked().await;
    let id = Answer::default().i64(0).i64(5).0;
    let body = Answer::default().i8(0).i8(2);
    let body = id.iter().fold(body, |body, byte| body.i8(*byte as i8));
    let body = body.i8(2).i32(0).i16(100).i64(-1).i64(-1).i64(-1);
    let body = body.i8(1).i8(0).i8(0).i8(0).i32(0).i8(0);
    session.answer(asked.correlation, body).await;
    assert_eq!(
        answer.await.unwrap().partitions,
        [(
            TopicPartition::new("orders", 0),
            Err(KafkaError::UNKNOWN_TOPIC_ID)
        )]
    );
}
