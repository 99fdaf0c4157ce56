//! Real brokers: one node each, KRaft, on free loopback ports, with StandardAuthorizer on.
//!
//! The plain listener's clients are `User:ANONYMOUS`, a super user, so an ordinary test needs no ACL. Logs of the broker are in
//! [`Broker::log`]; its data is removed with it.

mod listeners;
mod ports;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
};
use tempfile::TempDir;

use crate::{
    admin::Admin,
    kafka::Kafka,
    process::Process,
    segments::Batches,
    wait::{self, Hopeless},
};

pub use self::listeners::{Listener, STORE_PASSWORD};

/// How a broker differs from the usual one.
#[derive(Clone, Debug, Default)]
pub struct BrokerOptions {
    /// For messages: `source`, `target`.
    pub name: String,
    /// Properties of the broker; they win over the lab's.
    pub properties: Vec<(String, String)>,
    /// Listeners beside the plain one.
    pub listeners: Vec<Listener>,
}

/// A broker with its own cluster. Dropping it kills it and removes its data.
pub struct Broker {
    kafka: Kafka,
    options: BrokerOptions,
    bootstrap: String,
    extra: Vec<listeners::Bound>,
    process: Option<Process>,
    // After the process: fields are dropped in order.
    dir: TempDir,
}

/// Two clusters.
pub struct Pair {
    pub source: Broker,
    pub target: Broker,
}

/// Brokers share two cores with builds and with each other.
const READY: Duration = Duration::from_secs(120);
const STOPPED: Duration = Duration::from_secs(60);

// === impl BrokerOptions ===

impl BrokerOptions {
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn property(mut self, key: &str, value: &str) -> Self {
        self.properties.push((key.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn listener(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }
}

// === impl Broker ===

impl Broker {
    /// Formats, starts and waits until the broker answers.
    pub fn start(options: BrokerOptions) -> Result<Self> {
        let kafka = Kafka::fetch()?;
        let dir = tempfile::Builder::new()
            .prefix(&format!("towpath-{}-", options.name))
            .tempdir()?;
        let ports = ports::free(2 + options.listeners.len())?;
        let bootstrap = format!("127.0.0.1:{}", ports[0]);
        let extra = listeners::bind(&kafka, dir.path(), &options.listeners, &ports[2..])?;

        let mut properties = properties(dir.path(), ports[0], ports[1], &extra);
        for (key, value) in &options.properties {
            properties.retain(|(known, _)| known != key);
            properties.push((key.clone(), value.clone()));
        }
        let text: String = properties
            .iter()
            .map(|(key, value)| format!("{key}={value}\n"))
            .collect();
        let config = dir.path().join("server.properties");
        fs::write(&config, text)?;

        let cluster_id = ports::cluster_id();
        let config = config
            .to_str()
            .context("temporary folders have plain names")?
            .to_owned();
        let mut format = vec!["format", "--cluster-id", &cluster_id, "--config", &config];
        let users: Vec<String> = options
            .listeners
            .iter()
            .flat_map(Listener::scram_arguments)
            .collect();
        format.extend(users.iter().flat_map(|user| ["--add-scram", user]));
        kafka.tool("kafka.tools.StorageTool", &format)?;

        let mut broker = Self {
            kafka,
            options,
            bootstrap,
            extra,
            process: None,
            dir,
        };
        broker.start_again()?;
        Ok(broker)
    }

    /// Address of the plain listener. It stays the same over restarts.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Address of a further listener: `TLS` or `SCRAM`.
    pub fn bootstrap_of(&self, name: &str) -> Result<&str> {
        Ok(&self.bound(name)?.address)
    }

    /// A file of client properties (`security.protocol` and so on) for Java's console tools on a further listener.
    pub fn client_properties(&self, name: &str) -> Result<&Path> {
        Ok(&self.bound(name)?.client_properties)
    }

    /// The self-made certificate authority of the `TLS` listener, as PEM.
    pub fn ca_pem(&self) -> PathBuf {
        listeners::ca_pem(self.dir.path())
    }

    pub fn kafka(&self) -> &Kafka {
        &self.kafka
    }

    /// The broker's process; fails while it is stopped.
    pub fn process(&mut self) -> Result<&mut Process> {
        let name = &self.options.name;
        self.process
            .as_mut()
            .with_context(|| format!("the broker {name} is stopped"))
    }

    pub fn log(&self) -> PathBuf {
        self.dir.path().join("broker.log")
    }

    pub fn admin(&self) -> Result<Admin<'_>> {
        Admin::new(self)
    }

    /// The batches of a partition as they lie in the broker's segments.
    pub fn log_batches(&self, topic: &str, partition: i32) -> Result<Batches> {
        Batches::open(&self.dir.path().join("data").join(format!("{topic}-{partition}")))
    }

    /// Stops in order (SIGTERM): partitions are closed, nothing has to be recovered.
    pub fn stop(&mut self) -> Result<()> {
        self.process()?.stop(STOPPED)?;
        self.process = None;
        Ok(())
    }

    /// Ends it as a crash does (SIGKILL).
    pub fn kill(&mut self) -> Result<()> {
        self.process()?.kill()?;
        self.process = None;
        Ok(())
    }

    /// Starts a stopped or killed broker on the same ports and data, and waits until it answers.
    pub fn start_again(&mut self) -> Result<()> {
        let logging = Kafka::logging_flag(self.dir.path())?;
        let mut command = self.kafka.java(
            "kafka.Kafka",
            &[
                "-Xms128m",
                "-Xmx512m",
                "-XX:+UseG1GC",
                "-Djava.awt.headless=true",
                &logging,
            ],
        );
        command.arg(self.dir.path().join("server.properties"));
        let name = format!("broker {}", self.options.name);
        self.process = Some(Process::spawn(
            &name,
            &command,
            &self.log(),
            Some(self.dir.path()),
        )?);
        self.wait_until_ready()
    }

    /// Stops in order and starts again.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.start_again()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap)
            .create()?;
        let name = self.options.name.clone();
        let process = self.process()?;
        wait::until(&format!("the broker {name}"), READY, || {
            if let Some(status) = process.ended()? {
                return Err(anyhow!(Hopeless(format!(
                    "the broker {name} ended ({status}):\n{}",
                    process.log_tail(30)
                ))));
            }
            let metadata = consumer.fetch_metadata(None, Duration::from_secs(1))?;
            // After a restart every partition has a leader before clients are let loose.
            let led = metadata
                .topics()
                .iter()
                .flat_map(|topic| topic.partitions())
                .all(|partition| partition.leader() >= 0);
            Ok((led && !metadata.brokers().is_empty()).then_some(()))
        })
        .with_context(|| {
            format!(
                "log: {}",
                self.process()
                    .map(|process| process.log_tail(15))
                    .unwrap_or_default()
            )
        })
    }

    fn bound(&self, name: &str) -> Result<&listeners::Bound> {
        self.extra
            .iter()
            .find(|bound| bound.name == name)
            .with_context(|| format!("the broker {} has no listener {name}", self.options.name))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if thread::panicking()
            && let Some(process) = &self.process
        {
            eprintln!(
                "last lines of the broker {}:\n{}",
                self.options.name,
                process.log_tail(20)
            );
        }
    }
}

// === impl Pair ===

impl Pair {
    /// Starts two usual brokers at the same time.
    pub fn start() -> Result<Self> {
        Self::start_with(BrokerOptions::named("source"), BrokerOptions::named("target"))
    }

