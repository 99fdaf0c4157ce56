//! What is cached of a cluster.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use kafka_protocol::messages::MetadataResponse;
use tokio::time::Instant;
use towpath_domain::{TopicId, TopicName, TopicPartition};

use super::{Leader, NodeId, TopicMetadata};
use crate::{Address, Peer};

/// Brokers, controller and leaders, as the last answers said.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    brokers: HashMap<NodeId, Address>,
    controller: Option<NodeId>,
    topics: HashMap<TopicName, Topic>,
}

#[derive(Debug)]
struct Topic {
    id: TopicId,
    /// By partition.
    leaders: Vec<Option<Leader>>,
    /// By partition.
    in_sync: Vec<Box<[NodeId]>>,
    read: Instant,
}

// === impl Cluster ===

impl Cluster {
    pub(super) fn leader(&self, partition: &TopicPartition, max_age: Duration) -> Option<Leader> {
        let topic = self
            .topics
            .get(&partition.topic)
            .filter(|topic| topic.read.elapsed() < max_age)?;
        *topic.leaders.get(usize::try_from(partition.partition.0).ok()?)?
    }

    /// `None` for a topic that is not known, and from brokers without topic ids.
    pub(super) fn topic_id(&self, topic: &TopicName) -> Option<TopicId> {
        let id = self.topics.get(topic)?.id;
        (!id.is_zero()).then_some(id)
    }

    /// Whether the partition exists, as far as is known, led or not.
    pub(super) fn has(&self, partition: &TopicPartition) -> bool {
        let count = self
            .topics
            .get(&partition.topic)
            .map_or(0, |topic| topic.leaders.len());
        usize::try_from(partition.partition.0).is_ok_and(|index| index < count)
    }

    pub(super) fn is_in_sync(&self, partition: &TopicPartition, node: NodeId) -> bool {
        let index = usize::try_from(partition.partition.0).unwrap_or(usize::MAX);
        self.topics
            .get(&partition.topic)
            .and_then(|topic| topic.in_sync.get(index))
            .is_some_and(|nodes| nodes.contains(&node))
    }

    pub(super) fn address(&self, node: NodeId) -> Option<Address> {
        self.brokers.get(&node).cloned()
    }

    pub(super) fn peer(&self, node: NodeId) -> Option<Peer> {
        Some(Peer {
            address: self.address(node)?,
            node: Some(node),
        })
    }

    pub(super) fn nodes(&self) -> Vec<NodeId> {
        self.brokers.keys().copied().collect()
    }

    pub(super) fn controller(&self) -> Option<NodeId> {
        self.controller
    }

    /// Every answer has all brokers that are up. An answer without any is a broker that is starting: nothing is known by it.
    pub(super) fn update_brokers(&mut self, answer: &MetadataResponse) {
        let brokers: HashMap<NodeId, Address> = answer
            .brokers
            .iter()
            .filter_map(|broker| {
                let port = u16::try_from(broker.port).ok()?;
                Some((
                    NodeId(broker.node_id.0),
                    Address {
                        host: broker.host.to_string(),
                        port,
                    },
                ))
            })
            .collect();
        if !brokers.is_empty() {
            self.controller = Some(NodeId(answer.controller_id.0)).filter(|node| brokers.contains_key(node));
            self.brokers = brokers;
        }
    }

