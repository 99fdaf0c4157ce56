//! Transactions by the data plane's own client: one marker ends each, owners are fenced, coordinators move; and what leaders tell of producers.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod support;

use std::time::Duration;

use support::{DEADLINE, connect, part, partition};
use towpath_domain::{Offset, TopicPartition};
use towpath_embedded::{Cluster, CoordinatorKind, Options};
use towpath_wire::{
    Client, KafkaError, NodeId, ProduceRequest, ProducerId, ProducerState,
    batch::{ProducerIdentity, Transactional},
};

const ID: &str = "mirror-7";
const MINUTE: Duration = Duration::from_secs(60);

async fn write(client: &Client, owner: ProducerId, sequence: i32, values: &[&str]) -> i64 {
    let connection = client.open(NodeId(1), "test").await.unwrap();
    let mut part = part(client, values);
    let identity = ProducerIdentity {
        id: owner.id,
        epoch: owner.epoch,
        transactional: Transactional::No,
    };
    part.batch.sign(identity, sequence);
    let request = ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout: DEADLINE,
        partitions: vec![part],
    };
    let answer = connection.produce(request).await.unwrap().await.unwrap();
    answer.partitions[0].1.unwrap().base_offset.0
}

async fn producer(client: &Client) -> ProducerState {
    let mut answer = client.describe_producers(&[partition()]).await;
    let producers = answer.remove(&partition()).unwrap().unwrap();
    assert_eq!(producers.len(), 1);
    producers[0]
}

#[tokio::test]
async fn a_transaction_is_a_marker_behind_what_its_owner_wrote() {
    let options = Options::brokers(3).topic("orders", 1);
    let cluster = Cluster::start(options).await.unwrap();
    let client = connect(&cluster).await;
    let owner = client.init_transactional(ID, MINUTE).await.unwrap();
    let end = || cluster.log("orders", 0).unwrap().end;
    let mut sequence = 0;
    for commit in [true, false, true] {
        let before = end();
        assert_eq!(write(&client, owner, sequence, &["a", "b"]).await, before);
        sequence += 2;
        client.add_partitions(ID, owner, &[partition()]).await.unwrap();
        // Whoever is the coordinator by now: it is asked.
        cluster
            .move_coordinator(CoordinatorKind::Transaction, ID, 1 + sequence % 3)
            .unwrap();
        client.end_transaction(ID, owner, commit).await.unwrap();
        client.end_transaction(ID, owner, commit).await.unwrap();
        assert_eq!(end(), before + 3, "two records and one marker");
        let other = client.end_transaction(ID, owner, !commit).await.unwrap_err();
        assert_eq!(other.kafka(), Some(KafkaError::INVALID_TXN_STATE));
        let known = producer(&client).await;
        assert_eq!((known.producer, known.last_sequence), (owner, sequence - 1));
        assert_eq!(known.current_txn_start_offset, None);
    }
}

#[tokio::test]
async fn whoever_takes_the_id_over_ends_what_was_open_and_fences_its_owner() {
    let options = Options::default().topic("orders", 1);
    let cluster = Cluster::start(options).await.unwrap();
    let client = connect(&cluster).await;
    let first = client.init_transactional(ID, MINUTE).await.unwrap();
    client.add_partitions(ID, first, &[partition()]).await.unwrap();
    let second = client.init_transactional(ID, MINUTE).await.unwrap();
    assert!(second.id == first.id && second.epoch > first.epoch);
    assert_eq!(cluster.log("orders", 0).unwrap().end, 1, "a marker aborted it");
    let refused = [
        client.add_partitions(ID, first, &[partition()]).await,
        client.end_transaction(ID, first, true).await,
    ];
    for error in refused {
        assert_eq!(error.unwrap_err().kafka(), Some(KafkaError::PRODUCER_FENCED));
    }
    let absent = TopicPartition::new("absent", 0);
    let error = client
        .add_partitions(ID, second, &[partition(), absent])
        .await
        .unwrap_err();
    assert_eq!(error.kafka(), Some(KafkaError::UNKNOWN_TOPIC_OR_PARTITION));
    assert!(
        error
            .to_string()
            .contains("of absent-0 for transactional id mirror-7"),
        "{error}"
    );
}

#[tokio::test]
async fn a_log_begins_behind_the_records_that_were_deleted() {
    let options = Options::brokers(2).topic("orders", 2);
    let cluster = Cluster::start(options).await.unwrap();
    let client = connect(&cluster).await;
    for value in ["a", "b", "c"] {
        support::produce(&client, 1, &[value]).await.unwrap();
    }
    cluster.move_leader("orders", 0, 2).unwrap();
    let other = TopicPartition::new("orders", 1);
    let absent = TopicPartition::new("absent", 0);
    let before = [
        (partition(), Offset(2)),
        (other.clone(), Offset(5)),
        (absent.clone(), Offset(1)),
    ];
    let results = client.delete_records(&before).await;
    assert_eq!(*results[&partition()].as_ref().unwrap(), Offset(2));
    assert_eq!(cluster.log("orders", 0).unwrap().start, 2);
    let codes = [other, absent].map(|partition| results[&partition].as_ref().unwrap_err().kafka());
    let expected = [
        KafkaError::OFFSET_OUT_OF_RANGE,
        KafkaError::UNKNOWN_TOPIC_OR_PARTITION,
    ];
    assert_eq!(codes, expected.map(Some));
}
