//! Topics with preserved offsets that nobody may read yet. What is wrong with such a topic cannot be repaired in place, and nobody misses it: it is deleted and filled again.

use std::collections::{HashMap, HashSet};

use towpath_domain::{Buckets, TopicName, TopicPartition};
use towpath_wire::{TopicMetadata, positions::Resolved};

use super::{Discovery, Ready, takeover::Outcome};
use crate::targets;

// === impl Discovery ===

impl Discovery {
    /// Forgets the rows of topics that nobody could read yet, and that are gone: they are filled again.
    pub(super) fn forget_unopened(&mut self, topics: &[Ready<'_>]) {
        for (topic, target, state) in topics {
            let Ok(found) = state else { continue };
            if !self.is_unopened(topic) || self.target_recreated(topic, target, found.id).is_none() {
                continue;
            }
            tracing::warn!(connector = self.connector, topic = %topic.name, "{target} was deleted before anybody could read it: it is filled again");
            self.stored.retain(|(id, _), _| *id != topic.id);
            self.stored_ids.remove(&topic.name);
        }
    }

    /// Deletes on the target what has a wrong end by the connector's own doing, and that nobody may read yet. Answers those topics: they come in the next round.
    pub(super) async fn refill(
        &mut self,
        topics: &[Ready<'_>],
        taken: &HashMap<TopicPartition, Outcome>,
    ) -> HashSet<TopicName> {
        let is_wrong = |topic: &TopicMetadata| {
            let outcomes = taken
                .iter()
                .filter(|(partition, _)| partition.topic == topic.name);
            let mut wrong = outcomes
                .filter_map(|(_, outcome)| outcome.as_ref().err())
                .peekable();
            wrong.peek().is_some() && wrong.all(|wrong| wrong.is_own)
        };
        let mut refilled = HashSet::new();
        for (topic, target, state) in topics {
            let is_begun_again = state.is_ok() && is_wrong(topic) && self.is_unopened(topic);
            if !is_begun_again || !self.refilled.insert(topic.name.clone()) {
                continue;
            }
            tracing::warn!(connector = self.connector, topic = %topic.name, "{target} has a wrong end, and nobody may read it yet: it is deleted, and filled again");
            match targets::delete(&self.target, target).await {
                Ok(()) => {
                    self.troubles
                        .push(format!("topic {target} had a wrong end: it is filled again"));
                    refilled.insert(topic.name.clone());
                }
                Err(error) => {
                    tracing::error!(connector = self.connector, topic = %target, "it cannot be deleted: {error}");
                }
            }
        }
        refilled
    }

    /// Whether nobody may read any partition of the topic yet, by its rows, and nobody but this worker writes it.
    fn is_unopened(&self, topic: &TopicMetadata) -> bool {
        let rows = topic.partitions.iter();
        let mut rows = rows
            .filter_map(|found| self.stored.get(&(topic.id, found.partition)))
            .peekable();
        self.exact.is_some()
            && self.owned == Buckets::ALL
            && !self.known.keys().any(|place| place.topic == topic.name)
            && rows.peek().is_some()
            && rows.all(|row| {
                let is_aborted = row.resolved.as_ref().is_some_and(Resolved::is_abort);
                row.preserved.is_some_and(|preserved| !preserved.readable) && !is_aborted
            })
    }
}
