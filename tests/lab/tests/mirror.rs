//! What a worker makes of ordinary and odd topics, on two real brokers: every record compared through librdkafka.

use std::time::Duration;

use anyhow::{Result, ensure};
use towpath_lab::{
    broker::Pair,
    compare,
    generate::{self, Codec, EDGE_KINDS, Item, Sink, Traffic, Transactions},
    mask::Masker,
    plugins,
    read::{self, Isolation},
    sequence,
    towpath::{Connector, Status, Worker},
};

const MIRRORED: Duration = Duration::from_secs(300);
const SOON: Duration = Duration::from_secs(60);
const MIB: u64 = 1 << 20;

fn pair() -> &'static Pair {
    Pair::shared()
}

/// A worker with one connector, which a test may vary.
fn worker(topic: &str, vary: impl FnOnce(Connector) -> Connector) -> Result<Worker> {
    let plugins = plugins::folder()?;
    let mut worker = Worker::new(&[
        ("bootstrap.servers", pair().target.bootstrap()),
        ("plugin.path", plugins.to_str().expect("a plain name")),
        ("offset.storage.topic", "positions"),
    ])?;
    worker.connector(&vary(
        Connector::mirror(topic, pair().source.bootstrap()).set("topics", topic),
    ))?;
    Ok(worker)
}

/// Mirrors what is in a topic now, and stops.
fn mirror(topic: &str, vary: impl FnOnce(Connector) -> Connector) -> Result<Status> {
    let mut worker = worker(topic, vary)?;
    worker.start()?;
    let status = worker.wait_until_mirrored(topic, &pair().source, MIRRORED)?;
    worker.stop()?;
    Ok(status)
}

fn create(topic: &str, partitions: i32, configs: &[(&str, &str)]) -> Result<()> {
    pair().source.admin()?.create_topic(topic, partitions, configs)
}

fn both(topic: &str) -> (compare::Topic<'_>, compare::Topic<'_>) {
    (
        (pair().source.bootstrap(), topic),
        (pair().target.bootstrap(), topic),
    )
}

/// Everything is written first, so that the lag is as long as the topic: memory must not depend on it.
fn volume(topic: &str, records: u64, bytes: usize) -> Result<()> {
    create(topic, 8, &[("retention.ms", "-1")])?;
    let generated = Traffic::text(topic, 8, records, bytes).produce(pair().source.bootstrap())?;
    assert_eq!(generated.total(), records);
    // Without plugins in its path: the code of each takes memory in every worker that has it, whatever it mirrors.
    let mut worker = Worker::new(&[
        ("bootstrap.servers", pair().target.bootstrap()),
        ("offset.storage.topic", "positions"),
    ])?;
    worker.connector(&Connector::mirror(topic, pair().source.bootstrap()).set("topics", topic))?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair().source, MIRRORED)?;
    let process = worker.process()?;
    let (peak, cpu) = (process.peak_resident_bytes()?, process.cpu_time()?);
    worker.stop()?;
    println!(
        "{records} records of {bytes} bytes: {:.2} us of CPU a record, at most {} MiB resident",
        cpu.as_secs_f64() * 1e6 / records as f64,
        peak / MIB
    );
    let (source, target) = both(topic);
    compare::assert_same(source, target, records)?;
    let batches = compare::assert_passed_through((&pair().source, topic), (&pair().target, topic), 8)?;
    ensure!(batches > 0);
    assert!(
        peak <= 56 * MIB,
        "{} MiB resident: at most 56 are allowed, whatever the lag",
        peak / MIB
    );
    Ok(())
}

#[test]
fn two_million_records_of_1_kib_arrive_byte_for_byte() -> Result<()> {
    volume("volume-1k", 2_000_000, 1024)
}

#[test]
fn five_million_records_of_100_bytes_arrive_byte_for_byte() -> Result<()> {
    volume("volume-100b", 5_000_000, 100)
}

