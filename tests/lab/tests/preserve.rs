//! `offsets.mode=preserve`: each record has the same offset on both clusters, shown by reading both.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rdkafka::{
    ClientConfig, Offset as At, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
    producer::{BaseProducer, Producer},
};
use towpath_domain::Bucket;
use towpath_lab::{
    broker::{Broker, Pair},
    compare::places::{assert_identical, records, wait_for_bounds},
    generate::{self, Codec, Item, Sink, Traffic, Transactions},
    offset_map,
    read::Isolation,
    towpath::{Connector, Status, Worker},
    wait,
};
use towpath_wire::positions::transactional_id;

const MIRRORED: Duration = Duration::from_secs(300);
const SOON: Duration = Duration::from_secs(90);

fn worker(pair: &Pair, topic: &str) -> Result<Worker> {
    let mut worker = Worker::new(&[
        ("bootstrap.servers", pair.target.bootstrap()),
        ("offset.storage.topic", "positions"),
        // After kills filler waits for so long.
        ("request.timeout.ms", "5000"),
    ])?;
    worker.connector(
        &Connector::mirror(topic, pair.source.bootstrap())
            .set("topics", topic)
            .set("offsets.mode", "preserve"),
    )?;
    Ok(worker)
}

fn are_in_state(status: &Status, topic: &str, partitions: i32, state: &str) -> bool {
    (0..partitions).all(|partition| {
        status
            .partition(topic, partition)
            .is_some_and(|found| found.state == state)
    })
}

fn transactions(topic: &str, rounds: u64) -> Transactions {
    Transactions {
        topic: topic.to_owned(),
        partitions: 2,
        producers: 3,
        rounds,
        records: 21,
        codec: Codec::Zstd,
    }
}

#[test]
fn a_log_that_begins_amid_a_batch_and_transactions_have_the_same_offsets_over_kills() -> Result<()> {
    let pair = Pair::shared();
    let topic = "preserve-all";
    let admin = pair.source.admin()?;
    admin.create_topic(topic, 2, &[("retention.ms", "604800000")])?;
    Traffic::orders(topic, 2, 60_000).produce(pair.source.bootstrap())?;
    admin.delete_records(topic, 0, 29_777)?;
    admin.delete_records(topic, 1, 12_345)?;
    generate::transactional(pair.source.bootstrap(), &transactions(topic, 10))?;
    let mut worker = worker(pair, topic)?;
    for millis in [400, 900, 1500] {
        worker.start()?;
        wait::pause(Duration::from_millis(millis));
        worker.kill()?;
    }
    worker.start()?;
    let status = worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    assert!(are_in_state(&status, topic, 2, "filling"), "{status:?}");
    wait_for_bounds(pair, topic)?;
    assert_identical(pair, topic)?;
    // It goes on while it is written to.
    generate::transactional(pair.source.bootstrap(), &transactions(topic, 10))?;
    worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    wait_for_bounds(pair, topic)?;
    worker.wait_for("the partitions to be for consumers", SOON, |status| {
        are_in_state(status, topic, 2, "mirroring")
    })?;
    // Once it is, it is at the next start too.
    worker.stop()?;
    worker.start()?;
    let status = worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    assert!(are_in_state(&status, topic, 2, "mirroring"), "{status:?}");
    // What retention takes at the source, goes from the target.
    admin.delete_records(topic, 0, 30_500)?;
    wait_for_bounds(pair, topic)?;
    worker.stop()?;
    let left = assert_identical(pair, topic)?;
    assert!(left > 17_000, "{left}");
    Ok(())
}

/// Ordinary records before a start gap, and transactions behind it, some of them aborted.
fn begin(pair: &Pair, topic: &str, records: u64, deleted: i64) -> Result<()> {
    let admin = pair.source.admin()?;
    admin.create_topic(topic, 2, &[("retention.ms", "-1")])?;
    Traffic::text(topic, 2, records, 100).produce(pair.source.bootstrap())?;
    admin.delete_records(topic, 0, deleted)?;
    generate::transactional(pair.source.bootstrap(), &transactions(topic, 2))?;
    Ok(())
}

