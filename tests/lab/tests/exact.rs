//! Exactly once, shown from the target's log: kills, holes in the source, other writers, other owners.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rdkafka::Message;
use towpath_domain::{Offset, offset_map::Runs};
use towpath_lab::{
    broker::Pair,
    compare,
    generate::{self, Codec, Item, Sink, Traffic, Transactions},
    offset_map, plugins,
    read::{self, Isolation},
    sequence,
    towpath::{Connector, Status, Worker},
    wait,
};

const MIRRORED: Duration = Duration::from_secs(300);
const SOON: Duration = Duration::from_secs(60);
const POSITIONS: &str = "positions";

fn pair() -> &'static Pair {
    Pair::shared()
}

fn worker_on(pair: &Pair, topic: &str, vary: impl FnOnce(Connector) -> Connector) -> Result<Worker> {
    let plugins = plugins::folder()?;
    let mut worker = Worker::new(&[
        ("bootstrap.servers", pair.target.bootstrap()),
        ("plugin.path", plugins.to_str().expect("a plain name")),
        ("offset.storage.topic", POSITIONS),
    ])?;
    worker.connector(&vary(
        Connector::mirror(topic, pair.source.bootstrap())
            .set("topics", topic)
            .set("offsets.mode", "translate")
            .set("exactly.once.support", "required"),
    ))?;
    Ok(worker)
}

fn worker(topic: &str) -> Result<Worker> {
    worker_on(pair(), topic, |connector| connector)
}

fn both(topic: &str) -> (compare::Topic<'_>, compare::Topic<'_>) {
    (
        (pair().source.bootstrap(), topic),
        (pair().target.bootstrap(), topic),
    )
}

/// Records on the target that any reader sees.
fn visible(pair: &Pair, topic: &str) -> Result<u64> {
    if pair.target.admin()?.partitions(topic)?.is_none() {
        return Ok(0);
    }
    let counts = read::count(pair.target.bootstrap(), topic, Isolation::ReadUncommitted)?;
    Ok(counts.iter().sum())
}

/// Source offset, target offset and how often, of each record of a partition; records are told apart by the lab's sequence number.
fn places(topic: &str) -> Result<Vec<Vec<(i64, i64)>>> {
    let offsets = |bootstrap: &str| {
        let mut offsets: Vec<Vec<(u64, i64)>> = Vec::new();
        read::topic(bootstrap, topic, Isolation::ReadCommitted, |message| {
            let partition = usize::try_from(message.partition())?;
            offsets.resize(offsets.len().max(partition + 1), Vec::new());
            offsets[partition].push((read::sequence(message)?, message.offset()));
            Ok(())
        })?;
        anyhow::Ok(offsets)
    };
    let (source, target) = (
        offsets(pair().source.bootstrap())?,
        offsets(pair().target.bootstrap())?,
    );
    let mut places = Vec::new();
    for (source, target) in source.iter().zip(&target) {
        let mut first: HashMap<u64, i64> = HashMap::new();
        for (sequence, offset) in target {
            first.entry(*sequence).or_insert(*offset);
        }
        let pairs = source
            .iter()
            .filter_map(|(sequence, offset)| Some((*offset, *first.get(sequence)?)));
        places.push(pairs.collect());
    }
    Ok(places)
}

/// Each offset of the source has the place on the target that reading both sides shows: its record's, or the next one's. Returns the runs.
fn assert_map_is_exact(topic: &str) -> Result<Vec<Runs>> {
    let places = places(topic)?;
    let ends = pair().target.admin()?.offsets(topic)?;
    let source_ends = pair().source.admin()?.offsets(topic)?;
    let stored = offset_map::stored(pair().target.bootstrap(), POSITIONS, topic, topic)?;
    ensure!(stored.len() == places.len(), "a row a partition");
    let mut maps = Vec::new();
    for (partition, stored) in stored.into_iter().enumerate() {
        let end = Offset(ends[partition].1);
        ensure!(!stored.row.open, "a worker that has stopped in peace says so");
        ensure!(
            stored.row.runs.len() < 2100,
            "{} runs in a row",
            stored.row.runs.len()
        );
        let runs = stored.runs();
        let mut next = places[partition].iter().peekable();
        for source in 0..source_ends[partition].1 {
            while next.peek().is_some_and(|(offset, _)| *offset < source) {
                next.next();
            }
            let found = runs.target_of(Offset(source), end);
            let expected = next.peek().map_or(end, |(_, target)| Offset(*target));
            // Behind the last record there is nothing but markers on either side.
            ensure!(
                found == Some(expected)
                    || (next.peek().is_none() && found >= Some(Offset(places[partition].len() as i64))),
                "partition {partition}, source offset {source}: {found:?} instead of {expected}"
            );
        }
        maps.push(runs);
    }
    Ok(maps)
}