    pub fn start_with(source: BrokerOptions, target: BrokerOptions) -> Result<Self> {
        // Once, and not from two threads.
        Kafka::fetch()?;
        let (source, target) = thread::scope(|scope| {
            let source = scope.spawn(|| Broker::start(source));
            (source.join(), Broker::start(target))
        });
        let source = source.map_err(|_| anyhow!("starting the source broker panicked"))??;
        Ok(Self {
            source,
            target: target?,
        })
    }

    /// One pair for all tests of a test binary that neither stop it nor share topic names. It ends with the process.
    pub fn shared() -> &'static Self {
        static PAIR: OnceLock<Pair> = OnceLock::new();
        PAIR.get_or_init(|| Self::start().expect("the shared brokers start"))
    }
}

fn properties(dir: &Path, port: u16, controller: u16, extra: &[listeners::Bound]) -> Vec<(String, String)> {
    let listener = |bound: &listeners::Bound| format!(",{}://{}", bound.name, bound.address);
    let further: String = extra.iter().map(listener).collect();
    let protocols: String = extra
        .iter()
        .map(|bound| format!(",{}:{}", bound.name, bound.protocol))
        .collect();
    let mut properties: Vec<(String, String)> = [
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", "1".to_owned()),
        ("controller.quorum.voters", format!("1@127.0.0.1:{controller}")),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        (
            "listeners",
            format!("PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{further}"),
        ),
        (
            "advertised.listeners",
            format!("PLAINTEXT://127.0.0.1:{port}{further}"),
        ),
        (
            "listener.security.protocol.map",
            format!("PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}"),
        ),
        ("inter.broker.listener.name", "PLAINTEXT".to_owned()),
        (
            "authorizer.class.name",
            "org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned(),
        ),
        ("super.users", "User:ANONYMOUS".to_owned()),
        ("log.dirs", dir.join("data").display().to_string()),
        ("auto.create.topics.enable", "false".to_owned()),
        ("group.initial.rebalance.delay.ms", "0".to_owned()),
        // One broker, and few partitions of the internal topics: a start and a restart are faster.
        ("offsets.topic.replication.factor", "1".to_owned()),
        ("offsets.topic.num.partitions", "4".to_owned()),
        ("transaction.state.log.replication.factor", "1".to_owned()),
        ("transaction.state.log.min.isr", "1".to_owned()),
        ("transaction.state.log.num.partitions", "4".to_owned()),
        ("share.coordinator.state.topic.replication.factor", "1".to_owned()),
        ("share.coordinator.state.topic.min.isr", "1".to_owned()),
        // A test that waits for compaction or retention does not wait for minutes.
        ("log.cleaner.backoff.ms", "500".to_owned()),
        ("log.cleaner.dedupe.buffer.size", "16777216".to_owned()),
        ("log.retention.check.interval.ms", "5000".to_owned()),
        ("log.initial.task.delay.ms", "1000".to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    properties.extend(extra.iter().flat_map(|bound| bound.broker_properties.clone()));
    properties
}
