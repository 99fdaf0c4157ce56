//! Whether what stored positions say was written is still on the target.

use std::collections::HashMap;

use towpath_domain::{Offset, Partition, TopicId, TopicName, TopicPartition};
use towpath_wire::{Error, Isolation, OffsetSpec, TopicMetadata, positions::Position};

use super::{Discovery, Ready};

// === impl Discovery ===

impl Discovery {
    /// The stored position of a source partition, when it is of this target topic.
    pub(super) fn written_to(&self, source: (TopicId, Partition), target: &TopicName) -> Option<&Position> {
        self.stored
            .get(&source)
            .filter(|position| position.target.topic == *target)
    }

    /// The id of the target topic that stored positions of this topic are of, when the target has another one under that name. A position before the first
    /// record that was written misses nothing there.
    pub(super) fn target_recreated(
        &self,
        topic: &TopicMetadata,
        target: &TopicName,
        found: TopicId,
    ) -> Option<TopicId> {
        topic
            .partitions
            .iter()
            .filter_map(|partition| self.written_to((topic.id, partition.partition), target))
            .filter(|position| position.target.next.is_some())
            .map(|position| position.target.topic_id)
            .find(|stored| !stored.is_zero() && !found.is_zero() && *stored != found)
    }

    /// Where the target's logs end, exactly once all of them, else those that stored positions say something of: an end before what was acknowledged means that it is gone. Without topic
    /// ids nothing else shows it.
    pub(super) async fn target_ends(
        &mut self,
        topics: &[Ready<'_>],
        new: &[Vec<TopicPartition>],
    ) -> Result<HashMap<TopicPartition, Offset>, Error> {
        let mut partitions = Vec::new();
        for ((topic, target, state), new) in topics.iter().zip(new) {
            let is_written = |partition: &&TopicPartition| {
                self.exact.is_some()
                    || self
                        .written_to((topic.id, partition.partition), target)
                        .is_some_and(|position| position.target.next.is_some())
            };
            let places = new.iter().filter(is_written).map(|partition| TopicPartition {
                topic: (*target).clone(),
                partition: partition.partition,
            });
            partitions.extend(places.filter(|_| state.is_ok()));
        }
        let mut ends = HashMap::new();
        if partitions.is_empty() {
            return Ok(ends);
        }
        for (partition, listed) in self
            .target
            .list_offsets(&partitions, OffsetSpec::Latest, Isolation::ReadUncommitted)
            .await?
        {
            match listed {
                Ok(listed) => drop(ends.insert(partition, listed.offset)),
                Err(error) => {
                    tracing::warn!(connector = self.connector, %partition, %error, "the end on the target cannot be found yet");
                    self.troubles
                        .push(format!("finding the end of {partition} on the target: {error}"));
                }
            }
        }
        Ok(ends)
    }
}
