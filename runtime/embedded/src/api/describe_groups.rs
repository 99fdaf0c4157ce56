use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{
        DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
        describe_groups_response::{DescribedGroup, DescribedGroupMember},
    },
    protocol::StrBytes,
};

use super::Api;
use crate::{
    ErrorCode,
    acls::{Operation, Resource},
    context::Context,
    coordinators::{Kind, text},
    groups::{self, classic},
    state::State,
};

/// READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS, as bits.
const GROUP_OPERATIONS: i32 = 0b1101_0100_1000;

impl Api for DescribeGroupsRequest {
    const SERVED: RangeInclusive<i16> = 0..=6;

    async fn handle(self, ctx: &Context, version: i16) -> DescribeGroupsResponse {
        let state = ctx.state();
        let asked = self.include_authorized_operations;
        let groups = self.groups.into_iter().map(|id| match find(ctx, &state, &id) {
            Ok(group) => {
                let operations = if asked { GROUP_OPERATIONS } else { i32::MIN };
                describe(id, group).with_authorized_operations(operations)
            }
            // Up to version 5 a group that is not there is a dead one.
            Err(ErrorCode::GroupIdNotFound) if version < 6 => {
                unknown(id).with_group_state(StrBytes::from_static_str("Dead"))
            }
            Err(ErrorCode::GroupIdNotFound) => {
                let message = format!("Group {} not found.", id.as_str());
                unknown(id)
                    .with_group_state(StrBytes::from_static_str("Dead"))
                    .with_error_code(ErrorCode::GroupIdNotFound.code())
                    .with_error_message(Some(StrBytes::from_string(message)))
            }
            Err(code) => unknown(id).with_error_code(code.code()),
        });
        DescribeGroupsResponse::default().with_groups(groups.collect())
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> DescribeGroupsResponse {
        let refused = |id: &GroupId| unknown(id.clone()).with_error_code(code.code());
        DescribeGroupsResponse::default().with_groups(self.groups.iter().map(refused).collect())
    }

    fn throttle(answer: &mut DescribeGroupsResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn find<'a>(ctx: &Context, state: &'a State, id: &str) -> Result<&'a classic::Group, ErrorCode> {
    if !state.may(&ctx.client, Operation::Describe, Resource::Group, id) {
        return Err(ErrorCode::GroupAuthorizationFailed);
    }
    state.check_coordinator(ctx.broker, Kind::Group, id)?;
    match state.coordinators.groups.get(id).map(|group| &group.kind) {
        Some(groups::Kind::Classic(group)) => Ok(group),
        Some(groups::Kind::Consumer(_)) | None => Err(ErrorCode::GroupIdNotFound),
    }
}

fn describe(id: GroupId, group: &classic::Group) -> DescribedGroup {
    // What members have been assigned is certain when all of them know it.
    let stable = group.state() == classic::State::Stable;
    let member = |member: &classic::Member| {
        let described = DescribedGroupMember::default()
            .with_member_id(text(&member.id))
            .with_group_instance_id(member.instance.as_deref().map(text))
            .with_client_id(text(&member.client_id))
            .with_client_host(text(&member.client_host));
        if stable {
            described
                .with_member_metadata(group.metadata(member))
                .with_member_assignment(member.assignment.clone())
        } else {
            described
        }
    };
    let protocol = if stable { group.protocol() } else { "" };
    unknown(id)
        .with_group_state(text(group.state().name()))
        .with_protocol_type(text(group.protocol_type()))
        .with_protocol_data(text(protocol))
        .with_members(group.members().map(member).collect())
}

fn unknown(id: GroupId) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_id(id)
        .with_authorized_operations(i32::MIN)
}
