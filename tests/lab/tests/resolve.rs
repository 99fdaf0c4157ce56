//! An operator's way out of partitions that have stopped: the real command on two real brokers, and the mirror that goes on afterwards.

use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use rdkafka::{
    ClientConfig, Message, Offset as At, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
};
use towpath_lab::{
    broker::{Broker, Pair},
    compare,
    generate::{Codec, Item, Sink, Traffic},
    read::{self, Isolation},
    towpath::{Connector, Status, Worker},
    wait,
};

const MIRRORED: Duration = Duration::from_secs(120);
const SOON: Duration = Duration::from_secs(60);

fn pair() -> &'static Pair {
    Pair::shared()
}

fn worker_on(pair: &Pair, topics: &str) -> Result<Worker> {
    let name = topics.replace([',', '.', '*'], "-");
    let mut worker = Worker::new(&[
        ("bootstrap.servers", pair.target.bootstrap()),
        ("offset.storage.topic", &format!("{name}-positions")),
    ])?;
    worker.connector(
        &Connector::mirror(&name, pair.source.bootstrap())
            .set("topics", topics)
            .set("offsets.mode", "translate")
            .set("exactly.once.support", "required"),
    )?;
    Ok(worker)
}

fn worker(topics: &str) -> Result<Worker> {
    worker_on(pair(), topics)
}

/// Mirrors what is in the topics now, and stops.
fn mirror(worker: &mut Worker, topics: &[&str]) -> Result<()> {
    worker.start()?;
    for topic in topics {
        worker.wait_until_mirrored(topic, &pair().source, MIRRORED)?;
    }
    worker.stop()
}

/// Runs the worker until a partition is in a state, and stops it.
fn until_state(worker: &mut Worker, topic: &str, partition: i32, state: &str) -> Result<Status> {
    worker.start()?;
    let status = worker.wait_for(&format!("{topic}-{partition} to be {state}"), SOON, |status| {
        status
            .partition(topic, partition)
            .is_some_and(|found| found.state == state)
    })?;
    worker.stop()?;
    Ok(status)
}

/// Sequence number, key and value of each record of a partition that any reader sees.
fn records(bootstrap: &str, topic: &str, partition: i32) -> Result<Vec<(u64, Vec<u8>)>> {
    let mut records = Vec::new();
    read::topic(bootstrap, topic, Isolation::ReadUncommitted, |message| {
        if message.partition() == partition {
            let mut bytes = message.key().unwrap_or_default().to_vec();
            bytes.extend(message.payload().unwrap_or_default());
            records.push((read::sequence(message)?, bytes));
        }
        Ok(())
    })?;
    Ok(records)
}

/// The records of a partition of the target are these, once each and in their order.
fn assert_records(topic: &str, partition: i32, expected: &[(u64, Vec<u8>)]) -> Result<()> {
    let found = records(pair().target.bootstrap(), topic, partition)?;
    let numbers = |records: &[(u64, Vec<u8>)]| records.iter().map(|(number, _)| *number).collect::<Vec<_>>();
    ensure!(
        found == expected,
        "{topic}-{partition} has {:?} instead of {:?}",
        numbers(&found),
        numbers(expected)
    );
    Ok(())
}

/// Without having subscribed it is no member.
fn commit(bootstrap: &str, group: &str, topic: &str, offset: i64) -> Result<()> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group)
        .create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, At::Offset(offset))?;
    Ok(consumer.commit(&list, CommitMode::Sync)?)
}

