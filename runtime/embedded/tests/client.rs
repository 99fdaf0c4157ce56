//! The data plane's own client against the embedded cluster: records there and back, moved leaders, stopped brokers, lost records.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod support;

use support::{connect, fetch, fetch_after, produce, values};
use towpath_domain::{Offset, TopicName};
use towpath_embedded::{Cluster, NewTopic, Options};
use towpath_wire::KafkaError;

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
async fn a_stopped_broker_comes_back_on_its_port_and_without_it_nobody_leads() {
    let cluster = Cluster::start(Options::default().topic("orders", 1))
        .await
        .unwrap();
    let client = connect(&cluster).await;
    produce(&client, 1, &["a"]).await.unwrap();
    let address = cluster.address(1).unwrap();
    cluster.stop_broker(1).await.unwrap();
    assert_eq!(cluster.leader("orders", 0).unwrap(), -1);
    tokio::net::TcpStream::connect(&address).await.unwrap_err();
    assert!(cluster.stop_broker(1).await.is_err());
    cluster.start_broker(1).await.unwrap();
    assert_eq!(
        (cluster.address(1).unwrap(), cluster.leader("orders", 0).unwrap()),
        (address, 1)
    );
    let client = connect(&cluster).await;
    assert_eq!(values(&fetch(&client, 1, 0).await).len(), 1);
    // Nobody led for one epoch, then the broker again.
    assert_eq!(cluster.log("orders", 0).unwrap().leader_epoch, 2);
}

#[tokio::test]
async fn fewer_replicas_than_must_be_in_sync_refuse_writes() {
    let topic = NewTopic::new("orders", 1).config("min.insync.replicas", "2");
    let cluster = Cluster::start(Options::brokers(2)).await.unwrap();
    cluster.create_topic(&topic).unwrap();
    let client = connect(&cluster).await;
    assert_eq!(produce(&client, 1, &["a"]).await, Ok(0));
    cluster.stop_broker(2).await.unwrap();
    assert_eq!(
        produce(&client, 1, &["b"]).await,
        Err(KafkaError::NOT_ENOUGH_REPLICAS)
    );
    cluster.start_broker(2).await.unwrap();
    assert_eq!(produce(&client, 1, &["b"]).await, Ok(1));
}

#[tokio::test]
async fn an_unclean_election_loses_records_and_readers_can_tell() {
    let cluster = Cluster::start(Options::default().topic("orders", 1))
        .await
        .unwrap();
    let client = connect(&cluster).await;
    for value in ["a", "b", "c"] {
        produce(&client, 1, &[value]).await.unwrap();
    }
    cluster.truncate("orders", 0, 1).unwrap();
    assert_eq!(produce(&client, 1, &["d"]).await, Ok(1));
    let log = cluster.log("orders", 0).unwrap();
    assert_eq!((log.end, log.leader_epoch, log.batches.len()), (2, 1, 2));
    // A reader that had read "c" under epoch 0.
    let answer = fetch_after(&client, 1, 3, 0).await;
    let diverging = answer.partitions[0].diverging.unwrap();
    assert_eq!((diverging.epoch.0, diverging.end_offset), (0, Offset(1)));
    assert!(answer.partitions[0].records.is_empty());
}

#[tokio::test]
async fn compaction_leaves_the_last_record_of_each_key_where_it_was() {
    let cluster = Cluster::start(Options::default().topic("orders", 1))
        .await
        .unwrap();
    let client = connect(&cluster).await;
    // Every record has the same key; the last batch is the active segment.
    produce(&client, 1, &["a", "b", "c"]).await.unwrap();
    produce(&client, 1, &["d", "e"]).await.unwrap();
    produce(&client, 1, &["f"]).await.unwrap();
    cluster.compact("orders").unwrap();
    let answer = fetch(&client, 1, 0).await;
    let expected = [(4, "e"), (5, "f")].map(|(offset, value)| (offset, value.to_owned()));
    assert_eq!(values(&answer), expected);
    let log = cluster.log("orders", 0).unwrap();
    assert_eq!((log.start, log.end, log.batches.len()), (0, 6, 2));
    assert_eq!(log.records(), answer.partitions[0].records);
    // The rest goes on.
    assert_eq!(produce(&client, 1, &["g"]).await, Ok(6));
}

