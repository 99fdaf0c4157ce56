//! The data plane's client, and records to send with it: one topic, "orders", and its partition 0.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::time::Duration;

use towpath_domain::{LeaderEpoch, Offset, Partition, TopicId, TopicName, TopicPartition};
use towpath_embedded::Cluster;
use towpath_wire::{
    Client, FetchAnswer, FetchOptions, FetchPartition, Isolation, KafkaError, NodeId, ProducePartition,
    ProduceRequest, Topics,
    batch::{
        Compression, Encoder, Headers, Outgoing, Piece, ProducerIdentity, Record, SourceSpan, batches, decode,
    },
};

pub const DEADLINE: Duration = Duration::from_secs(30);

pub fn partition() -> TopicPartition {
    TopicPartition {
        topic: TopicName::new("orders"),
        partition: Partition(0),
    }
}

pub fn client_options(cluster: &Cluster) -> towpath_wire::Options {
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

pub async fn connect(cluster: &Cluster) -> Client {
    let client = Client::connect(client_options(cluster)).await.unwrap();
    client
        .metadata(Topics::Names(vec![TopicName::new("orders")]))
        .await
        .unwrap();
    client
}

pub fn batch(values: &[&str]) -> Outgoing {
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

/// By the topic's id, once metadata was read.
pub fn part(client: &Client, values: &[&str]) -> ProducePartition {
    ProducePartition {
        topic_id: client.topic_id(&partition().topic).unwrap_or(TopicId::ZERO),
        partition: partition(),
        batch: batch(values),
    }
}

pub async fn produce(client: &Client, node: i32, values: &[&str]) -> Result<i64, KafkaError> {
    let connection = client.open(NodeId(node), "test").await.unwrap();
    let request = ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout: DEADLINE,
        partitions: vec![part(client, values)],
    };
    let answer = connection.produce(request).await.unwrap().await.unwrap();
    answer.partitions[0].1.map(|appended| appended.base_offset.0)
}

pub async fn fetch(client: &Client, node: i32, offset: i64) -> FetchAnswer {
    fetch_after(client, node, offset, -1).await
}

/// For a reader whose last record was of this leader epoch.
pub async fn fetch_after(client: &Client, node: i32, offset: i64, epoch: i32) -> FetchAnswer {
    let connection = client.open(NodeId(node), "test").await.unwrap();
    let options = FetchOptions {
        isolation: Isolation::ReadCommitted,
        max_wait: Duration::ZERO,
        min_bytes: 1,
        max_bytes: 1 << 20,
        rack: None,
    };
    let partition = FetchPartition {
        topic: TopicName::new("orders"),
        topic_id: TopicId::ZERO,
        partition: Partition(0),
        fetch_offset: Offset(offset),
        current_leader_epoch: LeaderEpoch(-1),
        last_fetched_epoch: LeaderEpoch(epoch),
        max_bytes: 1 << 20,
    };
    connection.fetch(options, &[partition]).await.unwrap()
}

pub fn values(answer: &FetchAnswer) -> Vec<(i64, String)> {
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
