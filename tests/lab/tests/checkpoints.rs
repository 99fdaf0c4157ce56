//! Committed offsets of consumer groups, synced exactly and with manners: by the real worker between two real brokers, with librdkafka's consumers on both sides.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail, ensure};
use futures::executor::block_on;
use rdkafka::{
    ClientConfig, Message, Offset as At, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::KafkaError,
    message::Headers,
};
use towpath_lab::{
    broker::{Broker, Pair},
    generate::{self, Codec, Item, SEQ_HEADER, Sink, Traffic, Transactions},
    plugins,
    read::{self, Isolation},
    towpath::{Connector, GroupStatus, Worker},
    wait,
};

const MIRRORED: Duration = Duration::from_secs(120);
const SOON: Duration = Duration::from_secs(60);
/// What a group has put beside its offset.
const METADATA: &str = "as the group says";

fn source() -> &'static Broker {
    &Pair::shared().source
}

fn target() -> &'static Broker {
    &Pair::shared().target
}

/// A worker that mirrors the topic, and syncs the groups whose names begin with the topic's.
fn worker(topic: &str, vary: impl FnOnce(Connector) -> Connector) -> Result<Worker> {
    let plugins = plugins::folder()?;
    let mut worker = Worker::new(&[
        ("bootstrap.servers", target().bootstrap()),
        ("plugin.path", plugins.to_str().expect("a plain name")),
        ("offset.storage.topic", &positions(topic)),
    ])?;
    worker.connector(&mirror(topic, vary))?;
    worker.connector(
        &Connector::checkpoint(&format!("{topic}-groups"), source().bootstrap())
            .set("groups", &format!("{topic}-.*")),
    )?;
    Ok(worker)
}

/// One for each test: workers that probe the target for exact delivery at the same time, in the same place, take each other's records for a fault.
fn positions(topic: &str) -> String {
    format!("{topic}-positions")
}

fn mirror(topic: &str, vary: impl FnOnce(Connector) -> Connector) -> Connector {
    vary(
        Connector::mirror(topic, source().bootstrap())
            .set("topics", topic)
            .set("offsets.mode", "translate")
            .set("exactly.once.support", "required"),
    )
}

fn consumer(bootstrap: &str, group: &str) -> Result<BaseConsumer> {
    Ok(ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("fetch.wait.max.ms", "20")
        .create()?)
}

/// Without having subscribed it is no member.
fn commit(broker: &Broker, group: &str, topic: &str, offsets: &[(i32, i64)]) -> Result<()> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in offsets {
        list.add_partition_offset(topic, *partition, At::Offset(*offset))?;
        let mut element = list.find_partition(topic, *partition).context("it was added")?;
        element.set_metadata(METADATA);
    }
    let consumer = consumer(broker.bootstrap(), group)?;
    // A coordinator may still be on its way.
    wait::until("the commit", SOON, || {
        Ok(Some(consumer.commit(&list, CommitMode::Sync)?))
    })
}

/// What a group has committed of a partition, with its metadata.
fn committed(broker: &Broker, group: &str, topic: &str, partition: i32) -> Result<Option<(i64, String)>> {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, partition);
    let list = consumer(broker.bootstrap(), group)?.committed_offsets(list, SOON)?;
    let element = list
        .find_partition(topic, partition)
        .context("it was asked for")?;
    Ok(match element.offset() {
        At::Offset(offset) => Some((offset, element.metadata().to_owned())),
        _ => None,
    })
}

fn offset_on_target(group: &str, topic: &str) -> Result<Option<i64>> {
    Ok(committed(target(), group, topic, 0)?.map(|(offset, _)| offset))
}

/// The sequence number of the record that a group reads next at this offset; none at the end.
fn next(reader: &BaseConsumer, topic: &str, partition: i32, offset: i64) -> Result<Option<u64>> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, At::Offset(offset))?;
    reader.assign(&list)?;
    wait::until("the next record, or the end", SOON, || {
        match reader.poll(Duration::from_secs(1)) {
            Some(Ok(message)) => {
                ensure!(message.partition() == partition && message.offset() >= offset);
                Ok(Some(Some(read::sequence(&message)?)))
            }
            Some(Err(KafkaError::PartitionEOF(at))) if at == partition => Ok(Some(None)),
            Some(Err(error)) => Err(error.into()),
            None => Ok(None),
        }
    })
}

