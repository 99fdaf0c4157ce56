use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{
        DeleteRecordsRequest, DeleteRecordsResponse,
        delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic},
        delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult},
    },
    protocol::StrBytes,
};

use super::{Api, number};
use crate::{ErrorCode, acls::Operation, context::Context, state::State};

/// Up to the high watermark.
const ALL: i64 = -1;

impl Api for DeleteRecordsRequest {
    const SERVED: RangeInclusive<i16> = 0..=2;

    async fn handle(self, ctx: &Context, _: i16) -> DeleteRecordsResponse {
        let mut state = ctx.state();
        answer(&self, |topic, asked| delete(ctx, &mut state, topic, asked))
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> DeleteRecordsResponse {
        answer(self, |_, _| Err(code))
    }

    fn throttle(answer: &mut DeleteRecordsResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }

    fn topics(&self, _: &Context) -> Vec<StrBytes> {
        self.topics.iter().map(|topic| topic.name.0.clone()).collect()
    }
}

/// The new start of the log.
fn delete(
    ctx: &Context,
    state: &mut State,
    topic: &DeleteRecordsTopic,
    asked: &DeleteRecordsPartition,
) -> Result<i64, ErrorCode> {
    if let Some(code) = ctx.refused(&topic.name, asked.partition_index) {
        return Err(code);
    }
    state.check_topic_access(&ctx.client, Operation::Delete, &topic.name)?;
    let topic = state
        .topics
        .get_mut(&topic.name)
        .ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let deletes = topic.settings.deletes;
    let partition = topic.partition_mut(asked.partition_index);
    let partition = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if partition.leader != ctx.broker {
        return Err(ErrorCode::NotLeaderOrFollower);
    }
    if !deletes {
        return Err(ErrorCode::PolicyViolation);
    }
    let log = &mut partition.log;
    let offset = if asked.offset == ALL {
        log.end()
    } else {
        asked.offset
    };
    if offset < 0 || offset > log.end() {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    log.delete_before(offset);
    log.wake();
    Ok(log.start())
}

fn answer(
    request: &DeleteRecordsRequest,
    mut of: impl FnMut(&DeleteRecordsTopic, &DeleteRecordsPartition) -> Result<i64, ErrorCode>,
) -> DeleteRecordsResponse {
    let mut topics = Vec::new();
    for topic in &request.topics {
        let partitions = topic.partitions.iter().map(|asked| {
            let deleted = of(topic, asked);
            DeleteRecordsPartitionResult::default()
                .with_partition_index(asked.partition_index)
                .with_low_watermark(*deleted.as_ref().unwrap_or(&-1))
                .with_error_code(number(deleted.err()))
        });
        let partitions = partitions.collect();
        topics.push(
            DeleteRecordsTopicResult::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions),
        );
    }
    DeleteRecordsResponse::default().with_topics(topics)
}
