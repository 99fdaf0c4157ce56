//! ListOffsets: where partitions begin and end, asked of their leaders.

use std::collections::{HashMap, HashSet};

use futures::future::join_all;
use kafka_protocol::messages::{
    ListOffsetsRequest,
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
    list_offsets_response::ListOffsetsPartitionResponse,
};
use towpath_domain::{LeaderEpoch, Offset, Partition, TopicName, TopicPartition};

use super::{Client, Leader, NodeId};
use crate::{
    Error, Isolation, KafkaError,
    api::Call,
    fetch::topic_name,
    retry::{Attempts, UNKNOWN_ATTEMPTS, is_unknown},
};

/// Which offset to look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The first that is still there.
    Earliest,
    /// Where the next record goes; with `ReadCommitted` the last stable offset.
    Latest,
    /// The record with the largest timestamp (Kafka 3.0).
    MaxTimestamp,
    /// The first record with this timestamp or a later one, ms since 1970.
    Timestamp(i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedOffset {
    /// -1 when there is no such record.
    pub offset: Offset,
    /// Of the record, ms; -1 for the earliest and the latest offset.
    pub timestamp: i64,
    /// -1 when the broker did not say.
    pub leader_epoch: LeaderEpoch,
}

type Led = (TopicPartition, Leader);
type Listed = (TopicPartition, Result<ListedOffset, KafkaError>);

/// From this version on there is [`OffsetSpec::MaxTimestamp`].
const WITH_MAX_TIMESTAMP: i16 = 7;

// === impl Client ===

impl Client {
    /// Asks the leaders, all at once. What moves or comes back within `request_timeout` is asked again; then a partition's result is the
    /// error it had last: LEADER_NOT_AVAILABLE when nobody leads it, NETWORK_EXCEPTION when its leader cannot be reached. When no partition has
    /// a result and brokers cannot be reached, that is the error of the whole.
    pub async fn list_offsets(
        &self,
        partitions: &[TopicPartition],
        at: OffsetSpec,
        isolation: Isolation,
    ) -> Result<HashMap<TopicPartition, Result<ListedOffset, KafkaError>>, Error> {
        let mut attempts = Attempts::new(&self.0.options);
        let mut results = HashMap::with_capacity(partitions.len());
        let mut open: HashSet<TopicPartition> = partitions.iter().cloned().collect();
        if open.iter().any(|partition| self.leader(partition).is_none()) {
            self.refresh(topics(&open)).await;
        }
        loop {
            let mut reasons = HashMap::new();
            let mut unreachable = None;
            let by_leader = self.by_leader(&open, &mut reasons);
            let asked = by_leader
                .into_iter()
                .map(|(node, asked)| self.list_at(node, asked, at, isolation));
            for answer in join_all(asked).await {
                match answer {
                    Ok(listed) => settle(listed, &mut open, &mut results, &mut reasons),
                    Err(error) if !error.retry().is_soon() => return Err(error),
                    Err(error) => unreachable = Some(error),
                }
            }
            // One that is unknown for so long does not exist.
            reasons.retain(|partition, error| {
                let stays = attempts.failed() < UNKNOWN_ATTEMPTS || !is_unknown(*error);
                if !stays && open.remove(partition) {
                    results.insert(partition.clone(), Err(*error));
                }
                stays
            });
            if open.is_empty() {
                return Ok(results);
            }
            let error = unreachable
                .or_else(|| self.refused(&reasons))
                .unwrap_or_else(|| Error::Invalid {
                    api: ListOffsetsRequest::API.name,
                    what: "the answers were not for the partitions that were asked for".to_owned(),
                });
            match attempts.wait(error).await {
                Ok(_) => self.refresh(topics(&open)).await,
                Err(error) if results.is_empty() && reasons.is_empty() => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, partitions = open.len(), "offsets could not be listed");
                    results.extend(open.into_iter().map(|partition| {
                        let reason = reasons
                            .get(&partition)
                            .copied()
                            .unwrap_or(KafkaError::NETWORK_EXCEPTION);
                        (partition, Err(reason))
                    }));
                    return Ok(results);
                }
            }
        }
    }

    /// What to ask whom. `reasons` gets those that nobody leads.
    fn by_leader(
        &self,
        open: &HashSet<TopicPartition>,
        reasons: &mut HashMap<TopicPartition, KafkaError>,
    ) -> HashMap<NodeId, Vec<Led>> {
        let mut by_leader: HashMap<_, Vec<_>> = HashMap::new();
        for partition in open {
            if let Some(leader) = self.leader(partition) {
                by_leader
                    .entry(leader.node)
                    .or_default()
                    .push((partition.clone(), leader));
            } else if self.cluster().has(partition) {
                reasons.insert(partition.clone(), KafkaError::LEADER_NOT_AVAILABLE);
            } else {
                reasons.insert(partition.clone(), KafkaError::UNKNOWN_TOPIC_OR_PARTITION);
            }
        }
        by_leader
    }

    async fn list_at(
        &self,
        node: NodeId,
        partitions: Vec<Led>,
        at: OffsetSpec,
        isolation: Isolation,
    ) -> Result<Vec<Listed>, Error> {
        let connection = self.shared(node).await?;
        let version = connection.version(ListOffsetsRequest::API, i16::MAX)?;
        if at == OffsetSpec::MaxTimestamp && version < WITH_MAX_TIMESTAMP {
            return Err(Error::Invalid {
                api: ListOffsetsRequest::API.name,
                what: format!(
                    "{} cannot look up the largest timestamp, Kafka 3.0 can",
                    connection.peer()
                ),
            });
        }
        let mut topics: HashMap<TopicName, Vec<ListOffsetsPartition>> = HashMap::new();
        for (partition, leader) in partitions {
            let epoch = if version >= 4 { leader.epoch.0 } else { -1 };
            topics.entry(partition.topic).or_default().push(
                ListOffsetsPartition::default()
                    .with_partition_index(partition.partition.0)
                    .with_current_leader_epoch(epoch)
                    .with_timestamp(at.code()),
            );
        }
        let topics = topics
            .into_iter()
            .map(|(topic, partitions)| {
                ListOffsetsTopic::default()
                    .with_name(topic_name(&topic))
                    .with_partitions(partitions)
            })
            .collect();
        let request = ListOffsetsRequest::default()
            .with_replica_id((-1).into())
            .with_isolation_level(isolation.code())
            .with_topics(topics);
        let answer = connection.call(&request, version).await?;
        let listed = answer.topics.iter().flat_map(|topic| {
            let name = TopicName::new(topic.name.as_str());
            topic
                .partitions
                .iter()
                .map(move |partition| listed(&name, partition))
        });
        Ok(listed.collect())
    }

    /// One of the reasons, for the log.
    fn refused(&self, reasons: &HashMap<TopicPartition, KafkaError>) -> Option<Error> {
        let (partition, error) = reasons.iter().next()?;
        let peer = self
            .leader(partition)
            .and_then(|leader| self.cluster().peer(leader.node));
        Some(match peer {
            None => Error::NoLeader {
                partition: partition.clone(),
            },
            Some(peer) => {
                let (api, on) = (ListOffsetsRequest::API.name, Some(partition.to_string()));
                Error::Kafka {
                    peer,
                    api,
                    on,
                    error: *error,
                    message: None,
                }
            }
        })
    }
}