#[test]
fn brokers_killed_while_it_fills_and_while_it_writes_change_no_offset() -> Result<()> {
    let mut pair = Pair::start()?;
    let topic = "preserve-kills";
    begin(&pair, topic, 1_000_000, 499_000)?;
    let mut worker = worker(&pair, topic)?;
    worker.start()?;
    wait::until("filler to be written", SOON, || {
        let admin = pair.target.admin()?;
        let is_there = admin.partitions(topic)?.is_some() && admin.offsets(topic)?[0].1 > 0;
        Ok(is_there.then_some(()))
    })?;
    pair.target.kill()?;
    pair.target.start_again()?;
    worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    wait_for_bounds(&pair, topic)?;
    // Within a minute the broker has not noted where the log begins.
    pair.target.kill()?;
    pair.target.start_again()?;
    wait_for_bounds(&pair, topic)?;
    let source = pair.source.bootstrap().to_owned();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let generator = scope.spawn(|| {
            let result = generate::transactional(&source, &transactions(topic, 60));
            done.store(true, Ordering::Relaxed);
            result
        });
        let mut kills = 0;
        while !done.load(Ordering::Relaxed) || kills < 3 {
            wait::pause(Duration::from_millis(700));
            pair.target.kill()?;
            worker.kill()?;
            pair.target.start_again()?;
            worker.start()?;
            kills += 1;
        }
        println!("{kills} kills");
        generator.join().expect("the generator does not panic")?;
        anyhow::Ok(())
    })?;
    worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    wait_for_bounds(&pair, topic)?;
    worker.stop()?;
    assert_identical(&pair, topic)?;
    Ok(())
}

#[test]
fn of_two_workers_the_later_one_writes_and_no_offset_changes() -> Result<()> {
    let pair = Pair::shared();
    let topic = "preserve-two";
    begin(pair, topic, 10_000, 1_234)?;
    let (mut first, mut second) = (worker(pair, topic)?, worker(pair, topic)?);
    let end = || anyhow::Ok(pair.target.admin()?.offsets(topic)?[1].1);
    thread::scope(|scope| {
        let generator =
            scope.spawn(|| generate::transactional(pair.source.bootstrap(), &transactions(topic, 150)));
        first.start()?;
        first.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
        let mut before = end()?;
        for _ in 0..3 {
            wait::until(
                "the first to mirror",
                SOON,
                || Ok((end()? > before).then_some(())),
            )?;
            // Frozen amid its work, and thawed when the other one has gone on for a while.
            first.process()?.signal("STOP")?;
            before = end()?;
            second.start()?;
            wait::until("the second to mirror", SOON, || {
                Ok((end()? > before + 20).then_some(()))
            })?;
            first.process()?.signal("CONT")?;
            first.wait_for("the first to notice", SOON, |status| {
                are_in_state(status, topic, 2, "fenced")
            })?;
            first.kill()?;
            std::mem::swap(&mut first, &mut second);
            before = end()?;
        }
        generator.join().expect("the generator does not panic")?;
        anyhow::Ok(())
    })?;
    first.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    wait_for_bounds(pair, topic)?;
    first.stop()?;
    assert_identical(pair, topic)?;
    Ok(())
}

