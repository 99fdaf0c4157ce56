//! `offsets.mode=preserve` of a transactional source: each commit leaves a marker in each partition, whose offset is taken on the target by a transaction of its own.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use towpath_lab::{
    broker::{Broker, BrokerOptions, Pair},
    compare::places::{assert_identical, wait_for_bounds},
    environment,
    generate::{Codec, Item, Sink, Traffic},
    towpath::{Connector, Worker},
    wait,
};

const MIRRORED: Duration = Duration::from_secs(300);
const PARTITIONS: i32 = 16;
const PER_SECOND: u32 = 10;

/// One producer, whose transactions have a record in each partition.
fn commit(broker: &Broker, topic: &str, commits: u32, per_second: Option<u32>) -> Result<()> {
    let id = ("transactional.id".to_owned(), topic.to_owned());
    let linger = ("linger.ms".to_owned(), "0".to_owned());
    let sink = Sink::new(broker.bootstrap(), topic, Codec::None, &[id, linger])?;
    sink.init_transactions()?;
    let timestamp = Traffic::orders(topic, PARTITIONS, 0).timestamp(0);
    let started = Instant::now();
    for round in 0..commits {
        if let Some(rate) = per_second
            && let Some(early) = (Duration::from_secs(1) * round / rate).checked_sub(started.elapsed())
        {
            wait::pause(early);
        }
        sink.begin_transaction()?;
        for partition in 0..PARTITIONS {
            sink.send(&Item {
                partition,
                timestamp: timestamp + i64::from(round),
                key: Some(b"k"),
                value: Some(format!("{round} of {partition}").as_bytes()),
                headers: &[],
            })?;
        }
        sink.commit_transaction()?;
    }
    Ok(())
}

fn worker(pair: &Pair, topic: &str) -> Result<Worker> {
    let mut worker = Worker::new(&[
        ("bootstrap.servers", pair.target.bootstrap()),
        ("offset.storage.topic", "positions"),
    ])?;
    worker.connector(
        &Connector::mirror(topic, pair.source.bootstrap())
            .set("topics", topic)
            .set("offsets.mode", "preserve"),
    )?;
    Ok(worker)
}

fn written(broker: &Broker, topic: &str) -> Result<i64> {
    let admin = broker.admin()?;
    match admin.partitions(topic)? {
        Some(_) => Ok(admin.offsets(topic)?.iter().map(|(_, end)| end).sum()),
        None => Ok(0),
    }
}

/// What a test of figures is to be run for by hand.
fn number(name: &str, usual: u32) -> Result<u32> {
    Ok(environment::variable(name).map_or(Ok(usual), |value| value.parse())?)
}

/// A mirror that were slower than its source would be behind by a share of all that was written, whatever the machine.
#[test]
fn ten_commits_a_second_on_16_partitions_are_kept_up_with() -> Result<()> {
    let mut pair = Pair::start_with(BrokerOptions::named("source"), BrokerOptions::named("target"))?;
    let topic = "markers-steady";
    let seconds = number("MARKERS_SECONDS", 15)?;
    pair.source
        .admin()?
        .create_topic(topic, PARTITIONS, &[("retention.ms", "-1")])?;
    let mut worker = worker(&pair, topic)?;
    worker.start()?;
    commit(&pair.source, topic, 10, None)?;
    worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    let before = (worker.process()?.cpu_time()?, pair.target.process()?.cpu_time()?);
    let started = Instant::now();
    let begun = written(&pair.source, topic)?;
    let done = AtomicBool::new(false);
    let lags = thread::scope(|scope| {
        let producer = scope.spawn(|| {
            let result = commit(&pair.source, topic, seconds * PER_SECOND, Some(PER_SECOND));
            done.store(true, Ordering::Relaxed);
            result
        });
        let mut lags = Vec::new();
        while !done.load(Ordering::Relaxed) {
            wait::pause(Duration::from_millis(200));
            // What has been written since the target was looked at is no lag.
            let source = written(&pair.source, topic)?;
            lags.push(source - written(&pair.target, topic)?);
        }
        producer.join().expect("the producer does not panic")?;
        anyhow::Ok(lags)
    })?;
    let elapsed = started.elapsed().as_secs_f64();
    let share = |used: Duration| used.as_secs_f64() / elapsed * 100.0;
    let worker_cpu = share(worker.process()?.cpu_time()? - before.0);
    let target_cpu = share(pair.target.process()?.cpu_time()? - before.1);
    worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    let all = written(&pair.source, topic)? - begun;
    let (first, second) = lags.split_at(lags.len() / 2);
    let most = |lags: &[i64]| lags.iter().copied().max().unwrap_or(0);
    println!(
        "{all} offsets in {elapsed:.1} s, half of them markers: behind by at most {} in the first half and {} in the second; % of a core: worker {worker_cpu:.1}, \
         target's broker {target_cpu:.1}",
        most(first),
        most(second),
    );
    ensure!(most(second) < all / 4, "{lags:?}");
    wait_for_bounds(&pair, topic)?;
    worker.stop()?;
    assert_identical(&pair, topic)?;
    Ok(())
}

#[test]
fn a_backlog_of_commits_has_the_same_offsets() -> Result<()> {
    let mut pair = Pair::start_with(BrokerOptions::named("source"), BrokerOptions::named("target"))?;
    let topic = "markers-backlog";
    let commits = number("MARKERS_COMMITS", 125)?;
    pair.source
        .admin()?
        .create_topic(topic, PARTITIONS, &[("retention.ms", "-1")])?;
    let mut worker = worker(&pair, topic)?;
    worker.start()?;
    commit(&pair.source, topic, 10, None)?;
    worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    worker.stop()?;
    commit(&pair.source, topic, commits, None)?;
    let before = pair.target.process()?.cpu_time()?;
    let begun = written(&pair.target, topic)?;
    worker.start()?;
    let started = wait::until("the first offsets", MIRRORED, || {
        Ok((written(&pair.target, topic)? > begun).then(Instant::now))
    })?;
    worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    let elapsed = started.elapsed().as_secs_f64();
    let markers = f64::from(commits * PARTITIONS.unsigned_abs());
    println!(
        "{markers} markers in {elapsed:.1} s, {:.0} a second; CPU ms a marker: worker {:.2}, target's broker {:.2}",
        markers / elapsed,
        worker.process()?.cpu_time()?.as_secs_f64() * 1e3 / markers,
        (pair.target.process()?.cpu_time()? - before).as_secs_f64() * 1e3 / markers,
    );
    wait_for_bounds(&pair, topic)?;
    worker.stop()?;
    assert_identical(&pair, topic)?;
    Ok(())
}
