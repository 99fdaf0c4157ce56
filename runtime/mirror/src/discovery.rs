//! Which topics of the source are mirrored, under which names, and from where: asked at the start and again and again.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex},
};

use towpath_domain::{
    ClusterId, LeaderEpoch, Offset, Partition, TopicId, TopicName, TopicPartition, state::PartitionState,
};
use towpath_wire::{
    Client, Error, Isolation, OffsetSpec, TopicMetadata, Topics, batch,
    positions::{Position, PositionKey},
};

use crate::{
    config::{Selection, Start},
    route::{self, Routes},
    targets::{self, Wanted},
    task::Assignment,
};

/// The source's topics that a connector selects.
pub(crate) async fn select(source: &Client, selection: &Selection) -> Result<Selected, Error> {
    let all = source.metadata(Topics::All).await?;
    let names: Vec<&str> = all.iter().map(|topic| topic.name.as_str()).collect();
    let unmatched = selection
        .unmatched(names.into_iter())
        .into_iter()
        .map(str::to_owned)
        .collect();
    let mut topics: Vec<TopicMetadata> = all
        .into_iter()
        .filter(|topic| topic.error.is_none() && selection.contains(topic.name.as_str()))
        .collect();
    // Brokers answer in any order; what is said of topics should not jump about.
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Selected { topics, unmatched })
}

/// What a selection found.
pub(crate) struct Selected {
    pub topics: Vec<TopicMetadata>,
    /// patterns that match no topic
    pub unmatched: Vec<String>,
}

/// What a connector knows of its topics: the table by which the way back is found.
pub(crate) struct Discovery {
    pub connector: String,
    pub source: Client,
    pub target: Client,
    pub source_cluster: ClusterId,
    pub replication_factor: i16,
    pub start: Start,
    pub routes: Arc<Mutex<Routes>>,
    pub stored: HashMap<PositionKey, Position>,
    known: HashSet<TopicPartition>,
    by_target: BTreeMap<TopicName, TopicName>,
    refused: BTreeMap<TopicName, String>,
    rounds: u64,
}

// === impl Discovery ===

impl Discovery {
    pub(crate) fn new(
        connector: String,
        (source, target): (Client, Client),
        replication_factor: i16,
        start: Start,
        routes: Arc<Mutex<Routes>>,
        stored: HashMap<PositionKey, Position>,
    ) -> Self {
        Self {
            connector,
            source_cluster: source.cluster_id(),
            source,
            target,
            replication_factor,
            start,
            routes,
            stored,
            known: HashSet::new(),
            by_target: BTreeMap::new(),
            refused: BTreeMap::new(),
            rounds: 0,
        }
    }

    /// Topics that no router takes, with the reason.
    pub(crate) fn refused(&self) -> Vec<String> {
        self.refused.values().cloned().collect()
    }

    /// The partitions that appeared since the last round, ready for tasks: routed, their targets created, their start found.
    pub(crate) async fn round(&mut self, selection: &Selection) -> Result<Vec<Assignment>, Error> {
        let selected = select(&self.source, selection).await?;
        let fresh: Vec<TopicMetadata> = selected
            .topics
            .into_iter()
            .filter(|topic| self.has_news(topic))
            .collect();
        if fresh.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<TopicName> = fresh.iter().map(|topic| topic.name.clone()).collect();
        let mut routed = HashMap::new();
        for (topic, result) in route::route_all(Arc::clone(&self.routes), names.clone()).await {
            match result {
                Ok(target) => {
                    self.refused.remove(&topic);
                    routed.insert(topic, target);
                }
                Err(error) => {
                    if self.refused.insert(topic, error.to_string()).is_none() {
                        tracing::error!(connector = self.connector, "{error}");
                    }
                }
            }
        }
        let mut configs = self.source.describe_topic_configs(&names).await?;
        let wanted: Vec<Wanted> = fresh
            .iter()
            .filter(|topic| self.collision(&topic.name, routed.get(&topic.name)).is_none())
            .filter_map(|topic| {
                Some(Wanted {
                    name: routed.get(&topic.name)?.clone(),
                    partitions: topic.partitions.len() as i32,
                    configs: targets::copied_configs(&configs.remove(&topic.name).unwrap_or_default()),
                })
            })
            .collect();
        let mut found = targets::ensure(&self.target, &wanted, self.replication_factor).await?;
        let mut assignments = Vec::new();
        for topic in &fresh {
            let Some(target) = routed.get(&topic.name) else {
                continue;
            };
            let state = match (self.collision(&topic.name, Some(target)), found.remove(target)) {
                (Some(with), _) => Err(PartitionState::TopicCollision {
                    target: target.clone(),
                    with,
                }),
                (None, Some(Ok(found))) if found.partitions < topic.partitions.len() as i32 => {
                    Err(PartitionState::PartitionsShrunk {
                        source: topic.partitions.len() as i32,
                        target: found.partitions,
                    })
                }
                (None, Some(Ok(found))) => Ok(found.batches),
                (None, Some(Err(error))) if error.is_retriable() => return Err(error),
                (None, Some(Err(error))) => Err(PartitionState::TargetRefuses {
                    offset: Offset(0),
                    error: format!("creating topic {target}: {error}"),
                    remedy: "grant it, or create the topic by hand, and restart the connector".to_owned(),
                }),
                // Created a moment ago, and not yet known to the broker that was asked.
                (None, None) => continue,
            };
            assignments.extend(self.assign(topic, target, &state).await?);
            self.by_target
                .entry(target.clone())
                .or_insert_with(|| topic.name.clone());
        }
        self.rounds += 1;
        Ok(assignments)
    }

