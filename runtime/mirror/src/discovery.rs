//! Which topics of the source are mirrored, under which names, and from where: asked at the start and again and again.

mod written;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex},
};

use towpath_domain::{
    LeaderEpoch, Offset, Partition, TopicId, TopicName, TopicPartition, state::PartitionState,
};
use towpath_wire::{
    Client, Error, Isolation, OffsetSpec, PartitionMetadata, TopicMetadata, Topics,
    positions::{Position, PositionKey},
};

use crate::{
    config::{Selection, Start},
    route::{self, Routes},
    targets::{self, Creation, Wanted},
    task::{Assignment, Stored},
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

/// A topic, where it goes, and what its target is like or why it cannot go there.
type Ready<'a> = (
    &'a TopicMetadata,
    &'a TopicName,
    Result<targets::Target, PartitionState>,
);

/// What a connector knows of its topics: the table by which the way back is found.
pub(crate) struct Discovery {
    connector: String,
    source: Client,
    target: Client,
    creation: Creation,
    start: Start,
    routes: Arc<Mutex<Routes>>,
    /// this connector's positions on this source
    stored: HashMap<(TopicId, Partition), Position>,
    /// the topic ids that they are of, by the topics' names
    stored_ids: HashMap<TopicName, TopicId>,
    known: HashSet<TopicPartition>,
    by_target: BTreeMap<TopicName, TopicName>,
    refused: BTreeMap<TopicName, String>,
    troubles: Vec<String>,
    /// partitions that begin at their latest record; none before the first round
    at_latest: Option<HashSet<TopicPartition>>,
}

// === impl Discovery ===

impl Discovery {
    pub(crate) fn new(
        connector: String,
        (source, target): (Client, Client),
        creation: Creation,
        start: Start,
        routes: Arc<Mutex<Routes>>,
        stored: HashMap<PositionKey, Position>,
    ) -> Self {
        let source_cluster = source.cluster_id();
        let stored: HashMap<(TopicId, Partition), Position> = stored
            .into_iter()
            .filter(|(key, _)| key.connector == connector && key.source == source_cluster)
            .map(|(key, position)| ((key.topic, key.partition), position))
            .collect();
        let stored_ids = stored
            .iter()
            .map(|((id, _), position)| (position.topic.clone(), *id))
            .collect();
        Self {
            connector,
            source,
            target,
            creation,
            start,
            routes,
            stored,
            stored_ids,
            known: HashSet::new(),
            by_target: BTreeMap::new(),
            refused: BTreeMap::new(),
            troubles: Vec::new(),
            at_latest: None,
        }
    }

    /// What keeps topics from being mirrored: no router takes them, or something failed and is tried again.
    pub(crate) fn troubles(&self) -> Vec<String> {
        self.refused.values().chain(&self.troubles).cloned().collect()
    }

    /// Whether another round should follow soon.
    pub(crate) fn is_unfinished(&self) -> bool {
        !self.troubles.is_empty()
    }

    /// The partitions that appeared since the last round, ready for tasks: routed, their targets created, their start found.
    /// A topic that fails leaves the others alone and comes again in the next round.
    pub(crate) async fn round(&mut self, selection: &Selection) -> Result<Vec<Assignment>, Error> {
        self.troubles.clear();
        let selected = select(&self.source, selection).await?;
        if self.at_latest.is_none() {
            self.at_latest = Some(self.first_selection(&selected.topics));
        }
        let fresh: Vec<TopicMetadata> = selected
            .topics
            .into_iter()
            .filter(|topic| self.has_news(topic))
            .collect();
        if fresh.is_empty() {
            return Ok(Vec::new());
        }
        let routed = self.route(&fresh).await;
        let collisions = self.claim(&routed);
        let mut found = self.targets(&routed, &collisions).await?;
        let mut ready = Vec::new();
        for (topic, target) in &routed {
            let partitions = topic.partitions.len() as i32;
            let state = match (collisions.get(&topic.name), found.remove(target)) {
                (Some(with), _) => Err(PartitionState::TopicCollision {
                    target: target.clone(),
                    with: with.clone(),
                }),
                (None, Some(Ok(found))) if found.partitions < partitions => {
                    Err(PartitionState::PartitionsShrunk {
                        source: partitions,
                        target: found.partitions,
                    })
                }
                (None, Some(Ok(found))) => Ok(found),
                (None, Some(Err(error))) if error.is_retriable() => {
                    self.troubles.push(format!("preparing topic {target}: {error}"));
                    continue;
                }
                (None, Some(Err(error))) => Err(PartitionState::TargetRefuses {
                    offset: Offset(0),
                    error: format!("creating topic {target}: {error}"),
                    remedy: "grant it, or create the topic by hand, and restart the connector".to_owned(),
                }),
                (None, None) => {
                    self.troubles.push(format!(
                        "topic {target} was created and is not yet known to the target's brokers"
                    ));
                    continue;
                }
            };
            ready.push((*topic, target, state));
        }
        self.assign(ready).await
    }