    /// Its address is no longer good.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.brokers.remove(&node);
    }

    /// Forgets the topics that are not in an answer about all there are.
    pub(super) fn keep_topics(&mut self, all: &[TopicMetadata]) {
        let names: HashSet<&TopicName> = all.iter().map(|topic| &topic.name).collect();
        self.topics.retain(|name, _| names.contains(name));
    }

    pub(super) fn update_topic(&mut self, topic: &TopicMetadata) {
        if topic.error.is_some() {
            self.topics.remove(&topic.name);
            return;
        }
        let before = self
            .topics
            .remove(&topic.name)
            .filter(|before| before.id == topic.id);
        // An answer has every partition, from 0 on: a number that is not among them is a lie, and no room is made for it.
        let mut leaders = vec![None; topic.partitions.len()];
        let mut in_sync = vec![Box::default(); leaders.len()];
        for partition in &topic.partitions {
            let index = usize::try_from(partition.partition.0).unwrap_or(usize::MAX);
            let Some(place) = leaders.get_mut(index) else {
                continue;
            };
            in_sync[index] = partition.isr.clone().into_boxed_slice();
            *place = partition.leader.map(|node| Leader {
                node,
                epoch: partition.leader_epoch,
            });
            // A broker that is behind may answer an older leader than is known (Java's Metadata keeps the newer one too).
            if let Some(known) = before.as_ref().and_then(|before| *before.leaders.get(index)?)
                && known.epoch > partition.leader_epoch
            {
                *place = Some(known);
            }
        }
        self.topics.insert(
            topic.name.clone(),
            Topic {
                id: topic.id,
                leaders,
                in_sync,
                read: Instant::now(),
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use towpath_domain::{LeaderEpoch, Partition};
    use uuid::Uuid;

    use super::{super::PartitionMetadata, *};

    fn topic(id: u128, leaders: &[(i32, i32)]) -> TopicMetadata {
        let partition = |(index, &(node, epoch)): (usize, &(i32, i32))| PartitionMetadata {
            partition: Partition(index as i32),
            error: None,
            leader: (node >= 0).then_some(NodeId(node)),
            leader_epoch: LeaderEpoch(epoch),
            replicas: Vec::new(),
            isr: vec![NodeId(node)],
        };
        TopicMetadata {
            name: "orders".into(),
            id: TopicId(Uuid::from_u128(id)),
            internal: false,
            error: None,
            partitions: leaders.iter().enumerate().map(partition).collect(),
        }
    }

    #[test]
    fn a_partition_that_cannot_be_takes_no_room() {
        let mut cluster = Cluster::default();
        let mut lie = topic(1, &[(1, 5), (2, 5)]);
        lie.partitions[1].partition = Partition(i32::MAX);
        cluster.update_topic(&lie);
        let age = Duration::from_secs(60);
        assert!(cluster.leader(&TopicPartition::new("orders", 0), age).is_some());
        assert!(!cluster.has(&TopicPartition::new("orders", i32::MAX)));
    }

    #[test]
    fn an_older_epoch_does_not_replace_a_newer_one_unless_the_topic_is_another() {
        let age = Duration::from_secs(60);
        let partition = TopicPartition::new("orders", 0);
        let mut cluster = Cluster::default();
        cluster.update_topic(&topic(1, &[(1, 5)]));
        cluster.update_topic(&topic(1, &[(2, 4)]));
        assert_eq!(
            cluster.leader(&partition, age),
            Some(Leader {
                node: NodeId(1),
                epoch: LeaderEpoch(5)
            })
        );
        cluster.update_topic(&topic(1, &[(2, 6)]));
        assert_eq!(
            cluster.leader(&partition, age),
            Some(Leader {
                node: NodeId(2),
                epoch: LeaderEpoch(6)
            })
        );
        cluster.update_topic(&topic(1, &[(-1, 6)]));
        assert_eq!(
            cluster.leader(&partition, age),
            None,
            "nobody leads it in this epoch"
        );
        assert_eq!(
            cluster.topic_id(&partition.topic),
            Some(TopicId(Uuid::from_u128(1)))
        );
        cluster.update_topic(&topic(2, &[(3, 0)]));
        assert_eq!(
            cluster.topic_id(&partition.topic),
            Some(TopicId(Uuid::from_u128(2)))
        );
        assert_eq!(
            cluster.leader(&partition, age),
            Some(Leader {
                node: NodeId(3),
                epoch: LeaderEpoch(0)
            })
        );
        assert_eq!(cluster.leader(&partition, Duration::ZERO), None, "too old");
        assert!(cluster.is_in_sync(&partition, NodeId(3)) && !cluster.is_in_sync(&partition, NodeId(2)));
        assert_eq!(cluster.leader(&TopicPartition::new("orders", 1), age), None);
    }
}
