use std::ops::RangeInclusive;

use kafka_protocol::messages::{
    LeaveGroupRequest, LeaveGroupResponse, leave_group_request::MemberIdentity,
    leave_group_response::MemberResponse,
};

use super::{Api, number};
use crate::{
    ErrorCode,
    acls::{Operation, Resource},
    context::Context,
    coordinators::Kind,
};

impl Api for LeaveGroupRequest {
    const SERVED: RangeInclusive<i16> = 0..=5;

    async fn handle(self, ctx: &Context, version: i16) -> LeaveGroupResponse {
        // Before version 3 one member leaves, and its error is the answer's.
        let leaving = if version < 3 {
            vec![MemberIdentity::default().with_member_id(self.member_id)]
        } else {
            self.members
        };
        let result = ctx.coordinate(|state, now| {
            if !state.may(&ctx.client, Operation::Read, Resource::Group, &self.group_id) {
                return Err(ErrorCode::GroupAuthorizationFailed);
            }
            state.check_coordinator(ctx.broker, Kind::Group, &self.group_id)?;
            let mut group = state.coordinators.groups.classic(&self.group_id);
            let mut answers = Vec::with_capacity(leaving.len());
            for member in leaving {
                let left = match &mut group {
                    Ok(group) => group.leave(now, &member.member_id, member.group_instance_id.as_deref()),
                    Err(code) => Err(*code),
                };
                let answer = MemberResponse::default()
                    .with_member_id(member.member_id)
                    .with_group_instance_id(member.group_instance_id)
                    .with_error_code(number(left.err()));
                answers.push(answer);
            }
            Ok(answers)
        });
        let answer = LeaveGroupResponse::default();
        match result {
            Err(code) => answer.with_error_code(code.code()),
            Ok(members) if version < 3 => {
                answer.with_error_code(members.first().map_or(0, |member| member.error_code))
            }
            Ok(members) => answer.with_members(members),
        }
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> LeaveGroupResponse {
        LeaveGroupResponse::default().with_error_code(code.code())
    }

    fn throttle(answer: &mut LeaveGroupResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}
