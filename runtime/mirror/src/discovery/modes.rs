//! `offsets.mode=auto`: whether a topic's records keep their offsets. Decided when the topic is seen first, before its target is created; from then on its rows
//! say so.

mod costs;

use std::collections::{BTreeMap, HashMap, HashSet};

use towpath_domain::{Offset, TopicId, TopicName, TopicPartition};
use towpath_wire::{
    ConfigEntry, Error, Isolation, KafkaError, OffsetSpec, Operation, TopicMetadata, Topics,
    positions::Position,
};

use super::{Discovery, own, takeover::adopting::Route};
use crate::{config::Offsets, status::Chosen, withheld};

/// What is done with topics whose offsets are preserved, beside what is done with all.
const NEEDED: [Operation; 3] = [Operation::Read, Operation::Delete, Operation::AlterConfigs];

/// A topic to be decided about, and its target.
type Undecided<'a> = (&'a TopicMetadata, &'a TopicName);

/// What a target that is there has.
enum Room {
    Empty,
    /// the source's records at their offsets
    Same,
}

// === impl Chosen ===

impl Chosen {
    fn preserve(reason: impl Into<String>) -> Self {
        Self {
            offsets: Offsets::Preserve,
            reason: reason.into(),
        }
    }

    fn translate(reason: impl Into<String>) -> Self {
        Self {
            offsets: Offsets::Translate,
            reason: reason.into(),
        }
    }

    fn preserves(&self) -> bool {
        self.offsets == Offsets::Preserve
    }
}

// === impl Discovery ===

impl Discovery {
    /// What became of each topic, with `offsets.mode=auto`.
    pub(crate) fn chosen(&self) -> BTreeMap<TopicName, Chosen> {
        self.chosen.clone()
    }

    /// Whether the records of a partition of this topic, with this row, are to have the source's offsets.
    pub(super) fn preserves(&self, topic: &TopicName, row: Option<&Position>) -> bool {
        let Some(exact) = &self.exact else {
            return false;
        };
        match (exact.offsets, row.filter(|row| row.anchor.is_some())) {
            (Offsets::Preserve, _) => true,
            (Offsets::Translate, _) => false,
            (Offsets::Auto, Some(row)) => row.preserved.is_some(),
            (Offsets::Auto, None) => self.chosen.get(topic).is_some_and(Chosen::preserves),
        }
    }

    /// Decides about the topics that were not decided about before. Answers the targets of those that cannot be decided about yet: what is in the way is a trouble.
    pub(super) async fn choose(
        &mut self,
        topics: &[&(&TopicMetadata, TopicName)],
    ) -> Result<HashSet<TopicName>, Error> {
        let Some(exact) = self.exact.as_ref().filter(|exact| exact.offsets == Offsets::Auto) else {
            return Ok(HashSet::new());
        };
        let (translates, has_plugins) = (exact.translates.clone(), exact.has_plugins);
        let new: Vec<Undecided<'_>> = topics
            .iter()
            .filter(|(topic, _)| !self.chosen.contains_key(&topic.name))
            .map(|(topic, target)| (*topic, target))
            .collect();
        let mut fresh = Vec::new();
        for (topic, target) in self.without_rows(new).await? {
            let reason = if let Some(why) = &translates {
                why.clone()
            } else if has_plugins {
                "plugins may drop records, or make several of one".to_owned()
            } else if self.compacted.contains_key(&topic.name) {
                "it is compacted: each offset that has lost its record would cost an empty transaction, and they become more".to_owned()
            } else {
                fresh.push((topic, target));
                continue;
            };
            self.tell(&topic.name, Chosen::translate(reason));
        }
        if fresh.is_empty() {
            return Ok(HashSet::new());
        }
        let (fresh, mut undecided) = self.with_room(fresh).await?;
        for ((topic, target), cost) in self.costs(fresh).await? {
            match cost {
                Some(cost) => self.tell(&topic.name, cost.choice()),
                None => drop(undecided.insert(target.clone())),
            }
        }
        Ok(undecided)
    }

    fn tell(&mut self, topic: &TopicName, chosen: Chosen) {
        let Chosen { offsets, reason } = &chosen;
        tracing::info!(connector = self.connector, %topic, ?offsets, reason, "offsets.mode is chosen");
        self.chosen.insert(topic.clone(), chosen);
    }

