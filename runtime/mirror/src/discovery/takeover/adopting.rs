//! A target that has the source's records at the source's offsets already, though no row of this connector says so: the way back of a mirror whose offsets were
//! preserved. By content: its last records are compared with the source's.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
};

use towpath_domain::{Offset, TopicPartition};
use towpath_wire::{Client, Error, Isolation, OffsetSpec};

use super::super::Discovery;
use crate::{reading::Reading, resolve};

/// How many offsets before the target's end are compared.
const COMPARED: i64 = 500;

/// A partition of the source, and the one of the target that it goes to.
pub(in crate::discovery) type Route = (TopicPartition, TopicPartition);

// === impl Discovery ===

impl Discovery {
    /// Which of these partitions, of the source, have on the target what the source has there, up to the target's end. Nothing is said of those that could not be
    /// looked at: that is a trouble, and they are looked at again.
    pub(in crate::discovery) async fn same_already(
        &mut self,
        routes: &[Route],
    ) -> Result<HashMap<TopicPartition, bool>, Error> {
        let mut same = HashMap::new();
        if routes.is_empty() {
            return Ok(same);
        }
        let (sources, places): (Vec<_>, Vec<_>) = routes.iter().cloned().unzip();
        let bounds = |partitions, at| {
            self.source
                .list_offsets(partitions, at, Isolation::ReadUncommitted)
        };
        let starts = bounds(&sources, OffsetSpec::Earliest).await?;
        let ends = bounds(&sources, OffsetSpec::Latest).await?;
        let bounds = |partitions, at| {
            self.target
                .list_offsets(partitions, at, Isolation::ReadUncommitted)
        };
        let target_starts = bounds(&places, OffsetSpec::Earliest).await?;
        let target_ends = bounds(&places, OffsetSpec::Latest).await?;
        for (source, place) in routes {
            let bound = |listed: Option<&Result<towpath_wire::ListedOffset, _>>| match listed {
                Some(Ok(listed)) => Some(listed.offset),
                _ => None,
            };
            let (Some(start), Some(end), Some(target_start), Some(target_end)) = (
                bound(starts.get(source)),
                bound(ends.get(source)),
                bound(target_starts.get(place)),
                bound(target_ends.get(place)),
            ) else {
                self.troubles.push(format!(
                    "finding where {source}, and {place} on the target, begin and end"
                ));
                continue;
            };
            let from = start.max(target_start).max(Offset(target_end.0 - COMPARED));
            if target_end > end || from >= target_end {
                same.insert(source.clone(), false);
                continue;
            }
            let span = (from, target_end);
            let (ours, there) = tokio::join!(
                committed(&self.source, source, span),
                committed(&self.target, place, span)
            );
            match (ours, there) {
                (Ok(ours), Ok(there)) => drop(same.insert(source.clone(), are_same(&ours, &there))),
                (Err(error), _) | (_, Err(error)) => {
                    self.troubles
                        .push(format!("comparing {source} with the target: {error}"));
                }
            }
        }
        Ok(same)
    }
}

/// Digests of timestamp, key, value and headers, by offset. What was aborted on one side is nowhere on the other.
type Records = BTreeMap<Offset, u64>;

async fn committed(
    client: &Client,
    place: &TopicPartition,
    span: (Offset, Offset),
) -> Result<Records, resolve::Error> {
    let mut records = Records::new();
    let reading = Reading::new(client, place, Isolation::ReadCommitted, span);
    reading
        .records(|record| {
            let mut hasher = DefaultHasher::new();
            (record.timestamp, record.key, record.value, record.headers.raw()).hash(&mut hasher);
            records.insert(record.offset, hasher.finish());
        })
        .await?;
    Ok(records)
}

/// Where nothing is to be compared, nothing tells.
fn are_same(source: &Records, target: &Records) -> bool {
    !source.is_empty() && source == target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_other_records_or_none_is_not_the_same() {
        let records = |records: &[(i64, u64)]| -> Records {
            let pairs = records.iter().map(|(offset, digest)| (Offset(*offset), *digest));
            pairs.collect()
        };
        let same = |target: &[(i64, u64)]| are_same(&records(&[(5, 50), (6, 60)]), &records(target));
        assert!(same(&[(5, 50), (6, 60)]));
        assert!(!same(&[(5, 50), (6, 61)]));
        assert!(!same(&[(6, 60)]), "one is missing");
        assert!(!same(&[(4, 40), (5, 50), (6, 60)]), "one is foreign");
        assert!(!are_same(&records(&[]), &records(&[])), "nothing tells");
    }
}
