//! A mirror that is measured, as a process of its own.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Serialize;
use tempfile::TempDir;

use super::mirror_maker;
use crate::{
    broker::{Broker, Pair},
    plugins,
    process::Process,
    towpath::{Connector, Worker},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Contender {
    #[value(skip)]
    Towpath,
    /// MirrorMaker 2 of the Kafka under test
    Mm2,
    /// A mirror made of librdkafka's consumer and producer
    Rdkafka,
    /// Towpath with delivery.guarantee=at-least-once
    #[serde(rename = "at-least-once")]
    AtLeastOnce,
}

/// What to mirror: one topic, under its own name.
pub(super) struct Job<'a> {
    pub(super) pair: &'a Pair,
    pub(super) topic: &'a str,
    pub(super) partitions: i32,
    /// Unlike that of any other run: positions are found by it.
    pub(super) name: String,
    pub(super) work: Work,
    pub(super) link: Link,
    pub(super) falsify: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    PassThrough,
    Mask,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Plain,
    Tls,
}

/// A mirror at work. Dropping it kills it.
pub(super) struct Running {
    /// Just before its process was.
    pub(super) started: Instant,
    mirror: Mirror,
}

enum Mirror {
    Worker(Box<Worker>),
    /// With its files. Fields are dropped in order.
    Process(Process, TempDir),
}

pub(super) const MASKED: [&str; 2] = ["$.customer.card", "$.customer.email"];
pub(super) const REPLACEMENT: &str = "***";

const STOPPED: Duration = Duration::from_secs(60);

// === impl Contender ===

impl Contender {
    pub fn name(self) -> &'static str {
        match self {
            Self::Towpath => "towpath",
            Self::Mm2 => "mm2",
            Self::Rdkafka => "rdkafka",
            Self::AtLeastOnce => "at-least-once",
        }
    }

    pub(super) fn start(self, job: &Job<'_>) -> Result<Running> {
        match self {
            Self::Towpath => towpath(job, "exactly-once"),
            Self::AtLeastOnce => towpath(job, "at-least-once"),
            Self::Mm2 => mirror_maker::start(job),
            Self::Rdkafka => rdkafka(job),
        }
    }
}

// === impl Running ===

impl Running {
    /// Starts a program whose files are in `dir`.
    pub(super) fn spawn(name: &str, command: &Command, dir: TempDir) -> Result<Self> {
        let started = Instant::now();
        let process = Process::spawn(name, command, &dir.path().join("log"), Some(dir.path()))?;
        Ok(Self {
            started,
            mirror: Mirror::Process(process, dir),
        })
    }

    pub(super) fn process(&mut self) -> Result<&mut Process> {
        match &mut self.mirror {
            Mirror::Worker(worker) => worker.process(),
            Mirror::Process(process, _) => Ok(process),
        }
    }

    /// In order (SIGTERM), so that nothing is cut off that the comparison would miss.
    pub(super) fn stop(self) -> Result<()> {
        match self.mirror {
            Mirror::Worker(mut worker) => worker.stop(),
            Mirror::Process(mut process, _dir) => process.stop(STOPPED).map(|_| ()),
        }
    }
}

fn towpath(job: &Job<'_>, guarantee: &str) -> Result<Running> {
    let mut properties = vec![(
        "bootstrap.servers".to_owned(),
        job.link.address(&job.pair.target)?,
    )];
    properties.extend(job.link.properties(&job.pair.target)?);
    if job.work == Work::Mask {
        let plugins = plugins::folder()?.display().to_string();
        properties.push(("plugin.path".to_owned(), plugins));
    }
    let properties: Vec<(&str, &str)> = properties
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let mut worker = Worker::new(&properties)?;
    let mut connector = Connector::mirror(&job.name, &job.link.address(&job.pair.source)?)
        .set("topics", job.topic)
        .set("delivery.guarantee", guarantee)
        // What a round begins with must not depend on what `auto` makes of it.
        .set("offsets.mode", "translate")
        // The product's default; other tests want new topics sooner.
        .set("refresh.topics.interval.seconds", "30");
    for (key, value) in job.link.properties(&job.pair.source)? {
        connector = connector.set(&format!("source.cluster.{key}"), &value);
    }
    if job.work == Work::Mask {
        connector = connector
            .set("transforms", "mask")
            .set("transforms.mask.type", "mask-field")
            .set("transforms.mask.fields", &MASKED.join(","))
            .set("transforms.mask.replacement", REPLACEMENT);
    }
    worker.connector(&connector)?;
    let started = Instant::now();
    worker.start()?;
    Ok(Running {
        started,
        mirror: Mirror::Worker(Box::new(worker)),
    })
}

fn rdkafka(job: &Job<'_>) -> Result<Running> {
    let dir = tempfile::Builder::new().prefix("towpath-rdkafka-").tempdir()?;
    let mut command = Command::new(crate::towpath::program("TOWPATH_LAB_BIN", "towpath-lab")?);
    command
        .arg("rdkafka-mirror")
        .args(["--source", &job.link.address(&job.pair.source)?])
        .args(["--target", &job.link.address(&job.pair.target)?])
        .args(["--topic", job.topic])
        .args(["--partitions", &job.partitions.to_string()]);
    if job.work == Work::Mask {
        command.arg("--mask");
    }
    if job.link == Link::Tls {
        command.arg("--source-ca").arg(job.pair.source.ca_pem());
        command.arg("--target-ca").arg(job.pair.target.ca_pem());
    }
    if let Some(record) = job.falsify {
        command.args(["--falsify", &record.to_string()]);
    }
    Running::spawn("rdkafka-mirror", &command, dir)
}

// === impl Link ===

impl Link {
    pub(super) fn address(self, broker: &Broker) -> Result<String> {
        Ok(match self {
            Self::Plain => broker.bootstrap(),
            Self::Tls => broker.bootstrap_of("TLS")?,
        }
        .to_owned())
    }

    /// What a client needs beside the address, by Kafka's names.
    pub(super) fn properties(self, broker: &Broker) -> Result<Vec<(String, String)>> {
        match self {
            Self::Plain => Ok(Vec::new()),
            Self::Tls => read_properties(broker.client_properties("TLS")?),
        }
    }
}

fn read_properties(file: &Path) -> Result<Vec<(String, String)>> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    Ok(text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect())
}