fn produce(topic: &str, partition: i32, seq: u64) -> Result<()> {
    let sink = Sink::new(source().bootstrap(), topic, Codec::None, &[])?;
    let seq = seq.to_string();
    sink.send(&Item {
        partition,
        timestamp: i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?,
        key: None,
        value: Some(b"more"),
        headers: &[(SEQ_HEADER, Some(seq.as_bytes()))],
    })?;
    Ok(sink.finish()?)
}

/// Waits until a group's offset of partition 0, which is this one on the source, is in a state.
fn wait_for(worker: &mut Worker, group: &str, topic: &str, offset: i64, state: &str) -> Result<GroupStatus> {
    let is_there = |found: &&GroupStatus| found.source_offset == offset && found.state == state;
    let what = format!("offset {offset} of {group} to be {state}");
    let status = worker.wait_for(&what, SOON, |status| {
        status.group(group, topic, 0).filter(is_there).is_some()
    })?;
    status.group(group, topic, 0).cloned().context("it was there")
}

/// Traffic in one partition that is all committed: offsets and sequence numbers are the same, on both sides.
fn plain(topic: &str, records: u64) -> Result<Traffic> {
    source().admin()?.create_topic(topic, 1, &[])?;
    let traffic = Traffic::text(topic, 1, records, 100);
    traffic.produce(source().bootstrap())?;
    Ok(traffic)
}

#[test]
fn a_group_anywhere_among_transactions_reads_the_same_record_next_on_the_target() -> Result<()> {
    let topic = "checkpoints-transactions";
    source().admin()?.create_topic(topic, 2, &[])?;
    let what = Transactions {
        topic: topic.to_owned(),
        partitions: 2,
        producers: 3,
        rounds: 20,
        records: 7,
        codec: Codec::Lz4,
    };
    generate::transactional(source().bootstrap(), &what)?;
    // What is at each offset: a committed record, an aborted one, or, where there is none, a marker.
    let mut outcomes: HashMap<(i32, i64), Vec<u8>> = HashMap::new();
    read::topic(
        source().bootstrap(),
        topic,
        Isolation::ReadUncommitted,
        |message| {
            let headers = message.headers().context("generated records have headers")?;
            let outcome = headers.iter().find(|header| header.key == "outcome");
            let value = outcome.and_then(|outcome| outcome.value).unwrap_or_default();
            outcomes.insert((message.partition(), message.offset()), value.to_owned());
            Ok(())
        },
    )?;
    let ends: Vec<i64> = source()
        .admin()?
        .offsets(topic)?
        .iter()
        .map(|(_, end)| *end)
        .collect();
    let mut worker = worker(topic, |connector| connector)?;
    worker.start()?;

    // A group for each third offset, and one at the ends, of partitions that differ in length.
    let groups: Vec<[i64; 2]> = (0..)
        .step_by(3)
        .map(|offset: i64| [offset.min(ends[0]), (offset + 1).min(ends[1])])
        .take_while(|offsets| *offsets != [ends[0], ends[1]])
        .chain([[ends[0], ends[1]]])
        .collect();
    let (mut markers, mut aborted) = (0, 0);
    for (index, offsets) in groups.iter().enumerate() {
        let name = format!("{topic}-{index}");
        commit(source(), &name, topic, &[(0, offsets[0]), (1, offsets[1])])?;
        for place in (0..).zip(*offsets) {
            match outcomes.get(&place).map(Vec::as_slice) {
                None => markers += u32::from(place.1 < ends[place.0 as usize]),
                Some(b"aborted") => aborted += 1,
                Some(_) => {}
            }
        }
    }
    ensure!(
        markers > 10 && aborted > 10,
        "{markers} on markers, {aborted} on aborted records"
    );
    worker.wait_until_mirrored(topic, source(), MIRRORED)?;
    let is_synced = |status: &towpath_lab::towpath::Status| {
        groups.iter().enumerate().all(|(index, offsets)| {
            (0..).zip(*offsets).all(|(partition, offset)| {
                status
                    .group(&format!("{topic}-{index}"), topic, partition)
                    .is_some_and(|found| found.state == "synced" && found.source_offset == offset)
            })
        })
    };
    worker.wait_for("all groups to be synced", SOON, is_synced)?;

    // What comes after the ends is the same for those who wait there.
    produce(topic, 0, 1_000_000)?;
    produce(topic, 1, 1_000_001)?;
    worker.wait_until_mirrored(topic, source(), MIRRORED)?;
    let before = consumer(source().bootstrap(), "checkpoints-before")?;
    let after = consumer(target().bootstrap(), "checkpoints-after")?;
    for (index, offsets) in groups.iter().enumerate() {
        for (partition, offset) in (0..).zip(*offsets) {
            let name = format!("{topic}-{index}");
            let (there, metadata) =
                committed(target(), &name, topic, partition)?.context("nothing is committed")?;
            ensure!(metadata == METADATA, "{metadata:?}");
            let (expected, found) = (
                next(&before, topic, partition, offset)?,
                next(&after, topic, partition, there)?,
            );
            ensure!(
                expected == found && found.is_some(),
                "partition {partition}: {expected:?} at offset {offset} of the source, {found:?} at {there} of the target"
            );
        }
    }
    println!(
        "{} groups, {markers} offsets on markers, {aborted} on aborted records",
        groups.len()
    );
    worker.stop()
}

