//! DeleteRecords: moves the start of a log (KIP-107).

use std::collections::HashMap;

use kafka_protocol::messages::{
    DeleteRecordsRequest,
    delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic},
};
use towpath_domain::{Offset, TopicPartition};

use super::{Client, leaders::by_topic};
use crate::{Error, KafkaError, api::Call, fetch::topic_name};

// === impl Client ===

impl Client {
    /// Deletes all records before an offset, or up to the high watermark when it is -1. A partition's result is its low watermark: the first
    /// offset that is still there, of all replicas that are up. Nothing happens where the log begins behind the offset.
    ///
    /// OFFSET_OUT_OF_RANGE when the offset is above the high watermark, POLICY_VIOLATION when the topic's `cleanup.policy` has no `delete`. Needs
    /// Delete on the topics.
    pub async fn delete_records(
        &self,
        before: &[(TopicPartition, Offset)],
    ) -> HashMap<TopicPartition, Result<Offset, Error>> {
        let api = DeleteRecordsRequest::API;
        let request = |asked| {
            let topics = by_topic(asked).into_iter().map(|(topic, partitions)| {
                let partitions = partitions.into_iter().map(|(partition, before): (_, Offset)| {
                    DeleteRecordsPartition::default()
                        .with_partition_index(partition.0)
                        .with_offset(before.0)
                });
                DeleteRecordsTopic::default()
                    .with_name(topic_name(&topic))
                    .with_partitions(partitions.collect())
            });
            DeleteRecordsRequest::default()
                .with_timeout_ms(self.admin_timeout())
                .with_topics(topics.collect())
        };
        self.at_leaders(before.iter().cloned(), request, |connection, answer| {
            let mut results = Vec::new();
            for topic in answer.topics {
                for partition in topic.partitions {
                    let place = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                    let result = match KafkaError::of(partition.error_code) {
                        None => Ok(Offset(partition.low_watermark)),
                        Some(error) => Err(connection.refusal(api, Some(place.to_string()), error, None)),
                    };
                    results.push((place, result));
                }
            }
            results
        })
        .await
    }
}
