//! Which build of a plugin a worker runs, on two real brokers: the one its connector was accepted with, or none.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rdkafka::{Message, message::Headers};
use tempfile::TempDir;
use towpath_lab::{
    broker::Pair,
    generate::{Codec, Item, Sink},
    plugins,
    read::{self, Isolation},
    towpath::{Connector, Worker},
};

const MIRRORED: Duration = Duration::from_secs(300);

fn pair() -> &'static Pair {
    Pair::shared()
}

/// A folder for `plugin.path`, and what is in it.
struct Plugins {
    folder: TempDir,
}

// === impl Plugins ===

impl Plugins {
    fn new() -> Result<Self> {
        Ok(Self {
            folder: TempDir::new()?,
        })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts a build of `hostile` there. Builds differ by what `describe` says, and not in what they do.
    fn put(&self, file: &str, version: &str, says: &str) -> Result<()> {
        let component = fs::read(plugins::adversaries()?.join("hostile.wasm"))?;
        let component = replaced(
            component,
            "hostile-version:0.1.0",
            &format!("hostile-version:{version}"),
        )?;
        Ok(fs::write(
            self.path().join(file),
            replaced(component, "Misbehaves.", says)?,
        )?)
    }

    fn worker(&self, connectors: &[Connector]) -> Result<Worker> {
        let mut worker = Worker::new(&[
            ("bootstrap.servers", pair().target.bootstrap()),
            ("plugin.path", &self.path().display().to_string()),
            ("offset.storage.topic", "positions-digests"),
        ])?;
        for connector in connectors {
            worker.connector(connector)?;
        }
        Ok(worker)
    }
}

/// Text of the same length in a binary, which stays sound.
fn replaced(mut bytes: Vec<u8>, from: &str, to: &str) -> Result<Vec<u8>> {
    assert_eq!(from.len(), to.len());
    let at = bytes
        .windows(from.len())
        .position(|window| window == from.as_bytes());
    let at = at.with_context(|| format!("{from:?} is not in the component"))?;
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    Ok(bytes)
}

/// A mirror of the topic of the same name, whose plugin breaks on `bad`.
fn mirror(name: &str, plugin: &str) -> Connector {
    Connector::mirror(name, pair().source.bootstrap())
        .set("topics", name)
        .set("transforms", "odd")
        .set("transforms.odd.type", plugin)
        .set("transforms.odd.act", "trap-on-bad")
        .set("errors.tolerance", "all")
        .set("errors.deadletterqueue.topic.name", &format!("{name}-dead"))
}

fn write(topic: &str, values: &[&str]) -> Result<()> {
    let admin = pair().source.admin()?;
    if admin.partitions(topic)?.is_none() {
        admin.create_topic(topic, 1, &[("retention.ms", "-1")])?;
    }
    let sink = Sink::new(pair().source.bootstrap(), topic, Codec::None, &[])?;
    for value in values {
        sink.send(&Item {
            partition: 0,
            timestamp: 1000,
            key: None,
            value: Some(value.as_bytes()),
            headers: &[],
        })?;
        sink.serve();
    }
    sink.finish()?;
    Ok(())
}

/// Which plugin broke on each record of the dead letter queue, in order.
fn broke(name: &str) -> Result<Vec<String>> {
    let mut all = Vec::new();
    let (target, topic) = (pair().target.bootstrap(), format!("{name}-dead"));
    read::topic(target, &topic, Isolation::ReadCommitted, |message| {
        let headers = message.headers().context("a letter has headers")?;
        let class = headers
            .iter()
            .find(|header| header.key == "__connect.errors.class.name");
        let class = class.and_then(|header| header.value).context("a plugin")?;
        all.push(String::from_utf8_lossy(class).into_owned());
        Ok(())
    })?;
    Ok(all)
}

/// Starts it, has it mirror one more record that the plugin breaks on, and stops it.
fn run(worker: &mut Worker, name: &str) -> Result<()> {
    write(name, &["bad"])?;
    worker.start()?;
    worker.wait_until_mirrored(name, &pair().source, MIRRORED)?;
    worker.stop()
}

#[test]
fn the_build_that_was_accepted_runs_until_the_configuration_names_another() -> Result<()> {
    let plugins = Plugins::new()?;
    plugins.put("one.wasm", "0.1.0", "Misbehaves.")?;
    let mut worker = plugins.worker(&[mirror("accepted", "hostile")])?;
    run(&mut worker, "accepted")?;

    plugins.put("two.wasm", "0.2.0", "Misbehaves.")?;
    run(&mut worker, "accepted")?;
    assert_eq!(broke("accepted")?, ["hostile@0.1.0", "hostile@0.1.0"]);
    let log = worker.log_text();
    ensure!(
        log.contains("to upgrade, write transforms.odd.type=hostile@0.2.0"),
        "{log}"
    );

    // Its contents are replaced under the same version. Once more, and nothing has changed: a refusal stores nothing.
    plugins.put("one.wasm", "0.1.0", "MISBEHAVES.")?;
    for _ in 0..2 {
        worker.refuses(&[&[
            "accepted.json: transforms.odd.type = \"hostile\": connector accepted was accepted with hostile@0.1.0 (sha256 ",
            "), which plugin.path does not have any more: hostile@0.2.0 (sha256 ",
            "put the file of hostile@0.1.0 with that digest back, or write transforms.odd.type=hostile@0.2.0 to change over to it",
        ]])?;
    }
    // Other keys of the connector are no other configuration of the plugin.
    worker.connector(&mirror("accepted", "hostile").set("tasks.max", "2"))?;
    worker.refuses(&[&["connector accepted was accepted with hostile@0.1.0"]])?;
    // Back again: it runs, although a newer version is there.
    plugins.put("one.wasm", "0.1.0", "Misbehaves.")?;
    run(&mut worker, "accepted")?;

    worker.connector(&mirror("accepted", "hostile@0.2.0"))?;
    run(&mut worker, "accepted")?;
    plugins.put("two.wasm", "0.2.0", "MISBEHAVES.")?;
    worker.refuses(&[&[
        "transforms.odd.type = \"hostile@0.2.0\": connector accepted was accepted with hostile@0.2.0 (sha256 ",
        "hostile@0.2.0 (sha256 ",
        "or build the new one under a version of its own, and name that",
    ]])?;
    // Another configuration of the alias finds its plugin anew.
    worker.connector(&mirror("accepted", "hostile@0.2.0").set("transforms.odd.size", "1"))?;
    run(&mut worker, "accepted")?;
    assert_eq!(
        broke("accepted")?,
        [
            "hostile@0.1.0",
            "hostile@0.1.0",
            "hostile@0.1.0",
            "hostile@0.2.0",
            "hostile@0.2.0"
        ]
    );
    Ok(())
}

#[test]
fn what_is_refused_binds_nobody_and_what_was_mirrored_once_does_though_killed() -> Result<()> {
    let plugins = Plugins::new()?;
    plugins.put("one.wasm", "0.1.0", "Misbehaves.")?;
    write("binding", &["bad"])?;
    let wrong = mirror("binding", "hostile").set("transforms.odd.size", "large");
    let mut worker = plugins.worker(&[wrong])?;
    worker.refuses(&[&["transforms.odd.size = \"large\""]])?;
    plugins.put("one.wasm", "0.1.0", "MISBEHAVES.")?;
    worker.connector(&mirror("binding", "hostile"))?;
    worker.start()?;
    worker.wait_until_mirrored("binding", &pair().source, MIRRORED)?;
    worker.kill()?;
    let file: PathBuf = plugins.path().join("one.wasm");
    let accepted = fs::read(&file)?;
    plugins.put("one.wasm", "0.1.0", "mISBEHAVES.")?;
    worker.refuses(&[&[
        "connector binding was accepted with hostile@0.1.0 (sha256 ",
        "hostile@0.1.0 (sha256 ",
        "or write transforms.odd.type=hostile@0.1.0 to change over to it",
    ]])?;
    fs::remove_file(&file)?;
    worker.refuses(&[&[
        "connector binding was accepted with hostile@0.1.0 (sha256 ",
        "nothing is in its place: there is no plugin hostile in `plugin.path`",
        "or name a plugin that is there",
    ]])?;
    // By digest, whatever the file is called.
    fs::write(plugins.path().join("renamed.wasm"), accepted)?;
    run(&mut worker, "binding")
}

#[test]
fn a_changed_file_of_a_running_worker_is_held_to_it_too() -> Result<()> {
    let plugins = Plugins::new()?;
    plugins.put("one.wasm", "0.1.0", "Misbehaves.")?;
    plugins.put("two.wasm", "0.2.0", "Misbehaves.")?;
    write("changing", &["bad"])?;
    let mut worker = plugins.worker(&[mirror("changing", "hostile@0.1.0")])?;
    worker.start()?;
    worker.wait_until_mirrored("changing", &pair().source, MIRRORED)?;
    worker.connector(&mirror("changing", "hostile@0.2.0"))?;
    towpath_lab::wait::until("the change to be applied", MIRRORED, || {
        Ok(worker
            .log_text()
            .contains("the changed file is applied")
            .then_some(()))
    })?;
    write("changing", &["bad"])?;
    worker.wait_until_mirrored("changing", &pair().source, MIRRORED)?;
    worker.kill()?;
    // What the change stored binds the next start; what was accepted before does not.
    fs::remove_file(plugins.path().join("one.wasm"))?;
    plugins.put("two.wasm", "0.2.0", "MISBEHAVES.")?;
    worker.refuses(&[&["connector changing was accepted with hostile@0.2.0 (sha256 "]])?;
    let all = broke("changing")?;
    assert_eq!(
        (all[0].as_str(), all[1].as_str()),
        ("hostile@0.1.0", "hostile@0.2.0")
    );
    Ok(())
}
