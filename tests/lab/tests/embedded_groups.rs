//! Other people's clients on the embedded cluster: librdkafka and Kafka's own tools, with groups of both protocols, transactions, ACLs,
//! users and quotas. No broker of Kafka runs here.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use std::{collections::BTreeSet, io::Write, time::Duration};

use anyhow::{Context, Result, ensure};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, Producer},
};
use tokio::runtime::Runtime;
use towpath_embedded::{Cluster, CoordinatorKind, Options, QuotaRate};
use towpath_lab::{kafka::Kafka, wait};

const DEADLINE: Duration = Duration::from_secs(60);

struct Embedded {
    runtime: Runtime,
    cluster: Cluster,
}

impl Embedded {
    fn start(options: Options) -> Self {
        let runtime = Runtime::new().unwrap();
        let cluster = runtime.block_on(Cluster::start(options)).unwrap();
        Self { runtime, cluster }
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.cluster.bootstrap_servers());
        config
    }

    fn produce(&self, topic: &str, count: usize) {
        let producer: BaseProducer = self.client().create().unwrap();
        for number in 0..count {
            let (key, value) = (format!("key-{number}"), format!("{number}"));
            producer
                .send(BaseRecord::to(topic).key(&key).payload(&value))
                .unwrap();
        }
        producer.flush(DEADLINE).unwrap();
    }

    fn consumer(&self, group: &str, settings: &[(&str, &str)]) -> BaseConsumer {
        let mut config = self.client();
        config
            .set("group.id", group)
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false");
        for (key, value) in settings {
            config.set(*key, *value);
        }
        config.create().unwrap()
    }
}

/// Reads into `values` for a moment.
fn poll(consumer: &BaseConsumer, values: &mut BTreeSet<String>) -> Result<()> {
    while let Some(message) = consumer.poll(Duration::from_millis(20)) {
        let message = message?;
        values.insert(String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned());
    }
    Ok(())
}

fn assigned(consumer: &BaseConsumer) -> BTreeSet<i32> {
    let list = consumer.assignment().unwrap();
    list.elements()
        .iter()
        .map(|element| element.partition())
        .collect()
}

fn share_a_group(settings: &[(&str, &str)]) {
    let embedded = Embedded::start(Options::brokers(3).topic("shared", 4));
    embedded.produce("shared", 400);
    let mut values = BTreeSet::new();
    let first = embedded.consumer("readers", settings);
    first.subscribe(&["shared"]).unwrap();
    wait::until("all partitions for the first", DEADLINE, || {
        poll(&first, &mut values)?;
        Ok((assigned(&first).len() == 4).then_some(()))
    })
    .unwrap();

    let second = embedded.consumer("readers", settings);
    second.subscribe(&["shared"]).unwrap();
    wait::until("two partitions for each", DEADLINE, || {
        poll(&first, &mut values)?;
        poll(&second, &mut values)?;
        let (one, two) = (assigned(&first), assigned(&second));
        Ok((one.len() == 2 && two.len() == 2 && one.is_disjoint(&two)).then_some(()))
    })
    .unwrap();
    wait::until("400 records", DEADLINE, || {
        poll(&first, &mut values)?;
        poll(&second, &mut values)?;
        Ok((values.len() == 400).then_some(()))
    })
    .unwrap();
    match first.commit_consumer_state(CommitMode::Sync) {
        // Everything that it has read may be committed already, by the rebalance.
        Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => {}
        Err(error) => panic!("{error}"),
    }

    // The coordinator moves: members find it again, and nobody is put out.
    let at = embedded
        .cluster
        .coordinator(CoordinatorKind::Group, "readers")
        .unwrap();
    embedded
        .cluster
        .move_coordinator(CoordinatorKind::Group, "readers", at % 3 + 1)
        .unwrap();
    drop(second);
    wait::until("all partitions for the first again", DEADLINE, || {
        poll(&first, &mut values)?;
        Ok((assigned(&first).len() == 4).then_some(()))
    })
    .unwrap();
    drop(first);
}

#[test]
fn two_consumers_share_a_classic_group() {
    share_a_group(&[("session.timeout.ms", "10000"), ("heartbeat.interval.ms", "500")]);
}

#[test]
fn two_consumers_share_a_classic_group_cooperatively() {
    share_a_group(&[
        ("partition.assignment.strategy", "cooperative-sticky"),
        ("session.timeout.ms", "10000"),
        ("heartbeat.interval.ms", "500"),
    ]);
}

#[test]
fn two_consumers_share_a_group_of_the_new_protocol() {
    share_a_group(&[("group.protocol", "consumer")]);
}