/// Kills and starts the worker until `done`, at seeded moments.
fn kill_until(worker: &mut Worker, done: &AtomicBool, seed: u64) -> Result<u32> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut kills = 0;
    loop {
        worker.start()?;
        worker.wait_for("the worker to mirror", SOON, |status| {
            status
                .connectors
                .iter()
                .any(|connector| !connector.tasks.is_empty())
        })?;
        if done.load(Ordering::Relaxed) && kills > 0 {
            return Ok(kills);
        }
        wait::pause(Duration::from_millis(random.random_range(0..700)));
        worker.kill()?;
        kills += 1;
    }
}

#[test]
fn kills_amid_transactions_leave_each_committed_record_once_and_a_map_of_every_offset() -> Result<()> {
    let topic = "exact-transactions";
    pair().source.admin()?.create_topic(topic, 2, &[])?;
    let what = Transactions {
        topic: topic.to_owned(),
        partitions: 2,
        producers: 3,
        rounds: 250,
        records: 21,
        codec: Codec::Lz4,
    };
    let mut worker = worker(topic)?;
    let done = AtomicBool::new(false);
    let (committed, kills) = thread::scope(|scope| {
        let generator = scope.spawn(|| {
            let result = generate::transactional(pair().source.bootstrap(), &what);
            done.store(true, Ordering::Relaxed);
            result
        });
        let kills = kill_until(&mut worker, &done, 1);
        let (committed, _) = generator.join().expect("the generator does not panic")?;
        anyhow::Ok((committed, kills?))
    })?;
    worker.wait_until_mirrored(topic, &pair().source, MIRRORED)?;
    worker.stop()?;
    println!("{kills} kills");
    let (source, target) = both(topic);
    compare::assert_same(source, target, committed.total())?;
    let visible = read::count(target.0, topic, Isolation::ReadUncommitted)?;
    assert_eq!(
        visible, committed.records,
        "for readers of uncommitted records too"
    );
    let runs = assert_map_is_exact(topic)?;
    assert!(runs.iter().all(|runs| runs.len() > 100), "each marker ends a run");
    Ok(())
}

/// Kills the worker three times, each when it has written something; the records that are there then.
fn kill_thrice(worker: &mut Worker, topic: &str) -> Result<u64> {
    let mut before = 0;
    for _ in 0..3 {
        worker.start()?;
        wait::until("records to flow", SOON, || {
            Ok((visible(pair(), topic)? > before).then_some(()))
        })?;
        worker.kill()?;
        before = visible(pair(), topic)?;
    }
    Ok(before)
}

#[test]
fn a_worker_killed_amid_a_compacted_topic_shuts_out_its_late_batches_with_a_marker() -> Result<()> {
    let topic = "exact-compacted";
    generate::compacted(&pair().source, topic, 2, 40_000)?;
    let left = generate::rest_cleaner(&pair().source.admin()?, pair().source.bootstrap(), topic)?;
    pair().target.admin()?.create_topic(topic, 2, &[])?;
    let slow = |connector: Connector| {
        connector
            .set("target.max.bytes.per.second", "100000")
            .set("source.consumer.max.partition.fetch.bytes", "20000")
    };
    let mut worker = worker_on(pair(), topic, slow)?;
    let before = kill_thrice(&mut worker, topic)?;
    ensure!(before < left, "the kills came too late to show anything");
    let mut worker = worker_on(pair(), topic, |connector| connector)?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair().source, MIRRORED)?;
    worker.stop()?;
    let (source, target) = both(topic);
    compare::assert_same(source, target, left)?;
    compare::assert_same_uncommitted(source, target, left)?;
    assert_map_is_exact(topic)?;
    let ends: i64 = pair()
        .target
        .admin()?
        .offsets(topic)?
        .iter()
        .map(|(start, end)| end - start)
        .sum();
    assert!(
        ends as u64 > left,
        "no marker among {ends} offsets of {left} records"
    );
    Ok(())
}

fn visible_end(pair: &Pair, topic: &str) -> Result<i64> {
    if pair.target.admin()?.partitions(topic)?.is_none() {
        return Ok(0);
    }
    Ok(pair
        .target
        .admin()?
        .offsets(topic)?
        .iter()
        .map(|(_, end)| end)
        .sum())
}

fn is_in_state(status: &Status, topic: &str, state: &str) -> bool {
    status
        .partition(topic, 0)
        .is_some_and(|partition| partition.state == state)
}

fn produce_one(bootstrap: &str, topic: &str, value: &str) -> Result<()> {
    let sink = Sink::new(bootstrap, topic, Codec::None, &[])?;
    sink.send(&Item {
        partition: 0,
        timestamp: i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?,
        key: Some(b"k"),
        value: Some(value.as_bytes()),
        headers: &[],
    })?;
    Ok(sink.finish()?)
}

