//! Every kind of fault, seen from the client's side; and that chance can be repeated.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod support;

use std::time::{Duration, Instant};

use support::{connect, fetch, part, produce, values};
use towpath_embedded::{Action, ApiKey, Cluster, ErrorCode, NewTopic, Options, Random, Rule, faults};
use towpath_wire::{Client, Error, KafkaError, NodeId, ProduceAnswer, ProduceRequest};

async fn one_broker() -> (Cluster, Client) {
    let cluster = Cluster::start(Options::default().topic("orders", 1))
        .await
        .unwrap();
    let client = connect(&cluster).await;
    (cluster, client)
}

/// What the client makes of one Produce, and how many records there are then.
async fn produce_under(
    cluster: &Cluster,
    client: &Client,
    action: Action,
) -> (Result<ProduceAnswer, Error>, i64) {
    let before = cluster.log("orders", 0).unwrap().end;
    let fault = cluster
        .faults()
        .inject(Rule::on(ApiKey::Produce).times(1).then(action));
    let connection = client.open(NodeId(1), "test").await.unwrap();
    let request = ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout: Duration::from_millis(200),
        partitions: vec![part(client, &["a"])],
    };
    let answer = match connection.produce(request).await {
        Ok(answer) => answer.await,
        Err(error) => Err(error),
    };
    assert_eq!(fault.hits(), 1, "{action:?}");
    fault.remove();
    (answer, cluster.log("orders", 0).unwrap().end - before)
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
        transactional_id: None,
        acks: 1,
        timeout: Duration::from_secs(1),
        partitions: vec![part(&client, &["d"])],
    };
    connection.produce(request).await.unwrap().await.unwrap_err();
    assert_eq!(lost.hits(), 1);
    assert_eq!(cluster.log("orders", 0).unwrap().end, 3);
}

#[tokio::test]
async fn each_action_does_what_it_says() {
    let (cluster, client) = one_broker().await;
    // Appended or not, and how the client finds out.
    let code = |answer: &Result<ProduceAnswer, Error>| {
        answer.as_ref().unwrap().partitions[0]
            .1
            .err()
            .map(KafkaError::code)
    };
    let refusal = ErrorCode::NotEnoughReplicasAfterAppend;
    let (answer, appended) = produce_under(&cluster, &client, Action::Error(refusal)).await;
    assert_eq!((code(&answer), appended), (Some(20), 0));
    let (answer, appended) = produce_under(&cluster, &client, Action::ErrorAfter(refusal)).await;
    assert_eq!((code(&answer), appended), (Some(20), 1));
    let (answer, appended) = produce_under(&cluster, &client, Action::DropBefore).await;
    assert_eq!((answer.is_err(), appended), (true, 0));
    for action in [
        Action::DropAfter,
        Action::WrongCorrelation,
        Action::ShortFrame,
        Action::Garbage,
    ] {
        let (answer, appended) = produce_under(&cluster, &client, action).await;
        assert_eq!((answer.is_err(), appended), (true, 1), "{action:?}: {answer:?}");
    }
    let pause = Duration::from_millis(100);
    let started = Instant::now();
    let (answer, appended) = produce_under(&cluster, &client, Action::Delay(pause)).await;
    assert_eq!(
        (code(&answer), appended, started.elapsed() >= pause),
        (None, 1, true)
    );
    let (answer, appended) = produce_under(&cluster, &client, Action::Throttle(pause)).await;
    assert_eq!((answer.unwrap().throttle, appended), (pause, 1));
}

#[tokio::test]
async fn what_hangs_is_never_answered_and_holds_up_its_connection_alone() {
    let (cluster, client) = one_broker().await;
    cluster
        .faults()
        .inject(Rule::on(ApiKey::Produce).times(1).then(Action::Hang));
    let connection = client.open(NodeId(1), "test").await.unwrap();
    let request = ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout: Duration::ZERO,
        partitions: vec![part(&client, &["a"])],
    };
    let hanging = connection.produce(request).await.unwrap();
    assert_eq!(produce(&client, 1, &["b"]).await, Ok(0));
    drop(hanging);
    // A broker that stops does not wait for it.
    cluster.restart_broker(1).await.unwrap();
    let client = connect(&cluster).await;
    assert_eq!(values(&fetch(&client, 1, 0).await).len(), 1);
}

#[tokio::test]
async fn rules_for_a_topic_leave_others_alone() {
    let (cluster, client) = one_broker().await;
    cluster.create_topic(&NewTopic::new("others", 1)).unwrap();
    let others = Rule::on(ApiKey::Produce).topic("others").then(Action::DropBefore);
    let others = cluster.faults().inject(others);
    assert_eq!(produce(&client, 1, &["a"]).await, Ok(0));
    assert_eq!((others.seen(), others.hits()), (0, 0));
    let orders = Rule::on(ApiKey::Produce)
        .topic("orders")
        .nth(2)
        .then(Action::DropAfter);
    let orders = cluster.faults().inject(orders);
    assert_eq!(produce(&client, 1, &["b"]).await, Ok(1));
    let connection = client.open(NodeId(1), "test").await.unwrap();
    let request = ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout: Duration::ZERO,
        partitions: vec![part(&client, &["c"])],
    };
    connection.produce(request).await.unwrap().await.unwrap_err();
    assert_eq!((orders.seen(), orders.hits()), (2, 1));
    assert_eq!(cluster.log("orders", 0).unwrap().end, 3);
    // Another broker's requests are none of its business.
    let elsewhere = Rule::any().broker(2).then(Action::DropBefore);
    let elsewhere = cluster.faults().inject(elsewhere);
    assert_eq!(produce(&client, 1, &["d"]).await, Ok(3));
    assert_eq!(elsewhere.seen(), 0);
}

#[tokio::test]
async fn chance_is_the_same_with_the_same_seed() {
    let run = async |seed| {
        let (cluster, client) = one_broker().await;
        let random = Random {
            error: 0.3,
            error_after: 0.1,
            ..Random::none(seed)
        };
        cluster.faults().randomize(random);
        let mut outcomes = Vec::new();
        for _ in 0..40 {
            outcomes.push(produce(&client, 1, &["a"]).await.map_err(KafkaError::code));
        }
        let hits = cluster.faults().random_hits();
        cluster.faults().calm();
        assert!(produce(&client, 1, &["a"]).await.is_ok());
        (outcomes, hits)
    };
    let (first, hits) = run(7).await;
    assert!(hits > 5 && hits < 30, "{hits} of 40");
    assert_eq!(
        first.iter().filter(|outcome| outcome.is_err()).count() as u64,
        hits
    );
    assert_eq!(run(7).await.0, first);
    assert_ne!(run(8).await.0, first);
}

#[test]
fn errors_of_an_api_are_its_own() {
    for api in [
        ApiKey::Produce,
        ApiKey::Fetch,
        ApiKey::Metadata,
        ApiKey::ListOffsets,
        ApiKey::JoinGroup,
    ] {
        assert!(!faults::plausible_errors(api).is_empty());
    }
    assert!(faults::plausible_errors(ApiKey::ApiVersions).is_empty());
}