#[test]
fn what_retention_took_is_accepted_once_and_the_mirror_goes_on_behind_it() -> Result<()> {
    let (topic, source) = ("res-lost", pair().source.bootstrap());
    pair().source.admin()?.create_topic(topic, 2, &[])?;
    let traffic = Traffic::orders(topic, 2, 2000);
    traffic.produce(source)?;
    let mut worker = worker(topic)?;
    let refused = worker.resolve_refused(&["accept"])?;
    ensure!(refused.contains("offset.storage.topic = "), "{refused}");
    mirror(&mut worker, &[topic])?;
    let told = worker.resolve_refused(&["accept"])?;
    ensure!(
        told.contains("no partition of the connector has stopped"),
        "{told}"
    );
    let mut expected = records(source, topic, 0)?;
    traffic.then(2000).produce(source)?;
    pair().source.admin()?.delete_records(topic, 0, 1500)?;
    until_state(&mut worker, topic, 0, "data-loss")?;

    for (arguments, parts) in [
        (
            vec!["accept", "--topic", "res-lots"],
            vec!["--topic = \"res-lots\"", "mirrors no topic"],
        ),
        (
            vec!["accept", "--topic", topic, "--partition", "1"],
            vec!["--partition = \"res-lost-1\"", "has not stopped"],
        ),
        (
            vec!["accept", "--onto-existing"],
            vec!["--onto-existing", "use restart"],
        ),
        (
            vec!["restart"],
            vec!["restart = \"res-lost-0\"", "offsets 0 to 1000", "--onto-existing"],
        ),
    ] {
        let told = worker.resolve_refused(&arguments)?;
        for part in parts {
            ensure!(told.contains(part), "{part:?} is missing in {told}");
        }
    }
    let dry = worker.resolve(&["accept", "--dry-run"])?;
    ensure!(
        dry.contains("1000 to 1500 (excluded)") && dry.contains("dry run"),
        "{dry}"
    );
    until_state(&mut worker, topic, 0, "data-loss")?;

    let told = worker.resolve(&["accept"])?;
    ensure!(
        told.contains("res-lost-0: data-loss: ") && told.contains("goes on at the source's offset 1500"),
        "{told}"
    );
    let again = worker.resolve(&["accept", "--topic", topic, "--partition", "0"])?;
    ensure!(again.contains("was decided already"), "{again}");
    mirror(&mut worker, &[topic])?;
    expected.extend(records(source, topic, 0)?);
    assert_records(topic, 0, &expected)?;
    assert_records(topic, 1, &records(source, topic, 1)?)
}

#[test]
fn at_least_once_what_retention_took_is_accepted_too() -> Result<()> {
    let (topic, source) = ("res-least", pair().source.bootstrap());
    pair().source.admin()?.create_topic(topic, 1, &[])?;
    let traffic = Traffic::orders(topic, 1, 1000);
    traffic.produce(source)?;
    let mut worker = Worker::new(&[("bootstrap.servers", pair().target.bootstrap())])?;
    worker.connector(
        &Connector::mirror(topic, source)
            .set("topics", topic)
            .set("delivery.guarantee", "at-least-once"),
    )?;
    mirror(&mut worker, &[topic])?;
    let mut expected = records(source, topic, 0)?;
    traffic.then(1000).produce(source)?;
    pair().source.admin()?.delete_records(topic, 0, 1200)?;
    until_state(&mut worker, topic, 0, "data-loss")?;
    worker.resolve(&["accept"])?;
    mirror(&mut worker, &[topic])?;
    expected.extend(records(source, topic, 0)?);
    assert_records(topic, 0, &expected)
}

#[test]
fn a_partition_is_mirrored_anew_once_the_target_has_nothing_of_it() -> Result<()> {
    let (topic, source) = ("res-anew", pair().source.bootstrap());
    pair().source.admin()?.create_topic(topic, 1, &[])?;
    let traffic = Traffic::orders(topic, 1, 1000);
    traffic.produce(source)?;
    let mut worker = worker(topic)?;
    mirror(&mut worker, &[topic])?;
    traffic.then(1000).produce(source)?;
    pair().source.admin()?.delete_records(topic, 0, 1500)?;
    until_state(&mut worker, topic, 0, "data-loss")?;
    pair().target.admin()?.delete_records(topic, 0, 1000)?;
    worker.resolve(&["restart"])?;
    let again = worker.resolve(&["restart"])?;
    ensure!(again.contains("was decided already"), "{again}");
    mirror(&mut worker, &[topic])?;
    compare::assert_same((source, topic), (pair().target.bootstrap(), topic), 500)?;
    Ok(())
}

