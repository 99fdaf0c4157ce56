//! The product's worker as users run it: the real binary, its files in a folder of its own, and its status file read back.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use towpath_lab::{broker::Pair, towpath::{Connector, Worker}};
//! # let pair = Pair::shared();
//! let mut worker = Worker::new(&[("bootstrap.servers", pair.target.bootstrap())])?;
//! worker.connector(&Connector::mirror("m", pair.source.bootstrap()).set("topics", "orders"))?;
//! worker.start()?;
//! worker.wait_until_mirrored("orders", &pair.source, Duration::from_secs(60))?;
//! worker.stop()?;
//! # anyhow::Ok(())
//! ```

mod refusal;
mod resolving;
mod sharing;

pub use sharing::BUCKETS;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use tempfile::TempDir;

use crate::{
    admin::Admin,
    broker::Broker,
    environment,
    process::Process,
    wait::{self, Hopeless},
};

/// A connector's `{"name", "config"}`.
#[derive(Clone, Debug)]
pub struct Connector {
    pub name: String,
    pub config: serde_json::Map<String, serde_json::Value>,
}

/// A worker and its files: `worker.properties`, one JSON a connector, the status file, the log.
pub struct Worker {
    connectors: Vec<PathBuf>,
    hosts: Option<PathBuf>,
    process: Option<Process>,
    // After the process: fields are dropped in order.
    dir: TempDir,
}

/// The status file. Fields that a test does not know are in its text ([`Worker::status_text`]).
#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    pub connectors: Vec<ConnectorStatus>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct ConnectorStatus {
    pub name: String,
    pub connector: RunStatus,
    /// What is tried again.
    pub trouble: Option<String>,
    pub delivery: Option<Delivery>,
    /// The keys of the limits that hold it back.
    #[serde(default)]
    pub throttled: Vec<String>,
    #[serde(default)]
    pub tasks: Vec<TaskStatus>,
    #[serde(default)]
    pub lag: Lag,
    #[serde(default)]
    pub mirrored: Mirrored,
    /// What the worker has of it, when others share it.
    pub buckets: Option<Vec<u32>>,
    #[serde(default)]
    pub plugins: Vec<PluginStatus>,
    /// Of a `MirrorCheckpoint`.
    #[serde(default)]
    pub groups: Vec<GroupStatus>,
}

/// What holds for the records on the target.
#[derive(Clone, Debug, Deserialize)]
pub struct Delivery {
    pub guarantee: String,
    /// `offsets.mode`
    pub offsets: String,
    /// With `auto`, by topic.
    #[serde(default)]
    pub topics: BTreeMap<String, Chosen>,
}

/// Which offsets a topic's records have on the target, and why.
#[derive(Clone, Debug, Deserialize)]
pub struct Chosen {
    pub offsets: String,
    pub reason: String,
}

/// How a group's offset of a partition is synced.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GroupStatus {
    pub group: String,
    pub topic: String,
    pub partition: i32,
    pub source_offset: i64,
    pub target_offset: Option<i64>,
    pub state: String,
    pub reason: Option<String>,
}

