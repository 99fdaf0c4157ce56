use std::{ops::RangeInclusive, time::Duration};

use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::Api;
use crate::{
    ErrorCode,
    acls::{CLUSTER, Operation, Resource},
    context::Context,
    coordinators::Kind,
    state::State,
    transactions::{Identity, fenced},
};

impl Api for InitProducerIdRequest {
    const SERVED: RangeInclusive<i16> = 0..=5;

    async fn handle(self, ctx: &Context, version: i16) -> InitProducerIdResponse {
        let result = ctx.coordinate(|state, now| match &self.transactional_id {
            Some(id) => transactional(&self, id, ctx, state, now, version),
            None => idempotent(ctx, state),
        });
        match result {
            Ok(identity) => InitProducerIdResponse::default()
                .with_producer_id(ProducerId(identity.producer_id))
                .with_producer_epoch(identity.epoch),
            Err(code) => self.refuse(ctx, code, version),
        }
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> InitProducerIdResponse {
        InitProducerIdResponse::default()
            .with_error_code(code.code())
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
    }

    fn throttle(answer: &mut InitProducerIdResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

/// A producer that bumps its own epoch: brokers give an idempotent one a new id, they do not remember the old one.
fn idempotent(ctx: &Context, state: &mut State) -> Result<Identity, ErrorCode> {
    let client = &ctx.client;
    let allowed = state.may(client, Operation::IdempotentWrite, Resource::Cluster, CLUSTER)
        || state.may_any(client, Operation::Write, Resource::Topic);
    if !allowed {
        return Err(ErrorCode::ClusterAuthorizationFailed);
    }
    Ok(Identity {
        producer_id: state.new_producer_id(),
        epoch: 0,
    })
}

fn transactional(
    request: &InitProducerIdRequest,
    id: &str,
    ctx: &Context,
    state: &mut State,
    now: Duration,
    version: i16,
) -> Result<Identity, ErrorCode> {
    if !state.may(&ctx.client, Operation::Write, Resource::TransactionalId, id) {
        return Err(ErrorCode::TransactionalIdAuthorizationFailed);
    }
    state.check_coordinator(ctx.broker, Kind::Transaction, id)?;
    let given = Identity {
        producer_id: request.producer_id.0,
        epoch: request.producer_epoch,
    };
    let expected = match (version >= 3, given) {
        (false, _)
        | (
            true,
            Identity {
                producer_id: -1,
                epoch: -1,
            },
        ) => None,
        (true, Identity { producer_id: -1, .. } | Identity { epoch: -1, .. }) => {
            return Err(ErrorCode::InvalidRequest);
        }
        (true, given) => Some(given),
    };
    let timeout = Duration::from_millis(u64::try_from(request.transaction_timeout_ms).unwrap_or(0));
    let options = state.transaction_options();
    // Taken before it is known whether one is needed: ids have no meaning but to differ.
    let fresh = state.new_producer_id();
    let transactions = &mut state.coordinators.transactions;
    transactions.configure(options);
    let (result, marker) = transactions.init(now, id, timeout, expected, fresh);
    if let Some(marker) = marker {
        state.end_transaction(&marker, ctx.now_ms());
    }
    result.map_err(|code| fenced(code, version >= 4))
}
