//! There and back at the same time is refused, on two real brokers: within a worker, and between two of them.

use std::time::Duration;

use anyhow::{Result, ensure};
use towpath_lab::{
    broker::{Broker, Pair},
    generate::Traffic,
    towpath::{Connector, Worker},
};

const MIRRORED: Duration = Duration::from_secs(120);

fn pair() -> &'static Pair {
    Pair::shared()
}

fn mirror(name: &str, topic: &str, (from, to): (&Broker, &Broker)) -> Connector {
    Connector::mirror(name, from.bootstrap())
        .set("target.cluster.bootstrap.servers", to.bootstrap())
        .set("topics", topic)
        .set("mirror.start.offset.spec", &format!("{topic}=latest"))
}

fn worker(connectors: &[Connector]) -> Result<Worker> {
    let mut worker = Worker::new(&[
        ("bootstrap.servers", pair().target.bootstrap()),
        ("offset.storage.topic", "loops-positions"),
    ])?;
    for connector in connectors {
        worker.connector(connector)?;
    }
    Ok(worker)
}

fn both(topic: &str) -> Result<(Connector, Connector)> {
    let Pair { source, target } = pair();
    for broker in [source, target] {
        broker.admin()?.create_topic(topic, 1, &[])?;
    }
    Ok((
        mirror(&format!("{topic}-there"), topic, (source, target)),
        mirror(&format!("{topic}-back"), topic, (target, source)),
    ))
}

#[test]
fn there_and_back_in_one_worker_is_refused() -> Result<()> {
    let (there, back) = both("loop-one")?;
    let circle: &[&str] = &[
        "topics = \"loop-one\"",
        "by connector loop-one-there",
        "round for ever",
        "topics.exclude",
    ];
    worker(&[there, back])?.refuses(&[circle])?;
    Ok(())
}

#[test]
fn the_way_back_begins_when_the_way_there_has_ended() -> Result<()> {
    let topic = "loop-two";
    let Pair { source, target } = pair();
    let (there, back) = both(topic)?;
    let (mut there, mut back) = (worker(&[there])?, worker(&[back])?);
    there.start()?;
    there.wait_for("the first position", MIRRORED, |status| {
        status.position(topic, 0).is_some()
    })?;
    Traffic::orders(topic, 1, 500).produce(source.bootstrap())?;
    there.wait_until_mirrored(topic, source, MIRRORED)?;
    let by = |connector| {
        [
            "topics = \"loop-two\"",
            connector,
            "end that connector first",
            "offsets reset",
        ]
    };
    back.refuses(&[&by("by connector loop-two-there")])?;
    there.kill()?;
    back.refuses(&[&by("by connector loop-two-there")])?;
    there.start()?;
    there.wait_until_mirrored(topic, source, MIRRORED)?;
    there.stop()?;
    back.start()?;
    back.wait_for("the first position", MIRRORED, |status| {
        status.position(topic, 0).is_some()
    })?;
    Traffic::orders(topic, 1, 1000)
        .then(500)
        .produce(target.bootstrap())?;
    back.wait_until_mirrored(topic, target, MIRRORED)?;
    ensure!(source.admin()?.offsets(topic)? == [(0, 1000)]);
    there.refuses(&[&by("by connector loop-two-back")])?;
    back.stop()
}
