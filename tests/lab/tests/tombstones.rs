//! A compacted topic on two real brokers whose tombstones the cleaner has taken before they were mirrored: the worker says so, and the command that decides about it
//! deletes on the target what the source has deleted, whenever it is killed.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, ensure};
use rdkafka::Message;
use towpath_lab::{
    broker::Pair,
    generate::{Codec, Item, SEQ_HEADER, Sink},
    read::{self, Isolation},
    towpath::{Connector, Worker},
    wait,
};

const MIRRORED: Duration = Duration::from_secs(120);
const CLEANED: Duration = Duration::from_secs(180);
const KEYS: u64 = 3000;
/// Of the keys, one in three is deleted.
const DELETED: usize = 1000;

/// Values by their keys.
type Live = BTreeMap<Vec<u8>, Vec<u8>>;

fn pair() -> &'static Pair {
    Pair::shared()
}

fn worker(topic: &str, mode: &str) -> Result<Worker> {
    let mut worker = Worker::new(&[
        ("bootstrap.servers", pair().target.bootstrap()),
        ("offset.storage.topic", &format!("{topic}-positions")),
    ])?;
    worker.connector(
        &Connector::mirror(topic, pair().source.bootstrap())
            .set("topics", topic)
            .set("offsets.mode", mode)
            .set("exactly.once.support", "required"),
    )?;
    Ok(worker)
}

fn write(topic: &str, records: impl Iterator<Item = (u64, Option<Vec<u8>>)>) -> Result<()> {
    let sink = Sink::new(pair().source.bootstrap(), topic, Codec::Lz4, &[])?;
    let timestamp = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    for (key, value) in records {
        sink.send(&Item {
            partition: 0,
            timestamp,
            key: Some(format!("key-{key}").as_bytes()),
            value: value.as_deref(),
            headers: &[(SEQ_HEADER, Some(b"0"))],
        })?;
    }
    Ok(sink.finish()?)
}

/// The keys that have a value, and how many records have none.
fn live(bootstrap: &str, topic: &str) -> Result<(Live, usize)> {
    let (mut live, mut tombstones) = (BTreeMap::new(), 0);
    read::topic(bootstrap, topic, Isolation::ReadUncommitted, |message| {
        let key = message.key().unwrap_or_default().to_vec();
        match message.payload() {
            Some(value) => drop(live.insert(key, value.to_vec())),
            None => {
                tombstones += 1;
                live.remove(&key);
            }
        }
        Ok(())
    })?;
    Ok((live, tombstones))
}

/// Mirrors a compacted topic; then a third of the keys is deleted at the source while nobody mirrors, and their tombstones are gone, too.
fn missed(topic: &str, mode: &str) -> Result<Worker> {
    let source = pair().source.bootstrap();
    let configs = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "1000"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("min.compaction.lag.ms", "0"),
        ("max.compaction.lag.ms", "1000"),
        ("delete.retention.ms", "2000"),
    ];
    let admin = pair().source.admin()?;
    admin.create_topic(topic, 1, &configs)?;
    // The target keeps what it gets.
    pair()
        .target
        .admin()?
        .create_topic(topic, 1, &[("retention.ms", "-1")])?;
    write(topic, (0..KEYS).map(|key| (key, Some(vec![b'v'; 500]))))?;
    let mut worker = worker(topic, mode)?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair().source, MIRRORED)?;
    worker.stop()?;
    write(topic, (0..KEYS).step_by(3).map(|key| (key, None)))?;
    let mut round = KEYS;
    wait::until("the tombstones to be gone", CLEANED, || {
        // What is written begins another segment; its keys stay.
        write(topic, [(round, Some(b"more".to_vec()))].into_iter())?;
        round += 1;
        wait::pause(Duration::from_secs(2));
        Ok((live(source, topic)?.1 == 0).then_some(()))
    })?;
    worker.start()?;
    let status = worker.wait_for("the partition to stop", MIRRORED, |status| {
        status
            .partition(topic, 0)
            .is_some_and(|found| found.state == "tombstones-missed")
    })?;
    let failure = status.failure().unwrap_or_default();
    ensure!(
        failure.contains("delete.retention.ms (2000)")
            && failure.contains("decide by `towpath worker resolve`"),
        "{failure}"
    );
    worker.stop()?;
    Ok(worker)
}

#[test]
fn what_the_source_has_deleted_is_deleted_on_the_target_whenever_the_command_is_killed() -> Result<()> {
    let topic = "tombstones-translate";
    let mut worker = missed(topic, "translate")?;
    let (source, target) = (pair().source.bootstrap(), pair().target.bootstrap());
    let dry = worker.resolve(&["restart", "--dry-run"])?;
    ensure!(
        dry.contains(&format!("{DELETED} keys would be deleted on the target")),
        "{dry}"
    );
    ensure!(
        live(target, topic)?.0.len() == KEYS as usize,
        "a dry run changes nothing"
    );
    let mut killed = 0;
    for millis in [50, 120, 200, 300, 450] {
        killed += usize::from(worker.resolve_killed(&["restart"], Duration::from_millis(millis))?);
    }
    ensure!(killed > 0, "the command ends before it is killed");
    worker.resolve(&["restart"])?;
    let again = worker.resolve(&["restart", "--topic", topic])?;
    ensure!(again.contains("was decided already"), "{again}");
    ensure!(live(target, topic)?.0.len() == KEYS as usize - DELETED);
    pair()
        .source
        .admin()?
        .alter_topic(topic, &[("delete.retention.ms", "86400000")])?;
    write(topic, [(1, Some(b"new".to_vec())), (2, None)].into_iter())?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair().source, MIRRORED)?;
    worker.stop()?;
    let (expected, found) = (live(source, topic)?.0, live(target, topic)?.0);
    ensure!(
        expected == found,
        "{} keys at the source, {} on the target",
        expected.len(),
        found.len()
    );
    Ok(())
}

#[test]
fn with_preserved_offsets_it_is_accepted() -> Result<()> {
    let topic = "tombstones-preserve";
    let mut worker = missed(topic, "preserve")?;
    let refused = worker.resolve_refused(&["restart"])?;
    ensure!(
        refused.contains("its offsets are preserved") && refused.contains("use accept"),
        "{refused}"
    );
    let told = worker.resolve(&["accept"])?;
    ensure!(
        told.contains("may keep keys that the source has deleted"),
        "{told}"
    );
    pair()
        .source
        .admin()?
        .alter_topic(topic, &[("delete.retention.ms", "86400000")])?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair().source, MIRRORED)?;
    worker.stop()?;
    let (source, target) = (pair().source.bootstrap(), pair().target.bootstrap());
    let (expected, found) = (live(source, topic)?.0, live(target, topic)?.0);
    ensure!(
        expected.iter().all(|(key, value)| found.get(key) == Some(value))
            && found.len() == expected.len() + DELETED,
        "{} keys at the source, {} on the target",
        expected.len(),
        found.len()
    );
    Ok(())
}
