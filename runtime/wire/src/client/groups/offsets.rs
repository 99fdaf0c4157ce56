//! OffsetFetch: where groups go on reading.

use std::collections::HashMap;

use kafka_protocol::{
    messages::{
        GroupId as Id, OffsetFetchRequest, OffsetFetchResponse, offset_fetch_request::OffsetFetchRequestGroup,
    },
    protocol::StrBytes,
};
use towpath_domain::{GroupId, LeaderEpoch, Offset, TopicPartition};

use super::super::{
    Client,
    coordinators::{Answered, Asked, Coordinated},
};
use crate::{Connection, Error, KafkaError, api::Call};

/// What a group has committed of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// Of the next record to read.
    pub offset: Offset,
    /// Of the last record that was read; -1 when the group did not say, and before Kafka 2.1.
    pub leader_epoch: LeaderEpoch,
    /// Whatever the group has put there.
    pub metadata: String,
}

type Offsets = HashMap<TopicPartition, CommittedOffset>;

/// What is answered of a partition, in whichever of its two shapes.
struct Found<'a> {
    partition: TopicPartition,
    error: Option<KafkaError>,
    offset: i64,
    leader_epoch: i32,
    metadata: Option<&'a StrBytes>,
}

/// From this version on brokers can be told not to answer what a transaction is about to change (KIP-447).
const WITH_STABLE: i16 = 7;
/// From this version on a request can have several groups (KIP-709).
const WITH_SEVERAL: i16 = 8;

// === impl Client ===

impl Client {
    /// All offsets of each group; none of a group that is not there. An offset that a transaction is about to change is waited for (Kafka 2.5, KIP-447), for at
    /// most `request_timeout`: then the group's error is UNSTABLE_OFFSET_COMMIT. A partition's first offset is not there before its transaction has ended.
    ///
    /// Needs Describe on the groups, and on their topics: partitions of topics without are left out, and nobody says so.
    pub async fn group_offsets(&self, groups: &[GroupId]) -> HashMap<GroupId, Result<Offsets, Error>> {
        let of = groups.iter().cloned().map(Coordinated::Group);
        let results = self.at_coordinators(of, WITH_SEVERAL, request, read).await;
        results
            .into_iter()
            .map(|(of, result)| (GroupId(of.id().to_owned()), result))
            .collect()
    }
}

fn request(asked: Asked<'_>) -> OffsetFetchRequest {
    let id = |of: &Coordinated| Id(StrBytes::from_string(of.id().to_owned()));
    let request = OffsetFetchRequest::default().with_require_stable(asked.version >= WITH_STABLE);
    // Without topics: all there are.
    match asked {
        Asked {
            version: ..WITH_SEVERAL,
            of: [of],
        } => request.with_group_id(id(of)).with_topics(None),
        Asked { of, .. } => {
            let group = |of| {
                OffsetFetchRequestGroup::default()
                    .with_group_id(id(of))
                    .with_topics(None)
            };
            request.with_groups(of.iter().map(group).collect())
        }
    }
}

fn read(connection: &Connection, asked: Asked<'_>, answer: OffsetFetchResponse) -> Vec<Answered<Offsets>> {
    match asked {
        Asked {
            version: ..WITH_SEVERAL,
            of: [of],
        } => {
            let partitions = answer.topics.iter().flat_map(|topic| {
                let partitions = topic.partitions.iter();
                partitions.map(|found| Found {
                    partition: TopicPartition::new(topic.name.as_str(), found.partition_index),
                    error: KafkaError::of(found.error_code),
                    offset: found.committed_offset,
                    leader_epoch: found.committed_leader_epoch,
                    metadata: found.metadata.as_ref(),
                })
            });
            let error = KafkaError::of(answer.error_code);
            vec![(of.clone(), offsets(connection, of, error, partitions))]
        }
        _ => {
            let groups = answer.groups.iter().map(|group| {
                let of = Coordinated::Group(GroupId(group.group_id.to_string()));
                let partitions = group.topics.iter().flat_map(|topic| {
                    let partitions = topic.partitions.iter();
                    partitions.map(|found| Found {
                        partition: TopicPartition::new(topic.name.as_str(), found.partition_index),
                        error: KafkaError::of(found.error_code),
                        offset: found.committed_offset,
                        leader_epoch: found.committed_leader_epoch,
                        metadata: found.metadata.as_ref(),
                    })
                });
                let offsets = offsets(connection, &of, KafkaError::of(group.error_code), partitions);
                (of, offsets)
            });
            groups.collect()
        }
    }
}

fn offsets<'a>(
    connection: &Connection,
    of: &Coordinated,
    error: Option<KafkaError>,
    partitions: impl Iterator<Item = Found<'a>>,
) -> Result<Offsets, Error> {
    let refusal = |on, error| Err(connection.refusal(OffsetFetchRequest::API, Some(on), error, None));
    if let Some(error) = error {
        return refusal(of.to_string(), error);
    }
    let mut offsets = Offsets::new();
    for found in partitions {
        if let Some(error) = found.error {
            return refusal(format!("{} for {of}", found.partition), error);
        }
        // -1: nothing is committed, or nothing any more.
        if found.offset >= 0 {
            let committed = CommittedOffset {
                offset: Offset(found.offset),
                leader_epoch: LeaderEpoch(found.leader_epoch),
                metadata: found.metadata.map(StrBytes::to_string).unwrap_or_default(),
            };
            offsets.insert(found.partition, committed);
        }
    }
    Ok(offsets)
}
