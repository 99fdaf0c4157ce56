use tokio::net::TcpListener;
use towpath_domain::Offset;

use super::*;
use crate::{
    Isolation,
    scripted::{Answer, Broker, Session},
};

/// A client of a cluster "east", and the connection it will ask on.
pub(super) async fn connect(broker: &Broker, options: Options) -> Client {
    let (client, ()) = tokio::join!(Client::connect(options), async {
        let mut session = broker.session().await;
        metadata(broker, &mut session, "east", "", -1).await;
    });
    client.unwrap()
}

async fn metadata(broker: &Broker, session: &mut Session, cluster: &str, topic: &str, epoch: i32) {
    let asked = session.asked().await;
    assert_eq!((asked.api, asked.version), (3, 7));
    session
        .answer(
            asked.correlation,
            Answer::metadata(&broker.address, cluster, topic, epoch),
        )
        .await;
}

#[tokio::test]
async fn unreachable_bootstrap_servers_are_all_named_with_their_causes() {
    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_address = silent.local_addr().unwrap();
    let options = Options {
        bootstrap_servers: vec![free.to_string(), "[::1]:1".to_owned(), silent_address.to_string()],
        request_timeout: std::time::Duration::from_millis(300),
        ..Options::default()
    };
    let error = Client::connect(options).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("none of the bootstrap servers can be used: "),
        "{text}"
    );
    assert!(
        text.contains(&format!("{free}: cannot connect: Connection refused")),
        "{text}"
    );
    assert!(text.contains("[::1]:1: cannot connect: "), "{text}");
    assert!(
        text.contains(&format!("{silent_address}: ApiVersions: no answer within 300 ms")),
        "{text}"
    );
    assert!(error.is_retriable());
}

#[tokio::test]
async fn every_mistake_in_bootstrap_servers_is_reported_at_once() {
    let options = Options {
        bootstrap_servers: vec!["a".to_owned(), "b:x".to_owned()],
        ..Options::default()
    };
    let error = Client::connect(options).await.unwrap_err();
    assert!(
        error.to_string().contains(r#""a" is not host:port"#) && error.to_string().contains(r#""b:x""#),
        "{error}"
    );
    assert!(!error.is_retriable());
    assert!(
        Client::connect(Options::default())
            .await
            .unwrap_err()
            .to_string()
            .contains("bootstrap.servers is empty")
    );
}

#[tokio::test]
async fn the_second_bootstrap_server_is_used_when_the_first_is_down() {
    let broker = Broker::start().await;
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let mut options = broker.options();
    options.bootstrap_servers.insert(0, free.to_string());
    assert_eq!(
        connect(&broker, options).await.cluster_id(),
        ClusterId("east".to_owned())
    );
}

#[tokio::test]
async fn offsets_are_asked_of_the_new_leader_after_a_change() {
    let broker = Broker::start().await;
    let client = connect(&broker, broker.options()).await;
    let partition = TopicPartition::new("orders", 0);
    assert_eq!(client.leader(&partition), None);
    let partitions = [partition.clone()];
    let listing = client.list_offsets(&partitions, OffsetSpec::Latest, Isolation::ReadCommitted);
    let (listed, ()) = tokio::join!(listing, async {
        let mut session = broker.session().await;
        metadata(&broker, &mut session, "east", "orders", 4).await;
        let asked = session.asked().await;
        assert_eq!((asked.api, asked.version), (2, 4));
        let expected = |epoch| {
            Answer::default()
                .i32(-1)
                .i8(1)
                .i32(1)
                .string("orders")
                .i32(1)
                .i32(0)
                .i32(epoch)
                .i64(-1)
                .0
        };
        assert_eq!(asked.body, expected(4));
        session
            .answer(asked.correlation, Answer::list_offsets("orders", 6, -1, -1))
            .await;
        metadata(&broker, &mut session, "east", "orders", 5).await;
        let asked = session.asked().await;
        assert_eq!(asked.body, expected(5));
        session
            .answer(asked.correlation, Answer::list_offsets("orders", 0, 1234, 5))
            .await;
    });
    assert_eq!(listed.unwrap()[&partition].unwrap().offset, Offset(1234));
    assert_eq!(
        client.leader(&partition),
        Some(Leader {
            node: NodeId(1),
            epoch: LeaderEpoch(5)
        })
    );
}

#[tokio::test]
async fn a_request_is_made_again_on_a_new_connection_when_the_first_is_lost() {
    let broker = Broker::start().await;
    let client = connect(&broker, broker.options()).await;
    let (producer, ()) = tokio::join!(client.init_producer_id(), async {
        let mut session = broker.session().await;
        session.asked().await;
        drop(session);
        let mut session = broker.session().await;
        let asked = session.asked().await;
        // COORDINATOR_LOAD_IN_PROGRESS
        session
            .answer(
                asked.correlation,
                Answer::default().i32(0).i16(14).i64(-1).i16(-1),
            )
            .await;
        let asked = session.asked().await;
        session
            .answer(asked.correlation, Answer::producer_id(0, 4000))
            .await;
    });
    assert_eq!(producer.unwrap(), ProducerId { id: 4000, epoch: 0 });
}

#[tokio::test]
async fn addresses_that_lead_to_another_cluster_are_not_followed() {
    let broker = Broker::start().await;
    let client = connect(&broker, broker.options()).await;
    // Node 1's address is another cluster's now, and so is that of the bootstrap server.
    let (answer, ()) = tokio::join!(client.metadata(Topics::All), async {
        for _ in 0..2 {
            let mut session = broker.session().await;
            metadata(&broker, &mut session, "west", "orders", 0).await;
        }
    });
    let error = answer.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("belongs to cluster west, not to east as before"),
        "{error}"
    );
    assert_eq!(client.leader(&TopicPartition::new("orders", 0)), None);
}

