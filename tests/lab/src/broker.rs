//! Real brokers: one node each, or the nodes of a [`Cluster`](crate::cluster::Cluster); on free loopback ports, with an authorizer on.
//!
//! The plain listener's clients are `User:ANONYMOUS`, a super user, so an ordinary test needs no ACL. Logs of the broker are in
//! [`Broker::log`]; its data is removed with it.

mod listeners;
mod options;
pub(crate) mod ports;
mod seat;
mod zookeeper;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
};
use tempfile::TempDir;

use crate::{
    admin::Admin,
    kafka::{Kafka, Metadata},
    process::Process,
    segments::Batches,
    wait::{self, Hopeless},
};

pub use self::listeners::{Listener, Pem, STORE_PASSWORD, Sasl};
pub use self::options::BrokerOptions;
pub(crate) use self::seat::Seat;
use self::zookeeper::ZooKeeper;

/// A broker, alone in its cluster or one of several. Dropping it kills it and removes its data.
pub struct Broker {
    kafka: Kafka,
    options: BrokerOptions,
    seat: Seat,
    bootstrap: String,
    extra: Vec<listeners::Bound>,
    process: Option<Process>,
    _zookeeper: Option<ZooKeeper>,
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
/// How many sets of ports a broker is given before it counts as broken.
const PORTS_TRIED: usize = 3;
const STOPPED: Duration = Duration::from_secs(60);

// === impl Broker ===

impl Broker {
    /// Formats, starts and waits until the broker answers. A port that somebody took before the JVM was up is no reason to fail: it gets others.
    pub fn start(options: BrokerOptions) -> Result<Self> {
        let mut left = PORTS_TRIED;
        loop {
            left -= 1;
            let seat = Seat::alone(options.listeners.len())?;
            let mut broker = Self::install(options.clone(), seat)?;
            broker.format()?;
            match broker.start_again() {
                Err(_) if left > 0 && broker.found_its_port_taken() => {}
                started => return started.map(|()| broker),
            }
        }
    }

    fn found_its_port_taken(&self) -> bool {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        log.contains("Address already in use")
    }

    /// Writes its properties; nothing runs yet.
    pub(crate) fn install(options: BrokerOptions, seat: Seat) -> Result<Self> {
        let kafka = Kafka::fetch_release(options.release)?;
        let dir = tempfile::Builder::new()
            .prefix(&format!("towpath-{}-", options.name))
            .tempdir()?;
        let extra = listeners::bind(dir.path(), &options.listeners, &seat.ports[2..])?;
        let zookeeper = match kafka.metadata() {
            Metadata::KRaft => None,
            Metadata::ZooKeeper => Some(ZooKeeper::start(&kafka, seat.ports[1])?),
        };
        let broker = Self {
            bootstrap: format!("127.0.0.1:{}", seat.ports[0]),
            kafka,
            options,
            seat,
            extra,
            process: None,
            _zookeeper: zookeeper,
            dir,
        };
        broker.write_properties()?;
        Ok(broker)
    }

    /// Makes its data folder: of a cluster's nodes the first does, the others [`Broker::format_like`] it.
    pub(crate) fn format(&self) -> Result<()> {
        if self.kafka.metadata() == Metadata::ZooKeeper {
            return Ok(());
        }
        let config = self.properties_file().display().to_string();
        let mut format = vec![
            "format",
            "--cluster-id",
            &self.seat.cluster_id,
            "--config",
            &config,
        ];
        let users: Vec<String> = self
            .options
            .listeners
            .iter()
            .flat_map(Listener::scram_arguments)
            .collect();
        format.extend(users.iter().flat_map(|user| ["--add-scram", user]));
        self.kafka.tool("kafka.tools.StorageTool", &format)?;
        Ok(())
    }

    /// As [`Broker::format`] without starting a JVM: what is formatted differs in the node's and the folder's id only.
    pub(crate) fn format_like(&self, first: &Self) -> Result<()> {
        fs::create_dir_all(self.data())?;
        for entry in fs::read_dir(first.data())? {
            let entry = entry?;
            let to = self.data().join(entry.file_name());
            if entry.file_name() != META_PROPERTIES {
                fs::copy(entry.path(), to)?;
                continue;
            }
            let text: String = fs::read_to_string(entry.path())?
                .lines()
                .map(|line| match line.split_once('=') {
                    Some(("node.id", _)) => format!("node.id={}\n", self.seat.node),
                    Some(("directory.id", _)) => format!("directory.id={}\n", ports::cluster_id()),
                    _ => format!("{line}\n"),
                })
                .collect();
            fs::write(to, text)?;
        }
        Ok(())
    }

