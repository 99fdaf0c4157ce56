//! OffsetCommit by an administrator: no member, no generation.

use std::collections::HashMap;

use kafka_protocol::{
    messages::{
        GroupId as Id, OffsetCommitRequest, OffsetCommitResponse,
        offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    },
    protocol::StrBytes,
};
use towpath_domain::{GroupId, Offset, TopicPartition};

use super::super::{Client, coordinators::Coordinated, leaders::by_topic};
use crate::{Connection, Error, KafkaError, api::Call, fetch::topic_name, retry::is_unknown};

type Results = HashMap<TopicPartition, Result<(), Error>>;

// === impl Client ===

impl Client {
    /// Sets where a group goes on reading: for each partition the offset of the next record, without a leader epoch, and metadata of up to
    /// `offset.metadata.max.bytes` (4096 unless set). A group that is not there begins with it. Each partition has its result; what can be tried again is, for at most
    /// `request_timeout`, all of it: offsets are set to the same once more.
    ///
    /// UNKNOWN_MEMBER_ID while the group has members, of either protocol: they alone commit, and brokers say so of each partition. Of a topic that is not
    /// there UNKNOWN_TOPIC_OR_PARTITION, at once. Needs Read on the group and on the topics.
    pub async fn commit_group_offsets(
        &self,
        group: &GroupId,
        offsets: &[(TopicPartition, Offset, String)],
    ) -> Results {
        let of = Coordinated::Group(group.clone());
        let offsets = offsets
            .iter()
            .map(|(partition, offset, metadata)| (partition.clone(), (*offset, metadata.as_str())));
        let partitions: Vec<TopicPartition> = offsets.clone().map(|(partition, _)| partition).collect();
        let topics = by_topic(offsets).into_iter().map(|(topic, partitions)| {
            let partitions = partitions.into_iter().map(|(partition, (offset, metadata))| {
                OffsetCommitRequestPartition::default()
                    .with_partition_index(partition.0)
                    .with_committed_offset(offset.0)
                    .with_committed_metadata(Some(StrBytes::from_string(metadata.to_owned())))
            });
            OffsetCommitRequestTopic::default()
                .with_name(topic_name(&topic))
                .with_partitions(partitions.collect())
        });
        let request = OffsetCommitRequest::default()
            .with_group_id(Id(StrBytes::from_string(group.0.clone())))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(topics.collect());
        let committed = self
            .at_coordinator(
                &of,
                |_| request.clone(),
                |connection, answer| committed(connection, &of, &answer),
            )
            .await;
        let mut results = match committed {
            Ok(results) => results,
            Err(error) => {
                let failed = |partition| (partition, Err(error.clone()));
                return partitions.into_iter().map(failed).collect();
            }
        };
        for partition in partitions {
            results.entry(partition).or_insert_with(|| {
                Err(Error::Invalid {
                    api: OffsetCommitRequest::API.name,
                    what: "the answer was not for the partitions that were asked for".to_owned(),
                })
            });
        }
        results
    }
}

/// An error that passes is of the whole: the request is made again.
fn committed(
    connection: &Connection,
    of: &Coordinated,
    answer: &OffsetCommitResponse,
) -> Result<Results, Error> {
    let mut results = Results::new();
    for topic in &answer.topics {
        for partition in &topic.partitions {
            let place = TopicPartition::new(topic.name.as_str(), partition.partition_index);
            let result = match KafkaError::of(partition.error_code) {
                None => Ok(()),
                Some(error) => {
                    let on = format!("{place} for {of}");
                    let refusal = connection.refusal(OffsetCommitRequest::API, Some(on), error, None);
                    if error.is_retriable() && !is_unknown(error) {
                        return Err(refusal);
                    }
                    Err(refusal)
                }
            };
            results.insert(place, result);
        }
    }
    Ok(results)
}