#[test]
fn a_topic_that_was_created_again_stays_aborted_until_it_is_accepted_by_name() -> Result<()> {
    let (topic, source) = ("res-again", pair().source.bootstrap());
    let create = || pair().source.admin()?.create_topic(topic, 2, &[]);
    create()?;
    Traffic::orders(topic, 2, 1000).produce(source)?;
    let mut worker = worker(topic)?;
    mirror(&mut worker, &[topic])?;
    let mut expected = [records(source, topic, 0)?, records(source, topic, 1)?];
    pair().source.admin()?.delete_topic(topic)?;
    create()?;
    Traffic::orders(topic, 2, 600).produce(source)?;
    until_state(&mut worker, topic, 0, "topic-recreated")?;

    worker.resolve(&["abort"])?;
    let again = worker.resolve(&["abort"])?;
    ensure!(again.contains("was decided already"), "{again}");
    let status = until_state(&mut worker, topic, 1, "aborted")?;
    let failure = status.failure().context("an aborted partition is told")?;
    ensure!(failure.contains("it was topic-recreated"), "{failure}");
    let skipped = worker.resolve(&["accept"])?;
    ensure!(skipped.contains("is decided by --topic"), "{skipped}");
    let whole = worker.resolve_refused(&["accept", "--topic", topic, "--partition", "1"])?;
    ensure!(whole.contains("leave --partition out"), "{whole}");

    worker.resolve(&["accept", "--topic", topic])?;
    mirror(&mut worker, &[topic])?;
    for (partition, expected) in (0..).zip(&mut expected) {
        expected.extend(records(source, topic, partition)?);
        assert_records(topic, partition, expected)?;
    }
    Ok(())
}

#[test]
fn into_a_target_topic_that_was_created_again_it_goes_on_or_begins_anew() -> Result<()> {
    let topics = ["res-gone-a", "res-gone-b"];
    let source = pair().source.bootstrap();
    for topic in topics {
        pair().source.admin()?.create_topic(topic, 1, &[])?;
        Traffic::orders(topic, 1, 1000).produce(source)?;
    }
    let mut worker = worker("res-gone-.*")?;
    mirror(&mut worker, &topics)?;
    let before = records(source, "res-gone-a", 0)?.len();
    for topic in topics {
        pair().target.admin()?.delete_topic(topic)?;
        pair().target.admin()?.create_topic(topic, 1, &[])?;
    }
    until_state(&mut worker, "res-gone-b", 0, "target-recreated")?;
    worker.resolve(&["accept", "--topic", "res-gone-a"])?;
    worker.resolve(&["restart", "--topic", "res-gone-b"])?;
    for topic in topics {
        Traffic::orders(topic, 1, 1000).then(500).produce(source)?;
    }
    mirror(&mut worker, &topics)?;
    assert_records("res-gone-a", 0, &records(source, "res-gone-a", 0)?[before..])?;
    let target = pair().target.bootstrap();
    compare::assert_same((source, "res-gone-b"), (target, "res-gone-b"), 1500)?;
    Ok(())
}

#[test]
fn behind_what_somebody_else_wrote_it_goes_on_when_that_is_accepted() -> Result<()> {
    let (topic, source) = ("res-other", pair().source.bootstrap());
    pair().source.admin()?.create_topic(topic, 1, &[])?;
    let traffic = Traffic::orders(topic, 1, 1000);
    traffic.produce(source)?;
    let mut worker = worker(topic)?;
    worker.connector(&Connector::checkpoint("res-other-groups", source).set("groups", "res-other-.*"))?;
    mirror(&mut worker, &[topic])?;
    let sink = Sink::new(pair().target.bootstrap(), topic, Codec::None, &[])?;
    sink.send(&Item {
        partition: 0,
        timestamp: i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?,
        key: Some(b"k"),
        value: Some(b"foreign"),
        headers: &[("seq", Some(b"77777"))],
    })?;
    sink.finish()?;
    traffic.then(1000).produce(source)?;
    until_state(&mut worker, topic, 0, "target-diverged")?;
    let told = worker.resolve(&["accept"])?;
    ensure!(told.contains("1000 to 1001 (excluded) are left there"), "{told}");
    // Groups far behind what was accepted, and behind it, read the same record next.
    commit(source, "res-other-late", topic, 400)?;
    commit(source, "res-other-soon", topic, 1500)?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair().source, MIRRORED)?;
    worker.wait_for("both groups to be synced", SOON, |status| {
        let at = |group| {
            status
                .group(group, topic, 0)
                .and_then(|found| found.target_offset)
        };
        (at("res-other-late"), at("res-other-soon")) == (Some(400), Some(1501))
    })?;
    worker.stop()?;
    let mut expected = records(source, topic, 0)?;
    expected.insert(1000, (77777, b"kforeign".to_vec()));
    assert_records(topic, 0, &expected)
}

