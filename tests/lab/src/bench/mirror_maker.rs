//! MirrorMaker 2 as a careful user runs it: its source connector alone in a standalone Connect worker, with a tuned producer and none
//! of the work that the comparison does not need (checkpoints, heartbeats, offset syncs, copying of ACLs and configs).
//!
//! Standalone is the leanest way there is: dedicated mode adds two connectors, three internal topics and a group, and starts later.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use super::contender::{Job, MASKED, REPLACEMENT, Running, Work};
use crate::kafka::Kafka;

const MASK: &str = include_str!("../../kafka/MaskField.java");
const MASK_CLASS: &str = "towpath.lab.MaskField";

/// What Kafka's own start script passes, with the heap of Connect's.
const JVM: [&str; 7] = [
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-Djava.awt.headless=true",
    "-Xms256m",
    "-Xmx2g",
];

pub(super) fn start(job: &Job<'_>) -> Result<Running> {
    let kafka = job.pair.source.kafka();
    let dir = tempfile::Builder::new().prefix("towpath-mm2-").tempdir()?;
    let classes = dir.path().join("classes");
    fs::create_dir(&classes)?;
    if job.work == Work::Mask {
        compile_mask(kafka, dir.path(), &classes)?;
    }
    let worker = dir.path().join("worker.properties");
    fs::write(&worker, text(worker_properties(job, dir.path())?))?;
    let connector = dir.path().join("connector.properties");
    fs::write(&connector, text(connector_properties(job)?))?;
    let logging = kafka.logging_flag(dir.path())?;
    let flags: Vec<&str> = JVM.into_iter().chain([logging.as_str()]).collect();
    let mut command = kafka.java_beside("org.apache.kafka.connect.cli.ConnectStandalone", &flags, &classes);
    command.args([&worker, &connector]);
    Running::spawn("MirrorMaker 2", &command, dir)
}

fn worker_properties(job: &Job<'_>, dir: &Path) -> Result<Vec<(String, String)>> {
    let offsets = dir.join("offsets");
    let bytes = "org.apache.kafka.connect.converters.ByteArrayConverter";
    let mut properties = own(&[
        ("bootstrap.servers", &job.link.address(&job.pair.target)?),
        (
            "offset.storage.file.filename",
            offsets.to_str().context("a plain name")?,
        ),
        ("listeners", "http://127.0.0.1:0"),
        ("key.converter", bytes),
        ("value.converter", bytes),
        ("header.converter", bytes),
        // The faster of the ways to find plugins.
        ("plugin.discovery", "service_load"),
        ("producer.batch.size", "524288"),
        ("producer.linger.ms", "50"),
        ("producer.compression.type", "lz4"),
        ("producer.buffer.memory", "134217728"),
        ("producer.max.request.size", "8388608"),
    ]);
    let security = job.link.properties(&job.pair.target)?;
    for prefix in ["", "producer."] {
        properties.extend(prefixed(prefix, &security));
    }
    Ok(properties)
}

fn connector_properties(job: &Job<'_>) -> Result<Vec<(String, String)>> {
    let mut properties = own(&[
        ("name", &job.name),
        (
            "connector.class",
            "org.apache.kafka.connect.mirror.MirrorSourceConnector",
        ),
        ("tasks.max", "2"),
        ("source.cluster.alias", "source"),
        ("target.cluster.alias", "target"),
        (
            "source.cluster.bootstrap.servers",
            &job.link.address(&job.pair.source)?,
        ),
        (
            "target.cluster.bootstrap.servers",
            &job.link.address(&job.pair.target)?,
        ),
        (
            "replication.policy.class",
            "org.apache.kafka.connect.mirror.IdentityReplicationPolicy",
        ),
        ("replication.factor", "1"),
        ("topics", job.topic),
        ("emit.offset-syncs.enabled", "false"),
        ("sync.topic.acls.enabled", "false"),
        ("sync.topic.configs.enabled", "false"),
        // Larger polls than 500 records: fewer rounds through Connect.
        ("source.consumer.max.poll.records", "4000"),
        ("source.consumer.max.partition.fetch.bytes", "4194304"),
    ]);
    for (prefix, broker) in [
        ("source.cluster.", &job.pair.source),
        ("target.cluster.", &job.pair.target),
    ] {
        properties.extend(prefixed(prefix, &job.link.properties(broker)?));
    }
    if job.work == Work::Mask {
        properties.extend(own(&[
            ("transforms", "mask"),
            ("transforms.mask.type", MASK_CLASS),
            ("transforms.mask.fields", &MASKED.join(",")),
            ("transforms.mask.replacement", REPLACEMENT),
        ]));
    }
    Ok(properties)
}

fn compile_mask(kafka: &Kafka, dir: &Path, classes: &Path) -> Result<()> {
    let source = dir.join("MaskField.java");
    fs::write(&source, MASK)?;
    kafka.compile(&source, classes)?;
    let services = classes.join("META-INF").join("services");
    fs::create_dir_all(&services)?;
    let service = services.join("org.apache.kafka.connect.transforms.Transformation");
    Ok(fs::write(service, MASK_CLASS)?)
}

fn own(properties: &[(&str, &str)]) -> Vec<(String, String)> {
    properties
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn prefixed(prefix: &str, properties: &[(String, String)]) -> Vec<(String, String)> {
    properties
        .iter()
        .map(|(key, value)| (format!("{prefix}{key}"), value.clone()))
        .collect()
}

fn text(properties: Vec<(String, String)>) -> String {
    properties
        .iter()
        .map(|(key, value)| format!("{key}={value}\n"))
        .collect()
}
