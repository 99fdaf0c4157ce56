//! More than a thousand partitions in one task, on two real brokers: everything arrives, and what rests costs next to nothing.

use std::{
    ops::Range,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use towpath_lab::{
    broker::Pair,
    compare,
    generate::{Codec, Item, Sink, Traffic},
    towpath::{Connector, Status, Worker},
    wait,
};

const WIDE: &str = "many-wide";
const WIDE_PARTITIONS: i32 = 900;
const NARROW: i32 = 60;
const NARROW_PARTITIONS: i32 = 2;
const EACH: u64 = 20;
/// Narrow topics that are made at the same time: a producer's start is half a second of waiting.
const SIDE_BY_SIDE: usize = 10;
const MIRRORED: Duration = Duration::from_secs(120);
/// Of CPU time over which an idle worker is watched.
const IDLE: Duration = Duration::from_secs(6);
const MIB: u64 = 1 << 20;
const KIB: u64 = 1 << 10;

fn pair() -> &'static Pair {
    Pair::shared()
}

fn narrow(number: i32) -> String {
    format!("many-narrow-{number:02}")
}

fn partitions(status: &Status) -> usize {
    let tasks = status.connectors.iter().flat_map(|connector| &connector.tasks);
    tasks.map(|task| task.partitions.len()).sum()
}

/// Nothing is behind, and every partition's end is known.
fn is_caught_up(status: &Status, count: usize) -> bool {
    let mut tasks = status.connectors.iter().flat_map(|connector| &connector.tasks);
    partitions(status) == count && tasks.all(|task| task.partitions.iter().all(|found| found.lag == Some(0)))
}

/// [`EACH`] records into each of these partitions of the wide topic. librdkafka sends a request for each partition: not to all of them again.
fn write_wide(partitions: Range<i32>) -> Result<()> {
    let sink = Sink::new(pair().source.bootstrap(), WIDE, Codec::Lz4, &[])?;
    let timestamp = Traffic::text(WIDE, 1, 1, 1).base_timestamp;
    for partition in partitions {
        for number in 0..EACH {
            sink.send(&Item {
                partition,
                value: Some(format!("{partition}-{number}").as_bytes()),
                timestamp,
                ..Item::default()
            })?;
        }
    }
    Ok(sink.finish()?)
}

/// Creates the narrow topics and writes 200 records into each.
fn write_narrow() -> Result<()> {
    let source = pair().source.bootstrap();
    let some = |first: i32| -> Result<()> {
        let admin = pair().source.admin()?;
        for number in (first..NARROW).step_by(SIDE_BY_SIDE) {
            let topic = narrow(number);
            admin.create_topic(&topic, NARROW_PARTITIONS, &[])?;
            Traffic::text(&topic, NARROW_PARTITIONS, 200, 200).produce(source)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let writers: Vec<_> = (0..NARROW)
            .take(SIDE_BY_SIDE)
            .map(|first| scope.spawn(move || some(first)))
            .collect();
        writers
            .into_iter()
            .try_for_each(|writer| writer.join().map_err(|_| anyhow!("a writer panicked"))?)
    })
}

fn same(topic: &str, records: u64) -> Result<()> {
    let (source, target) = (pair().source.bootstrap(), pair().target.bootstrap());
    compare::assert_same((source, topic), (target, topic), records)?;
    Ok(())
}

