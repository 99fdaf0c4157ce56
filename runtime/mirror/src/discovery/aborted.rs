//! Partitions that an operator has left stopped.

use towpath_domain::{Partition, TopicId, state::PartitionState};
use towpath_wire::{TopicMetadata, positions::Position};

use super::Discovery;

// === impl Discovery ===

impl Discovery {
    /// Why a partition stays stopped: its row says so, or one of the topic that had its name before.
    pub(super) fn aborted(&self, topic: &TopicMetadata, partition: Partition) -> Option<PartitionState> {
        match self.stored.get(&(topic.id, partition)) {
            Some(row) => aborted(row),
            None => self
                .recreated(topic)
                .and_then(|former| self.aborted_topic(former)),
        }
    }

    fn aborted_topic(&self, id: TopicId) -> Option<PartitionState> {
        let mut rows = self.stored.iter().filter(|((topic, _), _)| *topic == id);
        rows.find_map(|(_, row)| aborted(row))
    }
}

fn aborted(row: &Position) -> Option<PartitionState> {
    let resolved = row.resolved.as_ref().filter(|resolved| resolved.is_abort())?;
    Some(PartitionState::Aborted {
        state: resolved.state.clone(),
        at: resolved.at,
    })
}
