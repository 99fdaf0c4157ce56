//! Topics that were deleted and created again under their names: by their ids they are others.

use std::collections::{BTreeMap, HashMap};

use towpath_domain::{TopicId, TopicName, state::PartitionState};
use towpath_wire::{Client, TopicMetadata};

use super::Task;

// === impl Task ===

impl Task {
    /// A topic under the same name with another id is another topic.
    pub(super) fn check_source(&mut self, topics: &[TopicMetadata]) {
        let found: HashMap<&TopicName, TopicId> = topics
            .iter()
            .filter(|topic| topic.error.is_none() && !topic.id.is_zero())
            .map(|topic| (&topic.name, topic.id))
            .collect();
        for index in 0..self.lanes.len() {
            let lane = &self.lanes[index];
            let Some(&found) = found.get(&lane.source.topic) else {
                continue;
            };
            if !lane.is_stopped() && !lane.topic_id.is_zero() && lane.topic_id != found {
                let stored = lane.topic_id;
                let lane = &mut self.lanes[index];
                lane.stop(PartitionState::TopicRecreated { stored, found });
                tracing::error!(partition = %lane.source, "{}", lane.state);
            }
        }
    }

    /// As [`Task::check_source`], before anything is sent to a leader that new metadata has named: by name it would get into the other topic. False when answers are still to
    /// come by which it is decided: it has to be checked again before anything else is sent.
    pub(super) fn check_target(&mut self, client: &Client) -> bool {
        let mut recreated: BTreeMap<TopicName, TopicId> = BTreeMap::new();
        for index in 0..self.lanes.len() {
            let lane = &self.lanes[index];
            let Some(found) = client.topic_id(&lane.target.topic) else {
                continue;
            };
            if !lane.is_writing() || lane.target_id == found {
                continue;
            }
            if lane.target_id.is_zero() {
                // The brokers had no ids when it began.
                self.lanes[index].target_id = found;
            } else {
                recreated.insert(lane.target.topic.clone(), found);
            }
        }
        let mut is_decided = true;
        for (topic, found) in recreated {
            is_decided &= self.target_recreated(&topic, found);
        }
        is_decided
    }

    /// What was written to the topic before is not in the new one, so its partitions stop. Where nothing was, the new one is as good.
    fn target_recreated(&mut self, topic: &TopicName, found: TopicId) -> bool {
        let lanes: Vec<usize> = (0..self.lanes.len())
            .filter(|index| self.lanes[*index].target.topic == *topic)
            .collect();
        // One that has gone over to the new topic may have written there by the time that the answers to another one have come.
        let is_of_old = |index: &&usize| self.lanes[**index].target_id != found;
        let mut old = lanes.iter().filter(is_of_old);
        let has_written = old.any(|index| self.lanes[*index].has_written());
        let mut is_decided = true;
        for index in lanes {
            let lane = &self.lanes[index];
            if !lane.is_writing() || lane.target_id == found {
                continue;
            }
            if !has_written && lane.has_in_flight() {
                // Once the answers have come it is known whether the old topic has got something.
                is_decided = false;
                continue;
            }
            let lane = &mut self.lanes[index];
            if has_written {
                lane.stop(PartitionState::TargetRecreated {
                    stored: lane.target_id,
                    found,
                });
                tracing::error!(partition = %lane.source, "{}", lane.state);
            } else {
                lane.target_id = found;
                tracing::warn!(partition = %lane.source, %topic, %found, "the target topic was deleted and created again before anything was written to it");
            }
        }
        is_decided
    }
}
