//! Groups that are far behind: where they go on after Towpath, and beside it after MirrorMaker 2, which has 64 samples of offsets and none that is dense.
//!
//! `LAGGING_RECORDS=1100000 ./test -p towpath-lab --test lagging -- --nocapture` has a group that is a million records behind.

use std::{fs, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use rdkafka::{
    ClientConfig, Offset as At, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
};
use tempfile::TempDir;
use towpath_lab::{
    broker::{Broker, BrokerOptions, Pair},
    environment,
    generate::Traffic,
    process::Process,
    towpath::{Connector, Worker},
    wait,
};

const MIRRORED: Duration = Duration::from_secs(300);
/// How long MirrorMaker 2 has to sync a group, which it does every second.
const SYNCED: Duration = Duration::from_secs(20);
const TOPIC: &str = "lagging";
/// Offsets are others on the target.
const DELETED: i64 = 1_234;

fn consumer(broker: &Broker, group: &str) -> Result<BaseConsumer> {
    Ok(ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap())
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .create()?)
}

/// Without having subscribed it is no member.
fn commit(broker: &Broker, group: &str, offset: i64) -> Result<()> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(TOPIC, 0, At::Offset(offset))?;
    let consumer = consumer(broker, group)?;
    // A coordinator may still be on its way.
    wait::until("the commit", Duration::from_secs(60), || {
        Ok(Some(consumer.commit(&list, CommitMode::Sync)?))
    })
}

fn committed(broker: &Broker, group: &str, topic: &str) -> Result<Option<i64>> {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, 0);
    let list = consumer(broker, group)?.committed_offsets(list, Duration::from_secs(30))?;
    let element = list.find_partition(topic, 0).context("it was asked for")?;
    Ok(match element.offset() {
        At::Offset(offset) => Some(offset),
        _ => None,
    })
}

/// It mirrors to `source.lagging`.
fn mirror_maker(pair: &Pair) -> Result<(Process, TempDir)> {
    let dir = tempfile::Builder::new().prefix("towpath-mm2-").tempdir()?;
    let mut text = format!(
        "clusters=source,target\n\
         source.bootstrap.servers={}\n\
         target.bootstrap.servers={}\n\
         source->target.enabled=true\n\
         source->target.topics={TOPIC}\n\
         source->target.groups={TOPIC}-.*\n\
         target->source.enabled=false\n\
         emit.heartbeats.enabled=false\n\
         sync.topic.acls.enabled=false\n\
         sync.group.offsets.enabled=true\n\
         sync.group.offsets.interval.seconds=1\n\
         emit.checkpoints.interval.seconds=1\n\
         refresh.groups.interval.seconds=1\n\
         replication.factor=1\n",
        pair.source.bootstrap(),
        pair.target.bootstrap(),
    );
    for topic in [
        "offset.storage",
        "config.storage",
        "status.storage",
        "heartbeats.topic",
        "checkpoints.topic",
        "offset-syncs.topic",
    ] {
        for prefix in ["", "source.", "target."] {
            text.push_str(&format!("{prefix}{topic}.replication.factor=1\n"));
        }
    }
    let file = dir.path().join("mm2.properties");
    fs::write(&file, text)?;
    let kafka = pair.source.kafka();
    let logging = kafka.logging_flag(dir.path())?;
    let mut command: Command = kafka.java(
        "org.apache.kafka.connect.mirror.MirrorMaker",
        &["-Xmx1g", &logging],
    );
    command.arg(&file);
    let process = Process::spawn(
        "MirrorMaker 2",
        &command,
        &dir.path().join("log"),
        Some(dir.path()),
    )?;
    Ok((process, dir))
}

#[test]
fn groups_that_are_far_behind_go_on_at_their_record() -> Result<()> {
    let records: i64 = environment::variable("LAGGING_RECORDS").map_or(Ok(60_000), |value| value.parse())?;
    let pair = Pair::start_with(BrokerOptions::named("source"), BrokerOptions::named("target"))?;
    let admin = pair.source.admin()?;
    admin.create_topic(TOPIC, 1, &[("retention.ms", "-1")])?;
    Traffic::text(TOPIC, 1, u64::try_from(records)?, 100).produce(pair.source.bootstrap())?;
    admin.delete_records(TOPIC, 0, DELETED)?;
    // As many records behind the end.
    let left = records - DELETED;
    let behind = [left - 77, left * 10 / 11, left / 2, left / 100, 10, 0];
    let group = |behind: i64| format!("{TOPIC}-{behind}");
    for behind in behind {
        commit(&pair.source, &group(behind), records - behind)?;
    }

    let mut worker = Worker::new(&[("bootstrap.servers", pair.target.bootstrap())])?;
    worker.connector(
        &Connector::mirror(TOPIC, pair.source.bootstrap())
            .set("topics", TOPIC)
            .set("offsets.mode", "translate"),
    )?;
    worker.connector(
        &Connector::checkpoint("lagging-groups", pair.source.bootstrap())
            .set("groups", &format!("{TOPIC}-.*")),
    )?;
    worker.start()?;
    worker.wait_until_mirrored(TOPIC, &pair.source, MIRRORED)?;
    for behind in behind {
        let synced = wait::until("the group to be synced", MIRRORED, || {
            committed(&pair.target, &group(behind), TOPIC)
        })?;
        ensure!(
            synced == records - DELETED - behind,
            "a group {behind} behind goes on at {synced}, {} records off",
            records - DELETED - behind - synced
        );
    }
    worker.stop()?;

    let (mut process, _dir) = mirror_maker(&pair)?;
    let mirrored = format!("source.{TOPIC}");
    wait::until("MirrorMaker 2 to have mirrored", MIRRORED, || {
        let admin = pair.target.admin()?;
        let is_there = admin.partitions(&mirrored)?.is_some();
        Ok((is_there && admin.offsets(&mirrored)?[0].1 == left).then_some(()))
    })?;
    // Where it has synced nothing by then, the group begins where `auto.offset.reset` says.
    wait::pause(SYNCED);
    for behind in behind {
        let found = committed(&pair.target, &group(behind), &mirrored)?;
        let off = found.map_or("not synced".to_owned(), |found| {
            format!("{} records too early", left - behind - found)
        });
        println!("{behind} behind: Towpath exact, MirrorMaker 2 {off}");
    }
    process.stop(Duration::from_secs(60))?;
    Ok(())
}