/// As a disk that lost what was not flushed: the second half of a partition's log. Answers where the log ends once the broker has recovered what is whole.
fn cut(broker: &mut Broker, topic: &str) -> Result<usize> {
    broker.kill()?;
    let segment = broker.segment(topic, 0);
    let file = fs::OpenOptions::new().write(true).open(&segment)?;
    file.set_len(fs::metadata(&segment)?.len() / 2)?;
    broker.start_again()?;
    let admin = broker.admin()?;
    let (_, end) = wait::until("the partition to have a leader again", SOON, || {
        Ok(admin.offsets(topic)?.first().copied())
    })?;
    Ok(usize::try_from(end)?)
}

#[test]
fn what_broken_disks_lost_on_either_side_is_accepted_and_the_mirror_goes_on() -> Result<()> {
    let mut pair = Pair::start()?;
    let source = pair.source.bootstrap().to_owned();
    let target = pair.target.bootstrap().to_owned();
    let topics = ["res-cut-target", "res-cut-source"];
    let mut worker = worker_on(&pair, "res-cut-.*")?;
    for topic in topics {
        pair.source.admin()?.create_topic(topic, 1, &[])?;
        Traffic::orders(topic, 1, 2000).produce(&source)?;
    }
    worker.start()?;
    for topic in topics {
        worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    }
    worker.stop()?;
    let mut of_source = records(&source, "res-cut-source", 0)?;
    let (at_target, at_source) = (
        cut(&mut pair.target, "res-cut-target")?,
        cut(&mut pair.source, "res-cut-source")?,
    );
    ensure!((1..2000).contains(&at_target) && (1..2000).contains(&at_source));
    // Behind where it was: only its leader epochs say that it is another log.
    Traffic::orders("res-cut-source", 1, 2000)
        .then(3000)
        .produce(&source)?;
    Traffic::orders("res-cut-target", 1, 2000)
        .then(500)
        .produce(&source)?;
    worker.start()?;
    worker.wait_for("both to stop", SOON, |status| {
        let is = |topic, state| {
            let found = status.partition(topic, 0);
            found.is_some_and(|found| found.state == state)
        };
        is("res-cut-target", "target-diverged") && is("res-cut-source", "source-truncated")
    })?;
    worker.stop()?;
    let told = worker.resolve(&["accept"])?;
    for part in [
        format!("what {at_target} to 2000 (excluded) were before is not on the target"),
        format!(
            "goes on at the source's offset {at_source}; the target keeps what {at_source} to 2000 (excluded) were before"
        ),
    ] {
        ensure!(told.contains(&part), "{part:?} is missing in {told}");
    }
    worker.start()?;
    for topic in topics {
        worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    }
    worker.stop()?;
    of_source.extend_from_slice(&records(&source, "res-cut-source", 0)?[at_source..]);
    let mut of_target = records(&source, "res-cut-target", 0)?;
    of_target.drain(at_target..2000);
    for (topic, expected) in [("res-cut-source", of_source), ("res-cut-target", of_target)] {
        let found = records(&target, topic, 0)?;
        ensure!(
            found == expected,
            "{topic} has {} records instead of {}, or others",
            found.len(),
            expected.len()
        );
    }
    Ok(())
}

