//! Looking at both clusters, and at the rows. Changes nothing.

mod logs;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use towpath_domain::{LeaderEpoch, Offset, Partition, TopicId, TopicName, TopicPartition, config::Problem};
use towpath_wire::{
    Tails, TopicMetadata,
    positions::{Chunks, Position, PositionKey, Table},
};

use super::{
    Error, Subject,
    parted::{self, Read},
    seen::{Former, Log, Seen, Target},
};
use crate::{discovery, discovery::offline::behind, route};
use logs::{logs, partitions, targets};

type Rows = HashMap<(TopicId, Partition), Position>;

/// The partitions of the connector's topics that have rows, or that had some under another topic id.
pub(super) async fn look(
    subject: &Subject,
    table: &Table,
    chunks: Option<&Chunks<'_>>,
    topic: Option<&TopicName>,
) -> Result<Vec<Seen>, Error> {
    let mut topics = discovery::select(&subject.source, &subject.topics).await?.topics;
    if let Some(wanted) = topic {
        topics.retain(|found| found.name == *wanted);
        if topics.is_empty() {
            return Err(unknown_topic(subject, wanted));
        }
    }
    let cluster = subject.source.cluster_id();
    let rows: Rows = table
        .positions
        .iter()
        .filter(|(key, _)| key.connector == subject.connector && key.source == cluster)
        .map(|(key, row)| ((key.topic, key.partition), row.clone()))
        .collect();
    let mut formers = BTreeMap::new();
    topics.retain(|topic| {
        let has_rows = topic
            .partitions
            .iter()
            .any(|partition| rows.contains_key(&(topic.id, partition.partition)));
        if !has_rows {
            formers.extend(former(topic, &rows).map(|id| (topic.name.clone(), id)));
        }
        has_rows || formers.contains_key(&topic.name)
    });
    let places = routed(subject, &topics).await?;
    let source_logs = logs(&subject.source, partitions(&topics)).await?;
    let targets = targets(subject, places.values()).await?;
    let mut seen = Vec::new();
    for topic in &topics {
        let place = &places[&topic.name];
        for found in &topic.partitions {
            let key = PositionKey {
                connector: subject.connector.clone(),
                source: cluster.clone(),
                topic: topic.id,
                partition: found.partition,
            };
            let source = TopicPartition {
                topic: topic.name.clone(),
                partition: found.partition,
            };
            let place = TopicPartition {
                topic: place.clone(),
                partition: found.partition,
            };
            seen.push(Seen {
                log: source_logs[&source],
                row: rows.get(&(key.topic, key.partition)).cloned(),
                former: formers.get(&topic.name).map(|id| Former {
                    id: *id,
                    rows: share(*id, topic, &key, &rows),
                }),
                target: targets.get(&place.topic).map(|(id, logs)| Target {
                    id: *id,
                    log: logs.get(&place).copied().unwrap_or(Log {
                        start: Offset(0),
                        end: Offset(0),
                    }),
                }),
                behind: None,
                parted: None,
                missed: None,
                has_chunks: chunks.is_some_and(|chunks| chunks.oldest(&key).is_some()),
                source,
                place,
                key,
            });
        }
    }
    look_behind(subject, &mut seen).await?;
    look_for_parting(subject, &mut seen).await?;
    Ok(seen)
}

/// The id of another topic of this name that rows are of.
fn former(topic: &TopicMetadata, rows: &Rows) -> Option<TopicId> {
    let mut of_name = rows.iter().filter(|(_, row)| row.topic == topic.name);
    of_name.next().map(|((id, _), _)| *id)
}

/// The rows of a deleted topic that are looked at with this partition.
fn share(id: TopicId, topic: &TopicMetadata, key: &PositionKey, rows: &Rows) -> Vec<(PositionKey, Position)> {
    let last = topic.partitions.len() as i32 - 1;
    let of_topic = rows.iter().filter(|((found, _), _)| *found == id);
    let here = of_topic.filter(|((_, partition), _)| partition.0.min(last) == key.partition.0);
    here.map(|((topic, partition), row)| {
        let key = PositionKey {
            topic: *topic,
            partition: *partition,
            ..key.clone()
        };
        (key, row.clone())
    })
    .collect()
}

async fn routed(subject: &Subject, topics: &[TopicMetadata]) -> Result<HashMap<TopicName, TopicName>, Error> {
    let names = topics.iter().map(|topic| topic.name.clone()).collect();
    let routed = route::route_all(Arc::clone(&subject.routes), names).await;
    let routed = routed.into_iter().map(|(name, target)| match target {
        Ok(target) => Ok((name, target)),
        Err(error) => Err(Error::Refused(vec![error.problem()])),
    });
    routed.collect()
}

/// What of exact rows is on the target behind them.
async fn look_behind(subject: &Subject, seen: &mut [Seen]) -> Result<(), Error> {
    let mut from = HashMap::new();
    for found in seen.iter() {
        let Some(row) = found
            .row
            .as_ref()
            .filter(|row| row.target.topic == found.place.topic)
        else {
            continue;
        };
        let written = row.anchor.map(|anchor| row.target.next.unwrap_or(anchor.offset));
        let is_there = |target: &Target| {
            let is_it =
                target.id.is_zero() || row.target.topic_id.is_zero() || target.id == row.target.topic_id;
            is_it && written.is_some_and(|written| written <= target.log.end)
        };
        if found.target.as_ref().is_some_and(is_there) {
            from.extend(written.map(|written| (found.place.clone(), written)));
        }
    }
    if from.is_empty() {
        return Ok(());
    }
    let mut tails: Tails = subject.target.tails(&from).await;
    for found in seen {
        let (Some(row), Some(tail)) = (&found.row, tails.remove(&found.place)) else {
            continue;
        };
        let tail = tail?;
        if let Some(target) = &mut found.target {
            target.log.end = tail.end;
        }
        found.behind = behind(&found.key, row, &tail);
    }
    Ok(())
}

/// Where the source's logs are others than those that were mirrored.
async fn look_for_parting(subject: &Subject, seen: &mut [Seen]) -> Result<(), Error> {
    let read = |found: &Seen| {
        let row = found.row.as_ref()?;
        let is_within = (found.log.start..=found.log.end).contains(&row.offset);
        let is_known = row.epoch > LeaderEpoch(-1) && found.former.is_none();
        (is_within && is_known).then(|| Read {
            partition: found.source.clone(),
            topic_id: found.key.topic,
            offset: row.offset,
            epoch: row.epoch,
        })
    };
    let reads: Vec<Read> = seen.iter().filter_map(read).collect();
    let mut parted = parted::parted(&subject.source, &reads).await?;
    for found in seen {
        found.parted = parted.remove(&found.source);
    }
    Ok(())
}

fn unknown_topic(subject: &Subject, topic: &TopicName) -> Error {
    let message = format!(
        "connector {} mirrors no topic of this name, or the source has none",
        subject.connector
    );
    Error::Refused(vec![Problem::new(
        "--topic",
        Some(topic.as_str()),
        message,
        "name a topic of the source that `topics` of the connector's file selects; names are case sensitive",
    )])
}
