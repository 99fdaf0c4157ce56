//! The embedded cluster with the clients that people use: librdkafka, kcat, Kafka's console tools, and the worker itself.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use std::{
    io::Write,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};
use tokio::runtime::Runtime;
use towpath_embedded::{Action, ApiKey, Cluster, NewTopic, Options, Rule};
use towpath_lab::{
    compare,
    environment::find_program,
    generate::{self, EDGE_KINDS, Traffic},
    kafka::Kafka,
    read::{self, Isolation},
    sequence,
    towpath::{Connector, Worker},
};

const DEADLINE: Duration = Duration::from_secs(60);

/// A cluster, and the threads it runs on.
struct Embedded {
    cluster: Cluster,
    runtime: Runtime,
}

impl Embedded {
    fn start(options: Options) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let cluster = runtime.block_on(Cluster::start(options)).unwrap();
        Self { cluster, runtime }
    }

    fn bootstrap(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}

/// Runs a program to its end with this input, and returns what it printed.
fn run(mut command: Command, input: &str) -> Result<String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{command:?} cannot be started"))?;
    child.stdin.take().unwrap().write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{command:?} failed ({}):\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(text)
}

#[test]
fn librdkafka_writes_and_reads_every_odd_record() -> Result<()> {
    let embedded = Embedded::start(Options::default().topic("odd", 3));
    let written = generate::edges(&embedded.bootstrap(), "odd", 3, 2)?;
    let records: u64 = written.records.iter().sum();
    assert_eq!(records, 2 * 5 * EDGE_KINDS);
    for isolation in [Isolation::ReadCommitted, Isolation::ReadUncommitted] {
        let read = read::topic(&embedded.bootstrap(), "odd", isolation, |_| Ok(()))?;
        assert_eq!(read, written.records);
    }
    Ok(())
}

#[test]
fn librdkafka_lives_through_moved_leaders_and_restarted_brokers() -> Result<()> {
    let embedded = Embedded::start(Options::brokers(3).topic("moves", 3));
    let cluster = &embedded.cluster;
    let traffic = Traffic::text("moves", 3, 6_000, 100).pace(3_000);
    std::thread::scope(|scope| -> Result<()> {
        let producing = scope.spawn(|| traffic.produce(&embedded.bootstrap()));
        for broker in [1, 2, 3, 1] {
            let started = Instant::now();
            let end = cluster.log("moves", 0)?.end;
            while cluster.log("moves", 0)?.end < end + 100 && !producing.is_finished() {
                assert!(started.elapsed() < DEADLINE, "nothing is written any more");
                std::thread::yield_now();
            }
            let other = broker % 3 + 1;
            let partition = broker - 1;
            cluster.move_leader("moves", partition, other)?;
            embedded.runtime.block_on(cluster.restart_broker(broker))?;
        }
        producing.join().unwrap()?;
        Ok(())
    })?;
    sequence::audit(&embedded.bootstrap(), "moves", &traffic)?.assert_exactly_once()
}

#[test]
fn librdkafka_reads_from_the_replica_in_its_rack() -> Result<()> {
    let options = Options {
        racks: vec!["north".to_owned(), "south".to_owned()],
        ..Options::brokers(2).topic("near", 1).config(
            "replica.selector.class",
            "org.apache.kafka.common.replica.RackAwareReplicaSelector",
        )
    };
    let embedded = Embedded::start(options);
    assert_eq!(embedded.cluster.leader("near", 0)?, 1);
    Traffic::text("near", 1, 500, 100).produce(&embedded.bootstrap())?;
    // Never acts, but counts.
    let count = |broker| {
        let rule = Rule::on(ApiKey::Fetch).broker(broker).from(u64::MAX);
        embedded.cluster.faults().inject(rule.then(Action::DropBefore))
    };
    let follower = count(2);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", embedded.bootstrap())
        .set("group.id", "near")
        .set("client.rack", "south")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset("near", 0, Offset::Beginning)?;
    consumer.assign(&assignment)?;
    let started = Instant::now();
    let mut read = 0;
    while read < 500 {
        assert!(started.elapsed() < DEADLINE, "{read} records after a minute");
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            assert_eq!(message?.offset(), read);
            read += 1;
        }
    }
    assert!(follower.seen() > 0, "the replica in the rack was never asked");
    Ok(())
}

#[test]
fn kcat_writes_reads_and_lists() -> Result<()> {
    let kcat = find_program("kcat").context("kcat was not found, on Debian: apt-get install kcat")?;
    let embedded = Embedded::start(Options::brokers(2).topic("cat", 2));
    let bootstrap = embedded.bootstrap();
    let kcat = |arguments: &[&str], input: &str| {
        let mut command = Command::new(&kcat);
        command.args(["-b", &bootstrap]).args(arguments);
        run(command, input)
    };
    kcat(
        &["-P", "-t", "cat", "-p", "1", "-K", ":", "-z", "zstd", "-H", "h=v"],
        "a:1\nb:2\n",
    )?;
    let read = kcat(
        &["-C", "-t", "cat", "-p", "1", "-e", "-q", "-f", "%o %k=%s %h\n"],
        "",
    )?;
    assert_eq!(read, "0 a=1 h=v\n1 b=2 h=v\n");
    let listed = kcat(&["-L", "-J"], "")?;
    let listed: serde_json::Value = serde_json::from_str(&listed)?;
    assert_eq!(listed["brokers"].as_array().map(Vec::len), Some(2));
    assert_eq!(listed["topics"][0]["topic"], "cat");
    assert_eq!(
        listed["topics"][0]["partitions"].as_array().map(Vec::len),
        Some(2)
    );
    let offset = kcat(&["-Q", "-t", "cat:1:-1"], "")?;
    assert!(offset.contains("offset 2"), "{offset}");
    Ok(())
}

