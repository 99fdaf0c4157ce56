//! The compacted topic of connectors, on an embedded cluster: who has it, what is read from it, and what it must be like.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use std::time::Duration;

use towpath_domain::config::Config;
use towpath_embedded::{Cluster, Options};
use towpath_server::{
    herder::Target,
    storage::{self, Error, Storage, connector, gone, target},
};
use towpath_wire::{Client, NewTopic, compacted::Compacted};

const TOPIC: &str = "towpath-configs";

async fn client(cluster: &Cluster) -> Client {
    let bootstrap = cluster.bootstrap_servers();
    let options = towpath_wire::Options {
        bootstrap_servers: bootstrap.split(',').map(str::to_owned).collect(),
        request_timeout: Duration::from_secs(10),
        ..towpath_wire::Options::default()
    };
    Client::connect(options).await.unwrap()
}

async fn open(cluster: &Cluster, worker: &str) -> Result<Storage, Error> {
    Storage::open(client(cluster).await, TOPIC, 1, worker).await
}

/// Who writes without having claimed it.
async fn stranger(cluster: &Cluster) -> Compacted {
    Compacted::open(client(cluster).await, TOPIC.into(), "a test", 1)
        .await
        .unwrap()
}

fn config(topics: &str) -> Config {
    Config::from([("topics".to_owned(), topics.to_owned())])
}

fn names(storage: &Storage) -> Vec<&str> {
    storage.table().connectors.keys().map(String::as_str).collect()
}

#[tokio::test]
async fn what_is_written_is_there_for_the_one_who_wrote_it_and_for_the_next() {
    let cluster = Cluster::start(Options::default()).await.unwrap();
    let mut first = open(&cluster, "one").await.unwrap();
    first
        .write(&[target("a", Target::Stopped), connector("a", &config("x"))])
        .await
        .unwrap();
    first.write(&[connector("b", &config("y"))]).await.unwrap();
    assert_eq!(names(&first), ["a", "b"]);
    first.refresh().await.unwrap();
    assert_eq!(names(&first), ["a", "b"]);
    first.write(&gone("b")).await.unwrap();
    assert_eq!(names(&first), ["a"]);
    // A worker that starts again after a crash.
    let again = open(&cluster, "one").await.unwrap();
    assert_eq!(names(&again), ["a"]);
    assert_eq!(again.table().connectors["a"], config("x"));
    assert_eq!(again.table().target("a"), Target::Stopped);
    cluster.shutdown().await;
}

#[tokio::test]
async fn one_worker_has_the_topic_and_the_former_one_is_told_by_whom() {
    let cluster = Cluster::start(Options::default()).await.unwrap();
    let mut first = open(&cluster, "one").await.unwrap();
    let mut idle = open(&cluster, "idle").await.unwrap();
    let told = |error: Error| match error {
        Error::Fenced { by, .. } => by,
        other => panic!("{other}"),
    };
    // By writing, and by looking.
    let rows = [connector("a", &config("x"))];
    assert_eq!(told(first.write(&rows).await.unwrap_err()), "idle");
    let second = open(&cluster, "two").await.unwrap();
    // However often it is asked: the one who asks first may be a caller of the REST API.
    for _ in 0..2 {
        assert_eq!(told(idle.refresh().await.unwrap_err()), "two");
    }
    assert_eq!(names(&second), [""; 0], "nothing of the former one has come");
    cluster.shutdown().await;
}

#[tokio::test]
async fn rows_of_a_newer_version_are_refused_by_name_and_nobody_is_stopped_for_that() {
    let cluster = Cluster::start(Options::default()).await.unwrap();
    let mut running = open(&cluster, "one").await.unwrap();
    running.write(&[connector("a", &config("x"))]).await.unwrap();
    let newer = (
        b"connector-b".to_vec(),
        Some(br#"{"v":2,"properties":{}}"#.to_vec()),
    );
    stranger(&cluster).await.write(&[newer]).await.unwrap();
    let told = match open(&cluster, "two").await {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it was taken over"),
    };
    assert!(
        told.contains("connector-b: it has format 2, this version knows 1"),
        "{told}"
    );
    // What was read stays, and it can be mended.
    for _ in 0..2 {
        assert!(matches!(running.refresh().await, Err(Error::Unreadable { .. })));
    }
    assert_eq!(names(&running), ["a"]);
    running.write(&gone("b")).await.unwrap();
    running.refresh().await.unwrap();
    cluster.shutdown().await;
}

#[tokio::test]
async fn what_somebody_else_writes_is_taken_over_once_and_in_order() {
    let cluster = Cluster::start(Options::default()).await.unwrap();
    let mut storage = open(&cluster, "one").await.unwrap();
    let mut stranger = stranger(&cluster).await;
    stranger
        .write(&[connector("a", &config("x")), connector("a", &config("y"))])
        .await
        .unwrap();
    storage.refresh().await.unwrap();
    assert_eq!(storage.table().connectors["a"], config("y"));
    cluster.delete_topic(TOPIC).unwrap();
    let error = storage.refresh().await;
    assert!(matches!(error, Err(Error::Kafka(_))), "its topic is gone");
    assert_eq!(names(&storage), ["a"], "what is run is known all the same");
    cluster.shutdown().await;
}

#[tokio::test]
async fn a_topic_that_would_lose_rows_is_refused() {
    let cluster = Cluster::start(Options::default()).await.unwrap();
    let client = client(&cluster).await;
    let topic = |name: &str, partitions, policy: &str| NewTopic {
        name: name.into(),
        partitions,
        replication_factor: 1,
        configs: vec![("cleanup.policy".to_owned(), policy.to_owned())],
    };
    let topics = [
        topic("many", 3, "compact"),
        topic("deleted", 1, "delete"),
        topic("both", 1, "compact,delete"),
    ];
    client.create_topics(&topics).await.unwrap();
    for (name, what) in [
        ("many", "it has 3 partitions"),
        ("deleted", "its cleanup.policy is delete"),
        ("both", "its cleanup.policy is compact,delete"),
    ] {
        let opened = Storage::open(client.clone(), name, 1, "one").await;
        let told = opened.map(|_: storage::Storage| ()).unwrap_err().to_string();
        assert!(told.contains(what) && told.contains(name), "{told}");
    }
    cluster.shutdown().await;
}
