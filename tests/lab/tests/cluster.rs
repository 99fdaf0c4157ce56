//! Clusters of three brokers whose leaders move: nothing is missing, nothing comes twice, and the worker goes on by itself.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Result, ensure};
use towpath_lab::{
    broker::{Broker, BrokerOptions},
    cluster::{Cluster, Clusters},
    generate::Traffic,
    sequence,
    towpath::{Connector, Worker},
    wait,
};

const SOON: Duration = Duration::from_secs(60);
const MIRRORED: Duration = Duration::from_secs(180);
const POSITIONS: &str = "positions";
const NODES: [i32; 3] = [1, 2, 3];

/// Six brokers are enough for the machine.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn worker(source: &Cluster, target: &Cluster, topics: &str) -> Result<Worker> {
    let mut worker = Worker::new(&[
        ("bootstrap.servers", &target.bootstrap()),
        ("offset.storage.topic", POSITIONS),
    ])?;
    worker.connector(
        &Connector::mirror("moved", &source.bootstrap())
            .set("topics", topics)
            .set("exactly.once.support", "required")
            .set("tasks.max", "2"),
    )?;
    Ok(worker)
}

fn records(cluster: &Cluster, topic: &str) -> Result<i64> {
    let admin = cluster.admin()?;
    if admin.partitions(topic)?.is_none() {
        return Ok(0);
    }
    Ok(admin.offsets(topic)?.iter().map(|(start, end)| end - start).sum())
}

fn wait_for_more(cluster: &Cluster, topic: &str) -> Result<()> {
    let mut before = None;
    wait::until("records to flow", SOON, || {
        let now = records(cluster, topic)?;
        Ok((now > *before.get_or_insert(now) + 1000).then_some(()))
    })
}

/// Every broker in turn; `kill` says which go without a word.
fn lose_each_broker(
    cluster: &mut Cluster,
    side: &str,
    topics: &[&str],
    kill: impl Fn(i32) -> bool,
) -> Result<()> {
    for node in NODES {
        println!(
            "{side}: {} broker {node}",
            if kill(node) { "killing" } else { "restarting" }
        );
        if kill(node) {
            cluster.broker(node)?.kill()?;
        } else {
            cluster.broker(node)?.stop()?;
        }
        cluster.broker(node)?.start_again()?;
        cluster.wait_until_in_sync(topics)?;
    }
    Ok(())
}

/// Each partition's leader becomes the next of its replicas.
fn move_every_leader(cluster: &Cluster, topics: &[&str]) -> Result<()> {
    let admin = cluster.admin()?;
    for topic in topics {
        let leaders = admin.leaders(topic)?;
        for (partition, (leader, replicas)) in (0..).zip(leaders.iter().zip(admin.replicas(topic)?)) {
            let next = replicas
                .iter()
                .position(|node| node == leader)
                .map_or(0, |index| index + 1);
            admin.move_leader(topic, partition, replicas[next % replicas.len()])?;
        }
    }
    Ok(())
}

