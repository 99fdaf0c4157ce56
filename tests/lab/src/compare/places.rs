//! Records by their offsets, where these are to be the same on both clusters.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rdkafka::{Message, message::Headers};

use crate::{
    admin::Admin,
    broker::Pair,
    read::{self, Isolation},
    wait,
};

const SOON: Duration = Duration::from_secs(90);

/// Each record of a topic by partition and offset, as a hash of all that it has.
pub fn records(cluster: &Admin<'_>, topic: &str, isolation: Isolation) -> Result<BTreeMap<(i32, i64), u64>> {
    let mut records = BTreeMap::new();
    read::topic(cluster.bootstrap(), topic, isolation, |message| {
        let mut hasher = DefaultHasher::new();
        (message.key(), message.payload(), message.timestamp().to_millis()).hash(&mut hasher);
        for header in message.headers().into_iter().flat_map(Headers::iter) {
            (header.key, header.value).hash(&mut hasher);
        }
        records.insert((message.partition(), message.offset()), hasher.finish());
        Ok(())
    })?;
    Ok(records)
}

/// The same records at the same offsets, for readers of both kinds, and logs that begin and end at the same offsets. Returns the records.
pub fn assert_identical(pair: &Pair, topic: &str) -> Result<u64> {
    assert_same(&pair.source.admin()?, &pair.target.admin()?, topic)
}

/// As [`assert_identical`], of clusters.
pub fn assert_same(source: &Admin<'_>, target: &Admin<'_>, topic: &str) -> Result<u64> {
    let committed = records(source, topic, Isolation::ReadCommitted)?;
    for isolation in [Isolation::ReadCommitted, Isolation::ReadUncommitted] {
        let copied = records(target, topic, isolation)?;
        if let Some((place, _)) = committed
            .iter()
            .find(|(place, hash)| copied.get(place) != Some(hash))
        {
            bail!("what is at {place:?} on the source is not there on the target, {isolation:?}");
        }
        ensure!(
            copied.len() == committed.len(),
            "the target has records that the source has not, {isolation:?}"
        );
    }
    let (source, target) = (source.offsets(topic)?, target.offsets(topic)?);
    ensure!(
        source == target,
        "the logs have {source:?} on the source and {target:?} on the target"
    );
    Ok(committed.len() as u64)
}

/// The place of a record that the target has a marker in: a coordinator that dies while it writes one may write it twice, which nothing can undo. All else that is there has to be
/// right: each record of the target at its offset, and of that partition each one before the marker and none behind it.
pub fn marker_too_many(source: &Admin<'_>, target: &Admin<'_>, topic: &str) -> Result<Option<(i32, i64)>> {
    let committed = records(source, topic, Isolation::ReadCommitted)?;
    let copied = records(target, topic, Isolation::ReadUncommitted)?;
    if let Some((place, _)) = copied
        .iter()
        .find(|(place, hash)| committed.get(place) != Some(hash))
    {
        bail!("what is at {place:?} on the target is not what is there on the source");
    }
    for (partition, (_, end)) in (0..).zip(target.offsets(topic)?) {
        let of_partition = (partition, 0)..(partition, i64::MAX);
        let lacking = committed.range(of_partition.clone());
        let Some((&(_, first), _)) = { lacking }.find(|(place, _)| !copied.contains_key(place)) else {
            continue;
        };
        if first >= end {
            continue;
        }
        if let Some((place, _)) = copied.range((partition, first)..of_partition.end).next() {
            bail!(
                "{:?} is not on the target, and {place:?} behind it is",
                (partition, first)
            );
        }
        return Ok(Some((partition, first)));
    }
    Ok(None)
}

/// The target's logs begin and end where the source's do.
pub fn wait_for_bounds(pair: &Pair, topic: &str) -> Result<()> {
    wait_for_same_bounds(&pair.source.admin()?, &pair.target.admin()?, topic)
}

/// As [`wait_for_bounds`], of clusters.
pub fn wait_for_same_bounds(source: &Admin<'_>, target: &Admin<'_>, topic: &str) -> Result<()> {
    let mut different = Vec::new();
    wait::until("the logs to have the same bounds", SOON, || {
        let both = source.offsets(topic)?.into_iter().zip(target.offsets(topic)?);
        different = both
            .enumerate()
            .filter(|(_, (source, target))| source != target)
            .collect();
        Ok(different.is_empty().then_some(()))
    })
    .with_context(|| format!("partition, and its bounds on the source and on the target: {different:?}"))
}