#[test]
fn a_thousand_partitions_arrive_whole_and_rest_cheaply() -> Result<()> {
    let source = pair().source.bootstrap();
    let admin = pair().source.admin()?;
    admin.create_topic(WIDE, WIDE_PARTITIONS, &[])?;
    Traffic::text(WIDE, WIDE_PARTITIONS, 180_000, 200).produce(source)?;
    write_narrow()?;
    let mut count = (WIDE_PARTITIONS + NARROW * NARROW_PARTITIONS) as usize;

    let connector = Connector::mirror("many", source)
        .set("topics", "many-.*")
        .set("refresh.topics.interval.seconds", "5");
    let mut worker = Worker::new(&[("bootstrap.servers", pair().target.bootstrap())])?;
    worker.connector(&connector)?;
    let started = Instant::now();
    worker.start()?;
    worker.wait_for("the first record", MIRRORED, |status| {
        status.mirrored().records > 0
    })?;
    println!(
        "{count} partitions: in status {} ms after the start, with topics created on the target",
        started.elapsed().as_millis()
    );
    worker.wait_until_mirrored(WIDE, &pair().source, MIRRORED)?;
    worker.wait_for("everything to be mirrored", MIRRORED, |status| {
        is_caught_up(status, count)
    })?;
    for number in [0, NARROW - 1] {
        same(&narrow(number), 200)?;
    }

    // Partitions and topics that appear, with records in them before they are noticed.
    let grown = WIDE_PARTITIONS + 50;
    admin.add_partitions(WIDE, grown)?;
    write_wide(WIDE_PARTITIONS - 10..grown)?;
    admin.create_topic("many-late", 30, &[])?;
    Traffic::text("many-late", 30, 3_000, 200).produce(source)?;
    count += 80;
    worker.wait_for("what is new", MIRRORED, |status| is_caught_up(status, count))?;
    worker.wait_until_mirrored(WIDE, &pair().source, MIRRORED)?;
    worker.wait_until_mirrored("many-late", &pair().source, MIRRORED)?;
    same("many-late", 3_000)?;

    // Idle: the last positions are stored a flush interval later.
    wait::pause(Duration::from_secs(2));
    let process = worker.process()?;
    let before = process.cpu_time()?;
    let since = Instant::now();
    wait::pause(IDLE);
    let share = (process.cpu_time()? - before).as_secs_f64() / since.elapsed().as_secs_f64();
    let (peak, bound) = (process.peak_resident_bytes()?, 56 * MIB + count as u64 * 16 * KIB);
    println!(
        "{count} partitions: {:.2} % of a core when idle, {:.1} MiB at most",
        share * 100.0,
        peak as f64 / MIB as f64
    );
    assert!(share < 0.02, "an idle worker used {share:.4} of a core");
    assert!(peak < bound, "{peak} bytes, {bound} are allowed");

    // A restart finds every position, and repeats nothing.
    worker.stop()?;
    let started = Instant::now();
    worker.start()?;
    worker.wait_for("all partitions again", MIRRORED, |status| {
        is_caught_up(status, count)
    })?;
    println!(
        "{count} partitions: caught up {} ms after a restart",
        started.elapsed().as_millis()
    );
    write_wide(0..40)?;
    worker.wait_until_mirrored(WIDE, &pair().source, MIRRORED)?;
    worker.stop()?;
    // All that was ever written to it, once: to look through 950 partitions takes as long as all the rest.
    same(WIDE, 180_000 + 100 * EACH)
}

/// The metadata of both sides grows too old to count while nothing happens.
#[test]
fn an_idle_mirror_goes_on_however_long_it_was_idle() -> Result<()> {
    let source = pair().source.bootstrap();
    pair().source.admin()?.create_topic("idle", 3, &[])?;
    let traffic = Traffic::text("idle", 3, 300, 200);
    traffic.produce(source)?;
    let connector = Connector::mirror("idle", source)
        .set("topics", "idle")
        .set("refresh.topics.interval.seconds", "3600")
        .set("source.consumer.metadata.max.age.ms", "1000")
        .set("target.producer.metadata.max.age.ms", "1000");
    let mut worker = Worker::new(&[("bootstrap.servers", pair().target.bootstrap())])?;
    worker.connector(&connector)?;
    worker.start()?;
    worker.wait_until_mirrored("idle", &pair().source, MIRRORED)?;
    wait::pause(Duration::from_secs(3));
    traffic.then(300).produce(source)?;
    worker.wait_until_mirrored("idle", &pair().source, MIRRORED)?;
    worker.stop()?;
    same("idle", 600)
}
