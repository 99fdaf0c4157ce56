use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{
        ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, GroupId, TopicName,
        consumer_group_describe_response::{Assignment, DescribedGroup, Member, TopicPartitions},
    },
    protocol::StrBytes,
};

use super::Api;
use crate::{
    ErrorCode,
    acls::{Operation, Resource},
    context::Context,
    coordinators::{Kind, text},
    groups::{self, consumer},
    state::State,
};

/// READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS, as bits.
const GROUP_OPERATIONS: i32 = 0b1101_0100_1000;

impl Api for ConsumerGroupDescribeRequest {
    const SERVED: RangeInclusive<i16> = 0..=1;

    async fn handle(self, ctx: &Context, _: i16) -> ConsumerGroupDescribeResponse {
        let state = ctx.state();
        let operations = if self.include_authorized_operations {
            GROUP_OPERATIONS
        } else {
            i32::MIN
        };
        let groups = self.group_ids.into_iter().map(|id| match find(ctx, &state, &id) {
            Ok(group) => describe(&state, id, group).with_authorized_operations(operations),
            Err(code) => {
                let message = format!("Group {} not found.", id.as_str());
                unknown(id, code).with_error_message(Some(StrBytes::from_string(message)))
            }
        });
        ConsumerGroupDescribeResponse::default().with_groups(groups.collect())
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> ConsumerGroupDescribeResponse {
        let refused = self
            .group_ids
            .iter()
            .map(|id| unknown(id.clone(), code))
            .collect();
        ConsumerGroupDescribeResponse::default().with_groups(refused)
    }

    fn throttle(answer: &mut ConsumerGroupDescribeResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn find<'a>(ctx: &Context, state: &'a State, id: &str) -> Result<&'a consumer::Group, ErrorCode> {
    if !state.may(&ctx.client, Operation::Describe, Resource::Group, id) {
        return Err(ErrorCode::GroupAuthorizationFailed);
    }
    state.check_coordinator(ctx.broker, Kind::Group, id)?;
    match state.coordinators.groups.get(id).map(|group| &group.kind) {
        Some(groups::Kind::Consumer(group)) => Ok(group),
        Some(groups::Kind::Classic(_)) | None => Err(ErrorCode::GroupIdNotFound),
    }
}

fn describe(state: &State, id: GroupId, group: &consumer::Group) -> DescribedGroup {
    let member = |member: &consumer::Member| {
        let topics = member.topics.iter().map(|topic| TopicName(text(topic)));
        Member::default()
            .with_member_id(text(&member.id))
            .with_instance_id(member.instance.as_deref().map(text))
            .with_rack_id(member.rack.as_deref().map(text))
            .with_member_epoch(member.epoch)
            .with_client_id(text(&member.client_id))
            .with_client_host(text(&member.client_host))
            .with_subscribed_topic_names(topics.collect())
            .with_subscribed_topic_regex(member.pattern.as_ref().map(|pattern| text(&pattern.text)))
            .with_assignment(assignment(state, &member.assigned))
            .with_target_assignment(assignment(state, &group.target(&member.id)))
            // Of the new protocol.
            .with_member_type(1)
    };
    DescribedGroup::default()
        .with_group_id(id)
        .with_group_state(text(group.state()))
        .with_group_epoch(group.epoch())
        .with_assignment_epoch(group.target_epoch())
        .with_assignor_name(text(group.assignor().name()))
        .with_members(group.members().map(member).collect())
}

fn assignment(state: &State, assignment: &consumer::Assignment) -> Assignment {
    let named = |(id, partitions): (&uuid::Uuid, &std::collections::BTreeSet<i32>)| {
        // A topic that was deleted has no name any more.
        let name = state.topics.name_of(*id)?.clone();
        let topic = TopicPartitions::default()
            .with_topic_id(*id)
            .with_topic_name(TopicName(name))
            .with_partitions(partitions.iter().copied().collect());
        Some(topic)
    };
    Assignment::default().with_topic_partitions(assignment.iter().filter_map(named).collect())
}

fn unknown(id: GroupId, code: ErrorCode) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_id(id)
        .with_error_code(code.code())
        .with_authorized_operations(i32::MIN)
}