#[tokio::test]
async fn brokers_that_are_all_elsewhere_are_found_by_the_bootstrap_servers() {
    let (bootstrap, old) = (Broker::start().await, Broker::start().await);
    let options = bootstrap.options();
    let (client, ()) = tokio::join!(Client::connect(options), async {
        let mut session = bootstrap.session().await;
        metadata(&old, &mut session, "east", "", -1).await;
    });
    let client = client.unwrap();
    drop(old);
    let new = Broker::start().await;
    let (answer, ()) = tokio::join!(client.metadata(Topics::All), async {
        let mut session = bootstrap.session().await;
        metadata(&new, &mut session, "east", "orders", 0).await;
    });
    answer.unwrap();
    let (connection, _session) = tokio::join!(client.open(NodeId(1), "test"), new.session());
    assert_eq!(connection.unwrap().peer().address, new.address);
}

/// The bootstrap server is reached, and says of itself what leads nowhere.
#[tokio::test]
async fn an_address_that_a_broker_tells_and_that_leads_nowhere_is_told_with_what_to_mend() {
    let closed = Broker::start().await.address.clone();
    let nobody = Address {
        // No name server is asked for a name with an empty part.
        host: "kafka-1..example".to_owned(),
        port: 9092,
    };
    for (told, parts) in [
        (
            &nobody,
            [
                "kafka-1..example:9092 (node 1): cannot connect: the name kafka-1..example cannot be resolved",
                "; broker 1 tells its clients this name: correct it in its advertised.listeners, or let",
            ],
        ),
        (
            &closed,
            [
                " (node 1): cannot connect: Connection refused",
                "; if broker 1 runs, look at its advertised.listeners: it tells its clients this address",
            ],
        ),
    ] {
        let broker = Broker::start().await;
        let (client, ()) = tokio::join!(Client::connect(broker.options()), async {
            let mut session = broker.session().await;
            let asked = session.asked().await;
            let answer = Answer::metadata(told, "east", "", -1);
            session.answer(asked.correlation, answer).await;
        });
        let error = client.unwrap().open(NodeId(1), "test").await.unwrap_err();
        let text = error.to_string();
        for part in parts {
            assert!(text.contains(part), "{part:?} is missing in {text:?}");
        }
    }
}

#[tokio::test]
async fn a_silent_broker_does_not_keep_others_from_being_asked() {
    let (silent, broker) = (Broker::start().await, Broker::start().await);
    let mut options = broker.options();
    // More than this test waits for anything.
    options.request_timeout = std::time::Duration::from_secs(3600);
    options.bootstrap_servers.insert(0, silent.address.to_string());
    let client = connect(&broker, options).await;
    let (answer, ()) = tokio::join!(client.metadata(Topics::All), async {
        // The connection to node 1 is made, and its answer does not come: the bootstrap servers are asked beside it.
        let mut unanswered = broker.session().await;
        assert_eq!(unanswered.asked().await.api, 3);
        let mut session = broker.session().await;
        metadata(&broker, &mut session, "east", "orders", 0).await;
    });
    assert_eq!(answer.unwrap().len(), 1);
}

#[tokio::test]
async fn what_keeps_failing_says_how_often_it_was_tried() {
    let broker = Broker::start().await;
    let options = Options {
        request_timeout: std::time::Duration::from_millis(200),
        ..broker.options()
    };
    let client = connect(&broker, options).await;
    drop(broker);
    let error = client.metadata(Topics::All).await.unwrap_err();
    assert!(
        matches!(&error, Error::GaveUp { attempts, .. } if *attempts > 2),
        "{error}"
    );
    assert!(
        error.to_string().contains("Connection refused") && error.to_string().contains("gave up after"),
        "{error}"
    );
    client.close();
    assert!(matches!(client.open(NodeId(1), "test").await, Err(Error::Closed)));
}

/// Checked by the compiler: a task may be moved between threads while it waits for any of these.
#[allow(dead_code, reason = "it is enough that it compiles")]
fn every_operation_can_be_awaited_in_a_task(
    client: &Client,
    connection: &crate::Connection,
    positions: &crate::positions::Positions,
    fetch: crate::FetchOptions,
    produce: crate::ProduceRequest,
) {
    fn is_send<T: Send>(_: T) {}
    is_send(Client::connect(Options::default()));
    is_send(client.open(NodeId(1), ""));
    is_send(client.metadata(Topics::All));
    is_send(client.list_offsets(&[], OffsetSpec::Latest, Isolation::ReadCommitted));
    is_send(client.describe_topic_configs(&[]));
    is_send(client.alter_topic_configs(&[]));
    is_send(client.create_topics(&[]));
    is_send(client.delete_topics(&[]));
    is_send(client.delete_records(&[]));
    is_send(client.describe_producers(&[]));
    is_send(client.init_producer_id());
    is_send(client.init_transactional("", std::time::Duration::ZERO));
    is_send(client.add_partitions("", ProducerId { id: 0, epoch: 0 }, &[]));
    is_send(client.list_groups());
    is_send(client.describe_groups(&[]));
    is_send(client.group_offsets(&[]));
    is_send(client.commit_group_offsets(&towpath_domain::GroupId(String::new()), &[]));
    is_send(client.end_transaction("", ProducerId { id: 0, epoch: 0 }, true));
    is_send(connection.fetch(fetch, &[]));
    is_send(connection.produce(produce));
    is_send(positions.load());
    is_send(positions.write(Vec::new()));
    is_send(crate::positions::Positions::open(client.clone(), "", 1));
}
