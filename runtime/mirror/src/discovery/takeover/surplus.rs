//! Markers on the target where the source has a record. A coordinator that is killed after it has written a marker, and before it has noted that, writes it once more: the
//! log has one offset too many, and no record of the source may be passed over for that.

use std::collections::HashMap;

use towpath_domain::{Offset, TopicPartition, state::PartitionState};
use towpath_wire::{Error, Isolation, OffsetSpec};

use super::{Candidate, Discovery, Found, Outcome, Wrong};
use crate::{reading::Reading, resolve};

// === impl Discovery ===

impl Discovery {
    /// Those whose markers stand where the source has no record. The others stop; what cannot be compared yet is left out.
    pub(super) async fn without_surplus(
        &mut self,
        open: Vec<(Candidate, Found)>,
        taken: &mut HashMap<TopicPartition, Outcome>,
    ) -> Result<Vec<(Candidate, Found)>, Error> {
        let (marked, mut right): (Vec<_>, Vec<_>) =
            open.into_iter().partition(|(_, found)| !found.marked.is_empty());
        let sources: Vec<TopicPartition> = marked
            .iter()
            .map(|(candidate, _)| candidate.source.clone())
            .collect();
        if sources.is_empty() {
            return Ok(right);
        }
        let list = |at| self.source.list_offsets(&sources, at, Isolation::ReadUncommitted);
        let (starts, ends) = (list(OffsetSpec::Earliest).await?, list(OffsetSpec::Latest).await?);
        for (candidate, found) in marked {
            let source = &candidate.source;
            let (Some(Ok(start)), Some(Ok(end))) = (starts.get(source), ends.get(source)) else {
                self.troubles
                    .push(format!("finding where {source} begins and ends"));
                continue;
            };
            match self
                .surplus(&candidate, &found.marked, (start.offset, end.offset))
                .await
            {
                Ok(None) => right.push((candidate, found)),
                Ok(Some(offset)) => {
                    tracing::error!(connector = self.connector, partition = %source, %offset, "the target has a marker where the source has a record, or may get one");
                    let state = PartitionState::SecondWriter { offset };
                    taken.insert(candidate.source, Err(Wrong { state, is_own: true }));
                }
                Err(error) => self
                    .troubles
                    .push(format!("comparing markers with {source}: {error}")),
            }
        }
        Ok(right)
    }

    /// The first of these offsets that the source has a record at, or has not come to.
    async fn surplus(
        &self,
        candidate: &Candidate,
        marked: &[Offset],
        (start, end): (Offset, Offset),
    ) -> Result<Option<Offset>, resolve::Error> {
        let Some((first, last)) = marked.first().zip(marked.last()) else {
            return Ok(None);
        };
        let isolation = self
            .exact
            .as_ref()
            .map_or(Isolation::ReadCommitted, |exact| exact.isolation);
        // What the source has deleted nobody needs.
        let span = (start.max(*first), end.min(Offset(last.0 + 1)));
        let mut surplus = marked.iter().copied().find(|offset| *offset >= end);
        let reading = Reading::new(&self.source, &candidate.source, isolation, span);
        reading
            .records(|record| {
                if marked.binary_search(&record.offset).is_ok() {
                    surplus = Some(surplus.map_or(record.offset, |before| before.min(record.offset)));
                }
            })
            .await?;
        Ok(surplus)
    }
}
