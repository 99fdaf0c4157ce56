use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{
        BrokerId, FindCoordinatorRequest, FindCoordinatorResponse, find_coordinator_response::Coordinator,
    },
    protocol::StrBytes,
};

use super::Api;
use crate::{
    ErrorCode,
    acls::{Operation, Resource},
    context::Context,
    coordinators::Kind,
    state::State,
};

impl Api for FindCoordinatorRequest {
    const SERVED: RangeInclusive<i16> = 0..=6;

    async fn handle(self, ctx: &Context, version: i16) -> FindCoordinatorResponse {
        let state = ctx.state();
        let found = |key: &StrBytes| match find(ctx, &state, self.key_type, key) {
            Ok(coordinator) => coordinator,
            Err(code) => nobody(key, code),
        };
        if version < 4 {
            alone(&found(&self.key))
        } else {
            let coordinators = self.coordinator_keys.iter().map(found).collect();
            FindCoordinatorResponse::default().with_coordinators(coordinators)
        }
    }

    fn refuse(&self, _: &Context, code: ErrorCode, version: i16) -> FindCoordinatorResponse {
        if version < 4 {
            return alone(&nobody(&self.key, code));
        }
        let refused = self
            .coordinator_keys
            .iter()
            .map(|key| nobody(key, code))
            .collect();
        FindCoordinatorResponse::default().with_coordinators(refused)
    }

    fn throttle(answer: &mut FindCoordinatorResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn find(ctx: &Context, state: &State, key_type: i8, key: &StrBytes) -> Result<Coordinator, ErrorCode> {
    let (kind, resource, denied) = match key_type {
        0 => (Kind::Group, Resource::Group, ErrorCode::GroupAuthorizationFailed),
        1 => (
            Kind::Transaction,
            Resource::TransactionalId,
            ErrorCode::TransactionalIdAuthorizationFailed,
        ),
        // Share groups are left out.
        _ => return Err(ErrorCode::InvalidRequest),
    };
    if !state.may(&ctx.client, Operation::Describe, resource, key) {
        return Err(denied);
    }
    let id = state
        .coordinator(kind, key)
        .ok_or(ErrorCode::CoordinatorNotAvailable)?;
    let broker = state.brokers.get(&id).ok_or(ErrorCode::CoordinatorNotAvailable)?;
    Ok(Coordinator::default()
        .with_key(key.clone())
        .with_node_id(BrokerId(id))
        .with_host(StrBytes::from_static_str("127.0.0.1"))
        .with_port(i32::from(broker.port))
        .with_error_message(Some(StrBytes::default())))
}

fn nobody(key: &StrBytes, code: ErrorCode) -> Coordinator {
    Coordinator::default()
        .with_key(key.clone())
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(code.to_string())))
        .with_node_id(BrokerId(-1))
        .with_port(-1)
}

/// Before version 4 there is one.
fn alone(coordinator: &Coordinator) -> FindCoordinatorResponse {
    FindCoordinatorResponse::default()
        .with_error_code(coordinator.error_code)
        .with_error_message(coordinator.error_message.clone())
        .with_node_id(coordinator.node_id)
        .with_host(coordinator.host.clone())
        .with_port(coordinator.port)
}