#[test]
fn what_a_group_has_committed_is_where_it_goes_on() {
    let embedded = Embedded::start(Options::default().topic("resumed", 1));
    embedded.produce("resumed", 10);
    for protocol in ["classic", "consumer"] {
        let settings = [("group.protocol", protocol)];
        let consumer = embedded.consumer(protocol, &settings);
        consumer.subscribe(&["resumed"]).unwrap();
        let message = wait::until("a record", DEADLINE, || {
            let message = consumer.poll(Duration::from_millis(100)).transpose()?;
            Ok(message.filter(|message| message.offset() == 6))
        });
        consumer
            .commit_message(&message.unwrap(), CommitMode::Sync)
            .unwrap();
        drop(consumer);
        let consumer = embedded.consumer(protocol, &settings);
        consumer.subscribe(&["resumed"]).unwrap();
        let offset = wait::until("the next record", DEADLINE, || {
            let message = consumer.poll(Duration::from_millis(100)).transpose()?;
            Ok(message.map(|message| message.offset()))
        });
        assert_eq!(offset.unwrap(), 7, "{protocol}");
    }
}

fn transactional(embedded: &Embedded, id: &str) -> BaseProducer {
    embedded.client().set("transactional.id", id).create().unwrap()
}

#[test]
fn transactions_are_read_when_they_are_committed() {
    let embedded = Embedded::start(Options::brokers(3).topic("in", 1).topic("out", 1));
    embedded.produce("in", 5);
    let input = embedded.consumer("pipeline", &[]);
    input.subscribe(&["in"]).unwrap();
    let mut read = BTreeSet::new();
    wait::until("the input", DEADLINE, || {
        poll(&input, &mut read)?;
        Ok((read.len() == 5).then_some(()))
    })
    .unwrap();
    let producer = transactional(&embedded, "pipeline");
    producer.init_transactions(DEADLINE).unwrap();
    let send = |value: &str| {
        producer
            .send(BaseRecord::to("out").key("").payload(value))
            .unwrap();
        producer.flush(DEADLINE).unwrap();
    };
    let offsets = |offset| {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset("in", 0, Offset::Offset(offset))
            .unwrap();
        producer
            .send_offsets_to_transaction(&list, &input.group_metadata().unwrap(), DEADLINE)
            .unwrap();
    };
    let committed = || {
        let mut list = TopicPartitionList::new();
        list.add_partition("in", 0);
        let list = input.committed_offsets(list, DEADLINE).unwrap();
        list.elements()[0].offset()
    };

    producer.begin_transaction().unwrap();
    send("aborted");
    offsets(3);
    producer.abort_transaction(DEADLINE).unwrap();
    assert_eq!(committed(), Offset::Invalid);

    producer.begin_transaction().unwrap();
    send("committed");
    offsets(5);
    producer.commit_transaction(DEADLINE).unwrap();
    assert_eq!(committed(), Offset::Offset(5));

    producer.begin_transaction().unwrap();
    send("open");
    let output = embedded.consumer("output", &[("isolation.level", "read_committed")]);
    output.subscribe(&["out"]).unwrap();
    let mut read = BTreeSet::new();
    wait::until("the output", DEADLINE, || {
        poll(&output, &mut read)?;
        Ok((!read.is_empty()).then_some(()))
    })
    .unwrap();
    assert_eq!(read.iter().collect::<Vec<_>>(), ["committed"]);

    // Another producer of the same id: the first one's transaction is aborted, and it is out.
    let second = transactional(&embedded, "pipeline");
    second.init_transactions(DEADLINE).unwrap();
    let error = producer.commit_transaction(DEADLINE).unwrap_err();
    let fenced = matches!(&error, KafkaError::Transaction(error) if error.is_fatal());
    assert!(fenced, "{error}");
    second.begin_transaction().unwrap();
    second
        .send(BaseRecord::to("out").key("").payload("second"))
        .unwrap();
    second.commit_transaction(DEADLINE).unwrap();
    wait::until("what the second wrote", DEADLINE, || {
        poll(&output, &mut read)?;
        Ok((read.len() == 2).then_some(()))
    })
    .unwrap();
    assert!(read.contains("second"), "{read:?}");
}

fn with_users() -> Embedded {
    let options = Options::default()
        .topic("guarded", 1)
        .user("root", "secret")
        .user("alice", "wonder")
        .super_user("User:root");
    Embedded::start(options)
}

fn as_user(embedded: &Embedded, user: &str, password: &str) -> ClientConfig {
    let mut config = embedded.client();
    config
        .set("security.protocol", "SASL_PLAINTEXT")
        .set("sasl.mechanism", "PLAIN")
        .set("sasl.username", user)
        .set("sasl.password", password);
    config
}

