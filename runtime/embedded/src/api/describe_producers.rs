use std::ops::RangeInclusive;

use kafka_protocol::messages::{
    DescribeProducersRequest, DescribeProducersResponse, ProducerId,
    describe_producers_request::TopicRequest,
    describe_producers_response::{PartitionResponse, ProducerState, TopicResponse},
};

use super::Api;
use crate::{ErrorCode, acls::Operation, context::Context, state::State};

impl Api for DescribeProducersRequest {
    const SERVED: RangeInclusive<i16> = 0..=0;

    async fn handle(self, ctx: &Context, _: i16) -> DescribeProducersResponse {
        let state = ctx.state();
        answer(&self, |topic, index| describe(ctx, &state, topic, index))
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> DescribeProducersResponse {
        answer(self, |_, _| Err(code))
    }

    fn throttle(answer: &mut DescribeProducersResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn describe(
    ctx: &Context,
    state: &State,
    topic: &TopicRequest,
    index: i32,
) -> Result<Vec<ProducerState>, ErrorCode> {
    state.check_topic_access(&ctx.client, Operation::Read, &topic.name)?;
    let partition = state.topics.partition(&topic.name, index);
    let partition = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if partition.leader != ctx.broker {
        return Err(ErrorCode::NotLeaderOrFollower);
    }
    let mut producers: Vec<ProducerState> = partition
        .log
        .producers()
        .map(|(id, producer)| {
            ProducerState::default()
                .with_producer_id(ProducerId(id))
                .with_producer_epoch(i32::from(producer.epoch))
                .with_last_sequence(producer.last_sequence())
                .with_last_timestamp(producer.last_timestamp)
                .with_coordinator_epoch(producer.coordinator_epoch)
                .with_current_txn_start_offset(partition.log.transaction_start(id).unwrap_or(-1))
        })
        .collect();
    producers.sort_unstable_by_key(|producer| producer.producer_id.0);
    Ok(producers)
}

fn answer(
    request: &DescribeProducersRequest,
    of: impl Fn(&TopicRequest, i32) -> Result<Vec<ProducerState>, ErrorCode>,
) -> DescribeProducersResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|index| {
            let answer = PartitionResponse::default().with_partition_index(*index);
            match of(topic, *index) {
                Ok(producers) => answer.with_active_producers(producers),
                Err(code) => answer.with_error_code(code.code()),
            }
        });
        TopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    DescribeProducersResponse::default().with_topics(topics.collect())
}
