use std::{collections::BTreeSet, ops::RangeInclusive};

use kafka_protocol::messages::{
    OffsetDeleteRequest, OffsetDeleteResponse,
    offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic},
};

use super::{Api, number};
use crate::{
    ErrorCode,
    acls::{Operation, Resource},
    context::Context,
    coordinators::Kind,
    state::State,
};

impl Api for OffsetDeleteRequest {
    const SERVED: RangeInclusive<i16> = 0..=0;

    async fn handle(self, ctx: &Context, version: i16) -> OffsetDeleteResponse {
        let mut state = ctx.state();
        match check(&self, ctx, &state) {
            Ok(subscribed) => delete(&self, ctx, &mut state, &subscribed),
            Err(code) => self.refuse(ctx, code, version),
        }
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> OffsetDeleteResponse {
        OffsetDeleteResponse::default().with_error_code(code.code())
    }

    fn throttle(answer: &mut OffsetDeleteResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

/// Topics whose offsets are in use.
fn check(request: &OffsetDeleteRequest, ctx: &Context, state: &State) -> Result<BTreeSet<String>, ErrorCode> {
    let id = &request.group_id;
    if !state.may(&ctx.client, Operation::Delete, Resource::Group, id) {
        return Err(ErrorCode::GroupAuthorizationFailed);
    }
    state.check_coordinator(ctx.broker, Kind::Group, id)?;
    let group = state
        .coordinators
        .groups
        .get(id)
        .ok_or(ErrorCode::GroupIdNotFound)?;
    if group.is_empty() {
        return Ok(BTreeSet::new());
    }
    // Of members that are no consumers nobody knows what they read.
    group.subscribed().ok_or(ErrorCode::NonEmptyGroup)
}

fn delete(
    request: &OffsetDeleteRequest,
    ctx: &Context,
    state: &mut State,
    subscribed: &BTreeSet<String>,
) -> OffsetDeleteResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let allowed = state.may(&ctx.client, Operation::Read, Resource::Topic, &topic.name);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let index = partition.partition_index;
            let code = if !allowed {
                Some(ErrorCode::TopicAuthorizationFailed)
            } else if state.topics.partition(&topic.name, index).is_none() {
                Some(ErrorCode::UnknownTopicOrPartition)
            } else if subscribed.contains(topic.name.as_str()) {
                Some(ErrorCode::GroupSubscribedToTopic)
            } else {
                if let Some(group) = state.coordinators.groups.get_mut(&request.group_id) {
                    group.offsets.delete(&topic.name, index);
                }
                None
            };
            let answer = OffsetDeleteResponsePartition::default().with_partition_index(index);
            partitions.push(answer.with_error_code(number(code)));
        }
        let answer = OffsetDeleteResponseTopic::default().with_name(topic.name.clone());
        topics.push(answer.with_partitions(partitions));
    }
    OffsetDeleteResponse::default().with_topics(topics)
}
