//! DescribeProducers: what leaders know of those who write (KIP-664).

use std::collections::HashMap;

use kafka_protocol::messages::{
    DescribeProducersRequest, describe_producers_request::TopicRequest,
    describe_producers_response::ProducerState as State,
};
use towpath_domain::{Offset, TopicPartition};

use super::{Client, ProducerId, leaders::by_topic};
use crate::{Error, KafkaError, api::Call, fetch::topic_name};

/// An idempotent or transactional producer, as a partition's leader remembers it for some time after its last batch or marker: until
/// `producer.id.expiration.ms`, a day unless set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerState {
    /// The epoch is -1 when the broker tells none.
    pub producer: ProducerId,
    /// Of its last record in the log. -1 when there is none of this epoch.
    pub last_sequence: i32,
    /// Of its last batch or marker, ms since 1970; -1 when there is none.
    pub last_timestamp: i64,
    /// Of the coordinator that wrote the last marker; -1 when there is none.
    pub coordinator_epoch: i32,
    /// Where the open transaction begins in this partition.
    pub current_txn_start_offset: Option<Offset>,
}

// === impl Client ===

impl Client {
    /// The producers that the partitions' leaders know, in no order. Needs Read on the topics, and Kafka 2.8.
    pub async fn describe_producers(
        &self,
        partitions: &[TopicPartition],
    ) -> HashMap<TopicPartition, Result<Vec<ProducerState>, Error>> {
        let api = DescribeProducersRequest::API;
        let request = |asked| {
            let topics = by_topic(asked).into_iter().map(|(topic, partitions)| {
                TopicRequest::default()
                    .with_name(topic_name(&topic))
                    .with_partition_indexes(partitions.iter().map(|(partition, ())| partition.0).collect())
            });
            DescribeProducersRequest::default().with_topics(topics.collect())
        };
        let asked = partitions.iter().map(|partition| (partition.clone(), ()));
        self.at_leaders(asked, request, |connection, answer| {
            let mut results = Vec::new();
            for topic in answer.topics {
                for partition in topic.partitions {
                    let place = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                    let result = match KafkaError::of(partition.error_code) {
                        None => Ok(partition.active_producers.iter().map(ProducerState::of).collect()),
                        Some(error) => {
                            let message = partition.error_message.map(|message| message.to_string());
                            let message = message.filter(|message| !message.is_empty());
                            Err(connection.refusal(api, Some(place.to_string()), error, message))
                        }
                    };
                    results.push((place, result));
                }
            }
            results
        })
        .await
    }
}

// === impl ProducerState ===

impl ProducerState {
    fn of(state: &State) -> Self {
        Self {
            producer: ProducerId {
                id: state.producer_id.0,
                // It has 16 bits everywhere else in the protocol.
                epoch: i16::try_from(state.producer_epoch).unwrap_or(-1),
            },
            last_sequence: state.last_sequence,
            last_timestamp: state.last_timestamp,
            coordinator_epoch: state.coordinator_epoch,
            current_txn_start_offset: Some(state.current_txn_start_offset)
                .filter(|offset| *offset >= 0)
                .map(Offset),
        }
    }
}
