use std::ops::RangeInclusive;

use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::{Api, number};
use crate::{
    ErrorCode,
    acls::{Operation, Resource},
    context::Context,
    coordinators::Kind,
};

impl Api for HeartbeatRequest {
    const SERVED: RangeInclusive<i16> = 0..=4;

    async fn handle(self, ctx: &Context, _: i16) -> HeartbeatResponse {
        let result = ctx.coordinate(|state, now| {
            if !state.may(&ctx.client, Operation::Read, Resource::Group, &self.group_id) {
                return Err(ErrorCode::GroupAuthorizationFailed);
            }
            state.check_coordinator(ctx.broker, Kind::Group, &self.group_id)?;
            let group = state.coordinators.groups.classic(&self.group_id)?;
            group.heartbeat(
                now,
                &self.member_id,
                self.group_instance_id.as_deref(),
                self.generation_id,
            )
        });
        HeartbeatResponse::default().with_error_code(number(result.err()))
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> HeartbeatResponse {
        HeartbeatResponse::default().with_error_code(code.code())
    }

    fn throttle(answer: &mut HeartbeatResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}
