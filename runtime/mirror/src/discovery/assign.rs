//! Where new partitions begin, or why they do not.

use std::time::Duration;

use towpath_domain::{Bucket, TopicId, TopicPartition, state::PartitionState};
use towpath_wire::{Error, PartitionMetadata, TopicMetadata, positions::Position};

use super::{Discovery, Ready};
use crate::task::{Assignment, Compacted, Stored, since_1970};

// === impl Discovery ===

impl Discovery {
    /// The new partitions of these topics. Starts are looked up for all topics at once: one question to each broker, however many topics.
    pub(super) async fn assign(&mut self, topics: Vec<Ready<'_>>) -> Result<Vec<Assignment>, Error> {
        self.forget_unopened(&topics);
        let new: Vec<Vec<TopicPartition>> = topics.iter().map(|(topic, ..)| self.unknown(topic)).collect();
        let unstored: Vec<TopicPartition> = topics
            .iter()
            .zip(&new)
            .flat_map(|((topic, ..), new)| new.iter().map(|partition| (topic.id, partition)))
            .filter(|(id, partition)| !self.stored.contains_key(&(*id, partition.partition)))
            .map(|(_, partition)| partition.clone())
            .collect();
        let mut starts = self.find_starts(&unstored).await?;
        let ends = self.target_ends(&topics, &new).await?;
        let mut taken = self.take_over(&topics, &new, &starts, &ends).await?;
        let refilled = self.refill(&topics, &taken).await;
        let mut assignments = Vec::new();
        for ((topic, target, state), new) in topics.into_iter().zip(new) {
            if refilled.contains(&topic.name) {
                continue;
            }
            let state = match (state, self.recreated(topic)) {
                (Ok(_), Some(stored)) => Err(PartitionState::TopicRecreated {
                    stored,
                    found: topic.id,
                }),
                (Ok(found), None) => match self.target_recreated(topic, target, found.id) {
                    None => Ok(found),
                    Some(stored) => Err(PartitionState::TargetRecreated {
                        stored,
                        found: found.id,
                    }),
                },
                (state, _) => state,
            };
            for source in new {
                let position = self.stored.get(&(topic.id, source.partition));
                if let Some(before) = position.filter(|position| position.target.topic != *target) {
                    tracing::warn!(
                        connector = self.connector,
                        partition = %source,
                        offset = %before.offset,
                        "goes on under another name: what is before the offset is in topic {}, not in {target}", before.target.topic
                    );
                }
                let start = position.map(|position| (position.offset, position.epoch));
                let Some(start) = start.or_else(|| starts.remove(&source)) else {
                    continue;
                };
                let place = TopicPartition {
                    topic: target.clone(),
                    partition: source.partition,
                };
                let written = self.written_to((topic.id, source.partition), target);
                let target_next = written.and_then(|position| position.target.next);
                let state = match (&state, target_next) {
                    (Ok(_), Some(next)) => match ends.get(&place) {
                        Some(end) if *end < next => Err(PartitionState::TargetDiverged { next, end: *end }),
                        Some(_) => state.clone(),
                        // Left out: it is still unknown at the next round.
                        None => continue,
                    },
                    _ => state.clone(),
                };
                let state = match self.aborted(topic, source.partition) {
                    Some(aborted) => Err(aborted),
                    None => state,
                };
                let (state, taken) = match (&self.exact, state) {
                    (Some(_), Ok(found)) => match taken.remove(&source) {
                        Some(Ok(taken)) => (Ok(found), Some(taken)),
                        Some(Err(wrong)) => (Err(wrong.state), None),
                        // Left out, as above.
                        None => continue,
                    },
                    (_, state) => (state, None),
                };
                let start = taken.as_ref().map_or(start, |taken| taken.start);
                // The row of a partition that does not begin stays as it is.
                let target_id = match &state {
                    Ok(found) => found.id,
                    Err(_) => written.map_or(TopicId::ZERO, |position| position.target.topic_id),
                };
                let preserved = taken.as_ref().and_then(|taken| taken.preserved);
                match preserved {
                    Some(preserved) if !preserved.readable => self.withheld.fills(&place),
                    _ => self.withheld.is_filled(&place),
                }
                let bucket = Bucket::of(topic.id, source.partition);
                self.known.insert(source.clone(), bucket);
                assignments.push(Assignment {
                    target: place,
                    target_id,
                    topic_id: topic.id,
                    batches: state.as_ref().ok().map(|found| found.batches),
                    start,
                    stored: position.map(|position| Stored {
                        offset: position.offset,
                        target_next: taken.as_ref().map_or(target_next, |taken| taken.written),
                    }),
                    state: state.err().unwrap_or(PartitionState::Mirroring),
                    skip: taken.as_ref().map_or(0, |taken| taken.skip),
                    preserved,
                    compacted: self.compacted(topic, position),
                    is_contested: taken.as_ref().is_some_and(|taken| taken.is_contested),
                    plan: taken.map(|taken| taken.plan),
                    source,
                });
            }
        }
        Ok(assignments)
    }

    /// Of a compacted topic: how long it keeps tombstones, and since when some may be missed. One that was not mirrored before has none of the keys that are deleted.
    fn compacted(&self, topic: &TopicMetadata, position: Option<&Position>) -> Option<Compacted> {
        let kept = *self.compacted.get(&topic.name)?;
        let stored_at = position.and_then(|position| position.caught_up_at);
        Some(Compacted {
            retention: Duration::from_millis(kept.unsigned_abs()),
            // One of a clock that was wrong does not count for longer than until now.
            caught_up_at: stored_at.unwrap_or(i64::MAX).min(since_1970()),
            stored_at,
        })
    }

    /// The partitions that are this worker's and that no task has yet.
    pub(super) fn unknown(&self, topic: &TopicMetadata) -> Vec<TopicPartition> {
        let owned = topic
            .partitions
            .iter()
            .filter(|partition| self.owned.contains(Bucket::of(topic.id, partition.partition)));
        let partitions = owned.map(|partition| TopicPartition {
            topic: topic.name.clone(),
            partition: partition.partition,
        });
        partitions
            .filter(|partition| !self.known.contains_key(partition))
            .collect()
    }

    /// The topic id that the stored positions of this name are of, when the topic now has another one.
    pub(super) fn recreated(&self, topic: &TopicMetadata) -> Option<TopicId> {
        let stored = *self.stored_ids.get(&topic.name)?;
        let has_positions =
            |partition: &PartitionMetadata| self.stored.contains_key(&(topic.id, partition.partition));
        let is_other = !topic.id.is_zero() && !topic.partitions.iter().any(has_positions);
        is_other.then_some(stored)
    }
}
