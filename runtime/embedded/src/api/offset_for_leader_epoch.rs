use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{
        OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
        offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic},
        offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult},
    },
    protocol::StrBytes,
};

use super::{Api, list_offsets::check_leader, number};
use crate::{ErrorCode, acls::Operation, context::Context, log::EpochEnd, state::State};

impl Api for OffsetForLeaderEpochRequest {
    const SERVED: RangeInclusive<i16> = 2..=4;

    async fn handle(self, ctx: &Context, _: i16) -> OffsetForLeaderEpochResponse {
        let state = ctx.state();
        answer(&self, |topic, asked| find(ctx, &state, topic, asked))
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> OffsetForLeaderEpochResponse {
        answer(self, |_, _| Err(code))
    }

    fn throttle(answer: &mut OffsetForLeaderEpochResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }

    fn topics(&self, _: &Context) -> Vec<StrBytes> {
        self.topics.iter().map(|topic| topic.topic.0.clone()).collect()
    }
}

fn find(
    ctx: &Context,
    state: &State,
    topic: &OffsetForLeaderTopic,
    asked: &OffsetForLeaderPartition,
) -> Result<Option<EpochEnd>, ErrorCode> {
    if let Some(code) = ctx.refused(&topic.topic, asked.partition) {
        return Err(code);
    }
    state.check_topic_access(&ctx.client, Operation::Describe, &topic.topic)?;
    let partition = state.topics.partition(&topic.topic, asked.partition);
    let partition = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    check_leader(partition, ctx.broker, asked.current_leader_epoch)?;
    Ok(partition.log.end_of_epoch(asked.leader_epoch))
}

fn answer(
    request: &OffsetForLeaderEpochRequest,
    of: impl Fn(&OffsetForLeaderTopic, &OffsetForLeaderPartition) -> Result<Option<EpochEnd>, ErrorCode>,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let found = of(topic, asked);
            let end = found.as_ref().ok().copied().flatten();
            EpochEndOffset::default()
                .with_error_code(number(found.err()))
                .with_partition(asked.partition)
                .with_leader_epoch(end.map_or(-1, |end| end.epoch))
                .with_end_offset(end.map_or(-1, |end| end.end))
        });
        OffsetForLeaderTopicResult::default()
            .with_topic(topic.topic.clone())
            .with_partitions(partitions.collect())
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}