#[test]
fn a_worker_that_runs_the_connector_all_the_same_is_shut_out() -> Result<()> {
    let (topic, source) = ("res-runs", pair().source.bootstrap());
    pair().source.admin()?.create_topic(topic, 2, &[])?;
    let traffic = Traffic::orders(topic, 2, 2000);
    traffic.produce(source)?;
    let mut worker = worker(topic)?;
    mirror(&mut worker, &[topic])?;
    let traffic = traffic.then(2000);
    traffic.produce(source)?;
    pair().source.admin()?.delete_records(topic, 0, 1500)?;
    let is = |status: &Status, partition, state| {
        let found = status.partition(topic, partition);
        found.is_some_and(|found| found.state == state)
    };
    worker.start()?;
    worker.wait_for("partition 0 to stop", SOON, |status| is(status, 0, "data-loss"))?;
    // What is refused shuts nobody out.
    worker.resolve_refused(&["restart"])?;
    worker.wait_for("partition 1 to be mirrored", SOON, |status| {
        status.position(topic, 1) == Some(2000)
    })?;
    worker.resolve(&["accept"])?;
    traffic.then(2000).produce(source)?;
    worker.wait_for("partition 1 to be shut out", SOON, |status| {
        is(status, 1, "fenced")
    })?;
    worker.stop()?;
    let mut expected = records(pair().target.bootstrap(), topic, 0)?;
    ensure!(expected.len() == 1000, "{} records before", expected.len());
    mirror(&mut worker, &[topic])?;
    expected.extend(records(source, topic, 0)?);
    assert_records(topic, 0, &expected)?;
    assert_records(topic, 1, &records(source, topic, 1)?)
}

#[test]
fn positions_are_listed_set_back_and_ahead_and_taken_away_and_the_mirror_goes_on_from_there() -> Result<()> {
    let topic = "offsets-changed";
    pair().source.admin()?.create_topic(topic, 3, &[])?;
    Traffic::text(topic, 3, 3000, 100).produce(pair().source.bootstrap())?;
    let mut worker = worker(topic)?;
    mirror(&mut worker, &[topic])?;
    let entry = |partition: i32, offset: serde_json::Value| {
        let partition = serde_json::json!({"cluster": "source", "topic": topic, "partition": partition});
        serde_json::json!({"partition": partition, "offset": offset})
    };
    let at = |offset: i64| serde_json::json!({ "offset": offset });
    let all = |offsets: Vec<serde_json::Value>| serde_json::json!({ "offsets": offsets });
    let listed: serde_json::Value = serde_json::from_str(&worker.offsets(&["list"])?)?;
    assert_eq!(
        listed,
        all((0..3).map(|partition| entry(partition, at(1000))).collect())
    );

    let changes = all(vec![entry(0, at(400)), entry(1, serde_json::Value::Null)]);
    let told = worker.alter_offsets(&changes, &["--dry-run"])?;
    assert!(
        told.contains("400 to 1000 (excluded) will be on the target twice"),
        "{told}"
    );
    assert_eq!(
        worker.offsets(&["list"])?,
        serde_json::to_string_pretty(&listed)? + "\n"
    );
    worker.alter_offsets(&changes, &[])?;
    let told = worker.alter_offsets(&changes, &[])?;
    assert_eq!(
        told.matches("nothing is changed").count(),
        2,
        "pressed twice: {told}"
    );
    mirror(&mut worker, &[topic])?;
    let counts = |topic| read::count(pair().target.bootstrap(), topic, Isolation::ReadUncommitted);
    assert_eq!(counts(topic)?, [1600, 2000, 1000]);
    for (partition, from) in [(0, 400), (1, 0)] {
        let source = records(pair().source.bootstrap(), topic, partition)?;
        let target = records(pair().target.bootstrap(), topic, partition)?;
        assert!(
            target[..1000] == source && target[1000..] == source[from..],
            "partition {partition}"
        );
    }

    // What is passed over is missing, and nothing else.
    Traffic::text(topic, 3, 3000, 100)
        .then(600)
        .produce(pair().source.bootstrap())?;
    worker.alter_offsets(&all(vec![entry(2, at(1150))]), &[])?;
    mirror(&mut worker, &[topic])?;
    assert_eq!(counts(topic)?, [1800, 2200, 1050]);

    let wrong = all(vec![entry(0, at(1201)), entry(7, at(3))]);
    fs::write(
        worker.properties_file().with_file_name("offsets.json"),
        wrong.to_string(),
    )?;
    let said = worker.offsets_refused(&["alter", "offsets.json"])?;
    assert!(
        said.contains("0 to 1200 (excluded)") && said.contains(&format!("{topic}-7")),
        "{said}"
    );
    worker.offsets(&["reset"])?;
    let listed: serde_json::Value = serde_json::from_str(&worker.offsets(&["list"])?)?;
    assert_eq!(listed, all(Vec::new()));
    Ok(())
}
