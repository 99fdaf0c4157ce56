use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{SyncGroupRequest, SyncGroupResponse},
    protocol::StrBytes,
};
use tokio::sync::oneshot;

use super::Api;
use crate::{
    ErrorCode,
    acls::{Operation, Resource},
    context::Context,
    coordinators::Kind,
    groups::classic::Sync,
};

impl Api for SyncGroupRequest {
    const SERVED: RangeInclusive<i16> = 0..=5;

    async fn handle(self, ctx: &Context, _: i16) -> SyncGroupResponse {
        let (reply, answer) = oneshot::channel();
        let result = ctx.coordinate(|state, now| {
            if !state.may(&ctx.client, Operation::Read, Resource::Group, &self.group_id) {
                return Err(ErrorCode::GroupAuthorizationFailed);
            }
            state.check_coordinator(ctx.broker, Kind::Group, &self.group_id)?;
            let group = state.coordinators.groups.classic(&self.group_id)?;
            let assignments = self.assignments.into_iter();
            let sync = Sync {
                member: self.member_id.to_string(),
                instance: self.group_instance_id.map(|instance| instance.to_string()),
                generation: self.generation_id,
                protocol_type: self.protocol_type.map(|name| name.to_string()),
                protocol: self.protocol_name.map(|name| name.to_string()),
                assignments: assignments
                    .map(|one| (one.member_id.to_string(), one.assignment))
                    .collect(),
            };
            group.sync(now, sync, reply);
            Ok(())
        });
        if let Err(code) = result {
            return refused(code);
        }
        match answer.await {
            Ok(Ok(synced)) => SyncGroupResponse::default()
                .with_protocol_type(synced.protocol_type.map(StrBytes::from_string))
                .with_protocol_name(synced.protocol.map(StrBytes::from_string))
                .with_assignment(synced.assignment),
            Ok(Err(code)) => refused(code),
            // Another request of the same member has taken the place of this one.
            Err(_) => refused(ErrorCode::UnknownMemberId),
        }
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> SyncGroupResponse {
        refused(code)
    }

    fn throttle(answer: &mut SyncGroupResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn refused(code: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse::default().with_error_code(code.code())
}
