use std::{collections::BTreeSet, ops::RangeInclusive};

use kafka_protocol::{
    messages::{
        BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicName,
        describe_topic_partitions_response::{
            Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
        },
    },
    protocol::StrBytes,
};

use super::{Api, metadata::TOPIC_OPERATIONS, number};
use crate::{ErrorCode, acls::Operation, context::Context, state::State, topic::Partition};

/// Partitions in one answer, whatever was asked for (`max.request.partition.size.limit`).
const MOST: i32 = 2000;

impl Api for DescribeTopicPartitionsRequest {
    const SERVED: RangeInclusive<i16> = 0..=0;

    async fn handle(self, ctx: &Context, _: i16) -> DescribeTopicPartitionsResponse {
        let state = ctx.state();
        let may_see = |name: &str| {
            let access = state.check_topic_access(&ctx.client, Operation::Describe, name);
            access.is_ok()
        };
        let (from, from_partition) = match &self.cursor {
            Some(cursor) => (cursor.topic_name.0.clone(), cursor.partition_index),
            None => (StrBytes::new(), 0),
        };
        let names: BTreeSet<StrBytes> = if self.topics.is_empty() {
            let names = state.topics.iter().map(|topic| topic.name.clone());
            names.filter(|name| may_see(name)).collect()
        } else {
            self.topics.iter().map(|topic| topic.name.0.clone()).collect()
        };
        let mut room = self.response_partition_limit.clamp(1, MOST) as usize;
        let mut answer = DescribeTopicPartitionsResponse::default();
        for name in names.range(from.clone()..) {
            let first = if *name == from { from_partition } else { 0 };
            let next = |partition| {
                Cursor::default()
                    .with_topic_name(TopicName(name.clone()))
                    .with_partition_index(partition)
            };
            if room == 0 {
                answer.next_cursor = Some(next(first));
                break;
            }
            if !may_see(name) {
                answer
                    .topics
                    .push(failed(name, ErrorCode::TopicAuthorizationFailed));
                continue;
            }
            let Some(topic) = state.topics.get(name) else {
                answer
                    .topics
                    .push(failed(name, ErrorCode::UnknownTopicOrPartition));
                continue;
            };
            let partitions: Vec<_> = (0..)
                .zip(&topic.partitions)
                .skip(first.max(0) as usize)
                .take(room)
                .map(|(index, partition)| describe(&state, index, partition))
                .collect();
            room -= partitions.len();
            let behind = first + partitions.len() as i32;
            answer.topics.push(
                DescribeTopicPartitionsResponseTopic::default()
                    .with_name(Some(TopicName(name.clone())))
                    .with_topic_id(topic.id)
                    .with_is_internal(topic.is_internal())
                    .with_topic_authorized_operations(TOPIC_OPERATIONS)
                    .with_partitions(partitions),
            );
            if (behind as usize) < topic.partitions.len() {
                answer.next_cursor = Some(next(behind));
                break;
            }
        }
        answer
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> DescribeTopicPartitionsResponse {
        let topics = self.topics.iter().map(|topic| failed(&topic.name.0, code));
        DescribeTopicPartitionsResponse::default().with_topics(topics.collect())
    }

    fn throttle(answer: &mut DescribeTopicPartitionsResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn failed(name: &StrBytes, code: ErrorCode) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic::default()
        .with_error_code(code.code())
        .with_name(Some(TopicName(name.clone())))
}

fn describe(state: &State, index: i32, partition: &Partition) -> DescribeTopicPartitionsResponsePartition {
    let ids = |replicas: &[i32]| replicas.iter().map(|id| BrokerId(*id)).collect::<Vec<_>>();
    let mut offline = partition.replicas.clone();
    offline.retain(|replica| !state.is_running(*replica));
    let code = (partition.leader < 0).then_some(ErrorCode::LeaderNotAvailable);
    DescribeTopicPartitionsResponsePartition::default()
        .with_error_code(number(code))
        .with_partition_index(index)
        .with_leader_id(BrokerId(partition.leader))
        .with_leader_epoch(partition.leader_epoch)
        .with_replica_nodes(ids(&partition.replicas))
        .with_isr_nodes(ids(&partition.isr))
        .with_eligible_leader_replicas(Some(Vec::new()))
        .with_last_known_elr(Some(Vec::new()))
        .with_offline_replicas(ids(&offline))
}