/// The error of one record, if any.
fn try_to_write(config: &ClientConfig, topic: &str) -> Result<(), KafkaError> {
    let producer: BaseProducer<Outcome> = config
        .clone()
        .set("message.timeout.ms", "10000")
        .create_with_context(Outcome::default())?;
    producer
        .send(BaseRecord::to(topic).key("").payload("x"))
        .map_err(|(error, _)| error)?;
    producer.flush(DEADLINE)?;
    producer.context().0.lock().unwrap().take().unwrap_or(Ok(()))
}

#[derive(Default)]
struct Outcome(std::sync::Mutex<Option<Result<(), KafkaError>>>);

impl rdkafka::ClientContext for Outcome {}

impl rdkafka::producer::ProducerContext for Outcome {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &rdkafka::message::DeliveryResult<'_>, (): ()) {
        let result = result.as_ref().map(|_| ()).map_err(|(error, _)| error.clone());
        *self.0.lock().unwrap() = Some(result);
    }
}

#[test]
fn users_may_do_what_acls_allow() {
    let embedded = with_users();
    try_to_write(&as_user(&embedded, "root", "secret"), "guarded").unwrap();
    let alice = as_user(&embedded, "alice", "wonder");
    let denied = try_to_write(&alice, "guarded").unwrap_err();
    let code = RDKafkaErrorCode::TopicAuthorizationFailed;
    assert_eq!(denied.rdkafka_error_code(), Some(code), "{denied}");
    let wrong: BaseConsumer = as_user(&embedded, "alice", "guess").create().unwrap();
    assert!(wrong.fetch_metadata(None, Duration::from_secs(3)).is_err());

    let tools = Tools::new(&embedded, Some("root"));
    let acl = [
        "--add",
        "--allow-principal",
        "User:alice",
        "--producer",
        "--topic",
        "guarded",
    ];
    tools.run("org.apache.kafka.tools.AclCommand", &acl).unwrap();
    let listed = tools
        .run("org.apache.kafka.tools.AclCommand", &["--list"])
        .unwrap();
    assert!(
        listed.contains("principal=User:alice") && listed.contains("operation=WRITE"),
        "{listed}"
    );
    try_to_write(&alice, "guarded").unwrap();
    assert_eq!(embedded.cluster.log("guarded", 0).unwrap().end, 2);
    embedded.runtime.block_on(embedded.cluster.shutdown());
}

/// Kafka's console tools, which speak to the cluster as a user if there are any.
struct Tools {
    kafka: Kafka,
    bootstrap: String,
    config: tempfile::NamedTempFile,
}

impl Tools {
    fn new(embedded: &Embedded, user: Option<&str>) -> Self {
        let mut config = tempfile::NamedTempFile::new().unwrap();
        if let Some(user) = user {
            let module = "org.apache.kafka.common.security.scram.ScramLoginModule";
            let password = if user == "root" { "secret" } else { "wonder" };
            writeln!(
                config,
                "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512"
            )
            .unwrap();
            writeln!(
                config,
                "sasl.jaas.config={module} required username=\"{user}\" password=\"{password}\";"
            )
            .unwrap();
        }
        Self {
            kafka: Kafka::fetch().unwrap(),
            bootstrap: embedded.cluster.bootstrap_servers(),
            config,
        }
    }

    fn run(&self, class: &str, args: &[&str]) -> Result<String> {
        let config = self.config.path().to_str().context("a path that is no text")?;
        let common = ["--bootstrap-server", &self.bootstrap, "--command-config", config];
        self.kafka.tool(class, &[&common[..], args].concat())
    }
}

const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

