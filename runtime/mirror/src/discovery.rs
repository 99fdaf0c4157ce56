//! Which topics of the source are mirrored, under which names, and from where: asked at the start and again and again.

mod aborted;
mod assign;
mod modes;
mod owning;
mod refill;
mod starts;
mod takeover;
mod written;

pub(crate) use takeover::offline;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex},
};

use towpath_domain::{
    Bucket, Buckets, Offset, Partition, TopicId, TopicName, TopicPartition,
    state::{PartitionState, Writer},
};
use towpath_wire::{
    Client, ConfigEntry, Error, Isolation, ProducerId, TopicMetadata, Topics,
    positions::{Position, PositionKey, Positions},
};

use self::starts::Sight;
use crate::{
    claims::{Claimed, Taken},
    config::{Offsets, Selection, Starts},
    route::{self, Routes},
    status::Chosen,
    targets::{self, Creation, Wanted},
    task::Assignment,
    withheld::{self, Withheld},
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
    starts: Starts,
    routes: Arc<Mutex<Routes>>,
    claimed: Arc<Claimed>,
    /// this connector's positions on this source
    stored: HashMap<(TopicId, Partition), Position>,
    /// the topic ids that they are of, by the topics' names
    stored_ids: HashMap<TopicName, TopicId>,
    /// what this worker has of the connector
    owned: Buckets,
    /// the partitions that tasks have, with their buckets
    known: HashMap<TopicPartition, Bucket>,
    by_target: BTreeMap<TopicName, TopicName>,
    refused: BTreeMap<TopicName, String>,
    troubles: Vec<String>,
    /// every topic that was ever selected; none before the first round
    sights: Option<HashMap<TopicName, Sight>>,
    /// partitions whose log does not have the offset they are to start at: the log says it once
    without_start: HashSet<TopicPartition>,
    exact: Option<Exact>,
    withheld: Arc<Withheld>,
    /// topics of the source that are compacted, with how long tombstones are kept, in ms: what is read of them twice may differ
    compacted: HashMap<TopicName, i64>,
    /// `offsets.mode=auto`: what became of each topic
    chosen: BTreeMap<TopicName, Chosen>,
    /// the targets of those that could not be decided about in this round
    undecided: HashSet<TopicName>,
    /// topics that were deleted on the target, to be filled again: once is enough
    refilled: HashSet<TopicName>,
}

/// What exact delivery needs.
pub(crate) struct Exact {
    pub positions: Arc<Positions>,
    /// the producer of each bucket, as the rows were claimed with it
    pub buckets: BTreeMap<Bucket, ProducerId>,
    pub has_plugins: bool,
    pub offsets: Offsets,
    /// what of the source is mirrored
    pub isolation: Isolation,
    /// `offsets.mode=auto`: why no offsets are preserved on this target
    pub translates: Option<String>,
}

// === impl Discovery ===

impl Discovery {
    pub(crate) fn new(
        connector: String,
        (source, target): (Client, Client),
        creation: Creation,
        starts: Starts,
        (routes, claimed): (Arc<Mutex<Routes>>, Arc<Claimed>),
        (owned, stored): (Buckets, HashMap<PositionKey, Position>),
    ) -> Self {
        let stored = own(stored, &connector, &source);
        let stored_ids = stored
            .iter()
            .map(|((id, _), position)| (position.topic.clone(), *id))
            .collect();
        Self {
            connector,
            source,
            target,
            creation,
            starts,
            routes,
            claimed,
            stored,
            stored_ids,
            owned,
            known: HashMap::new(),
            by_target: BTreeMap::new(),
            refused: BTreeMap::new(),
            troubles: Vec::new(),
            sights: None,
            without_start: HashSet::new(),
            exact: None,
            withheld: Arc::default(),
            compacted: HashMap::new(),
            chosen: BTreeMap::new(),
            undecided: HashSet::new(),
            refilled: HashSet::new(),
        }
    }

    pub(crate) fn exactly_once(self, exact: Option<Exact>) -> Self {
        Self { exact, ..self }
    }

    /// Where configs of target topics wait, with offsets that are preserved.
    pub(crate) fn withholding(self, withheld: Arc<Withheld>) -> Self {
        Self { withheld, ..self }
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
        self.notice(&selected.topics);
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
                (Some(writer), _) => Err(PartitionState::TopicCollision {
                    target: target.clone(),
                    writer: writer.clone(),
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
                (None, None) if self.undecided.contains(target) => continue,
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
    fn claim(&mut self, routed: &[(&TopicMetadata, TopicName)]) -> HashMap<TopicName, Writer> {
        let mut collisions = HashMap::new();
        for (topic, target) in routed {
            if let Err(taken) = self.claimed.take(&topic.name, target) {
                let writer = match taken {
                    Taken::By(connector) => Writer::Connector(connector),
                    Taken::Loop(connector) => Writer::Loop(connector),
                };
                collisions.insert(topic.name.clone(), writer);
                continue;
            }
            let owner = self
                .by_target
                .entry(target.clone())
                .or_insert_with(|| topic.name.clone());
            if *owner != topic.name {
                collisions.insert(topic.name.clone(), Writer::With(owner.clone()));
            }
        }
        collisions
    }

    async fn targets(
        &mut self,
        routed: &[(&TopicMetadata, TopicName)],
        collisions: &HashMap<TopicName, Writer>,
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
        self.note_compacted(&configs);
        let undecided = self.choose(&clear).await?;
        let wanted: Vec<Wanted> = clear
            .into_iter()
            .filter(|(_, target)| !undecided.contains(target))
            .map(|(topic, target)| {
                let copied = targets::copied_configs(&configs.remove(&topic.name).unwrap_or_default());
                let (copied, withheld) = match self.preserves(&topic.name, None) {
                    true => withheld::divide(copied),
                    false => (copied, Vec::new()),
                };
                let to_begin = self.unknown(topic).into_iter().map(|source| source.partition);
                self.withheld
                    .withhold(target, withheld, topic.partitions.len() as i32, to_begin);
                Wanted {
                    name: target.clone(),
                    partitions: topic.partitions.len() as i32,
                    configs: copied,
                }
            })
            .collect();
        self.undecided = undecided;
        targets::ensure(&self.target, &wanted, &self.creation).await
    }

    fn note_compacted(&mut self, configs: &HashMap<TopicName, Vec<ConfigEntry>>) {
        for (topic, entries) in configs {
            if let Some(kept) = targets::tombstones_kept(entries) {
                self.compacted.insert(topic.clone(), kept);
            }
        }
    }

    fn has_news(&self, topic: &TopicMetadata) -> bool {
        !self.unknown(topic).is_empty()
    }
}

/// Those of a table's rows that are this connector's, on this source.
fn own(
    rows: HashMap<PositionKey, Position>,
    connector: &str,
    source: &Client,
) -> HashMap<(TopicId, Partition), Position> {
    let cluster = source.cluster_id();
    rows.into_iter()
        .filter(|(key, _)| key.connector == connector && key.source == cluster)
        .map(|(key, position)| ((key.topic, key.partition), position))
        .collect()
}
