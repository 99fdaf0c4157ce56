//! The data plane's own client against the embedded cluster: topics, records there and back, moved leaders, faults.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use towpath_domain::{LeaderEpoch, Offset, Partition, TopicId, TopicName, TopicPartition};
use towpath_embedded::{Action, ApiKey, Cluster, ErrorCode, Options, Rule};
use towpath_wire::{
    Client, FetchAnswer, FetchPartition, FetchRequest, Isolation, KafkaError, NodeId, ProduceRequest, Topics,
    batch::{
        Compression, Encoder, Headers, Outgoing, Piece, ProducerIdentity, Record, SourceSpan, batches, decode,
    },
};

const DEADLINE: Duration = Duration::from_secs(30);

fn partition() -> TopicPartition {
    TopicPartition {
        topic: TopicName::new("orders"),
        partition: Partition(0),
    }
}

fn client_options(cluster: &Cluster) -> towpath_wire::Options {
    towpath_wire::Options {
        bootstrap_servers: cluster
            .bootstrap_servers()
            .split(',')
            .map(str::to_owned)
            .collect(),
        request_timeout: Duration::from_secs(10),
        retry_backoff: Duration::from_millis(5),
        retry_backoff_max: Duration::from_millis(20),
        ..towpath_wire::Options::default()
    }
}

async fn connect(cluster: &Cluster) -> Client {
    let client = Client::connect(client_options(cluster)).await.unwrap();
    client
        .metadata(Topics::Names(vec![TopicName::new("orders")]))
        .await
        .unwrap();
    client
}

fn batch(values: &[&str]) -> Outgoing {
    let mut encoder = Encoder::new(Compression::Lz4);
    for value in values {
        let record = Record {
            offset: Offset(0),
            timestamp: 1_000,
            key: Some(b"key"),
            value: Some(value.as_bytes()),
            headers: Headers::EMPTY,
        };
        encoder.push(&record).unwrap();
    }
    let span = SourceSpan {
        first: Offset(0),
        next: Offset(values.len() as i64),
    };
    let mut batch = encoder.finish(span).unwrap();
    batch.sign(ProducerIdentity::NONE, -1);
    batch
}

async fn produce(client: &Client, node: i32, values: &[&str]) -> Result<i64, KafkaError> {
    let connection = client.open(NodeId(node), "test").await.unwrap();
    let request = ProduceRequest {
        acks: -1,
        timeout: DEADLINE,
        partitions: vec![(partition(), batch(values))],
    };
    let answer = connection.produce(request).await.unwrap().await.unwrap();
    answer.partitions[0].1.map(|appended| appended.base_offset.0)
}

async fn fetch(client: &Client, node: i32, offset: i64) -> FetchAnswer {
    let connection = client.open(NodeId(node), "test").await.unwrap();
    let request = FetchRequest {
        isolation: Isolation::ReadCommitted,
        max_wait: Duration::ZERO,
        min_bytes: 1,
        max_bytes: 1 << 20,
        partitions: vec![FetchPartition {
            topic: TopicName::new("orders"),
            topic_id: TopicId::ZERO,
            partition: Partition(0),
            fetch_offset: Offset(offset),
            current_leader_epoch: LeaderEpoch(-1),
            last_fetched_epoch: LeaderEpoch(-1),
            max_bytes: 1 << 20,
        }],
        rack: None,
    };
    connection.fetch(request).await.unwrap()
}

fn values(answer: &FetchAnswer) -> Vec<(i64, String)> {
    let mut values = Vec::new();
    for piece in batches(answer.partitions[0].records.clone()) {
        let Piece::Batch(batch) = piece.unwrap() else {
            panic!("an old message")
        };
        batch.verify_crc().unwrap();
        for record in decode(&batch, &Default::default()).unwrap().iter() {
            let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
            values.push((record.offset.0, value));
        }
    }
    values
}

#[tokio::test]
async fn what_is_produced_is_fetched() {
    let cluster = Cluster::start(Options::default().topic("orders", 3))
        .await
        .unwrap();
    let client = connect(&cluster).await;
    assert_eq!(client.cluster_id().0, cluster.id());
    assert_eq!(produce(&client, 1, &["a", "b"]).await, Ok(0));
    assert_eq!(produce(&client, 1, &["c"]).await, Ok(2));
    let answer = fetch(&client, 1, 1).await;
    let expected = [(0, "a"), (1, "b"), (2, "c")].map(|(offset, value)| (offset, value.to_owned()));
    assert_eq!(values(&answer), expected);
    assert_eq!(answer.partitions[0].high_watermark, Offset(3));
    let log = cluster.log("orders", 0).unwrap();
    assert_eq!((log.start, log.end, log.batches.len()), (0, 3, 2));
    cluster.shutdown().await;
}

#[tokio::test]
async fn a_leader_that_moves_is_refused_by_the_old_broker_and_served_by_the_new() {
    let cluster = Cluster::start(Options::brokers(3).topic("orders", 1))
        .await
        .unwrap();
    let client = connect(&cluster).await;
    assert_eq!(cluster.leader("orders", 0).unwrap(), 1);
    produce(&client, 1, &["a"]).await.unwrap();
    cluster.move_leader("orders", 0, 2).unwrap();
    assert_eq!(
        produce(&client, 1, &["b"]).await,
        Err(KafkaError::NOT_LEADER_OR_FOLLOWER)
    );
    assert_eq!(produce(&client, 2, &["b"]).await, Ok(1));
    cluster.stop_broker(2).await.unwrap();
    let leader = cluster.leader("orders", 0).unwrap();
    assert_ne!(leader, 2);
    assert_eq!(values(&fetch(&client, leader, 0).await).len(), 2);
    assert_eq!(cluster.log("orders", 0).unwrap().leader_epoch, 2);
    cluster.start_broker(2).await.unwrap();
    assert_eq!(cluster.leader("orders", 0).unwrap(), leader);
}

#[tokio::test]
async fn faults_hit_the_requests_they_are_for() {
    let cluster = Cluster::start(Options::default().topic("orders", 1))
        .await
        .unwrap();
    let client = connect(&cluster).await;
    let error = Rule::on(ApiKey::Produce).nth(2);
    let error = cluster
        .faults()
        .inject(error.then(Action::Error(ErrorCode::NotEnoughReplicas)));
    let one = Rule::on(ApiKey::Fetch).partition("orders", 0).times(1);
    cluster
        .faults()
        .inject(one.then(Action::Error(ErrorCode::KafkaStorageError)));
    assert_eq!(produce(&client, 1, &["a"]).await, Ok(0));
    assert!(produce(&client, 1, &["b"]).await.is_err());
    assert_eq!(produce(&client, 1, &["c"]).await, Ok(1));
    assert_eq!((error.hits(), error.seen()), (1, 3));
    let refused = fetch(&client, 1, 0).await;
    assert_eq!(refused.partitions[0].error, Some(KafkaError::KAFKA_STORAGE_ERROR));
    assert_eq!(values(&fetch(&client, 1, 0).await).len(), 2);

    // The append is done, the answer lost.
    let lost = cluster
        .faults()
        .inject(Rule::on(ApiKey::Produce).times(1).then(Action::DropAfter));
    let connection = client.open(NodeId(1), "test").await.unwrap();
    let request = ProduceRequest {
        acks: 1,
        timeout: DEADLINE,
        partitions: vec![(partition(), batch(&["d"]))],
    };
    connection.produce(request).await.unwrap().await.unwrap_err();
    assert_eq!(lost.hits(), 1);
    assert_eq!(cluster.log("orders", 0).unwrap().end, 3);
}