#[test]
fn a_compacted_topic_with_holes_has_the_same_offsets_and_is_compacted_when_it_is_filled() -> Result<()> {
    let pair = Pair::shared();
    let topic = "preserve-compacted";
    generate::compacted(&pair.source, topic, 2, 20_000)?;
    let left = generate::rest_cleaner(&pair.source.admin()?, pair.source.bootstrap(), topic)?;
    let mut worker = worker(pair, topic)?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    wait::until("the logs to end at the same offsets", SOON, || {
        let ends = |broker: &Broker| -> Result<Vec<i64>> {
            Ok(broker
                .admin()?
                .offsets(topic)?
                .iter()
                .map(|(_, end)| *end)
                .collect())
        };
        Ok((ends(&pair.source)? == ends(&pair.target)?).then_some(()))
    })?;
    let source = records(&pair.source.admin()?, topic, Isolation::ReadCommitted)?;
    assert_eq!(source.len() as u64, left);
    assert!(
        records(&pair.target.admin()?, topic, Isolation::ReadUncommitted)? == source,
        "the same records at the same offsets"
    );
    worker.wait_for("the partitions to be for consumers", SOON, |status| {
        are_in_state(status, topic, 2, "mirroring")
    })?;
    wait::until("the topic to be compacted", SOON, || {
        let configs = pair.target.admin()?.topic_configs(topic)?;
        let policy = configs.into_iter().find(|(name, _)| name == "cleanup.policy");
        Ok(policy.filter(|(_, value)| value == "compact").map(drop))
    })?;
    worker.stop()
}

fn produce_one(broker: &Broker, topic: &str, value: &str) -> Result<()> {
    let sink = Sink::new(broker.bootstrap(), topic, Codec::None, &[])?;
    sink.send(&Item {
        partition: 0,
        timestamp: Traffic::orders(topic, 1, 0).timestamp(0),
        key: Some(b"k"),
        value: Some(value.as_bytes()),
        headers: &[],
    })?;
    Ok(sink.finish()?)
}

#[test]
fn a_target_that_has_records_already_and_one_that_gets_some_are_left_alone() -> Result<()> {
    let pair = Pair::shared();
    let diverged =
        |topic: &'static str| move |status: &Status| are_in_state(status, topic, 1, "target-diverged");
    let used = "preserve-used";
    for broker in [&pair.source, &pair.target] {
        broker.admin()?.create_topic(used, 1, &[])?;
    }
    produce_one(&pair.source, used, "first")?;
    produce_one(&pair.target, used, "foreign")?;
    let mut worker_of_used = worker(pair, used)?;
    worker_of_used.start()?;
    let status = worker_of_used.wait_for("the partition to stop", SOON, diverged(used))?;
    let trace = status.failure().context("the task has failed")?;
    assert!(trace.contains("offsets.mode=translate"), "{trace}");
    worker_of_used.stop()?;

    // A foreign record where the source has none does not count as its marker.
    let shared = "preserve-shared";
    pair.source.admin()?.create_topic(shared, 1, &[])?;
    produce_one(&pair.source, shared, "first")?;
    let mut worker = worker(pair, shared)?;
    worker.start()?;
    worker.wait_until_mirrored(shared, &pair.source, MIRRORED)?;
    worker.stop()?;
    produce_one(&pair.target, shared, "foreign")?;
    worker.start()?;
    worker.wait_for("the partition to stop", SOON, diverged(shared))?;
    assert_eq!(
        pair.target.admin()?.offsets(shared)?,
        [(0, 2)],
        "nothing was written or deleted"
    );
    worker.stop()
}

#[test]
fn records_that_retention_took_before_they_were_read_are_given_up_and_both_logs_begin_behind_them()
-> Result<()> {
    let pair = Pair::shared();
    let topic = "preserve-lost";
    pair.source.admin()?.create_topic(topic, 1, &[])?;
    let traffic = Traffic::text(topic, 1, 3000, 100);
    traffic.produce(pair.source.bootstrap())?;
    let mut worker = worker(pair, topic)?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    worker.stop()?;
    traffic.then(3000).produce(pair.source.bootstrap())?;
    pair.source.admin()?.delete_records(topic, 0, 4321)?;
    worker.start()?;
    worker.wait_for("the partition to stop", SOON, |status| {
        are_in_state(status, topic, 1, "data-loss")
    })?;
    worker.stop()?;
    worker.resolve(&["accept"])?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    wait_for_bounds(pair, topic)?;
    worker.stop()?;
    assert_eq!(assert_identical(pair, topic)?, 6000 - 4321);
    Ok(())
}

