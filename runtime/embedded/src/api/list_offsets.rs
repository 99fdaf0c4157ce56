use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{
        ListOffsetsRequest, ListOffsetsResponse,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
    },
    protocol::StrBytes,
};

use super::Api;
use crate::{ErrorCode, acls::Operation, context::Context, state::State, topic::Partition};

/// Times that mean something else.
mod special {
    pub(super) const LATEST: i64 = -1;
    pub(super) const EARLIEST: i64 = -2;
    pub(super) const MAX_TIMESTAMP: i64 = -3;
    /// The first offset that is not in tiered storage alone: all are here.
    pub(super) const EARLIEST_LOCAL: i64 = -4;
    /// The last offset in tiered storage: there is none.
    pub(super) const LATEST_TIERED: i64 = -5;
}

impl Api for ListOffsetsRequest {
    const SERVED: RangeInclusive<i16> = 1..=10;

    async fn handle(self, ctx: &Context, version: i16) -> ListOffsetsResponse {
        let state = ctx.state();
        let committed = self.isolation_level == 1;
        answer(&self, |topic, asked| {
            let found = match ctx.refused(&topic.name, asked.partition_index) {
                Some(code) => Err(code),
                None => find(ctx, &state, topic, asked, committed),
            };
            let (timestamp, offset, epoch) = match found {
                Ok(found) => found,
                Err(code) => return failed(asked, code),
            };
            ListOffsetsPartitionResponse::default()
                .with_partition_index(asked.partition_index)
                .with_timestamp(timestamp)
                .with_offset(offset)
                .with_leader_epoch(if version >= 4 { epoch } else { -1 })
        })
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> ListOffsetsResponse {
        answer(self, |_, asked| failed(asked, code))
    }

    fn throttle(answer: &mut ListOffsetsResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }

    fn topics(&self, _: &Context) -> Vec<StrBytes> {
        self.topics.iter().map(|topic| topic.name.0.clone()).collect()
    }
}

fn answer(
    request: &ListOffsetsRequest,
    of: impl Fn(&ListOffsetsTopic, &ListOffsetsPartition) -> ListOffsetsPartitionResponse,
) -> ListOffsetsResponse {
    let topics = request.topics.iter().map(|topic| {
        ListOffsetsTopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(topic.partitions.iter().map(|asked| of(topic, asked)).collect())
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn failed(asked: &ListOffsetsPartition, code: ErrorCode) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse::default()
        .with_partition_index(asked.partition_index)
        .with_error_code(code.code())
        .with_timestamp(-1)
        .with_offset(-1)
        .with_leader_epoch(-1)
}

/// Time, offset, leader epoch.
fn find(
    ctx: &Context,
    state: &State,
    topic: &ListOffsetsTopic,
    asked: &ListOffsetsPartition,
    committed: bool,
) -> Result<(i64, i64, i32), ErrorCode> {
    state.check_topic_access(&ctx.client, Operation::Describe, &topic.name)?;
    let partition = state.topics.partition(&topic.name, asked.partition_index);
    let partition = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    check_leader(partition, ctx.broker, asked.current_leader_epoch)?;
    let log = &partition.log;
    let end = if committed {
        log.last_stable_offset()
    } else {
        log.end()
    };
    let by_time = |found: Option<crate::log::Found>| match found.filter(|found| found.offset < end) {
        Some(found) => (found.timestamp, found.offset, found.leader_epoch),
        None => (-1, -1, -1),
    };
    Ok(match asked.timestamp {
        special::LATEST => (-1, end, partition.leader_epoch),
        special::EARLIEST | special::EARLIEST_LOCAL => (-1, log.start(), log.epoch_at(log.start())),
        special::MAX_TIMESTAMP => by_time(log.find_max_time()),
        special::LATEST_TIERED => (-1, -1, -1),
        time if time < 0 => return Err(ErrorCode::UnsupportedVersion),
        time => by_time(log.find_time(time)),
    })
}

/// What a leader says to whoever has another idea of it. -1: the client has none.
pub(super) fn check_leader(partition: &Partition, broker: i32, epoch: i32) -> Result<(), ErrorCode> {
    check_epoch(partition, epoch)?;
    if partition.leader == broker {
        Ok(())
    } else {
        Err(ErrorCode::NotLeaderOrFollower)
    }
}

pub(super) fn check_epoch(partition: &Partition, epoch: i32) -> Result<(), ErrorCode> {
    if epoch < 0 || epoch == partition.leader_epoch {
        Ok(())
    } else if epoch < partition.leader_epoch {
        Err(ErrorCode::FencedLeaderEpoch)
    } else {
        Err(ErrorCode::UnknownLeaderEpoch)
    }
}