#[test]
fn somebody_else_who_writes_to_the_target_topic_stops_the_partition_now_and_after_a_restart() -> Result<()> {
    let topic = "exact-shared";
    pair().source.admin()?.create_topic(topic, 1, &[])?;
    produce_one(pair().source.bootstrap(), topic, "first")?;
    let mut worker = worker(topic)?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair().source, MIRRORED)?;
    produce_one(pair().target.bootstrap(), topic, "foreign")?;
    produce_one(pair().source.bootstrap(), topic, "second")?;
    let status = worker.wait_for("the partition to stop", SOON, |status| {
        is_in_state(status, topic, "target-diverged")
    })?;
    let trace = status.failure().context("the task has failed")?;
    assert!(trace.contains("target's offset 1"), "{trace}");
    worker.stop()?;
    // Not even the row's own record is needed for that: the log tells.
    worker.start()?;
    worker.wait_for("the partition to stop again", SOON, |status| {
        is_in_state(status, topic, "target-diverged")
    })?;
    worker.stop()?;
    Ok(())
}

#[test]
fn a_foreign_record_that_came_while_the_worker_was_away_is_not_taken_for_a_mirrored_one() -> Result<()> {
    let topic = "exact-away";
    pair().source.admin()?.create_topic(topic, 1, &[])?;
    produce_one(pair().source.bootstrap(), topic, "first")?;
    let mut worker = worker(topic)?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair().source, MIRRORED)?;
    worker.kill()?;
    produce_one(pair().target.bootstrap(), topic, "foreign")?;
    produce_one(pair().source.bootstrap(), topic, "second")?;
    worker.start()?;
    worker.wait_for("the partition to stop", SOON, |status| {
        is_in_state(status, topic, "target-diverged")
    })?;
    worker.stop()?;
    assert_eq!(visible(pair(), topic)?, 2, "nothing was written behind it");
    Ok(())
}

#[test]
fn of_two_workers_with_one_connector_the_later_one_writes_and_nothing_comes_twice() -> Result<()> {
    let topic = "exact-two";
    pair()
        .source
        .admin()?
        .create_topic(topic, 4, &[("retention.ms", "-1")])?;
    let traffic = Traffic::text(topic, 4, 600_000, 200).pace(40_000);
    let (mut first, mut second) = (worker(topic)?, worker(topic)?);
    thread::scope(|scope| {
        let generator = scope.spawn(|| traffic.produce(pair().source.bootstrap()));
        wait::until("traffic to flow", SOON, || {
            Ok((pair().source.admin()?.offsets(topic)?[0].1 > 1000).then_some(()))
        })?;
        first.start()?;
        wait::until("the first to mirror", SOON, || {
            Ok((visible_end(pair(), topic)? > 1000).then_some(()))
        })?;
        // Frozen amid its work, and thawed when the other one has gone on for a while.
        first.process()?.signal("STOP")?;
        let before = visible_end(pair(), topic)?;
        second.start()?;
        wait::until("the second to mirror", SOON, || {
            Ok((visible_end(pair(), topic)? > before + 20_000).then_some(()))
        })?;
        first.process()?.signal("CONT")?;
        first.wait_for("the first to notice", SOON, |status| {
            is_in_state(status, topic, "fenced")
        })?;
        generator.join().expect("the generator does not panic")?;
        anyhow::Ok(())
    })?;
    second.wait_until_mirrored(topic, &pair().source, MIRRORED)?;
    second.stop()?;
    first.stop()?;
    sequence::audit(pair().target.bootstrap(), topic, &traffic)?.assert_exactly_once()
}

#[test]
fn filtered_records_leave_holes_that_the_map_knows_over_kills() -> Result<()> {
    let topic = "exact-filtered";
    pair().source.admin()?.create_topic(topic, 2, &[])?;
    let traffic = Traffic::text(topic, 2, 60_000, 200);
    traffic.produce(pair().source.bootstrap())?;
    let filtered = |connector: Connector, rate: &str| {
        connector
            .set("transforms", "drop")
            .set("transforms.drop.type", "filter")
            .set("transforms.drop.action", "drop")
            .set("transforms.drop.header", "seq")
            .set("transforms.drop.header.pattern", ".*[37]")
            .set("target.max.bytes.per.second", rate)
    };
    let mut worker = worker_on(pair(), topic, |connector| filtered(connector, "200000"))?;
    let before = kill_thrice(&mut worker, topic)?;
    ensure!(before < 48_000, "the kills came too late to show anything");
    let mut worker = worker_on(pair(), topic, |connector| filtered(connector, "0"))?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair().source, MIRRORED)?;
    worker.stop()?;
    assert_eq!(visible(pair(), topic)?, 48_000);
    let runs = assert_map_is_exact(topic)?;
    assert!(
        runs.iter().any(|runs| runs.len() > 3000),
        "more than a row has, so there are chunks"
    );
    Ok(())
}
