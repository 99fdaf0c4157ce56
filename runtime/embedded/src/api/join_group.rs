use std::{ops::RangeInclusive, time::Duration};

use kafka_protocol::{
    messages::{JoinGroupRequest, JoinGroupResponse, join_group_response::JoinGroupResponseMember},
    protocol::StrBytes,
};
use tokio::sync::oneshot;

use super::Api;
use crate::{
    ErrorCode,
    acls::{Operation, Resource},
    context::Context,
    coordinators::{Kind, text},
    groups::classic::{Join, Joined, Refused},
};

impl Api for JoinGroupRequest {
    const SERVED: RangeInclusive<i16> = 0..=9;

    async fn handle(self, ctx: &Context, version: i16) -> JoinGroupResponse {
        let member = self.member_id.clone();
        let (reply, answer) = oneshot::channel();
        let result = ctx.coordinate(|state, now| {
            if !state.may(&ctx.client, Operation::Read, Resource::Group, &self.group_id) {
                return Err(ErrorCode::GroupAuthorizationFailed);
            }
            state.check_coordinator(ctx.broker, Kind::Group, &self.group_id)?;
            let fresh = state.new_uuid();
            let options = state.group_options();
            let id = self.group_id.to_string();
            let join = self.into_join(ctx, version, &fresh.to_string());
            state.coordinators.groups.join(now, &id, join, &options, reply);
            Ok(())
        });
        if let Err(code) = result {
            return refused(code, member, version);
        }
        match answer.await {
            Ok(Ok(joined)) => into_answer(joined),
            Ok(Err(Refused { error, member })) => refused(error, text(&member), version),
            // Another request of the same member has taken the place of this one.
            Err(_) => refused(ErrorCode::UnknownMemberId, member, version),
        }
    }

    fn refuse(&self, _: &Context, code: ErrorCode, version: i16) -> JoinGroupResponse {
        refused(code, self.member_id.clone(), version)
    }

    fn throttle(answer: &mut JoinGroupResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

trait IntoJoin {
    fn into_join(self, ctx: &Context, version: i16, uuid: &str) -> Join;
}

impl IntoJoin for JoinGroupRequest {
    fn into_join(self, ctx: &Context, version: i16, uuid: &str) -> Join {
        let ms = |ms: i32| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        let instance = self.group_instance_id.map(|instance| instance.to_string());
        let name = instance.as_deref().unwrap_or(&ctx.client.id);
        let session_timeout = ms(self.session_timeout_ms);
        Join {
            fresh: format!("{name}-{uuid}"),
            member: self.member_id.to_string(),
            id_required: version >= 4,
            can_skip_assignment: version >= 9,
            client_id: ctx.client.id.clone(),
            client_host: format!("/{}", ctx.client.host),
            session_timeout,
            // Version 0 has one timeout for both.
            rebalance_timeout: if version >= 1 {
                ms(self.rebalance_timeout_ms)
            } else {
                session_timeout
            },
            protocol_type: self.protocol_type.to_string(),
            protocols: self
                .protocols
                .into_iter()
                .map(|one| (one.name.to_string(), one.metadata))
                .collect(),
            instance,
        }
    }
}

fn into_answer(joined: Joined) -> JoinGroupResponse {
    let member = |(id, instance, metadata): (String, Option<String>, _)| {
        JoinGroupResponseMember::default()
            .with_member_id(StrBytes::from_string(id))
            .with_group_instance_id(instance.map(StrBytes::from_string))
            .with_metadata(metadata)
    };
    JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_type(joined.protocol_type.map(StrBytes::from_string))
        // Before version 7 it cannot be null.
        .with_protocol_name(Some(StrBytes::from_string(joined.protocol.unwrap_or_default())))
        .with_leader(StrBytes::from_string(joined.leader))
        .with_skip_assignment(joined.skip_assignment)
        .with_member_id(StrBytes::from_string(joined.member))
        .with_members(joined.members.into_iter().map(member).collect())
}

fn refused(code: ErrorCode, member: StrBytes, version: i16) -> JoinGroupResponse {
    let answer = JoinGroupResponse::default();
    let none = (version < 7).then(StrBytes::default);
    answer
        .with_error_code(code.code())
        .with_generation_id(-1)
        .with_protocol_name(none)
        .with_member_id(member)
}