    /// Those of which nothing was mirrored exactly. What was goes on as it was begun, by this worker or by another one that shares the connector.
    async fn without_rows<'a>(&mut self, topics: Vec<Undecided<'a>>) -> Result<Vec<Undecided<'a>>, Error> {
        let read;
        let rows = match &self.exact {
            Some(exact) if !topics.is_empty() && self.owned != towpath_domain::Buckets::ALL => {
                let table = exact.positions.load().await?;
                read = own(table.positions, &self.connector, &self.source);
                &read
            }
            _ => &self.stored,
        };
        let wanted: HashSet<TopicId> = topics.iter().map(|(topic, _)| topic.id).collect();
        let mut begun: HashMap<TopicId, bool> = HashMap::new();
        for ((topic, _), row) in rows {
            if row.anchor.is_some() && wanted.contains(topic) {
                *begun.entry(*topic).or_default() |= row.preserved.is_some();
            }
        }
        let mut without = Vec::new();
        for (topic, target) in topics {
            let reason = "it was begun so";
            match begun.get(&topic.id) {
                Some(true) => self.tell(&topic.name, Chosen::preserve(reason)),
                Some(false) => self.tell(&topic.name, Chosen::translate(reason)),
                None => without.push((topic, target)),
            }
        }
        Ok(without)
    }

    /// Those whose target is not there yet, or has room, and where the client may do what it takes.
    async fn with_room<'a>(
        &mut self,
        topics: Vec<Undecided<'a>>,
    ) -> Result<(Vec<Undecided<'a>>, HashSet<TopicName>), Error> {
        let targets: Vec<TopicName> = topics.iter().map(|(_, target)| (*target).clone()).collect();
        let allowed = self.target.allowed(&targets).await?;
        let present = self.target.metadata(Topics::Names(targets)).await?;
        let present: Vec<TopicName> = present
            .into_iter()
            .filter(|topic| topic.error.is_none())
            .map(|topic| topic.name)
            .collect();
        let configs = match present.is_empty() {
            true => HashMap::new(),
            false => self.target.describe_topic_configs(&present).await?,
        };
        let mut room = Vec::new();
        let mut undecided = HashSet::new();
        for (topic, target) in topics {
            let lacks: Vec<String> = NEEDED
                .iter()
                .filter(|operation| {
                    let allowed = allowed.get(target);
                    allowed.is_some_and(|allowed| !allowed.allows(**operation))
                })
                .map(ToString::to_string)
                .collect();
            let reason = if !lacks.is_empty() {
                let who = self.target.principal();
                let who = who.as_deref().unwrap_or("the client's principal");
                format!(
                    "{who} may not {} on topic {target} of the target",
                    lacks.join(", ")
                )
            } else if present.contains(target) {
                match self.has_room(topic, target, configs.get(target)).await? {
                    Some(Ok(Room::Empty)) => {
                        room.push((topic, target));
                        continue;
                    }
                    Some(Ok(Room::Same)) => {
                        let reason = "the target has its records at their offsets already";
                        self.tell(&topic.name, Chosen::preserve(reason));
                        continue;
                    }
                    Some(Err(reason)) => reason,
                    None => {
                        undecided.insert(target.clone());
                        continue;
                    }
                }
            } else {
                room.push((topic, target));
                continue;
            };
            self.tell(&topic.name, Chosen::translate(reason));
        }
        Ok((room, undecided))
    }

    /// Whether a target that is there has room in the partitions that this worker is to begin, or the source's records at their offsets already; else the reason.
    /// None when that cannot be known yet.
    async fn has_room(
        &mut self,
        topic: &TopicMetadata,
        target: &TopicName,
        configs: Option<&Vec<ConfigEntry>>,
    ) -> Result<Option<Result<Room, String>>, Error> {
        let routes: Vec<Route> = self
            .unknown(topic)
            .into_iter()
            .map(|source| {
                let place = TopicPartition {
                    topic: target.clone(),
                    partition: source.partition,
                };
                (source, place)
            })
            .collect();
        let places: Vec<TopicPartition> = routes.iter().map(|(_, place)| place.clone()).collect();
        let ends = self
            .target
            .list_offsets(&places, OffsetSpec::Latest, Isolation::ReadUncommitted)
            .await?;
        let mut used = Vec::new();
        for route in &routes {
            match ends.get(&route.1) {
                Some(Ok(end)) if end.offset == Offset(0) => {}
                Some(Ok(_)) => used.push(route.clone()),
                // It gets this partition when it is begun.
                Some(Err(KafkaError::UNKNOWN_TOPIC_OR_PARTITION)) => {}
                found => {
                    let (place, error) = (&route.1, found.and_then(|found| found.as_ref().err()));
                    self.troubles
                        .push(format!("finding the end of {place} on the target: {error:?}"));
                    return Ok(None);
                }
            }
        }
        let is_made_for_it = configs.is_some_and(|entries| withheld::is_made_for_filling(entries));
        if used.is_empty() && !is_made_for_it {
            return Ok(Some(Err(format!(
                "topic {target} is there already, and was not made for preserved offsets"
            ))));
        }
        let same = self.same_already(&used).await?;
        if same.len() < used.len() {
            return Ok(None);
        }
        Ok(Some(match same.into_values().all(|is_same| is_same) {
            true if used.is_empty() => Ok(Room::Empty),
            true => Ok(Room::Same),
            false => Err(format!("topic {target} is there already, and has other records")),
        }))
    }
}
