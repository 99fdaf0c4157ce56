//! What the broker answers. Whom it names as leaders instead (KIP-951) is not taken from here: metadata is asked, which tells of everything else too.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::ProduceResponse;
use towpath_domain::{Offset, Partition, TopicName, TopicPartition};

use super::{Appended, Names, ProduceAnswer};
use crate::{KafkaError, answer, api::PRODUCE_BY_ID};

/// The answer, and its throttle time in ms. `names` are asked for from the version on that answers ids; a topic that nobody asked for is left out: nobody
/// misses it.
pub(crate) fn decode(answer: Bytes, version: i16, names: &Names) -> Result<(ProduceAnswer, i32), String> {
    let answer = answer::decode::<ProduceResponse>(answer, version)?;
    let throttle = answer.throttle_time_ms;
    let mut partitions = Vec::with_capacity(
        answer
            .responses
            .iter()
            .map(|topic| topic.partition_responses.len())
            .sum(),
    );
    let mut messages = Vec::new();
    for topic in answer.responses {
        let name = if version < PRODUCE_BY_ID.min {
            TopicName::new(topic.name.as_str())
        } else if let Some(name) = names.get(&topic.topic_id) {
            name.clone()
        } else {
            continue;
        };
        for partition in topic.partition_responses {
            let at = TopicPartition {
                topic: name.clone(),
                partition: Partition(partition.index),
            };
            if let Some(message) = partition.error_message {
                messages.push((at.clone(), message.to_string()));
            }
            let result = match KafkaError::of(partition.error_code) {
                Some(error) => Err(error),
                None => Ok(Appended {
                    base_offset: Offset(partition.base_offset),
                    log_append_time: partition.log_append_time_ms,
                    log_start_offset: Offset(partition.log_start_offset),
                }),
            };
            partitions.push((at, result));
        }
    }
    let answer = ProduceAnswer {
        throttle: Duration::from_millis(throttle.max(0) as u64),
        partitions,
        messages,
    };
    Ok((answer, throttle))
}

#[cfg(test)]
mod tests;
