//! The positions of a connector as Connect has them (KIP-875): listed, set to other places, taken away. In MirrorMaker 2's shape; `PATCH` and `DELETE` of
//! `/connectors/{connector}/offsets` do the same.
//!
//! Nothing is taken back from the target: what is mirrored again is there twice, and what is passed over is missing. Groups are still told where they go on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use towpath_domain::{Offset, Partition, TopicName, TopicPartition, config::Problem, state::PartitionState};
use towpath_wire::positions::Positions;

use super::{Decided, Error, Mode, Resolution, Subject, decide, look, open, seen::Seen, store};

/// Connect's body of offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offsets {
    pub offsets: Vec<Entry>,
}

/// Of one partition of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub partition: SourcePartition,
    /// `null`: the position is taken away, and the partition begins as if it had never been mirrored
    pub offset: Option<SourceOffset>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourcePartition {
    /// the source's alias, as in MirrorMaker 2: `source`
    pub cluster: String,
    pub topic: String,
    pub partition: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceOffset {
    /// the next one to be mirrored
    pub offset: i64,
}

/// What is to become of a connector's positions.
#[derive(Clone, Debug)]
pub enum Changes {
    These(Offsets),
    /// All are taken away.
    Reset,
}

/// MirrorMaker 2's default for `source.cluster.alias`.
pub const CLUSTER: &str = "source";

/// The positions that are stored, by topic and partition. Of exact ones the target's log may be further.
pub(crate) async fn list(subject: &Subject) -> Result<Offsets, Error> {
    let positions = open(subject).await?;
    let table = positions.load().await?;
    let cluster = subject.source.cluster_id();
    let rows = table
        .positions
        .into_iter()
        .filter(|(key, _)| key.connector == subject.connector && key.source == cluster);
    let mut entries: Vec<Entry> = rows
        .map(|(key, row)| Entry {
            partition: SourcePartition {
                cluster: CLUSTER.to_owned(),
                topic: row.topic.as_str().to_owned(),
                partition: key.partition.0,
            },
            offset: Some(SourceOffset { offset: row.offset.0 }),
        })
        .collect();
    entries.sort_by(|a, b| a.partition.cmp(&b.partition));
    Ok(Offsets { offsets: entries })
}

/// Changes them, all or none. A worker that runs the connector exactly once is shut out.
pub(crate) async fn change(
    subject: &Subject,
    changes: &Changes,
    mode: Mode,
) -> Result<Vec<Resolution>, Error> {
    let positions = open(subject).await?;
    let mut planned = plan(subject, &positions, changes).await?;
    if mode == Mode::Write && planned.iter().any(|(_, change, _)| change.is_some()) {
        store::claim(subject, &positions).await?;
        // A worker that ran until then may have written.
        planned = plan(subject, &positions, changes).await?;
        store::write(&positions, &planned).await?;
    }
    Ok(planned
        .into_iter()
        .map(|(seen, _, told)| Resolution {
            partition: seen.source,
            told,
        })
        .collect())
}

async fn plan(subject: &Subject, positions: &Positions, changes: &Changes) -> Result<Vec<Decided>, Error> {
    let table = positions.load().await?;
    let chunks = positions.sealed().await?;
    let seen = look::look(subject, &table, chunks.as_ref(), None).await?;
    changed(seen, changes).map_err(Error::Refused)
}

/// What is to be written; all mistakes at once.
pub(super) fn changed(seen: Vec<Seen>, changes: &Changes) -> Result<Vec<Decided>, Vec<Problem>> {
    let mut problems = Vec::new();
    let wanted = match changes {
        Changes::Reset => seen
            .iter()
            .filter(|seen| seen.row.is_some())
            .map(|seen| (seen.source.clone(), None))
            .collect(),
        Changes::These(offsets) => wanted(offsets, &mut problems),
    };
    let mut seen: BTreeMap<TopicPartition, Seen> =
        seen.into_iter().map(|seen| (seen.source.clone(), seen)).collect();
    let mut decided = Vec::new();
    for (place, offset) in wanted {
        let Some(seen) = seen.remove(&place) else {
            let message =
                "the connector has mirrored nothing of this topic, or the source does not have the partition";
            let remedy = "correct it; where topics start that are not mirrored yet is said by mirror.start.offset.spec";
            problems.push(Problem::new(
                "partition",
                Some(&place.to_string()),
                message,
                remedy,
            ));
            continue;
        };
        match one(&seen, offset) {
            Ok((change, told)) => decided.push((seen, change, told)),
            Err(problem) => problems.push(problem),
        }
    }
    match problems.is_empty() {
        true => Ok(decided),
        false => Err(problems),
    }
}

fn wanted(offsets: &Offsets, problems: &mut Vec<Problem>) -> BTreeMap<TopicPartition, Option<Offset>> {
    let mut wanted = BTreeMap::new();
    if offsets.offsets.is_empty() {
        let remedy = "list what is to be changed, or reset all";
        problems.push(Problem::new("offsets", None, "nothing is listed", remedy));
    }
    for Entry { partition, offset } in &offsets.offsets {
        let place = TopicPartition {
            topic: TopicName::new(&partition.topic),
            partition: Partition(partition.partition),
        };
        if partition.cluster != CLUSTER {
            let message = format!("the cluster of {place} is not this connector's source");
            let remedy = format!("write {CLUSTER}, as it is listed");
            problems.push(Problem::new("cluster", Some(&partition.cluster), message, remedy));
        }
        if let Some(negative) = offset.filter(|offset| offset.offset < 0) {
            let value = negative.offset.to_string();
            let message = format!("no offset, for {place}");
            problems.push(Problem::new(
                "offset",
                Some(&value),
                message,
                "write one from 0 up, or null",
            ));
        }
        let before = wanted.insert(place.clone(), offset.map(|offset| Offset(offset.offset)));
        if before.is_some() {
            let remedy = "list each partition once";
            problems.push(Problem::new(
                "partition",
                Some(&place.to_string()),
                "it is listed twice",
                remedy,
            ));
        }
    }
    wanted
}

/// Sets one partition to an offset, or takes its position away.
fn one(seen: &Seen, offset: Option<Offset>) -> Result<(Option<decide::Change>, String), Problem> {
    let place = seen.source.to_string();
    let refused =
        |message: String, remedy: &str| Err(Problem::new("partition", Some(&place), message, remedy));
    if seen.row.as_ref().is_some_and(|row| row.preserved.is_some()) {
        let message =
            "its offsets are preserved: what is mirrored from another place could not have them".to_owned();
        let remedy = "mirror the whole topic anew by `towpath topic reseed`";
        return refused(message, remedy);
    }
    match seen.state() {
        None | Some(PartitionState::DataLoss { .. } | PartitionState::SourceTruncated { .. }) => {}
        Some(state) => {
            return refused(
                format!("it has stopped: {state}"),
                "decide about that by `towpath worker resolve` first",
            );
        }
    }
    let Some(offset) = offset else {
        if seen.row.is_none() {
            return Ok((None, "nothing is changed: it has no position".to_owned()));
        }
        return Ok((
            Some(decide::forget(seen)),
            "begins as if it had never been mirrored; what is on the target stays".to_owned(),
        ));
    };
    if !(seen.log.start..=seen.log.end).contains(&offset) {
        let message = format!(
            "the log of {place} has {} to {} (excluded)",
            seen.log.start, seen.log.end
        );
        let remedy = "write one of these offsets, or the end";
        return Err(Problem::new("offset", Some(&offset.to_string()), message, remedy));
    }
    if seen.position() == Some(offset) {
        return Ok((
            None,
            format!("nothing is changed: it goes on at offset {offset} already"),
        ));
    }
    let told = match seen.position() {
        Some(before) if before > offset => {
            format!("goes on at offset {offset}; {offset} to {before} (excluded) will be on the target twice")
        }
        Some(before) => {
            format!("goes on at offset {offset}; {before} to {offset} (excluded) are passed over")
        }
        None => format!("begins at offset {offset}"),
    };
    Ok((Some(decide::go_on_at(seen, offset)?), told))
}
