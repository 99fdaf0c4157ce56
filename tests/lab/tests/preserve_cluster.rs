//! `offsets.mode=preserve` into a cluster of three brokers, each record on all of them, that are killed without a word.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Result, ensure};
use towpath_lab::{
    broker::{Broker, BrokerOptions},
    cluster::Cluster,
    compare::places::{assert_same, wait_for_same_bounds},
    generate::{self, Codec, Traffic, Transactions},
    towpath::{Connector, Worker},
    wait,
};

const SOON: Duration = Duration::from_secs(90);
const MIRRORED: Duration = Duration::from_secs(240);
const PARTITIONS: i32 = 3;
const NODES: [i32; 3] = [1, 2, 3];
const POSITIONS: &str = "positions";

fn transactions(topic: &str, rounds: u64) -> Transactions {
    Transactions {
        topic: topic.to_owned(),
        partitions: PARTITIONS,
        producers: 2,
        rounds,
        records: 12,
        codec: Codec::Lz4,
    }
}

/// The leader of the first partition, of the topic, and of the transactions' log.
fn leaders(target: &Cluster, topics: [&str; 2]) -> Result<Vec<i32>> {
    let admin = target.admin()?;
    let leaders = topics.map(|topic| admin.leaders(topic).map(|leaders| leaders[0]));
    leaders.into_iter().collect()
}

/// Each of the target's brokers leads partitions and coordinates transactions. They are killed while it is filled, while filler is deleted, and while transactions, of which a
/// third are aborted, are mirrored; with them now and then the worker.
#[test]
fn killed_brokers_of_three_change_no_offset() -> Result<()> {
    let source = Broker::start(BrokerOptions::named("source"))?;
    let mut target = Cluster::start(&BrokerOptions::named("target"))?;
    let topic = "preserve-three";
    let admin = source.admin()?;
    admin.create_topic(topic, PARTITIONS, &[("retention.ms", "-1")])?;
    Traffic::text(topic, PARTITIONS, 900_000, 100).produce(source.bootstrap())?;
    admin.delete_records(topic, 0, 250_000)?;
    admin.delete_records(topic, 1, 123_456)?;
    generate::transactional(source.bootstrap(), &transactions(topic, 2))?;
    let mut worker = Worker::new(&[
        ("bootstrap.servers", &target.bootstrap()),
        ("offset.storage.topic", POSITIONS),
        ("request.timeout.ms", "5000"),
    ])?;
    worker.connector(
        &Connector::mirror(topic, source.bootstrap())
            .set("topics", topic)
            .set("offsets.mode", "preserve")
            .set("tasks.max", "2"),
    )?;
    worker.start()?;
    wait::until("filler to be written", SOON, || {
        let admin = target.admin()?;
        let is_there = admin.partitions(topic)?.is_some() && admin.offsets(topic)?[0].1 > 0;
        Ok(is_there.then_some(()))
    })?;
    ensure!(
        target
            .admin()?
            .replicas(topic)?
            .iter()
            .all(|replicas| replicas.len() == 3),
        "created with the brokers' default"
    );
    let bootstrap = source.bootstrap().to_owned();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let generator = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                generate::transactional(&bootstrap, &transactions(topic, 10))?;
            }
            anyhow::Ok(())
        });
        let mut disturb = || -> Result<()> {
            let topics = [topic, POSITIONS, "__transaction_state"];
            let mut killed = Vec::new();
            for kill in 0..4 {
                // The leader of a partition that is filled, a coordinator, whoever is left, and again.
                let leaders = leaders(&target, [topic, "__transaction_state"])?;
                let node = match kill {
                    2 => NODES.into_iter().find(|node| !killed.contains(node)).unwrap_or(1),
                    kill => leaders[kill % 2],
                };
                killed.push(node);
                println!("killing broker {node}");
                target.broker(node)?.kill()?;
                if kill % 2 == 1 {
                    wait::pause(Duration::from_millis(500));
                    worker.kill()?;
                    worker.start()?;
                }
                target.broker(node)?.start_again()?;
                target.wait_until_in_sync(&topics)?;
            }
            Ok(())
        };
        let disturbed = disturb();
        done.store(true, Ordering::Relaxed);
        generator.join().expect("the generator does not panic")?;
        disturbed
    })?;
    worker.wait_until_mirrored(topic, &source, MIRRORED)?;
    wait_for_same_bounds(&source.admin()?, &target.admin()?, topic)?;
    worker.stop()?;
    let records = assert_same(&source.admin()?, &target.admin()?, topic)?;
    ensure!(records > 500_000, "{records}");
    Ok(())
}