    async fn route<'a>(&mut self, topics: &'a [TopicMetadata]) -> Vec<(&'a TopicMetadata, TopicName)> {
        let names = topics.iter().map(|topic| topic.name.clone()).collect();
        let mut routed = Vec::new();
        for ((name, result), topic) in route::route_all(Arc::clone(&self.routes), names)
            .await
            .into_iter()
            .zip(topics)
        {
            match result {
                Ok(target) => {
                    self.refused.remove(&name);
                    routed.push((topic, target));
                }
                Err(error) => {
                    if self.refused.insert(name, error.to_string()).is_none() {
                        tracing::error!(connector = self.connector, "{error}");
                    }
                }
            }
        }
        routed
    }

    /// Notes who goes to which target, and answers the topics that come too late for theirs, with those that have it.
    fn claim(&mut self, routed: &[(&TopicMetadata, TopicName)]) -> HashMap<TopicName, TopicName> {
        let mut collisions = HashMap::new();
        for (topic, target) in routed {
            let owner = self
                .by_target
                .entry(target.clone())
                .or_insert_with(|| topic.name.clone());
            if *owner != topic.name {
                collisions.insert(topic.name.clone(), owner.clone());
            }
        }
        collisions
    }

    async fn targets(
        &self,
        routed: &[(&TopicMetadata, TopicName)],
        collisions: &HashMap<TopicName, TopicName>,
    ) -> Result<HashMap<TopicName, Result<targets::Target, Error>>, Error> {
        let clear: Vec<_> = routed
            .iter()
            .filter(|(topic, _)| !collisions.contains_key(&topic.name))
            .collect();
        if clear.is_empty() {
            return Ok(HashMap::new());
        }
        let names: Vec<TopicName> = clear.iter().map(|(topic, _)| topic.name.clone()).collect();
        let mut configs = self.source.describe_topic_configs(&names).await?;
        let wanted: Vec<Wanted> = clear
            .into_iter()
            .map(|(topic, target)| Wanted {
                name: target.clone(),
                partitions: topic.partitions.len() as i32,
                configs: targets::copied_configs(&configs.remove(&topic.name).unwrap_or_default()),
            })
            .collect();
        targets::ensure(&self.target, &wanted, &self.creation).await
    }

    /// The partitions that may begin at their latest record: those that a connector finds when it runs for the first time.
    fn first_selection(&self, topics: &[TopicMetadata]) -> HashSet<TopicPartition> {
        let is_first_run = self.stored.is_empty();
        if self.start != Start::Latest || !is_first_run {
            return HashSet::new();
        }
        let partitions = |topic: &TopicMetadata| {
            let name = topic.name.clone();
            topic
                .partitions
                .iter()
                .map(move |partition| (name.clone(), partition.partition))
                .collect::<Vec<_>>()
        };
        topics
            .iter()
            .flat_map(partitions)
            .map(|(topic, partition)| TopicPartition { topic, partition })
            .collect()
    }

    fn has_news(&self, topic: &TopicMetadata) -> bool {
        topic.partitions.iter().any(|partition| {
            !self.known.contains(&TopicPartition {
                topic: topic.name.clone(),
                partition: partition.partition,
            })
        })
    }

    /// The new partitions of these topics. Starts are looked up for all topics at once: one question to each broker, however many topics.
    async fn assign(&mut self, topics: Vec<Ready<'_>>) -> Result<Vec<Assignment>, Error> {
        let new: Vec<Vec<TopicPartition>> = topics.iter().map(|(topic, ..)| self.unknown(topic)).collect();
        let unstored: Vec<TopicPartition> = topics
            .iter()
            .zip(&new)
            .flat_map(|((topic, ..), new)| new.iter().map(|partition| (topic.id, partition)))
            .filter(|(id, partition)| !self.stored.contains_key(&(*id, partition.partition)))
            .map(|(_, partition)| partition.clone())
            .collect();
        let mut starts = self.starts(&unstored).await?;
        let ends = self.target_ends(&topics, &new).await?;
        let mut assignments = Vec::new();
        for ((topic, target, state), new) in topics.into_iter().zip(new) {
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
                let written = position.filter(|position| position.target.topic == *target);
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
                // The row of a partition that does not begin stays as it is.
                let target_id = match &state {
                    Ok(found) => found.id,
                    Err(_) => written.map_or(TopicId::ZERO, |position| position.target.topic_id),
                };
                self.known.insert(source.clone());
                assignments.push(Assignment {
                    target: place,
                    target_id,
                    topic_id: topic.id,
                    batches: state.as_ref().ok().map(|found| found.batches),
                    start,
                    stored: position.map(|position| Stored {
                        offset: position.offset,
                        target_next,
                    }),
                    state: state.err().unwrap_or(PartitionState::Mirroring),
                    source,
                });
            }
        }
        Ok(assignments)
    }

    fn unknown(&self, topic: &TopicMetadata) -> Vec<TopicPartition> {
        let partitions = topic.partitions.iter().map(|partition| TopicPartition {
            topic: topic.name.clone(),
            partition: partition.partition,
        });
        partitions
            .filter(|partition| !self.known.contains(partition))
            .collect()
    }

    /// The topic id that the stored positions of this name are of, when the topic now has another one.
    fn recreated(&self, topic: &TopicMetadata) -> Option<TopicId> {
        let stored = *self.stored_ids.get(&topic.name)?;
        let has_positions =
            |partition: &PartitionMetadata| self.stored.contains_key(&(topic.id, partition.partition));
        let is_other = !topic.id.is_zero() && !topic.partitions.iter().any(has_positions);
        is_other.then_some(stored)
    }

    /// Where partitions without a stored position begin. Those that appear later begin at their first record, whatever the
    /// configuration says: records written before they were noticed would be missed.
    async fn starts(
        &mut self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, (Offset, LeaderEpoch)>, Error> {
        let is_late = |partition: &&TopicPartition| {
            self.at_latest
                .as_ref()
                .is_some_and(|latest| latest.contains(partition))
        };
        let (latest, earliest): (Vec<_>, Vec<_>) = partitions.iter().partition(is_late);
        let mut starts = HashMap::new();
        for (at, partitions) in [(OffsetSpec::Latest, latest), (OffsetSpec::Earliest, earliest)] {
            if partitions.is_empty() {
                continue;
            }
            let partitions: Vec<TopicPartition> = partitions.into_iter().cloned().collect();
            for (partition, listed) in self
                .source
                .list_offsets(&partitions, at, Isolation::ReadUncommitted)
                .await?
            {
                match listed {
                    Ok(listed) => drop(starts.insert(partition, (listed.offset, LeaderEpoch(-1)))),
                    // Left out: it is still unknown at the next round.
                    Err(error) => {
                        tracing::warn!(connector = self.connector, %partition, %error, "the start cannot be found yet");
                        self.troubles
                            .push(format!("finding the start of {partition}: {error}"));
                    }
                }
            }
        }
        Ok(starts)
    }
}