    /// Sets a property for its next start.
    pub fn set_property(&mut self, key: &str, value: &str) -> Result<()> {
        self.options.properties.retain(|(known, _)| known != key);
        self.options.properties.push((key.to_owned(), value.to_owned()));
        self.write_properties()
    }

    fn write_properties(&self) -> Result<()> {
        let mut properties = self
            .seat
            .properties(self.dir.path(), self.kafka.metadata(), &self.extra);
        for (key, value) in &self.options.properties {
            properties.retain(|(known, _)| known != key);
            properties.push((key.clone(), value.clone()));
        }
        let text: String = properties
            .iter()
            .map(|(key, value)| format!("{key}={value}\n"))
            .collect();
        Ok(fs::write(self.properties_file(), text)?)
    }

    fn properties_file(&self) -> PathBuf {
        self.dir.path().join("server.properties")
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Its id in its cluster.
    pub fn node(&self) -> i32 {
        self.seat.node
    }

    /// Address of the plain listener. It stays the same over restarts.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Address of a further listener: `TLS`, `SCRAM`, or the name that it was given.
    pub fn bootstrap_of(&self, name: &str) -> Result<&str> {
        Ok(&self.bound(name)?.address)
    }

    /// Where a further listener itself listens, whatever its clients are told.
    pub fn bind_address_of(&self, name: &str) -> Result<&str> {
        Ok(&self.bound(name)?.bind)
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
        Admin::new(&self.kafka, &self.bootstrap, 1)
    }

    /// The batches of a partition as they lie in the broker's segments.
    pub fn log_batches(&self, topic: &str, partition: i32) -> Result<Batches> {
        Batches::open(&self.data().join(format!("{topic}-{partition}")))
    }

    /// The first segment of a partition's log.
    pub fn segment(&self, topic: &str, partition: i32) -> PathBuf {
        let folder = self.data().join(format!("{topic}-{partition}"));
        folder.join(format!("{:020}.log", 0))
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

    /// None of its files can grow beyond so many bytes: a write that goes beyond is cut short, and fails, as on a full disk. (It is the limit of the process on
    /// the size of a file, so the error is EFBIG where a full disk says ENOSPC.) Kafka takes either for a failed disk, and ends. The next start has room again.
    /// Needs util-linux' `prlimit`.
    pub fn fill_disk(&mut self, bytes: u64) -> Result<()> {
        let status = Command::new("prlimit")
            .args(["--pid", &self.process()?.pid().to_string()])
            .arg(format!("--fsize={bytes}"))
            .status()
            .context("util-linux' prlimit is missing")?;
        ensure!(status.success(), "prlimit ended with {status}");
        Ok(())
    }

    /// Leaves its folder where it is when it is dropped, and says where.
    pub fn keep(&mut self) -> &Path {
        self.dir.disable_cleanup(true);
        self.dir.path()
    }

    /// Starts a stopped or killed broker on the same ports and data, and waits until it answers.
    pub fn start_again(&mut self) -> Result<()> {
        self.launch()?;
        self.wait_until_ready()
    }

    /// Starts it and does not wait: a cluster answers when most of its nodes are there.
    pub(crate) fn launch(&mut self) -> Result<()> {
        let logging = self.kafka.logging_flag(self.dir.path())?;
        let mut flags = self.seat.jvm_flags().to_vec();
        flags.extend(["-Djava.awt.headless=true", &logging]);
        let mut command = self.kafka.java("kafka.Kafka", &flags);
        command.arg(self.properties_file());
        let name = format!("broker {}", self.options.name);
        self.process = Some(Process::spawn(
            &name,
            &command,
            &self.log(),
            Some(self.dir.path()),
        )?);
        Ok(())
    }

    /// Stops in order and starts again.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.start_again()
    }

    pub(crate) fn wait_until_ready(&mut self) -> Result<()> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap)
            .create()?;
        let (name, node) = (self.options.name.clone(), self.seat.node);
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
            let registered = metadata.brokers().iter().any(|broker| broker.id() == node);
            Ok((led && registered).then_some(()))
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

/// Of a formatted folder: the node's id, and the folder's own.
const META_PROPERTIES: &str = "meta.properties";