#[test]
fn odd_records_of_every_codec_pass_through() -> Result<()> {
    create("odd", 3, &[])?;
    let (source, target) = both("odd");
    generate::edges(source.0, "odd", 3, 3)?;
    let status = mirror("odd", |connector| connector)?;
    compare::assert_same(source, target, 3 * EDGE_KINDS * 5)?;
    compare::assert_passed_through((&pair().source, "odd"), (&pair().target, "odd"), 3)?;
    assert_eq!(status.mirrored().decoded, 0);
    Ok(())
}

#[test]
fn log_append_time_survives_as_create_time_with_every_codec() -> Result<()> {
    create("stamped", 2, &[("message.timestamp.type", "LogAppendTime")])?;
    let (source, target) = both("stamped");
    generate::edges(source.0, "stamped", 2, 2)?;
    let status = mirror("stamped", |connector| connector)?;
    compare::assert_same_values_of_time(source, target, 2 * EDGE_KINDS * 5)?;
    assert_eq!(
        status.mirrored().copied,
        0,
        "each batch has to be decoded to keep the append time"
    );
    assert!(status.mirrored().decoded > 0);
    Ok(())
}

#[test]
fn a_compacted_topic_with_holes_keeps_every_record_that_is_left() -> Result<()> {
    generate::compacted(&pair().source, "holes", 2, 20_000)?;
    // The cleaner must not go on while both sides are compared.
    pair().source.admin()?.alter_topic(
        "holes",
        &[
            ("min.compaction.lag.ms", "1000000000000"),
            ("max.compaction.lag.ms", "9000000000000000"),
        ],
    )?;
    let left: u64 = read::count(pair().source.bootstrap(), "holes", Isolation::ReadCommitted)?
        .iter()
        .sum();
    pair().target.admin()?.create_topic("holes", 2, &[])?;
    let status = mirror("holes", |connector| connector)?;
    let (source, target) = both("holes");
    compare::assert_same(source, target, left)?;
    assert!(
        status.mirrored().decoded > 0,
        "batches with holes cannot be copied"
    );
    Ok(())
}

#[test]
fn aborted_transactions_stay_behind_and_committed_ones_arrive_once() -> Result<()> {
    create("transactions", 2, &[])?;
    let (source, target) = both("transactions");
    let what = Transactions {
        topic: "transactions".to_owned(),
        partitions: 2,
        producers: 3,
        rounds: 12,
        records: 100,
        codec: Codec::Zstd,
    };
    let (committed, aborted) = generate::transactional(source.0, &what)?;
    assert!(aborted.total() > 0);
    mirror("transactions", |connector| connector)?;
    compare::assert_same(source, target, committed.total())?;
    let visible = read::count(target.0, "transactions", Isolation::ReadUncommitted)?;
    assert_eq!(
        visible, committed.records,
        "no reader of the target may see aborted records"
    );
    Ok(())
}

#[test]
fn under_read_uncommitted_aborted_records_are_mirrored_too() -> Result<()> {
    create("uncommitted", 2, &[])?;
    let (source, target) = both("uncommitted");
    let what = Transactions {
        topic: "uncommitted".to_owned(),
        partitions: 2,
        producers: 2,
        rounds: 6,
        records: 50,
        codec: Codec::Lz4,
    };
    let (committed, aborted) = generate::transactional(source.0, &what)?;
    mirror("uncommitted", |connector| {
        connector.set("source.consumer.isolation.level", "read_uncommitted")
    })?;
    compare::assert_same_uncommitted(source, target, committed.total() + aborted.total())?;
    Ok(())
}

#[test]
fn a_target_that_takes_smaller_batches_gets_smaller_batches() -> Result<()> {
    create("smaller", 2, &[])?;
    pair()
        .target
        .admin()?
        .create_topic("smaller", 2, &[("max.message.bytes", "6000")])?;
    let traffic = Traffic::text("smaller", 2, 20_000, 500);
    traffic.produce(pair().source.bootstrap())?;
    let mut worker = worker("smaller", |connector| connector)?;
    worker.start()?;
    worker.wait_until_mirrored("smaller", &pair().source, MIRRORED)?;
    // Lowered while it runs: only an error of the target tells.
    pair()
        .target
        .admin()?
        .alter_topic("smaller", &[("max.message.bytes", "3000")])?;
    traffic.then(20_000).produce(pair().source.bootstrap())?;
    worker.wait_until_mirrored("smaller", &pair().source, MIRRORED)?;
    worker.stop()?;
    let (source, target) = both("smaller");
    compare::assert_same(source, target, 40_000)?;
    Ok(())
}