#[test]
fn kafkas_tools_see_groups_of_both_protocols() {
    let embedded = Embedded::start(Options::brokers(3).topic("tooled", 2));
    embedded.produce("tooled", 20);
    let tools = Tools::new(&embedded, None);
    for protocol in ["classic", "consumer"] {
        let property = format!("group.protocol={protocol}");
        let args = [
            "--bootstrap-server",
            &tools.bootstrap,
            "--topic",
            "tooled",
            "--group",
            protocol,
            "--from-beginning",
            "--max-messages",
            "20",
            "--timeout-ms",
            "30000",
            "--command-property",
            &property,
        ];
        let read = tools
            .kafka
            .tool("org.apache.kafka.tools.consumer.ConsoleConsumer", &args)
            .unwrap();
        assert!(
            read.contains("Processed a total of 20 messages"),
            "{protocol}: {read}"
        );
        let described = tools.run(GROUPS, &["--describe", "--group", protocol]).unwrap();
        let rows: Vec<_> = described.lines().filter(|line| line.contains("tooled")).collect();
        assert_eq!(rows.len(), 2, "{described}");
        assert!(rows.iter().all(|row| lag(row) == Some("0")), "{described}");
    }
    let listed = tools.run(GROUPS, &["--list", "--state"]).unwrap();
    assert!(
        listed.contains("classic") && listed.contains("consumer"),
        "{listed}"
    );
    let reset = [
        "--group",
        "classic",
        "--topic",
        "tooled",
        "--reset-offsets",
        "--to-earliest",
        "--execute",
    ];
    tools.run(GROUPS, &reset).unwrap();
    let described = tools.run(GROUPS, &["--describe", "--group", "classic"]).unwrap();
    let rest: u32 = described
        .lines()
        .filter(|line| line.contains("tooled"))
        .filter_map(lag)
        .filter_map(|lag| lag.parse::<u32>().ok())
        .sum();
    assert_eq!(rest, 20, "{described}");
    tools.run(GROUPS, &["--delete", "--group", "classic"]).unwrap();
    let listed = tools.run(GROUPS, &["--list"]).unwrap();
    assert!(!listed.lines().any(|line| line == "classic"), "{listed}");
}

/// GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG
fn lag(row: &str) -> Option<&str> {
    row.split_whitespace().nth(5)
}

#[test]
fn kafkas_tools_set_quotas_and_credentials_and_see_transactions() {
    let embedded = with_users();
    let tools = Tools::new(&embedded, Some("root"));
    let config = "kafka.admin.ConfigCommand";
    let quota = ["--alter", "--entity-type", "users", "--entity-name", "alice"];
    tools
        .run(
            config,
            &[&quota[..], &["--add-config", "producer_byte_rate=1000"]].concat(),
        )
        .unwrap();
    tools
        .run(
            config,
            &[&quota[..], &["--add-config", "SCRAM-SHA-512=[password=other]"]].concat(),
        )
        .unwrap();
    let user = ["--describe", "--entity-type", "users", "--entity-name", "alice"];
    let described = tools.run(config, &user).unwrap();
    assert!(described.contains("producer_byte_rate=1000.0"), "{described}");
    assert!(described.contains("SCRAM-SHA-512=iterations=4096"), "{described}");

    let mut root = as_user(&embedded, "root", "secret");
    let producer: BaseProducer = root.set("transactional.id", "seen").create().unwrap();
    producer.init_transactions(DEADLINE).unwrap();
    producer.begin_transaction().unwrap();
    producer
        .send(BaseRecord::to("guarded").key("").payload("x"))
        .unwrap();
    producer.flush(DEADLINE).unwrap();
    let transactions = "org.apache.kafka.tools.TransactionsCommand";
    let listed = tools.run(transactions, &["list"]).unwrap();
    let row = listed
        .lines()
        .find(|line| line.contains("seen"))
        .unwrap_or_default();
    assert!(row.contains("Ongoing"), "{listed}");
    producer.commit_transaction(DEADLINE).unwrap();
}

#[test]
fn who_writes_too_much_is_made_to_wait() -> Result<()> {
    let embedded = Embedded::start(Options::default().topic("slow", 1));
    embedded.cluster.set_quota(QuotaRate::Produce, "greedy", 100_000);
    let producer: BaseProducer<Throttled> = embedded
        .client()
        .set("client.id", "greedy")
        .set("linger.ms", "0")
        .set("statistics.interval.ms", "50")
        .create_with_context(Throttled::default())?;
    let value = vec![7; 50_000];
    for _ in 0..8 {
        let record = BaseRecord::<(), _>::to("slow").payload(&value);
        producer.send(record).map_err(|(error, _)| error)?;
        producer.flush(DEADLINE)?;
    }
    wait::until("a throttle time in librdkafka's statistics", DEADLINE, || {
        producer.poll(Duration::from_millis(20));
        Ok((*producer.context().0.lock().unwrap() > 0).then_some(()))
    })?;
    ensure!(embedded.cluster.log("slow", 0)?.end == 8, "records are missing");
    Ok(())
}

/// The longest throttle time in ms.
#[derive(Default)]
struct Throttled(std::sync::Mutex<i64>);

impl rdkafka::ClientContext for Throttled {
    fn stats(&self, statistics: rdkafka::Statistics) {
        let longest = statistics
            .brokers
            .values()
            .filter_map(|broker| Some(broker.throttle.as_ref()?.max))
            .max();
        let mut known = self.0.lock().unwrap();
        *known = (*known).max(longest.unwrap_or_default());
    }
}

impl rdkafka::producer::ProducerContext for Throttled {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &rdkafka::message::DeliveryResult<'_>, (): ()) {}
}
