//! Consumer groups on the source: some read and commit all the time, others stay where they are. In the end each is looked up on both sides.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
};

use super::{dice::Dice, traffic::Topic};

/// Members of each group that reads.
pub(super) const MEMBERS: u64 = 2;
const SOON: Duration = Duration::from_secs(60);

/// A group's committed offset of a partition; none where it has none.
pub(super) type Committed = Vec<((String, i32), Option<i64>)>;

/// One member of a group after another, each for some seconds: it reads, and commits what it has read.
pub(super) fn read_and_commit(
    bootstrap: &str,
    group: &str,
    topics: &[&str],
    dice: &mut Dice,
    stop: &AtomicBool,
) {
    while !stop.load(Ordering::Relaxed) {
        let until = Instant::now() + Duration::from_millis(dice.number(4000..15_000));
        // Brokers are away for a while: the next member does better.
        let _ = member(bootstrap, group, topics, until, stop);
    }
}

fn member(bootstrap: &str, group: &str, topics: &[&str], until: Instant, stop: &AtomicBool) -> Result<()> {
    let consumer: BaseConsumer = config(bootstrap, group)
        .set("session.timeout.ms", "6000")
        .create()?;
    consumer.subscribe(topics)?;
    let mut read = 0;
    while !stop.load(Ordering::Relaxed) && Instant::now() < until {
        if let Some(Ok(_)) = consumer.poll(Duration::from_millis(100)) {
            read += 1;
            if read % 25 == 0 {
                consumer.commit_consumer_state(CommitMode::Async)?;
            }
        }
    }
    Ok(())
}

/// Without having subscribed it is no member.
pub(super) fn commit(bootstrap: &str, group: &str, offsets: &[((String, i32), i64)]) -> Result<()> {
    let mut list = TopicPartitionList::new();
    for ((topic, partition), offset) in offsets {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
    }
    let consumer: BaseConsumer = config(bootstrap, group).create()?;
    consumer
        .commit(&list, CommitMode::Sync)
        .with_context(|| format!("committing offsets of {group}"))
}

/// What a group has committed; `name` makes the topics' names of the source those of the cluster.
pub(super) fn committed(
    bootstrap: &str,
    group: &str,
    topics: &[Topic],
    name: impl Fn(&str) -> String,
) -> Result<Committed> {
    let mut list = TopicPartitionList::new();
    for topic in topics {
        list.add_partition_range(&name(&topic.name), 0, topic.partitions - 1);
    }
    let consumer: BaseConsumer = config(bootstrap, group).create()?;
    let list = consumer.committed_offsets(list, SOON)?;
    let mut found = Vec::new();
    for topic in topics {
        for partition in 0..topic.partitions {
            let element = list.find_partition(&name(&topic.name), partition);
            let offset = match element.context("it was asked for")?.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
            found.push(((topic.name.clone(), partition), offset));
        }
    }
    Ok(found)
}

fn config(bootstrap: &str, group: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_committed");
    config
}