#[test]
fn a_record_that_the_target_never_takes_stops_its_partition_alone() -> Result<()> {
    // The records are of 1970: retention would take them.
    create("refused", 2, &[("retention.ms", "-1")])?;
    pair().target.admin()?.create_topic(
        "refused",
        2,
        &[("max.message.bytes", "3000"), ("retention.ms", "-1")],
    )?;
    let sink = Sink::new(pair().source.bootstrap(), "refused", Codec::None, &[])?;
    let large = vec![b'x'; 5000];
    for seq in 0..40_i64 {
        let value = if seq == 20 { &large[..] } else { b"small" };
        sink.send(&Item {
            partition: (seq % 2) as i32,
            timestamp: seq,
            key: None,
            value: Some(value),
            headers: &[],
        })?;
    }
    sink.finish()?;
    let mut worker = worker("refused", |connector| connector)?;
    worker.start()?;
    let status = worker.wait_for(
        "partition 0 to stop and partition 1 to be mirrored",
        SOON,
        |status| {
            status
                .partition("refused", 0)
                .is_some_and(|partition| partition.state == "target-refuses")
                && status.position("refused", 1) == Some(20)
        },
    )?;
    let failure = status.failure().unwrap_or_default();
    for part in [
        "refused-0",
        "target-refuses",
        "source offset 10",
        "MESSAGE_TOO_LARGE",
        "raise max.message.bytes",
    ] {
        ensure!(failure.contains(part), "{part:?} is missing in {failure:?}");
    }
    // The remedy it names is enough.
    worker.stop()?;
    pair()
        .target
        .admin()?
        .alter_topic("refused", &[("max.message.bytes", "10000")])?;
    worker.start()?;
    worker.wait_until_mirrored("refused", &pair().source, SOON)?;
    worker.stop()?;
    let (source, target) = both("refused");
    compare::assert_same(source, target, 40)?;
    Ok(())
}

fn remap(connector: Connector) -> Connector {
    connector
        .set("transforms", "remap")
        .set("transforms.remap.type", "route-by-regex")
        .set("transforms.remap.regex", r"^legacy\.(.*)$")
        .set("transforms.remap.replacement", "$1")
        .set("transforms.remap.reverse.regex", "^(.*)$")
        .set("transforms.remap.reverse.replacement", "legacy.$1")
}

#[test]
fn a_routed_topic_is_still_passed_through() -> Result<()> {
    create("legacy.routed", 4, &[])?;
    Traffic::orders("legacy.routed", 4, 50_000).produce(pair().source.bootstrap())?;
    let status = mirror("legacy.routed", remap)?;
    compare::assert_same(
        (pair().source.bootstrap(), "legacy.routed"),
        (pair().target.bootstrap(), "routed"),
        50_000,
    )?;
    compare::assert_passed_through((&pair().source, "legacy.routed"), (&pair().target, "routed"), 4)?;
    assert_eq!(status.mirrored().decoded, 0, "a router must not cause decoding");
    Ok(())
}

#[test]
fn masked_values_are_what_another_implementation_makes_of_them() -> Result<()> {
    create("masked", 4, &[])?;
    for (index, codec) in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd]
        .into_iter()
        .enumerate()
    {
        let traffic = Traffic {
            first: 10_000 * index as u64,
            ..Traffic::orders("masked", 4, 10_000)
        };
        traffic.codec(codec).produce(pair().source.bootstrap())?;
    }
    let status = mirror("masked", |connector| {
        connector
            .set("transforms", "mask")
            .set("transforms.mask.type", "mask-field")
            .set("transforms.mask.fields", "$.customer.card,$.customer.email")
            .set("transforms.mask.replacement", "***")
    })?;
    assert_eq!(status.mirrored().copied, 0);
    let (source, target) = both("masked");
    compare::assert_masked(source, target, &Masker::orders("***"), 50_000)?;
    Ok(())
}

