//! Whether compaction may have taken tombstones that were not mirrored, as a start would find it.

use std::collections::HashMap;

use towpath_domain::{Offset, TopicName};
use towpath_wire::{Isolation, OffsetSpec, positions::Chunks};

use super::{Error, Subject, seen::Seen};
use crate::reading::Reading;
use crate::targets;

/// What compaction has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missed {
    /// the first offset behind the position that has no record
    pub hole: Offset,
    /// what the source had then is mirrored, ms since 1970
    pub caught_up_at: i64,
    /// `delete.retention.ms`
    pub retention_ms: i64,
    /// where on the target the first record is that the mirror is known to have written
    pub mirrored_from: Option<Offset>,
}

/// Looks at the partitions whose positions stand for longer than the source keeps tombstones. `at` is now, ms since 1970.
pub(super) async fn look_for_missed(
    subject: &Subject,
    chunks: Option<&Chunks<'_>>,
    seen: &mut [Seen],
    at: i64,
) -> Result<(), Error> {
    let mut topics: Vec<TopicName> = seen
        .iter()
        .filter(|seen| seen.row.as_ref().is_some_and(|row| row.caught_up_at.is_some()))
        .map(|seen| seen.source.topic.clone())
        .collect();
    topics.sort();
    topics.dedup();
    if topics.is_empty() {
        return Ok(());
    }
    let configs = subject.source.describe_topic_configs(&topics).await?;
    let kept: HashMap<TopicName, i64> = configs
        .into_iter()
        .filter_map(|(topic, entries)| Some((topic, targets::tombstones_kept(&entries)?)))
        .collect();
    for seen in seen {
        let (Some(row), Some(position)) = (&seen.row, seen.position()) else {
            continue;
        };
        let (Some(caught_up_at), Some(&retention_ms)) = (row.caught_up_at, kept.get(&seen.source.topic))
        else {
            continue;
        };
        if at.saturating_sub(caught_up_at) < retention_ms
            || !(seen.log.start..seen.log.end).contains(&position)
        {
            continue;
        }
        let end = stable_end(subject, seen).await?;
        let reading = Reading::new(&subject.source, &seen.source, subject.isolation, (position, end));
        let Some(hole) = reading.first_hole().await? else {
            continue;
        };
        let mirrored_from = mirrored_from(chunks, seen).await?;
        seen.missed = Some(Missed {
            hole,
            caught_up_at,
            retention_ms,
            mirrored_from,
        });
    }
    Ok(())
}

/// Up to where the mirror can read.
async fn stable_end(subject: &Subject, seen: &Seen) -> Result<Offset, Error> {
    if subject.isolation == Isolation::ReadUncommitted {
        return Ok(seen.log.end);
    }
    let one = std::slice::from_ref(&seen.source);
    let listed = subject
        .source
        .list_offsets(one, OffsetSpec::Latest, subject.isolation);
    match listed.await?.remove(&seen.source) {
        Some(Ok(listed)) => Ok(listed.offset),
        Some(Err(error)) => Err(Error::Unseen {
            what: seen.source.to_string(),
            error,
        }),
        None => Ok(seen.log.end),
    }
}

async fn mirrored_from(chunks: Option<&Chunks<'_>>, seen: &Seen) -> Result<Option<Offset>, Error> {
    if let Some(chunks) = chunks
        && let Some(oldest) = chunks.oldest(&seen.key)
        && let Some(runs) = chunks.of(&seen.key, oldest).await?
    {
        return Ok(runs.first().map(|first| first.target));
    }
    let row = seen.row.as_ref();
    Ok(row.and_then(|row| {
        let first = row.runs.first().map(|first| first.target);
        first.or(row.anchor.map(|anchor| anchor.offset))
    }))
}
