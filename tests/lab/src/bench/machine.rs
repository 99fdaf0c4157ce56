//! Where and with what it was measured: figures without that are worth nothing.

use std::{fmt, fs, process::Command, thread};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::{environment, kafka, kafka::Kafka, towpath};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub memory_gib: u64,
    pub kernel: String,
    /// Over one, five and fifteen minutes, before anything was started.
    pub load_average: String,
    pub rustc: String,
    pub java: String,
    pub kafka: String,
    pub librdkafka: String,
    /// Its version, and the commit where there is one.
    pub towpath: String,
    pub command: String,
}

// === impl Machine ===

impl Machine {
    pub(super) fn here(kafka: &Kafka) -> Result<Self> {
        let commit = output(
            Command::new("git")
                .args(["describe", "--always", "--dirty", "--abbrev=10"])
                .current_dir(environment::workspace_dir()),
        );
        let version = output(Command::new(towpath::binary()?).arg("--version"));
        Ok(Self {
            cpu: cpu().unwrap_or_else(unknown),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_gib: memory_gib().unwrap_or(0),
            kernel: read("/proc/sys/kernel/osrelease").unwrap_or_else(unknown),
            load_average: load_average().unwrap_or_else(unknown),
            rustc: output(Command::new("rustc").arg("--version")).unwrap_or_else(unknown),
            java: kafka.java_version()?,
            kafka: kafka::VERSION.to_owned(),
            librdkafka: rdkafka::util::get_rdkafka_version().1,
            towpath: match commit {
                Some(commit) => format!("{} ({commit})", version.unwrap_or_else(unknown)),
                None => version.unwrap_or_else(unknown),
            },
            command: command()?,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {} cores, {} GiB, Linux {}, load average {}; {}, {}, Java {}, Apache Kafka {}, librdkafka {}",
            self.cpu,
            self.cores,
            self.memory_gib,
            self.kernel,
            self.load_average,
            self.towpath,
            self.rustc,
            self.java,
            self.kafka,
            self.librdkafka
        )
    }
}

/// As it was typed, without the folder of the program.
fn command() -> Result<String> {
    let mut arguments = std::env::args();
    let program = arguments.next().context("a program has a name")?;
    let name = program.rsplit('/').next().unwrap_or(&program).to_owned();
    Ok(std::iter::once(name)
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" "))
}

fn cpu() -> Option<String> {
    let text = read("/proc/cpuinfo")?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory_gib() -> Option<u64> {
    let text = read("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some((kib + (1 << 19)) >> 20)
}

fn load_average() -> Option<String> {
    let text = read("/proc/loadavg")?;
    Some(text.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
}

fn read(file: &str) -> Option<String> {
    Some(fs::read_to_string(file).ok()?.trim().to_owned())
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn unknown() -> String {
    "unknown".to_owned()
}
