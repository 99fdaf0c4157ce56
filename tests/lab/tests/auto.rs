//! `offsets.mode=auto`, the default: which offsets each topic gets, and why; and there and back, where both sides have the same records at the same offsets.

use std::time::Duration;

use anyhow::{Context, Result};
use towpath_lab::{
    broker::{Broker, Pair},
    compare::places::{assert_identical, records, wait_for_bounds},
    generate::{self, Codec, Item, Sink, Traffic, Transactions},
    read::Isolation,
    towpath::{Connector, Status, Worker},
    wait,
};

const MIRRORED: Duration = Duration::from_secs(300);
const SOON: Duration = Duration::from_secs(90);

/// A worker whose connectors write to this broker.
fn worker(target: &Broker) -> Result<Worker> {
    Worker::new(&[
        ("bootstrap.servers", target.bootstrap()),
        ("offset.storage.topic", "auto-positions"),
    ])
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

/// What the status says of a topic, and why.
fn chosen(status: &Status, topic: &str) -> Option<(String, String)> {
    let delivery = status.connectors.first()?.delivery.as_ref()?;
    let chosen = delivery.topics.get(topic)?;
    Some((chosen.offsets.clone(), chosen.reason.clone()))
}

fn config(broker: &Broker, topic: &str, name: &str) -> Result<Option<String>> {
    let configs = broker.admin()?.topic_configs(topic)?;
    Ok(configs
        .into_iter()
        .find(|(found, _)| found == name)
        .map(|(_, value)| value))
}

#[test]
fn each_topic_gets_what_is_possible_and_cheap_and_keeps_it() -> Result<()> {
    let pair = Pair::shared();
    let [plain, compacted, used, made, transactional] = [
        "auto-plain",
        "auto-compacted",
        "auto-used",
        "auto-made",
        "auto-transactional",
    ];
    let admin = pair.source.admin()?;
    admin.create_topic(plain, 2, &[("retention.ms", "604800000")])?;
    admin.create_topic(compacted, 1, &[("cleanup.policy", "compact")])?;
    admin.create_topic(used, 1, &[])?;
    admin.create_topic(made, 1, &[])?;
    Traffic::orders(plain, 2, 20_000).produce(pair.source.bootstrap())?;
    admin.delete_records(plain, 0, 1_234)?;
    for topic in [compacted, used, made] {
        produce_one(&pair.source, topic, "first")?;
    }
    for topic in [used, made] {
        pair.target.admin()?.create_topic(topic, 1, &[])?;
    }
    produce_one(&pair.target, used, "foreign")?;
    admin.create_topic(transactional, 1, &[])?;
    let what = Transactions {
        topic: transactional.to_owned(),
        partitions: 1,
        producers: 1,
        rounds: 3,
        records: 5,
        codec: Codec::None,
    };
    generate::transactional(pair.source.bootstrap(), &what)?;
    let mut worker = worker(&pair.target)?;
    worker.connector(&Connector::mirror("auto", pair.source.bootstrap()).set(
        "topics",
        "auto-plain,auto-compacted,auto-used,auto-made,auto-transactional",
    ))?;
    worker.start()?;
    for topic in [plain, compacted, used, transactional] {
        worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    }
    let status = worker.wait_until_mirrored(made, &pair.source, MIRRORED)?;
    let expected = [
        (plain, "preserve", "1234 offsets are filled"),
        (compacted, "translate", "compacted"),
        (used, "translate", "other records"),
        (made, "translate", "not made for preserved offsets"),
        (transactional, "translate", "transactions"),
    ];
    for (topic, offsets, why) in expected {
        let (found, reason) = chosen(&status, topic).with_context(|| format!("{topic}: {status:?}"))?;
        assert_eq!(found, offsets, "{topic}: {reason}");
        assert!(reason.contains(why), "{topic}: {reason}");
    }
    wait_for_bounds(pair, plain)?;
    assert_identical(pair, plain)?;
    assert_eq!(
        pair.target.admin()?.offsets(used)?,
        [(0, 2)],
        "the foreign record, and ours"
    );
    // When nobody sees filler any more, retention is the source's.
    wait::until("retention of the filled topic", SOON, || {
        let found = config(&pair.target, plain, "retention.ms")?;
        Ok((found.as_deref() == Some("604800000")).then_some(()))
    })?;
    assert_eq!(
        config(&pair.target, plain, "retention.bytes")?,
        None,
        "the broker's own"
    );
    // As they were begun they go on, whatever would be chosen now.
    worker.kill()?;
    produce_one(&pair.source, plain, "later")?;
    produce_one(&pair.source, used, "later")?;
    worker.start()?;
    worker.wait_until_mirrored(plain, &pair.source, MIRRORED)?;
    let status = worker.wait_until_mirrored(used, &pair.source, MIRRORED)?;
    for (topic, offsets, _) in expected {
        let found = chosen(&status, topic).with_context(|| format!("{topic}: {status:?}"))?;
        assert_eq!(
            found,
            (offsets.to_owned(), "it was begun so".to_owned()),
            "{topic}"
        );
    }
    worker.stop()?;
    assert_identical(pair, plain)?;
    Ok(())
}

#[test]
fn there_and_back_both_sides_have_the_same_records_at_the_same_offsets() -> Result<()> {
    let pair = Pair::shared();
    let topic = "auto-back";
    let transactions = |rounds| Transactions {
        topic: topic.to_owned(),
        partitions: 2,
        producers: 3,
        rounds,
        records: 21,
        codec: Codec::Zstd,
    };
    pair.source.admin()?.create_topic(topic, 2, &[])?;
    Traffic::orders(topic, 2, 5_000).produce(pair.source.bootstrap())?;
    pair.source.admin()?.delete_records(topic, 0, 1_234)?;
    generate::transactional(pair.source.bootstrap(), &transactions(5))?;
    let mut forward = worker(&pair.target)?;
    forward.connector(
        &Connector::mirror("forward", pair.source.bootstrap())
            .set("topics", topic)
            .set("offsets.mode", "preserve"),
    )?;
    forward.start()?;
    forward.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    wait_for_bounds(pair, topic)?;
    forward.stop()?;
    let before = records(&pair.source.admin()?, topic, Isolation::ReadCommitted)?.len();
    // Cut over: written there, mirrored back under kills. What is the same already is chosen to stay so.
    let mut back = worker(&pair.source)?;
    back.connector(&Connector::mirror("back", pair.target.bootstrap()).set("topics", topic))?;
    generate::transactional(pair.target.bootstrap(), &transactions(5))?;
    for millis in [300, 900] {
        back.start()?;
        wait::pause(Duration::from_millis(millis));
        back.kill()?;
    }
    back.start()?;
    generate::transactional(pair.target.bootstrap(), &transactions(5))?;
    let status = back.wait_until_mirrored(topic, &pair.target, MIRRORED)?;
    let (offsets, reason) = chosen(&status, topic).context("the topic is chosen")?;
    assert_eq!(offsets, "preserve", "{reason}");
    wait::until("both logs to end at the same offsets", SOON, || {
        let ends = |broker: &Broker| anyhow::Ok(broker.admin()?.offsets(topic)?);
        Ok((ends(&pair.source)? == ends(&pair.target)?).then_some(()))
    })?;
    back.stop()?;
    let there = records(&pair.target.admin()?, topic, Isolation::ReadCommitted)?;
    assert!(
        there.len() > before,
        "{} records, {before} before the cut",
        there.len()
    );
    assert!(
        records(&pair.source.admin()?, topic, Isolation::ReadCommitted)? == there,
        "the same records at the same offsets on both sides"
    );
    Ok(())
}
