use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{GroupId, ListGroupsRequest, ListGroupsResponse, list_groups_response::ListedGroup},
    protocol::StrBytes,
};

use super::Api;
use crate::{
    ErrorCode,
    acls::{CLUSTER, Operation, Resource},
    context::Context,
    coordinators::{Kind, text},
};

impl Api for ListGroupsRequest {
    const SERVED: RangeInclusive<i16> = 0..=5;

    async fn handle(self, ctx: &Context, _: i16) -> ListGroupsResponse {
        let state = ctx.state();
        let all = state.may(&ctx.client, Operation::Describe, Resource::Cluster, CLUSTER);
        let is_one_of = |names: &[StrBytes], name: &str| {
            names.is_empty() || names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        let mut groups = Vec::new();
        for (id, group) in state.coordinators.groups.iter() {
            // Each broker lists the groups that it coordinates.
            let listed = state.coordinator(Kind::Group, id) == Some(ctx.broker)
                && is_one_of(&self.states_filter, group.state())
                && is_one_of(&self.types_filter, group.type_name())
                && (all || state.may(&ctx.client, Operation::Describe, Resource::Group, id));
            if listed {
                let group = ListedGroup::default()
                    .with_group_id(GroupId(text(id)))
                    .with_protocol_type(text(group.protocol_type()))
                    .with_group_state(text(group.state()))
                    .with_group_type(text(group.type_name()));
                groups.push(group);
            }
        }
        ListGroupsResponse::default().with_groups(groups)
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> ListGroupsResponse {
        ListGroupsResponse::default().with_error_code(code.code())
    }

    fn throttle(answer: &mut ListGroupsResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}