#[tokio::test]
async fn retention_deletes_whole_batches_by_time_and_size() {
    let cluster = Cluster::start(Options::default()).await.unwrap();
    // The records' time is 1 s after 1970.
    let old = NewTopic::new("orders", 1).config("retention.ms", "1000");
    cluster.create_topic(&old).unwrap();
    let client = connect(&cluster).await;
    for value in ["a", "b", "c"] {
        produce(&client, 1, &[value]).await.unwrap();
    }
    cluster.enforce_retention("orders").unwrap();
    let log = cluster.log("orders", 0).unwrap();
    assert_eq!((log.start, log.end), (2, 3), "the last batch stays");
    let answer = fetch(&client, 1, 0).await;
    assert_eq!(answer.partitions[0].error, Some(KafkaError::OFFSET_OUT_OF_RANGE));
}

#[tokio::test]
async fn configs_of_topics_are_set_and_taken_away_and_each_topic_has_its_result() {
    let options = Options::brokers(2).topic("orders", 1).topic("others", 1);
    let cluster = Cluster::start(options).await.unwrap();
    let client = connect(&cluster).await;
    let topic = TopicName::new("orders");
    let change = |topic: &str, configs: &[(&str, Option<&str>)]| {
        let own = |(name, value): &(&str, Option<&str>)| ((*name).to_owned(), value.map(str::to_owned));
        (TopicName::new(topic), configs.iter().map(own).collect())
    };
    let explicit = async || {
        let mut all = client
            .describe_topic_configs(std::slice::from_ref(&topic))
            .await
            .unwrap();
        let entries = all.remove(&topic).unwrap().into_iter();
        let explicit = entries.filter(|entry| entry.is_explicit());
        let mut own: Vec<_> = explicit
            .map(|entry| format!("{}={}", entry.name, entry.value.unwrap()))
            .collect();
        own.sort();
        own
    };
    let changes = [
        change(
            "orders",
            &[("retention.ms", Some("1000")), ("segment.ms", Some("500"))],
        ),
        change("absent", &[("retention.ms", Some("1000"))]),
        change("others", &[("retention.ms", Some("soon"))]),
    ];
    let results = client.alter_topic_configs(&changes).await.unwrap();
    let outcomes: Vec<_> = results
        .iter()
        .map(|(topic, result)| (topic.as_str(), result.as_ref().err().map(|error| error.kafka())))
        .collect();
    let expected = [
        ("orders", None),
        ("absent", Some(Some(KafkaError::UNKNOWN_TOPIC_OR_PARTITION))),
        ("others", Some(Some(KafkaError::INVALID_CONFIG))),
    ];
    assert_eq!(outcomes, expected);
    assert_eq!(explicit().await, ["retention.ms=1000", "segment.ms=500"]);
    let taken_away = [change("orders", &[("retention.ms", None)])];
    let mut results = client.alter_topic_configs(&taken_away).await.unwrap();
    results.remove(0).1.unwrap();
    assert_eq!(explicit().await, ["segment.ms=500"]);
}

#[tokio::test]
async fn clusters_of_one_seed_are_alike_and_names_are_checked() {
    let start = |seed| {
        Cluster::start(Options {
            seed,
            ..Options::brokers(2)
        })
    };
    let (one, same, other) = (
        start(1).await.unwrap(),
        start(1).await.unwrap(),
        start(2).await.unwrap(),
    );
    assert_eq!(one.id(), same.id());
    assert_ne!(one.id(), other.id());
    assert!(one.create_topic(&NewTopic::new("a b", 1)).is_err());
    assert!(
        one.create_topic(&NewTopic::new("a", 1).replication_factor(3))
            .is_err()
    );
    assert!(one.move_leader("orders", 0, 1).is_err());
    one.create_topic(&NewTopic::new("orders", 1).replication_factor(1))
        .unwrap();
    assert!(
        one.move_leader("orders", 0, 2).is_err(),
        "broker 2 has no replica"
    );
    let third = one.add_broker(Some("rack")).await.unwrap();
    assert_eq!(third, 3);
    one.shutdown().await;
}