/// What an alias's plugin did.
#[derive(Clone, Debug, Deserialize)]
pub struct PluginStatus {
    pub alias: String,
    pub kind: String,
    pub name: String,
    pub version: String,
    pub digest: String,
    pub calls: u64,
    pub call_ms_total: f64,
    pub call_ms_max: f64,
    pub memory_bytes_max: u64,
    /// By cause.
    pub broken: BTreeMap<String, u64>,
    /// `in`, `out`, `dropped`, `rejected`, `unanswered`; of no router.
    #[serde(default)]
    pub records: BTreeMap<String, u64>,
    #[serde(default)]
    pub counters: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct RunStatus {
    pub state: String,
    pub trace: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct TaskStatus {
    pub id: usize,
    pub state: String,
    pub trace: Option<String>,
    #[serde(default)]
    pub partitions: Vec<PartitionStatus>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct PartitionStatus {
    pub topic: String,
    pub partition: i32,
    pub target: Option<String>,
    /// Source offset up to which everything is on the target.
    pub position: Option<i64>,
    pub end: Option<i64>,
    pub lag: Option<i64>,
    pub state: String,
    /// The follower that is read instead of the leader.
    pub read_from: Option<i32>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Lag {
    pub records: i64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Mirrored {
    pub records: u64,
    pub bytes: u64,
    /// Batches passed through as they were.
    pub copied: u64,
    /// Batches decoded and written anew.
    pub decoded: u64,
    pub skipped: u64,
    pub dead_lettered: u64,
}

const STOPPED: Duration = Duration::from_secs(60);

// === impl Connector ===

impl Connector {
    /// A `MirrorSource` from a cluster into the worker's.
    pub fn mirror(name: &str, source_bootstrap: &str) -> Self {
        Self {
            name: name.to_owned(),
            config: serde_json::Map::new(),
        }
        .set("connector.class", "MirrorSource")
        .set("source.cluster.bootstrap.servers", source_bootstrap)
        // A test that adds a topic does not wait for half a minute.
        .set("refresh.topics.interval.seconds", "1")
    }

    /// A `MirrorCheckpoint` from a cluster into the worker's.
    pub fn checkpoint(name: &str, source_bootstrap: &str) -> Self {
        Self {
            name: name.to_owned(),
            config: serde_json::Map::new(),
        }
        .set("connector.class", "MirrorCheckpoint")
        .set("source.cluster.bootstrap.servers", source_bootstrap)
        .set("refresh.groups.interval.seconds", "1")
    }

    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.config.insert(key.to_owned(), value.into());
        self
    }

    /// As it is posted.
    pub fn body(&self) -> serde_json::Value {
        serde_json::json!({ "name": self.name, "config": self.config })
    }

    fn json(&self) -> String {
        self.body().to_string()
    }
}

// === impl Worker ===

impl Worker {
    /// Writes `worker.properties`; nothing runs yet.
    pub fn new(properties: &[(&str, &str)]) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("towpath-worker-").tempdir()?;
        let worker = Self {
            connectors: Vec::new(),
            hosts: None,
            process: None,
            dir,
        };
        worker.properties(properties)?;
        Ok(worker)
    }

    /// Names mean to it what this file says, in the place of `/etc/hosts`; others see nothing of that. The file may be written anew while the worker
    /// runs. Needs mount namespaces that anybody may make (`unshare`).
    pub fn set_hosts(&mut self, file: &Path) -> Result<()> {
        self.hosts = Some(file.to_owned());
        let output = self.under_hosts(Path::new("true")).output()?;
        ensure!(
            output.status.success(),
            "a process cannot have an /etc/hosts of its own here (util-linux' unshare, user namespaces): {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// Writes `worker.properties` anew, for the next start.
    pub fn properties(&self, properties: &[(&str, &str)]) -> Result<()> {
        let text: String = properties
            .iter()
            .map(|(key, value)| format!("{key}={value}\n"))
            .collect();
        Ok(fs::write(self.properties_file(), text)?)
    }

    /// Writes a connector's file. A running worker reads it again when its name is known from the start.
    pub fn connector(&mut self, connector: &Connector) -> Result<()> {
        self.connector_text(&connector.name, &connector.json())
    }

    /// As [`Worker::connector`] with any text, to see what the worker says about it.
    pub fn connector_text(&mut self, name: &str, text: &str) -> Result<()> {
        let file = self.dir.path().join(format!("{name}.json"));
        let new = file.with_extension("new");
        fs::write(&new, text)?;
        fs::rename(&new, &file)?;
        if !self.connectors.contains(&file) {
            self.connectors.push(file);
        }
        Ok(())
    }

    pub fn properties_file(&self) -> PathBuf {
        self.dir.path().join("worker.properties")
    }

    pub fn log(&self) -> PathBuf {
        self.dir.path().join("worker.log")
    }

    /// The worker's log so far, over all its starts.
    pub fn log_text(&self) -> String {
        fs::read(self.log())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Starts it, or starts it again after a stop or a kill.
    pub fn start(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "the worker runs already");
        // What an earlier run wrote must not pass for what this one does.
        match fs::remove_file(self.status_file()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        self.process = Some(Process::spawn(
            "towpath worker",
            &self.command()?,
            &self.log(),
            Some(self.dir.path()),
        )?);
        Ok(())
    }

    /// Leaves its folder where it is when it is dropped, and says where.
    pub fn keep(&mut self) -> &Path {
        self.dir.disable_cleanup(true);
        self.dir.path()
    }

    pub fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("the worker is stopped")
    }

    /// SIGTERM: it must end by itself, with code 0.
    pub fn stop(&mut self) -> Result<()> {
        let process = self.process()?;
        let status = process.stop(STOPPED)?;
        let tail = process.log_tail(20);
        self.process = None;
        ensure!(status.success(), "the worker ended with {status}:\n{tail}");
        Ok(())
    }

    /// SIGKILL: as a crash.
    pub fn kill(&mut self) -> Result<()> {
        self.process()?.kill()?;
        self.process = None;
        Ok(())
    }

    /// The status file's text, when it was written since the start.
    pub fn status_text(&self) -> Option<String> {
        fs::read_to_string(self.status_file()).ok()
    }

    pub fn status(&self) -> Result<Option<Status>> {
        let Some(text) = self.status_text() else {
            return Ok(None);
        };
        serde_json::from_str(&text)
            .map(Some)
            .with_context(|| format!("a status file of another shape: {text}"))
    }

    /// Waits until the status is as wanted. Fails at once when the worker ends; what a `FAILED` task means is the caller's business.
    pub fn wait_for(
        &mut self,
        what: &str,
        deadline: Duration,
        mut wanted: impl FnMut(&Status) -> bool,
    ) -> Result<Status> {
        let waited = wait::until(what, deadline, || {
            self.check_alive()?;
            Ok(self.status()?.filter(|status| wanted(status)))
        });
        waited.with_context(|| {
            let tail = self
                .process
                .as_ref()
                .map(|process| process.log_tail(20))
                .unwrap_or_default();
            format!("status: {}\nlog: {tail}", self.status_text().unwrap_or_default())
        })
    }

    /// Waits until every partition of a source topic is mirrored up to the end offset that it has now. A `FAILED` task ends the wait.
    pub fn wait_until_mirrored(
        &mut self,
        topic: &str,
        source: &Broker,
        deadline: Duration,
    ) -> Result<Status> {
        self.wait_until_mirrored_from(topic, &source.admin()?, deadline)
    }

    /// As [`Worker::wait_until_mirrored`] from a cluster of several brokers.
    pub fn wait_until_mirrored_from(
        &mut self,
        topic: &str,
        source: &Admin<'_>,
        deadline: Duration,
    ) -> Result<Status> {
        let ends: Vec<i64> = source.offsets(topic)?.into_iter().map(|(_, end)| end).collect();
        let mut failure = None;
        let status = self.wait_for(
            &format!("{topic} to be mirrored up to {ends:?}"),
            deadline,
            |status| {
                failure = status.failure();
                failure.is_some()
                    || (0..)
                        .zip(&ends)
                        .all(|(partition, end)| *end == 0 || status.position(topic, partition) >= Some(*end))
            },
        )?;
        match failure {
            Some(trace) => bail!("a task failed: {trace}"),
            None => Ok(status),
        }
    }

    fn check_alive(&mut self) -> Result<()> {
        let process = self.process()?;
        if let Some(status) = process.ended()? {
            bail!(anyhow!(Hopeless(format!(
                "the worker ended with {status}:\n{}",
                process.log_tail(30)
            ))));
        }
        Ok(())
    }

    fn command(&self) -> Result<Command> {
        let mut command = self.under_hosts(&binary()?);
        command.arg("worker").arg("--config").arg(self.properties_file());
        for connector in &self.connectors {
            command.arg("--connector").arg(connector);
        }
        command.arg("--status-file").arg(self.status_file());
        Ok(command)
    }

    fn under_hosts(&self, program: &Path) -> Command {
        let Some(hosts) = &self.hosts else {
            return Command::new(program);
        };
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--map-root-user", "sh", "-c"])
            .arg("mount --bind \"$0\" /etc/hosts && exec \"$@\"")
            .args([hosts, program]);
        command
    }

    fn status_file(&self) -> PathBuf {
        self.dir.path().join("status.json")
    }
}

// === impl Status ===

impl Status {
    pub fn connector(&self, name: &str) -> Option<&ConnectorStatus> {
        self.connectors.iter().find(|connector| connector.name == name)
    }

    pub fn partition(&self, topic: &str, partition: i32) -> Option<&PartitionStatus> {
        let tasks = self.connectors.iter().flat_map(|connector| &connector.tasks);
        tasks
            .flat_map(|task| &task.partitions)
            .find(|found| found.topic == topic && found.partition == partition)
    }

    /// A group's offset of a partition, as any connector syncs it.
    pub fn group(&self, group: &str, topic: &str, partition: i32) -> Option<&GroupStatus> {
        let groups = self.connectors.iter().flat_map(|connector| &connector.groups);
        groups
            .into_iter()
            .find(|found| found.group == group && found.topic == topic && found.partition == partition)
    }

    pub fn position(&self, topic: &str, partition: i32) -> Option<i64> {
        self.partition(topic, partition)?.position
    }

    pub fn mirrored(&self) -> Mirrored {
        self.connectors
            .iter()
            .fold(Mirrored::default(), |sum, connector| Mirrored {
                records: sum.records + connector.mirrored.records,
                bytes: sum.bytes + connector.mirrored.bytes,
                copied: sum.copied + connector.mirrored.copied,
                decoded: sum.decoded + connector.mirrored.decoded,
                skipped: sum.skipped + connector.mirrored.skipped,
                dead_lettered: sum.dead_lettered + connector.mirrored.dead_lettered,
            })
    }

    pub fn lag(&self) -> i64 {
        self.connectors
            .iter()
            .map(|connector| connector.lag.records)
            .sum()
    }

    /// The trace of the first connector or task that is `FAILED`.
    pub fn failure(&self) -> Option<String> {
        self.connectors.iter().find_map(|connector| {
            let runs = std::iter::once((&connector.connector.state, &connector.connector.trace));
            let mut runs = runs.chain(connector.tasks.iter().map(|task| (&task.state, &task.trace)));
            runs.find(|(state, _)| *state == "FAILED")
                .map(|(_, trace)| format!("{}: {}", connector.name, trace.as_deref().unwrap_or("no trace")))
        })
    }
}

/// The `towpath` binary: `TOWPATH_BIN`, or the one that cargo built beside this program.
pub fn binary() -> Result<PathBuf> {
    program("TOWPATH_BIN", "towpath")
}

pub(crate) fn program(variable: &str, name: &str) -> Result<PathBuf> {
    let file = match environment::variable(variable) {
        Some(file) => PathBuf::from(file),
        None => environment::profile_dir()?.join(name),
    };
    ensure!(
        file.is_file(),
        "{}: not built yet; run: cargo build --release --workspace --bins",
        file.display()
    );
    Ok(file)
}

/// Runs `towpath` with arguments to its end.
pub fn run(arguments: &[&str], dir: &Path) -> Result<Output> {
    Ok(Command::new(binary()?)
        .args(arguments)
        .current_dir(dir)
        .output()?)
}