#[test]
fn a_group_far_behind_reads_the_same_record_next_where_the_row_has_forgotten_the_runs() -> Result<()> {
    let topic = "checkpoints-far";
    plain(topic, 20_000)?;
    let mut worker = worker(topic, |connector| {
        connector
            .set("transforms", "drop")
            .set("transforms.drop.type", "filter")
            .set("transforms.drop.action", "drop")
            .set("transforms.drop.header", "seq")
            .set("transforms.drop.header.pattern", ".*[37]")
            .set("mirror.start.offset.spec", &format!("{topic}=offset:500"))
    })?;
    worker.start()?;
    worker.wait_until_mirrored(topic, source(), MIRRORED)?;
    // The last runs are sealed with the row that follows them.
    let chunks = target().admin()?.offsets(&format!("{}-runs", positions(topic)))?;
    ensure!(chunks.iter().any(|(_, end)| *end > 0), "no chunks");
    // Also before the first record that was mirrored, which is found there then.
    let offsets: Vec<i64> = (0..20_000)
        .step_by(997)
        .chain([499, 500, 501, 503, 19_999, 20_000])
        .collect();
    for offset in &offsets {
        commit(source(), &format!("{topic}-{offset}"), topic, &[(0, *offset)])?;
    }
    let after = consumer(target().bootstrap(), "checkpoints-far-after")?;
    for offset in &offsets {
        let name = format!("{topic}-{offset}");
        wait_for(&mut worker, &name, topic, *offset, "synced")?;
        let there = offset_on_target(&name, topic)?.context("nothing is committed")?;
        let is_kept = |seq: &u64| !matches!(seq % 10, 3 | 7);
        let first = u64::try_from(*offset)?.max(500);
        let expected = (first..20_000).find(is_kept);
        let found = next(&after, topic, 0, there)?;
        ensure!(
            expected == found,
            "{expected:?} at offset {offset}, {found:?} at {there} of the target"
        );
    }
    worker.stop()
}

#[test]
fn a_group_with_members_on_the_target_is_left_alone_until_they_leave() -> Result<()> {
    let topic = "checkpoints-active";
    plain(topic, 100)?;
    let group = format!("{topic}-group");
    commit(source(), &group, topic, &[(0, 10)])?;
    let mut worker = worker(topic, |connector| connector)?;
    worker.start()?;
    wait_for(&mut worker, &group, topic, 10, "synced")?;

    let member = consumer(target().bootstrap(), &group)?;
    member.subscribe(&[topic])?;
    wait::until("the member to be assigned", SOON, || {
        let _ = member.poll(Duration::from_millis(50));
        Ok((member.assignment()?.count() == 1).then_some(()))
    })?;
    commit(source(), &group, topic, &[(0, 20)])?;
    let shown = wait_for(&mut worker, &group, topic, 20, "active-on-target")?;
    ensure!(shown.target_offset == Some(10), "{shown:?}");
    ensure!(offset_on_target(&group, topic)? == Some(10));

    // It has committed nothing, so it is no conflict.
    member.unsubscribe();
    drop(member);
    let shown = wait_for(&mut worker, &group, topic, 20, "synced")?;
    ensure!(shown.target_offset == Some(20), "{shown:?}");
    ensure!(offset_on_target(&group, topic)? == Some(20));
    worker.stop()
}

