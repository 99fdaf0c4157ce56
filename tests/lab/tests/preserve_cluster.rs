//! `offsets.mode=preserve` into a cluster of three brokers, each record on all of them, that are killed without a word.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Result, bail, ensure};
use towpath_lab::{
    broker::{Broker, BrokerOptions},
    cluster::Cluster,
    compare::places::{assert_same, marker_too_many, wait_for_same_bounds},
    generate::{self, Codec, Traffic, Transactions},
    towpath::{Connector, Worker},
    wait,
};

const SOON: Duration = Duration::from_secs(90);
const MIRRORED: Duration = Duration::from_secs(240);
const PARTITIONS: i32 = 3;
const NODES: [i32; 3] = [1, 2, 3];
const POSITIONS: &str = "positions";
const TOPICS: [&str; 3] = ["preserve-three", "preserve-three-again", "preserve-three-at-last"];

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
/// third are aborted, are mirrored; with them now and then the worker. A coordinator that is killed between a marker and its note of it writes the marker twice: another topic is
/// tried then.
#[test]
fn killed_brokers_of_three_change_no_offset() -> Result<()> {
    let source = Broker::start(BrokerOptions::named("source"))?;
    let mut target = Cluster::start(&BrokerOptions::named("target"))?;
    for topic in TOPICS {
        let mut worker = Worker::new(&[
            ("bootstrap.servers", &target.bootstrap()),
            ("offset.storage.topic", POSITIONS),
            ("request.timeout.ms", "5000"),
        ])?;
        begin(&source, &mut worker, topic)?;
        is_being_filled(&target, topic)?;
        disturb(&source, &mut target, &mut worker, topic)?;
        let mirrored = worker.wait_until_mirrored(topic, &source, MIRRORED);
        if let Err(error) = mirrored {
            worker.stop()?;
            let surplus = marker_too_many(&source.admin()?, &target.admin()?, topic)?;
            let place = surplus.ok_or(error)?;
            println!(
                "{topic} shows a limit that ARCHITECTURE.md names, a marker twice, at {place:?}: the next topic is tried"
            );
            continue;
        }
        wait_for_same_bounds(&source.admin()?, &target.admin()?, topic)?;
        worker.stop()?;
        let records = assert_same(&source.admin()?, &target.admin()?, topic)?;
        ensure!(records > 500_000, "{records}");
        return Ok(());
    }
    bail!("each of {TOPICS:?} has a marker too many")
}

/// Two logs do not begin at 0.
fn begin(source: &Broker, worker: &mut Worker, topic: &str) -> Result<()> {
    let admin = source.admin()?;
    admin.create_topic(topic, PARTITIONS, &[("retention.ms", "-1")])?;
    Traffic::text(topic, PARTITIONS, 900_000, 100).produce(source.bootstrap())?;
    admin.delete_records(topic, 0, 250_000)?;
    admin.delete_records(topic, 1, 123_456)?;
    generate::transactional(source.bootstrap(), &transactions(topic, 2))?;
    worker.connector(
        &Connector::mirror(topic, source.bootstrap())
            .set("topics", topic)
            .set("offsets.mode", "preserve")
            .set("tasks.max", "2"),
    )?;
    worker.start()
}

fn is_being_filled(target: &Cluster, topic: &str) -> Result<()> {
    wait::until("filler to be written", SOON, || {
        let admin = target.admin()?;
        let is_there = admin.partitions(topic)?.is_some() && admin.offsets(topic)?[0].1 > 0;
        Ok(is_there.then_some(()))
    })?;
    let replicas = target.admin()?.replicas(topic)?;
    ensure!(
        replicas.iter().all(|replicas| replicas.len() == 3),
        "created with the brokers' default"
    );
    Ok(())
}

/// Kills brokers and the worker, while transactions are written.
fn disturb(source: &Broker, target: &mut Cluster, worker: &mut Worker, topic: &str) -> Result<()> {
    let bootstrap = source.bootstrap().to_owned();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let generator = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                generate::transactional(&bootstrap, &transactions(topic, 10))?;
            }
            anyhow::Ok(())
        });
        let disturbed = kill(target, worker, topic);
        done.store(true, Ordering::Relaxed);
        generator.join().expect("the generator does not panic")?;
        disturbed
    })
}

fn kill(target: &mut Cluster, worker: &mut Worker, topic: &str) -> Result<()> {
    let topics = [topic, POSITIONS, "__transaction_state"];
    let mut killed = Vec::new();
    for kill in 0..4 {
        // The leader of a partition that is filled, a coordinator, whoever is left, and again.
        let leaders = leaders(target, [topic, "__transaction_state"])?;
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
}
