//! The main job with a broker of an old release on either side: what arrives is compared through librdkafka.

use std::time::Duration;

use anyhow::Result;
use towpath_lab::{
    broker::{Broker, BrokerOptions, Pair},
    compare,
    generate::{self, EDGE_KINDS, Traffic},
    kafka::Release,
    towpath::{Connector, Worker},
    wait,
};

const MIRRORED: Duration = Duration::from_secs(120);

/// Ordinary and odd records of every codec, mirrored there; returns the worker's log.
fn mirror(source: &Broker, target: &Broker, configs: &[(&str, &str)]) -> Result<String> {
    let admin = source.admin()?;
    admin.create_topic("orders", 3, configs)?;
    admin.create_topic("odd", 2, &[])?;
    let traffic = Traffic::orders("orders", 3, 30_000);
    traffic.produce(source.bootstrap())?;
    generate::edges(source.bootstrap(), "odd", 2, 2)?;
    let mut worker = Worker::new(&[("bootstrap.servers", target.bootstrap())])?;
    worker.connector(
        &Connector::mirror("old", source.bootstrap())
            .set("topics", "orders,odd")
            .set("exactly.once.support", "required"),
    )?;
    worker.start()?;
    worker.wait_until_mirrored("orders", source, MIRRORED)?;
    worker.wait_until_mirrored("odd", source, MIRRORED)?;
    worker.stop()?;
    // It goes on where it was.
    traffic.then(3000).produce(source.bootstrap())?;
    worker.start()?;
    worker.wait_until_mirrored("orders", source, MIRRORED)?;
    // Off while a topic is filled.
    wait::until("retention to be the source's", MIRRORED, || {
        let configs = target.admin()?.topic_configs("orders")?;
        let is_off = configs.iter().any(|(name, _)| name == "retention.bytes");
        Ok((!is_off).then_some(()))
    })?;
    worker.stop()?;
    for (topic, records) in [("orders", 33_000), ("odd", 2 * EDGE_KINDS * 5)] {
        let (left, right) = ((source.bootstrap(), topic), (target.bootstrap(), topic));
        compare::assert_same(left, right, records)?;
    }
    Ok(worker.log_text())
}

fn pair(source: Release, target: Release) -> Result<Pair> {
    Pair::start_with(
        BrokerOptions::named("source").release(source),
        BrokerOptions::named("target").release(target),
    )
}

const BY_NAME: &str = "the brokers are older than Kafka 3.1: fetches go by topic name";

#[test]
fn from_the_oldest_release_to_the_current_one_with_what_is_missing_said_at_the_start() -> Result<()> {
    let pair = pair(Release::Oldest, Release::Current)?;
    // Kafka 4 has no such config, and creates no topic with it.
    let log = mirror(
        &pair.source,
        &pair.target,
        &[("message.format.version", "2.8"), ("retention.ms", "-1")],
    )?;
    assert!(log.contains(BY_NAME), "{log}");
    assert!(log.contains("message.format.version"), "{log}");
    let copied = pair.target.admin()?.topic_configs("orders")?;
    assert_eq!(copied, [("retention.ms".to_owned(), "-1".to_owned())]);
    Ok(())
}

#[test]
fn from_the_current_release_to_the_oldest_one() -> Result<()> {
    let pair = pair(Release::Current, Release::Oldest)?;
    let log = mirror(
        &pair.source,
        &pair.target,
        &[
            ("message.timestamp.before.max.ms", "9000000000000"),
            ("retention.ms", "-1"),
        ],
    )?;
    // At each of the two starts.
    let by_name = log
        .matches("older than Kafka 4.1: records are written by topic name")
        .count();
    assert_eq!(by_name, 2, "{log}");
    assert_eq!(
        log.matches("older than").count(),
        by_name,
        "nothing else is missing: {log}"
    );
    let copied = pair.target.admin()?.topic_configs("orders")?;
    assert_eq!(copied, [("retention.ms".to_owned(), "-1".to_owned())]);
    Ok(())
}

#[test]
fn from_the_last_release_before_4_to_the_current_one() -> Result<()> {
    let pair = pair(Release::Bridge, Release::Current)?;
    let log = mirror(&pair.source, &pair.target, &[("retention.ms", "-1")])?;
    assert!(!log.contains("older than"), "{log}");
    Ok(())
}