#[test]
fn a_foreign_commit_on_the_target_is_a_conflict_over_restarts_until_it_is_deleted() -> Result<()> {
    let topic = "checkpoints-conflict";
    plain(topic, 100)?;
    let [ours, theirs, away, back] = ["ours", "theirs", "away", "back"].map(|name| format!("{topic}-{name}"));
    let mut worker = worker(topic, |connector| connector)?;
    worker.start()?;
    worker.wait_until_mirrored(topic, source(), MIRRORED)?;
    for group in [&ours, &theirs, &away, &back] {
        commit(source(), group, topic, &[(0, 10)])?;
        wait_for(&mut worker, group, topic, 10, "synced")?;
    }
    // Without being a member: a consumer that assigns itself looks like that.
    commit(target(), &theirs, topic, &[(0, 30)])?;
    let shown = wait_for(&mut worker, &theirs, topic, 10, "conflict")?;
    ensure!(
        shown.target_offset == Some(30) && shown.reason.is_some(),
        "{shown:?}"
    );
    commit(source(), &theirs, topic, &[(0, 40)])?;
    wait_for(&mut worker, &theirs, topic, 40, "conflict")?;
    ensure!(offset_on_target(&theirs, topic)? == Some(30));
    // Back on the source is not back on the target.
    commit(source(), &back, topic, &[(0, 5)])?;
    let shown = wait_for(&mut worker, &back, topic, 5, "not-synced")?;
    ensure!(
        shown
            .reason
            .is_some_and(|reason| reason.contains("never set back"))
    );
    ensure!(offset_on_target(&back, topic)? == Some(10));

    // What is whose is known after a stop, and after a kill; also of what happened meanwhile.
    worker.stop()?;
    commit(target(), &away, topic, &[(0, 12)])?;
    for kill in [true, false] {
        worker.start()?;
        wait_for(&mut worker, &theirs, topic, 40, "conflict")?;
        wait_for(&mut worker, &away, topic, 10, "conflict")?;
        wait_for(&mut worker, &ours, topic, 10, "synced")?;
        wait_for(&mut worker, &back, topic, 5, "not-synced")?;
        if kill {
            worker.kill()?;
        }
    }
    commit(source(), &ours, topic, &[(0, 50)])?;
    wait_for(&mut worker, &ours, topic, 50, "synced")?;
    let offsets = [&ours, &theirs, &away, &back].map(|group| offset_on_target(group, topic));
    let [Ok(ours), Ok(their), Ok(away), Ok(back)] = offsets else {
        bail!("offsets cannot be read: {offsets:?}");
    };
    ensure!([ours, their, away, back] == [Some(50), Some(30), Some(12), Some(10)]);

    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", target().bootstrap())
        .create()?;
    for deleted in block_on(admin.delete_groups(&[&theirs], &AdminOptions::new()))? {
        deleted.map_err(|(group, code)| anyhow::anyhow!("{group}: {code}"))?;
    }
    let shown = wait_for(&mut worker, &theirs, topic, 40, "synced")?;
    ensure!(shown.target_offset == Some(40), "{shown:?}");
    worker.stop()
}

#[test]
fn a_group_ahead_of_the_mirror_waits_for_it() -> Result<()> {
    let topic = "checkpoints-ahead";
    plain(topic, 20_000)?;
    let group = format!("{topic}-group");
    commit(source(), &group, topic, &[(0, 20_000)])?;
    let mut worker = worker(topic, |connector| {
        connector
            .set("target.max.bytes.per.second", "20000")
            .set("source.consumer.max.partition.fetch.bytes", "20000")
    })?;
    worker.start()?;
    let shown = wait_for(&mut worker, &group, topic, 20_000, "not-synced")?;
    let reason = shown.reason.context("it says why")?;
    ensure!(reason == "the mirror has not come so far yet", "{reason}");
    ensure!(offset_on_target(&group, topic)?.is_none());
    let status = worker.status()?.context("there is one")?;
    ensure!(
        status.position(topic, 0) < Some(20_000),
        "it is too fast to show anything"
    );

    worker.connector(&mirror(topic, |connector| {
        connector.set("source.consumer.max.partition.fetch.bytes", "20000")
    }))?;
    wait_for(&mut worker, &group, topic, 20_000, "synced")?;
    ensure!(offset_on_target(&group, topic)? == Some(20_000));
    worker.stop()
}