#[test]
fn a_plugin_that_rejects_a_record_stops_its_partition_before_it() -> Result<()> {
    create("rejected", 2, &[("retention.ms", "-1")])?;
    let sink = Sink::new(
        pair().source.bootstrap(),
        "rejected",
        Codec::None,
        &[("linger.ms".to_owned(), "0".to_owned())],
    )?;
    for seq in 0..10_i64 {
        let value: &[u8] = if seq == 6 { b"not json" } else { br#"{"a":"b"}"# };
        sink.send(&Item {
            partition: (seq % 2) as i32,
            timestamp: seq,
            key: None,
            value: Some(value),
            headers: &[],
        })?;
        sink.serve();
    }
    sink.finish()?;
    let mut worker = worker("rejected", |connector| {
        connector
            .set("transforms", "mask")
            .set("transforms.mask.type", "mask-field")
            .set("transforms.mask.fields", "$.a")
    })?;
    worker.start()?;
    let status = worker.wait_for(
        "partition 0 to stop and partition 1 to be mirrored",
        SOON,
        |status| {
            status
                .partition("rejected", 0)
                .is_some_and(|partition| partition.state == "plugin-failed")
                && status.position("rejected", 1) == Some(5)
        },
    )?;
    let failure = status.failure().unwrap_or_default();
    for part in [
        "rejected-0",
        "plugin-failed",
        "source offset 3",
        "transforms.mask",
    ] {
        ensure!(failure.contains(part), "{part:?} is missing in {failure:?}");
    }
    worker.stop()
}

#[test]
fn a_stopped_worker_goes_on_where_it_was_and_repeats_nothing() -> Result<()> {
    create("resumed", 4, &[])?;
    let mut traffic = Traffic::orders("resumed", 4, 20_000);
    let mut worker = worker("resumed", |connector| connector.set("tasks.max", "2"))?;
    for _ in 0..3 {
        traffic.produce(pair().source.bootstrap())?;
        worker.start()?;
        worker.wait_until_mirrored("resumed", &pair().source, MIRRORED)?;
        worker.stop()?;
        traffic = traffic.then(20_000);
    }
    let (source, target) = both("resumed");
    compare::assert_same(source, target, 60_000)?;
    sequence::audit(
        target.0,
        "resumed",
        &Traffic {
            records: 60_000,
            first: 0,
            ..traffic
        },
    )?
    .assert_exactly_once()
}

#[test]
fn new_topics_and_partitions_are_followed_from_their_first_record() -> Result<()> {
    create(
        "grows-a",
        1,
        &[("retention.ms", "777777777"), ("compression.type", "lz4")],
    )?;
    let source = pair().source.bootstrap();
    Traffic::orders("grows-a", 1, 1000).produce(source)?;
    let mut worker = worker("grows-.*", |connector| {
        connector
            .set("source.consumer.auto.offset.reset", "latest")
            // Else retention is off until the offsets before the start are filled: `auto.rs`.
            .set("offsets.mode", "translate")
    })?;
    worker.start()?;
    worker.wait_for("the first topic to be found", SOON, |status| {
        status.partition("grows-a", 0).is_some()
    })?;
    create("grows-b", 2, &[])?;
    Traffic::orders("grows-b", 2, 1000).produce(source)?;
    worker.wait_until_mirrored("grows-b", &pair().source, SOON)?;
    pair().source.admin()?.add_partitions("grows-b", 4)?;
    Traffic::orders("grows-b", 4, 4000).produce(source)?;
    worker.wait_until_mirrored("grows-b", &pair().source, SOON)?;
    worker.stop()?;
    let (all, target) = both("grows-b");
    compare::assert_same(all, target, 5000)?;
    assert_eq!(
        read::count(target.0, "grows-a", Isolation::ReadCommitted)?,
        [0],
        "it started at the latest record"
    );
    let configs = pair().target.admin()?.topic_configs("grows-a")?;
    for expected in [("retention.ms", "777777777"), ("compression.type", "lz4")] {
        ensure!(
            configs
                .iter()
                .any(|(key, value)| (key.as_str(), value.as_str()) == expected),
            "{expected:?} in {configs:?}"
        );
    }
    Ok(())
}

#[test]
fn a_target_topic_has_one_connector_that_writes_to_it() -> Result<()> {
    create("claims.a.x", 1, &[])?;
    create("claims.x.b", 1, &[])?;
    let source = pair().source.bootstrap();
    let mut worker = worker("claims.a", |connector| connector.set("topics", "claims[.]a[.].*"))?;
    worker.connector(&Connector::mirror("claims.b", source).set("topics", "claims[.].*[.]b"))?;
    worker.start()?;
    worker.wait_for("both to begin", SOON, |status| {
        status.partition("claims.a.x", 0).is_some() && status.partition("claims.x.b", 0).is_some()
    })?;
    // Both select it.
    create("claims.a.b", 1, &[])?;
    let traffic = Traffic::orders("claims.a.b", 1, 5000);
    traffic.produce(source)?;
    let states = |status: &Status| -> Vec<String> {
        let tasks = status.connectors.iter().flat_map(|connector| &connector.tasks);
        let partitions = tasks.flat_map(|task| &task.partitions);
        let found = partitions.filter(|partition| partition.topic == "claims.a.b");
        let mut states: Vec<String> = found.map(|partition| partition.state.clone()).collect();
        states.sort();
        states
    };
    worker.wait_for("one to have it and the other to say so", SOON, |status| {
        states(status) == ["mirroring", "topic-collision"] && status.mirrored().records == 5000
    })?;
    let told = worker.status_text().unwrap_or_default();
    ensure!(told.contains("\"connector\":\"claims."), "{told}");
    worker.stop()?;
    sequence::audit(pair().target.bootstrap(), "claims.a.b", &traffic)?.assert_exactly_once()
}

#[test]
fn records_that_retention_took_are_named_and_the_other_partition_goes_on() -> Result<()> {
    create("lost", 2, &[])?;
    let traffic = Traffic::orders("lost", 2, 2000);
    traffic.produce(pair().source.bootstrap())?;
    let mut worker = worker("lost", |connector| connector)?;
    worker.start()?;
    worker.wait_until_mirrored("lost", &pair().source, MIRRORED)?;
    worker.stop()?;
    traffic.then(2000).produce(pair().source.bootstrap())?;
    pair().source.admin()?.delete_records("lost", 0, 1500)?;
    worker.start()?;
    let status = worker.wait_for(
        "partition 0 to stop and partition 1 to be mirrored",
        SOON,
        |status| {
            status
                .partition("lost", 0)
                .is_some_and(|partition| partition.state == "data-loss")
                && status.position("lost", 1) == Some(2000)
        },
    )?;
    let failure = status.failure().unwrap_or_default();
    ensure!(failure.contains("offsets 1000 to 1500 (excluded)"), "{failure}");
    worker.stop()
}

#[test]
fn a_topic_created_again_under_its_name_is_not_taken_for_the_old_one() -> Result<()> {
    create("again", 1, &[])?;
    Traffic::orders("again", 1, 500).produce(pair().source.bootstrap())?;
    let mut worker = worker("again", |connector| connector)?;
    worker.start()?;
    worker.wait_until_mirrored("again", &pair().source, MIRRORED)?;
    let recreate = || -> Result<()> {
        pair().source.admin()?.delete_topic("again")?;
        create("again", 1, &[])?;
        Traffic::orders("again", 1, 900).produce(pair().source.bootstrap())?;
        Ok(())
    };
    recreate()?;
    let stopped = |status: &Status| {
        status
            .partition("again", 0)
            .is_some_and(|partition| partition.state == "topic-recreated")
    };
    worker.wait_for("the running worker to notice", SOON, stopped)?;
    worker.stop()?;
    worker.start()?;
    worker.wait_for("the started worker to notice", SOON, stopped)?;
    worker.stop()?;
    assert_eq!(
        read::count(pair().target.bootstrap(), "again", Isolation::ReadCommitted)?,
        [500]
    );
    Ok(())
}

#[test]
fn a_changed_connector_file_is_applied_while_running_and_a_wrong_one_is_not() -> Result<()> {
    create("changed-a", 2, &[])?;
    create("changed-b", 2, &[])?;
    let source = pair().source.bootstrap();
    let traffic = Traffic::orders("changed-a", 2, 2000);
    traffic.produce(source)?;
    Traffic::orders("changed-b", 2, 3000).produce(source)?;
    let connector = Connector::mirror("changed", source).set("topics", "changed-a");
    let mut worker = Worker::new(&[("bootstrap.servers", pair().target.bootstrap())])?;
    worker.connector(&connector)?;
    worker.start()?;
    worker.wait_until_mirrored("changed-a", &pair().source, SOON)?;

    worker.connector(
        &connector
            .clone()
            .set("topics", "changed-a,(")
            .set("task.max", "2"),
    )?;
    worker.wait_for("the mistakes to be shown", SOON, |_| true)?;
    let mut text = String::new();
    towpath_lab::wait::until("both mistakes to be in the status", SOON, || {
        text = worker.status_text().unwrap_or_default();
        Ok((text.contains("rejected")
            && text.contains("task.max")
            && text.contains("not a regular expression"))
        .then_some(()))
    })?;
    traffic.then(2000).produce(source)?;
    worker.wait_until_mirrored("changed-a", &pair().source, SOON)?;

    worker.connector(&connector.set("topics", "changed-a,changed-b"))?;
    worker.wait_until_mirrored("changed-b", &pair().source, SOON)?;
    ensure!(!worker.status_text().unwrap_or_default().contains("rejected"));
    worker.stop()?;
    for (topic, records) in [("changed-a", 4000), ("changed-b", 3000)] {
        let (source, target) = both(topic);
        compare::assert_same(source, target, records)?;
    }
    Ok(())
}

#[test]
fn a_target_topic_that_cannot_be_written_for_now_holds_up_nobody_else() -> Result<()> {
    let (source, target) = (pair().source.bootstrap(), pair().target.admin()?);
    for topic in ["held-a", "held-b"] {
        create(topic, 4, &[])?;
    }
    let mut worker = worker("held-.*", |connector| connector)?;
    worker.start()?;
    worker.wait_for("both topics to be taken up", SOON, |status| {
        status.partition("held-a", 3).is_some() && status.partition("held-b", 3).is_some()
    })?;
    target.delete_topic("held-a")?;
    for topic in ["held-a", "held-b"] {
        // Far more than a task may hold in memory.
        Traffic::text(topic, 4, 150_000, 1024).produce(source)?;
    }
    worker.wait_until_mirrored("held-b", &pair().source, MIRRORED)?;
    let status = worker.status()?.expect("there was one");
    let held: Vec<_> = (0..4)
        .map(|partition| status.position("held-a", partition))
        .collect();
    assert_eq!(held, [Some(0); 4]);
    towpath_lab::wait::until("the reason to be in the status", SOON, || {
        Ok(worker
            .status_text()
            .unwrap_or_default()
            .contains("of the target has no leader, or is not there")
            .then_some(()))
    })?;
    target.create_topic("held-a", 4, &[])?;
    worker.wait_until_mirrored("held-a", &pair().source, MIRRORED)?;
    worker.stop()?;
    for topic in ["held-a", "held-b"] {
        let (source, target) = both(topic);
        compare::assert_same(source, target, 150_000)?;
    }
    Ok(())
}

#[test]
fn a_target_topic_that_was_created_again_gets_nothing_until_it_is_mirrored_anew() -> Result<()> {
    let (source, target) = (pair().source.bootstrap(), pair().target.admin()?);
    let topics = ["replaced-a", "replaced-b"];
    for topic in topics {
        create(topic, 2, &[])?;
        Traffic::orders(topic, 2, 2000).produce(source)?;
    }
    let mut worker = worker("replaced-.*", |connector| connector)?;
    worker.start()?;
    for topic in topics {
        worker.wait_until_mirrored(topic, &pair().source, SOON)?;
    }
    target.delete_topic("replaced-a")?;
    target.create_topic("replaced-a", 2, &[])?;
    for topic in topics {
        Traffic::orders(topic, 2, 2000).then(2000).produce(source)?;
    }
    let replaced = |status: &Status, position| {
        (0..2).all(|partition| {
            status
                .partition("replaced-a", partition)
                .is_some_and(|partition| partition.state == "target-recreated")
                && status.position("replaced-b", partition) == Some(position)
        })
    };
    let status = worker.wait_for("one topic to stop, the other to go on", SOON, |status| {
        replaced(status, 2000)
    })?;
    let failure = status.failure().unwrap_or_default();
    ensure!(
        failure.contains("lacks them; stop the worker and decide by `towpath worker resolve`"),
        "{failure}"
    );
    worker.stop()?;

    Traffic::orders("replaced-b", 2, 2000)
        .then(2000)
        .then(2000)
        .produce(source)?;
    worker.start()?;
    worker.wait_for("the same from the start", SOON, |status| replaced(status, 3000))?;
    worker.stop()?;
    let written = read::count(
        pair().target.bootstrap(),
        "replaced-a",
        Isolation::ReadUncommitted,
    )?;
    assert_eq!(written, [0, 0]);
    let (all, copy) = both("replaced-b");
    compare::assert_same(all, copy, 6000)?;

    // By a connector of another name.
    mirror("replaced-a", |connector| connector)?;
    let (all, copy) = both("replaced-a");
    compare::assert_same(all, copy, 4000)?;
    Ok(())
}

#[test]
fn topic_verify_tells_equal_from_different_and_from_wrong_input() -> Result<()> {
    let (source, target) = (pair().source.bootstrap(), pair().target.bootstrap());
    let traffic = Traffic::orders("verified", 2, 2000);
    for broker in [&pair().source, &pair().target] {
        broker.admin()?.create_topic("verified", 2, &[])?;
        traffic.produce(broker.bootstrap())?;
    }
    let verify = |topic: &str| {
        let arguments = [
            "topic",
            "verify",
            "--source-bootstrap-servers",
            source,
            "--target-bootstrap-servers",
            target,
            "--topic",
            topic,
        ];
        towpath_lab::towpath::run(
            &[&arguments[..], &["--timestamps", "ignored"]].concat(),
            &std::env::temp_dir(),
        )
    };
    let equal = verify("verified")?;
    ensure!(
        equal.status.code() == Some(0) && String::from_utf8_lossy(&equal.stdout).contains("\nequal"),
        "{equal:?}"
    );
    let sink = Sink::new(target, "verified", Codec::None, &[])?;
    sink.send(&Item {
        partition: 1,
        timestamp: 1,
        key: None,
        value: Some(b"one more"),
        headers: &[],
    })?;
    sink.finish()?;
    let different = verify("verified")?;
    let text = String::from_utf8_lossy(&different.stdout);
    ensure!(different.status.code() == Some(1), "{different:?}");
    for part in [
        "different: partition 1, after 1000 equal records",
        "source: no more records",
        "one more",
    ] {
        ensure!(text.contains(part), "{part:?} is missing in {text}");
    }
    let missing = verify("no-such-topic")?;
    let text = String::from_utf8_lossy(&missing.stderr);
    ensure!(
        missing.status.code() == Some(2)
            && text.contains("no topic no-such-topic")
            && text.contains("check its name"),
        "{missing:?}"
    );
    Ok(())
}