// === impl OffsetSpec ===

impl OffsetSpec {
    fn code(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Earliest => -2,
            Self::MaxTimestamp => -3,
            Self::Timestamp(ms) => ms.max(0),
        }
    }
}

fn topics(open: &HashSet<TopicPartition>) -> impl Iterator<Item = TopicName> {
    open.iter().map(|partition| partition.topic.clone())
}

fn listed(topic: &TopicName, partition: &ListOffsetsPartitionResponse) -> Listed {
    let result = match KafkaError::of(partition.error_code) {
        Some(error) => Err(error),
        None => Ok(ListedOffset {
            offset: Offset(partition.offset),
            timestamp: partition.timestamp,
            leader_epoch: LeaderEpoch(partition.leader_epoch),
        }),
    };
    (
        TopicPartition {
            topic: topic.clone(),
            partition: Partition(partition.partition_index),
        },
        result,
    )
}

/// Takes over what is decided; what is worth another attempt stays open, with its reason.
fn settle(
    listed: Vec<Listed>,
    open: &mut HashSet<TopicPartition>,
    results: &mut HashMap<TopicPartition, Result<ListedOffset, KafkaError>>,
    reasons: &mut HashMap<TopicPartition, KafkaError>,
) {
    for (partition, result) in listed {
        match result {
            Err(error) if error.is_retriable() => {
                reasons.insert(partition, error);
            }
            result => {
                if open.remove(&partition) {
                    results.insert(partition, result);
                }
            }
        }
    }
}