#[test]
fn restarts_kills_and_elections_of_all_six_brokers_lose_and_double_nothing() -> Result<()> {
    let _alone = alone();
    let Clusters {
        mut source,
        mut target,
    } = Clusters::start()?;
    let (topic, late) = ("moved", "moved-late");
    source
        .admin()?
        .create_topic(topic, 6, &[("retention.ms", "-1")])?;
    let round = Traffic::text(topic, 6, 20_000, 200).pace(10_000);
    let bootstrap = source.bootstrap();
    let mut worker = worker(&source, &target, "moved.*")?;
    let done = AtomicBool::new(false);
    let (traffic, late_traffic) = thread::scope(|scope| {
        // For as long as brokers come and go, however slow the machine is.
        let generator = scope.spawn(|| {
            let mut next = round.clone();
            loop {
                next.produce(&bootstrap)?;
                if done.load(Ordering::Relaxed) {
                    return anyhow::Ok(next);
                }
                next = next.then(round.records);
            }
        });
        let mut disturb = || -> Result<Traffic> {
            worker.start()?;
            wait_for_more(&target, topic)?;
            for replicas in target
                .admin()?
                .replicas(topic)?
                .iter()
                .chain(&target.admin()?.replicas(POSITIONS)?)
            {
                ensure!(
                    replicas.len() == 3,
                    "created with the brokers' default: {replicas:?}"
                );
            }

            // Both sides at the same time.
            thread::scope(|scope| {
                let at_source =
                    scope.spawn(|| lose_each_broker(&mut source, "source", &[topic], |node| node != 2));
                let at_target =
                    lose_each_broker(&mut target, "target", &[topic, POSITIONS], |node| node == 2);
                at_source.join().expect("the other side does not panic")?;
                at_target
            })?;
            wait_for_more(&target, topic)?;

            for _ in 0..2 {
                println!("moving every leader");
                move_every_leader(&source, &[topic])?;
                move_every_leader(&target, &[topic, POSITIONS])?;
            }
            wait_for_more(&target, topic)?;

            println!("smaller batches, and a new topic that grows");
            target
                .admin()?
                .alter_topic(topic, &[("max.message.bytes", "20000")])?;
            source.admin()?.create_topic(late, 2, &[])?;
            let late = Traffic::text(late, 2, 5000, 200);
            late.produce(&bootstrap)?;
            source.admin()?.add_partitions(&late.topic, 4)?;
            move_every_leader(&target, &[topic])?;
            wait_for_more(&target, topic)?;
            Ok(late)
        };
        let late = disturb();
        done.store(true, Ordering::Relaxed);
        let traffic = generator.join().expect("the generator does not panic")?;
        anyhow::Ok((traffic, late?))
    })?;
    worker.wait_until_mirrored_from(topic, &source.admin()?, MIRRORED)?;
    worker.wait_until_mirrored_from(late, &source.admin()?, MIRRORED)?;
    worker.stop()?;
    let bootstrap = target.bootstrap();
    sequence::audit(&bootstrap, topic, &traffic)?.assert_exactly_once()?;
    sequence::audit(&bootstrap, late, &late_traffic)?.assert_exactly_once()?;
    ensure!(target.admin()?.partitions(late)? == Some(4));
    Ok(())
}

#[test]
fn a_log_that_an_unclean_election_shortened_stops_its_partition_as_truncated() -> Result<()> {
    let _alone = alone();
    let mut source = Cluster::start(&BrokerOptions::named("source"))?;
    let topic = "shortened";
    let configs = [
        ("unclean.leader.election.enable", "true"),
        ("min.insync.replicas", "1"),
    ];
    source
        .admin()?
        .with_replicas(2)
        .create_topic(topic, 1, &configs)?;
    let bootstrap = source.bootstrap();
    let mut traffic = Traffic::text(topic, 1, 1000, 100);
    traffic.produce(&bootstrap)?;

    let target = Broker::start(BrokerOptions::named("target"))?;
    let mut worker = Worker::new(&[("bootstrap.servers", target.bootstrap())])?;
    worker.connector(&Connector::mirror("shortened", &bootstrap).set("topics", topic))?;
    worker.start()?;
    worker.wait_until_mirrored_from(topic, &source.admin()?, MIRRORED)?;

    let replicas = source.admin()?.replicas(topic)?.remove(0);
    let leader = source.admin()?.leaders(topic)?[0];
    let follower = *replicas
        .iter()
        .find(|node| **node != leader)
        .expect("two replicas");
    source.broker(follower)?.kill()?;
    // Only the leader has these.
    traffic = traffic.then(500);
    traffic.produce(&bootstrap)?;
    worker.wait_until_mirrored_from(topic, &source.admin()?, MIRRORED)?;
    source.broker(leader)?.kill()?;
    source.broker(follower)?.start_again()?;
    traffic.then(100).produce(&bootstrap)?;
    let status = worker.wait_for("the partition to stop", SOON, |status| {
        status
            .partition(topic, 0)
            .is_some_and(|partition| partition.state != "mirroring")
    })?;
    let partition = status.partition(topic, 0).expect("found a moment ago");
    assert_eq!(partition.state, "source-truncated", "{:?}", status.failure());
    worker.stop()
}
