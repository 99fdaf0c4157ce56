//! Where topics without a stored position start, on two real brokers.

use std::time::Duration;

use anyhow::{Result, ensure};
use towpath_lab::{
    broker::Pair,
    generate::Traffic,
    read::{self, Isolation},
    towpath::{Connector, Worker},
};

const SOON: Duration = Duration::from_secs(60);
/// 2023-11-14T22:13:20Z. Ten records a millisecond follow.
const FIRST: i64 = 1_700_000_000_000;

fn pair() -> &'static Pair {
    Pair::shared()
}

fn traffic(topic: &str, records: u64) -> Traffic {
    Traffic {
        base_timestamp: FIRST,
        ..Traffic::orders(topic, 2, records)
    }
}

/// A topic of two partitions with that many records.
fn topic(name: &str, records: u64) -> Result<()> {
    pair()
        .source
        .admin()?
        .create_topic(name, 2, &[("retention.ms", "-1")])?;
    more(name, 0, records)
}

fn more(name: &str, first: u64, records: u64) -> Result<()> {
    let traffic = Traffic {
        first,
        ..traffic(name, records)
    };
    traffic.produce(pair().source.bootstrap())?;
    Ok(())
}

/// With one connector, whose topics begin with its name.
fn worker(name: &str, spec: &str) -> Result<Worker> {
    let mut worker = Worker::new(&[
        ("bootstrap.servers", pair().target.bootstrap()),
        ("offset.storage.topic", "positions"),
    ])?;
    let connector = Connector::mirror(name, pair().source.bootstrap())
        .set("topics", &format!("{name}[.].*"))
        // Time to fill a new topic before it is noticed.
        .set("refresh.topics.interval.seconds", "5")
        // Nobody is to see what fills the offsets before the start.
        .set("offsets.mode", "translate")
        .set("mirror.start.offset.spec", spec);
    worker.connector(&connector)?;
    Ok(worker)
}

/// Sequence numbers on the target, sorted.
fn copied(topic: &str) -> Result<Vec<u64>> {
    let mut found = Vec::new();
    read::topic(
        pair().target.bootstrap(),
        topic,
        Isolation::ReadCommitted,
        |message| {
            found.push(read::sequence(message)?);
            Ok(())
        },
    )?;
    found.sort_unstable();
    Ok(found)
}

/// On the target are these, each once.
fn assert_copied(topic: &str, expected: std::ops::Range<u64>) -> Result<()> {
    let found = copied(topic)?;
    let bounds = (found.first(), found.last(), found.len());
    ensure!(
        found == expected.clone().collect::<Vec<_>>(),
        "{topic}: expected {expected:?}, found (first, last, count) {bounds:?}"
    );
    Ok(())
}

#[test]
fn every_topic_starts_where_it_is_told_and_goes_on_from_there() -> Result<()> {
    let topics = ["time", "late", "offset", "latest", "rest"].map(|name| format!("starts.{name}"));
    for name in &topics {
        topic(name, 1000)?;
    }
    // The first row that matches counts.
    let spec = "starts.time=2023-11-14T22:13:20.050Z, starts.late=2100-01-01T00:00:00+01:00, starts.offset=offset:300, \
                starts.l.*=latest, starts.o.*=latest";
    let mut worker = worker("starts", spec)?;
    worker.start()?;
    worker.wait_for("all partitions to be found", SOON, |status| {
        topics
            .iter()
            .all(|name| (0..2).all(|partition| status.position(name, partition).is_some()))
    })?;
    // What comes later is mirrored from its first record, whatever the rows say.
    topic("starts.latecomer", 100)?;
    for name in &topics {
        more(name, 1000, 100)?;
    }
    for name in topics.iter().map(String::as_str).chain(["starts.latecomer"]) {
        worker.wait_until_mirrored(name, &pair().source, SOON)?;
    }
    worker.stop()?;

    // Positions are stored now: the rows count no more.
    for name in &topics {
        more(name, 1100, 10)?;
    }
    worker.start()?;
    for name in &topics {
        worker.wait_until_mirrored(name, &pair().source, SOON)?;
    }
    worker.stop()?;
    for (name, from) in topics.iter().zip([500, 1000, 600, 1000, 0]) {
        assert_copied(name, from..1110)?;
    }
    assert_copied("starts.latecomer", 0..100)
}

#[test]
fn an_offset_that_the_log_does_not_have_is_said_and_waited_for() -> Result<()> {
    topic("absent.ahead", 100)?;
    topic("absent.gone", 100)?;
    pair().source.admin()?.delete_records("absent.gone", 0, 40)?;
    let mut worker = worker("absent", "absent.ahead=offset:150, absent.gone=offset:10")?;
    worker.start()?;
    let status = worker.wait_for("both to be said", SOON, |status| {
        let connector = status.connector("absent");
        let told = connector.and_then(|connector| connector.trouble.as_deref());
        told.is_some_and(|told| {
            told.contains("150 of absent.ahead-0") && told.contains("10 of absent.gone-0")
        })
    })?;
    let told = status
        .connector("absent")
        .and_then(|connector| connector.trouble.clone())
        .unwrap_or_default();
    for part in [
        "mirror.start.offset.spec asks for offset 150 of absent.ahead-0, whose log has 0 to 50 (excluded)",
        "mirror.start.offset.spec asks for offset 10 of absent.gone-0, whose log has 40 to 50 (excluded)",
        "ask for one of them, or for earliest",
    ] {
        ensure!(told.contains(part), "{part:?} is missing in {told}");
    }
    // The other partition of that topic has its offset, and is mirrored.
    worker.wait_for("the sound partition", SOON, |status| {
        status.position("absent.gone", 1) == Some(50)
    })?;
    more("absent.ahead", 100, 300)?;
    worker.wait_until_mirrored("absent.ahead", &pair().source, SOON)?;
    worker.stop()?;
    assert_copied("absent.ahead", 300..400)
}