    fn has_news(&self, topic: &TopicMetadata) -> bool {
        topic.partitions.iter().any(|partition| {
            !self.known.contains(&TopicPartition {
                topic: topic.name.clone(),
                partition: partition.partition,
            })
        })
    }

    /// The other source topic that already goes to this target.
    fn collision(&self, topic: &TopicName, target: Option<&TopicName>) -> Option<TopicName> {
        self.by_target.get(target?).filter(|with| *with != topic).cloned()
    }

    async fn assign(
        &mut self,
        topic: &TopicMetadata,
        target: &TopicName,
        state: &Result<batch::Target, PartitionState>,
    ) -> Result<Vec<Assignment>, Error> {
        let new: Vec<TopicPartition> = topic
            .partitions
            .iter()
            .map(|partition| TopicPartition {
                topic: topic.name.clone(),
                partition: partition.partition,
            })
            .filter(|partition| !self.known.contains(partition))
            .collect();
        let state = match (state, self.recreated(topic)) {
            (Ok(_), Some(stored)) => Err(PartitionState::TopicRecreated {
                stored,
                found: topic.id,
            }),
            (state, _) => state.clone(),
        };
        let unstored: Vec<TopicPartition> = new
            .iter()
            .filter(|partition| !self.stored.contains_key(&self.key(topic.id, partition.partition)))
            .cloned()
            .collect();
        let mut starts = self.starts(&unstored).await?;
        let mut assignments = Vec::new();
        for source in new {
            let stored = self
                .stored
                .get(&self.key(topic.id, source.partition))
                .map(|position| (position.offset, position.epoch));
            let Some(start) = stored.or_else(|| starts.remove(&source)) else {
                continue;
            };
            assignments.push(Assignment {
                target: TopicPartition {
                    topic: target.clone(),
                    partition: source.partition,
                },
                topic_id: topic.id,
                batches: state.as_ref().copied().unwrap_or(UNKNOWN_TARGET),
                start,
                stored: stored.map(|(offset, _)| offset),
                state: state.as_ref().err().cloned().unwrap_or(PartitionState::Mirroring),
                source: source.clone(),
            });
            self.known.insert(source);
        }
        Ok(assignments)
    }

    /// The topic id that the stored positions of this name are of, when the topic now has another one.
    fn recreated(&self, topic: &TopicMetadata) -> Option<TopicId> {
        let mine = |key: &&PositionKey| key.connector == self.connector && key.source == self.source_cluster;
        if topic.id.is_zero() || self.stored.keys().filter(mine).any(|key| key.topic == topic.id) {
            return None;
        }
        let old = self
            .stored
            .iter()
            .find(|(key, position)| mine(key) && position.topic == topic.name);
        old.map(|(key, _)| key.topic)
    }

    fn key(&self, topic: TopicId, partition: Partition) -> PositionKey {
        PositionKey {
            connector: self.connector.clone(),
            source: self.source_cluster.clone(),
            topic,
            partition,
        }
    }

    /// Where partitions without a stored position begin. Those that appear later begin at their first record, whatever the
    /// configuration says: records written before they were noticed would be missed.
    async fn starts(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, (Offset, LeaderEpoch)>, Error> {
        if partitions.is_empty() {
            return Ok(HashMap::new());
        }
        let at = match self.start {
            Start::Latest if self.rounds == 0 => OffsetSpec::Latest,
            Start::Latest | Start::Earliest => OffsetSpec::Earliest,
        };
        let listed = self
            .source
            .list_offsets(partitions, at, Isolation::ReadUncommitted)
            .await?;
        let mut starts = HashMap::new();
        for (partition, listed) in listed {
            match listed {
                Ok(listed) => drop(starts.insert(partition, (listed.offset, LeaderEpoch(-1)))),
                // Left out: it is still unknown at the next round.
                Err(error) => {
                    tracing::warn!(connector = self.connector, %partition, %error, "the start cannot be found yet")
                }
            }
        }
        Ok(starts)
    }
}

/// Of a partition that stopped before it began; never used.
const UNKNOWN_TARGET: batch::Target = batch::Target {
    timestamp_type: batch::TimestampType::CreateTime,
    max_message_bytes: 1_048_588,
};
