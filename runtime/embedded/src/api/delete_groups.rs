use std::ops::RangeInclusive;

use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, GroupId, delete_groups_response::DeletableGroupResult,
};

use super::{Api, number};
use crate::{
    ErrorCode,
    acls::{Operation, Resource},
    context::Context,
    coordinators::Kind,
};

impl Api for DeleteGroupsRequest {
    const SERVED: RangeInclusive<i16> = 0..=2;

    async fn handle(self, ctx: &Context, _: i16) -> DeleteGroupsResponse {
        let mut state = ctx.state();
        let mut results = Vec::with_capacity(self.groups_names.len());
        for id in self.groups_names {
            let deleted = if !state.may(&ctx.client, Operation::Delete, Resource::Group, &id) {
                Err(ErrorCode::GroupAuthorizationFailed)
            } else {
                let here = state.check_coordinator(ctx.broker, Kind::Group, &id);
                here.and_then(|()| state.coordinators.groups.delete(&id))
            };
            results.push(result(id, deleted.err()));
        }
        DeleteGroupsResponse::default().with_results(results)
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> DeleteGroupsResponse {
        let refused = |id: &GroupId| result(id.clone(), Some(code));
        DeleteGroupsResponse::default().with_results(self.groups_names.iter().map(refused).collect())
    }

    fn throttle(answer: &mut DeleteGroupsResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn result(id: GroupId, code: Option<ErrorCode>) -> DeletableGroupResult {
    DeletableGroupResult::default()
        .with_group_id(id)
        .with_error_code(number(code))
}
