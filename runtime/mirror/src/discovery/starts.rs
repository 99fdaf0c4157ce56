//! Where partitions without a stored position begin.

use std::collections::HashMap;

use towpath_domain::{LeaderEpoch, Offset, TopicPartition};
use towpath_wire::{Error, Isolation, OffsetSpec, TopicMetadata};

use super::Discovery;
use crate::config::{START, Start};

/// A topic as it was when it was selected first.
pub(super) struct Sight {
    /// How many partitions count as having been there: none, when some of them have positions.
    partitions: i32,
    /// The connector had never run before.
    is_first_run: bool,
}

type Found = HashMap<TopicPartition, Offset>;

// === impl Discovery ===

impl Discovery {
    /// Notes topics that were not there before.
    pub(super) fn notice(&mut self, topics: &[TopicMetadata]) {
        let is_first_run = self.sights.is_none() && self.stored.is_empty();
        let sights = self.sights.get_or_insert_default();
        for topic in topics {
            let has_position = |partition| self.stored.contains_key(&(topic.id, partition));
            let is_known = topic
                .partitions
                .iter()
                .any(|partition| has_position(partition.partition));
            let partitions = if is_known {
                0
            } else {
                topic.partitions.len() as i32
            };
            sights.entry(topic.name.clone()).or_insert(Sight {
                partitions,
                is_first_run,
            });
        }
    }

    /// What the configuration asks for, unless it would miss records: partitions that appear later begin at their first one.
    fn start_of(&self, partition: &TopicPartition) -> Start {
        let sight = self
            .sights
            .as_ref()
            .and_then(|sights| sights.get(&partition.topic));
        let was_there = sight.is_some_and(|sight| partition.partition.0 < sight.partitions);
        match self.starts.of(partition.topic.as_str()) {
            // Says itself which records are wanted.
            Start::Timestamp(millis) => Start::Timestamp(millis),
            Start::Offset(offset) if was_there => Start::Offset(offset),
            Start::Latest if was_there && sight.is_some_and(|sight| sight.is_first_run) => Start::Latest,
            Start::Earliest | Start::Latest | Start::Offset(_) => Start::Earliest,
        }
    }

    /// The starts that could be found. The others are still unknown at the next round.
    pub(super) async fn find_starts(
        &mut self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, (Offset, LeaderEpoch)>, Error> {
        let mut by_start: HashMap<Start, Vec<TopicPartition>> = HashMap::new();
        for partition in partitions {
            by_start
                .entry(self.start_of(partition))
                .or_default()
                .push(partition.clone());
        }
        let mut found = Found::new();
        for (start, partitions) in by_start {
            found.extend(match start {
                Start::Earliest => self.listed(&partitions, OffsetSpec::Earliest).await?,
                Start::Latest => self.listed(&partitions, OffsetSpec::Latest).await?,
                Start::Timestamp(millis) => self.since(&partitions, millis).await?,
                Start::Offset(offset) => self.at(&partitions, offset).await?,
            });
        }
        Ok(found
            .into_iter()
            .map(|(partition, offset)| (partition, (offset, LeaderEpoch(-1))))
            .collect())
    }

    /// The first record of this time or later, or what comes next.
    async fn since(&mut self, partitions: &[TopicPartition], millis: i64) -> Result<Found, Error> {
        // The end first: a record that is written between both questions is not missed.
        let mut found = self.listed(partitions, OffsetSpec::Latest).await?;
        let since = self.listed(partitions, OffsetSpec::Timestamp(millis)).await?;
        found.retain(|partition, _| since.contains_key(partition));
        // -1: there is no such record.
        found.extend(since.into_iter().filter(|(_, offset)| offset.0 >= 0));
        Ok(found)
    }

    /// This offset, where the log has it.
    async fn at(&mut self, partitions: &[TopicPartition], offset: Offset) -> Result<Found, Error> {
        let begins = self.listed(partitions, OffsetSpec::Earliest).await?;
        let ends = self.listed(partitions, OffsetSpec::Latest).await?;
        let mut found = HashMap::new();
        for (partition, end) in ends {
            let Some(begin) = begins.get(&partition).copied() else {
                continue;
            };
            if (begin..=end).contains(&offset) {
                self.without_start.remove(&partition);
                found.insert(partition, offset);
                continue;
            }
            let trouble = format!(
                "{START} asks for offset {offset} of {partition}, whose log has {begin} to {end} (excluded): ask for one of them, or for earliest"
            );
            if self.without_start.insert(partition) {
                tracing::warn!(connector = self.connector, "{trouble}");
            }
            self.troubles.push(trouble);
        }
        Ok(found)
    }

    async fn listed(&mut self, partitions: &[TopicPartition], at: OffsetSpec) -> Result<Found, Error> {
        let listed = self
            .source
            .list_offsets(partitions, at, Isolation::ReadUncommitted)
            .await?;
        let mut found = HashMap::new();
        for (partition, listed) in listed {
            match listed {
                Ok(listed) => drop(found.insert(partition, listed.offset)),
                Err(error) => {
                    tracing::warn!(connector = self.connector, %partition, %error, "the start cannot be found yet");
                    self.troubles
                        .push(format!("finding the start of {partition}: {error}"));
                }
            }
        }
        Ok(found)
    }
}