#[test]
fn kafkas_console_tools_work() -> Result<()> {
    let kafka = Kafka::fetch()?;
    let embedded = Embedded::start(Options::brokers(2));
    let bootstrap = embedded.bootstrap();
    let tool = |class: &str, arguments: &[&str]| {
        let all = [&["--bootstrap-server", &bootstrap], arguments].concat();
        kafka.tool(class, &all)
    };
    const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
    const CONFIGS: &str = "kafka.admin.ConfigCommand";
    let create = [
        "--create",
        "--topic",
        "tools",
        "--partitions",
        "2",
        "--replication-factor",
        "2",
    ];
    tool(
        TOPICS,
        &[&create[..], &["--config", "retention.ms=1000000"]].concat(),
    )?;
    tool(TOPICS, &["--alter", "--topic", "tools", "--partitions", "3"])?;
    let described = tool(TOPICS, &["--describe", "--topic", "tools"])?;
    for part in [
        "PartitionCount: 3",
        "ReplicationFactor: 2",
        "retention.ms=1000000",
        "Isr: ",
    ] {
        assert!(described.contains(part), "{part} is missing in\n{described}");
    }
    tool(
        CONFIGS,
        &[
            "--alter",
            "--topic",
            "tools",
            "--add-config",
            "max.message.bytes=5000",
        ],
    )?;
    let described = tool(CONFIGS, &["--describe", "--topic", "tools"])?;
    assert!(described.contains("max.message.bytes=5000"), "{described}");
    let described = tool(CONFIGS, &["--describe", "--broker", "1", "--all"])?;
    assert!(described.contains("message.max.bytes=1048588"), "{described}");

    let mut producer = kafka.java("org.apache.kafka.tools.ConsoleProducer", &["-Xmx256m"]);
    producer.args(["--bootstrap-server", &bootstrap, "--topic", "tools"]);
    producer.args([
        "--reader-property",
        "parse.key=true",
        "--reader-property",
        "key.separator=:",
    ]);
    producer.args(["--compression-codec", "gzip"]);
    run(producer, "a:1\nb:2\nc:3\n")?;
    let offsets = tool("org.apache.kafka.tools.GetOffsetShell", &["--topic", "tools"])?;
    let sum: i64 = offsets
        .lines()
        .filter_map(|line| line.rsplit(':').next()?.parse::<i64>().ok())
        .sum();
    assert_eq!(sum, 3, "{offsets}");
    let mut values = Vec::new();
    for partition in ["0", "1", "2"] {
        let end = embedded.cluster.log("tools", partition.parse()?)?.end.to_string();
        if end == "0" {
            continue;
        }
        let consumed = tool(
            "org.apache.kafka.tools.consumer.ConsoleConsumer",
            &[
                "--topic",
                "tools",
                "--partition",
                partition,
                "--offset",
                "earliest",
                "--max-messages",
                &end,
            ],
        )?;
        values.extend(consumed.lines().filter(|line| line.len() == 1).map(str::to_owned));
    }
    values.sort_unstable();
    assert_eq!(values, ["1", "2", "3"]);
    tool(TOPICS, &["--delete", "--topic", "tools"])?;
    let listed = tool(TOPICS, &["--list"])?;
    assert!(!listed.contains("tools"), "{listed}");
    Ok(())
}

#[test]
fn the_worker_mirrors_from_one_embedded_cluster_to_another() -> Result<()> {
    let source = Embedded::start(Options::brokers(2));
    let target = Embedded::start(Options {
        seed: 1,
        ..Options::brokers(3)
    });
    source
        .cluster
        .create_topic(&NewTopic::new("mirrored", 4).config("retention.ms", "-1"))?;
    let traffic = Traffic::orders("mirrored", 4, 20_000);
    traffic.produce(&source.bootstrap())?;
    let mut worker = Worker::new(&[
        ("bootstrap.servers", &target.bootstrap()),
        ("offset.storage.topic", "positions"),
    ])?;
    worker.connector(&Connector::mirror("mirrored", &source.bootstrap()).set("topics", "mirrored"))?;
    worker.start()?;
    let done =
        |status: &towpath_lab::towpath::Status| status.mirrored().records == 20_000 && status.lag() == 0;
    worker.wait_for("everything to be mirrored", DEADLINE, done)?;
    worker.stop()?;
    let (source, target) = (source.bootstrap(), target.bootstrap());
    compare::assert_same((&source, "mirrored"), (&target, "mirrored"), 20_000)?;
    Ok(())
}
