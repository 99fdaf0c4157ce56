//! A source cluster of three brokers in three racks: partitions are read from the replica in the worker's rack, and from the leader when it is gone.

use std::time::Duration;

use anyhow::Result;
use towpath_lab::{
    broker::{Broker, BrokerOptions},
    cluster::Cluster,
    compare,
    generate::Traffic,
    towpath::{Connector, Status, Worker},
};

const TOPIC: &str = "near";
const PARTITIONS: i32 = 6;
/// The broker in `rack-b`.
const NEAR: i32 = 2;
const MIRRORED: Duration = Duration::from_secs(120);

/// Who is read instead of the leader, by partition.
fn read_from(status: &Status) -> Vec<Option<i32>> {
    (0..PARTITIONS)
        .map(|partition| {
            status
                .partition(TOPIC, partition)
                .and_then(|found| found.read_from)
        })
        .collect()
}

#[test]
fn the_replica_in_the_workers_rack_is_read_and_the_leader_while_it_is_gone() -> Result<()> {
    let selector = "org.apache.kafka.common.replica.RackAwareReplicaSelector";
    let mut source =
        Cluster::start(&BrokerOptions::named("source").property("replica.selector.class", selector))?;
    let target = Broker::start(BrokerOptions::named("target"))?;
    source.admin()?.create_topic(TOPIC, PARTITIONS, &[])?;
    source.wait_until_in_sync(&[TOPIC])?;
    let first = Traffic::text(TOPIC, PARTITIONS, 30_000, 500);
    first.produce(&source.bootstrap())?;

    let mut worker = Worker::new(&[("bootstrap.servers", target.bootstrap())])?;
    worker.connector(
        &Connector::mirror(TOPIC, &source.bootstrap())
            .set("topics", TOPIC)
            .set("source.consumer.client.rack", "rack-b"),
    )?;
    worker.start()?;
    worker.wait_until_mirrored(TOPIC, &source.brokers()[0], MIRRORED)?;
    let leaders = source.admin()?.leaders(TOPIC)?;
    let expected: Vec<Option<i32>> = leaders
        .iter()
        .map(|leader| (*leader != NEAR).then_some(NEAR))
        .collect();
    assert!(
        expected.contains(&Some(NEAR)),
        "all leaders are near: {leaders:?}"
    );
    worker.wait_for("the near replicas to be read", MIRRORED, |status| {
        read_from(status) == expected
    })?;

    source.broker(NEAR)?.kill()?;
    let second = first.then(30_000);
    second.produce(&source.bootstrap())?;
    worker.wait_until_mirrored(TOPIC, &source.brokers()[0], MIRRORED)?;
    worker.wait_for("the leaders to be read", MIRRORED, |status| {
        read_from(status) == [None; PARTITIONS as usize]
    })?;

    source.broker(NEAR)?.start_again()?;
    source.wait_until_in_sync(&[TOPIC])?;
    let third = second.then(30_000);
    third.produce(&source.bootstrap())?;
    worker.wait_until_mirrored(TOPIC, &source.brokers()[0], MIRRORED)?;
    worker.wait_for("the near replicas to be read again", MIRRORED, |status| {
        read_from(status).contains(&Some(NEAR))
    })?;
    worker.stop()?;
    let source = source.bootstrap();
    compare::assert_same((&source, TOPIC), (target.bootstrap(), TOPIC), 90_000)?;
    Ok(())
}