/// Nothing at all is left of it, for a group either.
#[test]
fn a_topic_that_somebody_else_has_written_to_is_mirrored_anew_when_nobody_reads_it() -> Result<()> {
    let pair = Pair::shared();
    let topic = "preserve-reseeded";
    begin(pair, topic, 5_000, 777)?;
    let mut worker = worker(pair, topic)?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    worker.stop()?;
    produce_one(&pair.target, topic, "foreign")?;
    worker.start()?;
    worker.wait_for("the partition to stop", SOON, |status| {
        are_in_state(status, topic, 1, "target-diverged")
    })?;
    worker.stop()?;
    let consumer = || -> Result<BaseConsumer> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", pair.target.bootstrap());
        Ok(config.set("group.id", "reader").create()?)
    };
    let member = consumer()?;
    member.subscribe(&[topic])?;
    wait::until("the group to have a member", SOON, || {
        member.poll(Duration::from_millis(100)).transpose()?;
        Ok((member.assignment()?.count() == 2).then_some(()))
    })?;
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(topic, 0, At::Offset(1000))?;
    member.commit(&offsets, CommitMode::Sync)?;
    let wanted = ["--topic", topic, "--delete-target-topic", topic];
    let refused = worker.reseed_refused(&wanted)?;
    ensure!(
        refused.contains("it is read on the target by reader"),
        "{refused}"
    );
    drop(member);
    let dry = wait::until("the group to have no member", SOON, || {
        Ok(worker.reseed(&["--topic", topic, "--dry-run"]).ok())
    })?;
    ensure!(dry.contains("dry run, nothing is changed"), "{dry}");
    let refused = worker.reseed_refused(&["--topic", topic, "--delete-target-topic", "orders"])?;
    ensure!(refused.contains("write --delete-target-topic"), "{refused}");
    worker.reseed(&wanted)?;
    let observer = consumer()?;
    wait::until("the group's offset to go with the topic", SOON, || {
        let committed = observer.committed_offsets(offsets.clone(), SOON)?;
        Ok((committed.elements()[0].offset() == At::Invalid).then_some(()))
    })?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    wait_for_bounds(pair, topic)?;
    worker.stop()?;
    assert_identical(pair, topic)?;
    Ok(())
}

/// As a coordinator leaves it that writes a marker twice; and as somebody leaves it who deletes the topic.
#[test]
fn a_topic_that_nobody_may_read_yet_is_filled_again() -> Result<()> {
    let pair = Pair::shared();
    let topic = "preserve-refilled";
    begin(pair, topic, 5_000, 777)?;
    pair.source.admin()?.delete_records(topic, 1, 10)?;
    let mut worker = worker(pair, topic)?;
    let mut go_on = || {
        worker.start()?;
        worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
        wait_for_bounds(pair, topic)?;
        worker.stop()?;
        assert_identical(pair, topic)?;
        generate::transactional(pair.source.bootstrap(), &transactions(topic, 1))
    };
    go_on()?;
    let rows = offset_map::stored(pair.target.bootstrap(), "positions", topic, topic)?;
    let bucket = Bucket::of(rows[1].key.topic, rows[1].key.partition);
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", pair.target.bootstrap())
        .set("transactional.id", transactional_id("positions", topic, bucket))
        .create()?;
    producer.init_transactions(SOON)?;
    producer.begin_transaction()?;
    producer
        .send(
            rdkafka::producer::BaseRecord::<(), [u8]>::to(topic)
                .partition(1)
                .payload(b"late"),
        )
        .map_err(|(error, _)| error)?;
    producer.flush(SOON)?;
    producer.abort_transaction(SOON)?;
    drop(producer);
    go_on()?;
    pair.target.admin()?.delete_topic(topic)?;
    go_on().map(drop)
}
