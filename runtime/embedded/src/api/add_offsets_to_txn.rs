use std::ops::RangeInclusive;

use kafka_protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use super::{Api, number};
use crate::{
    ErrorCode,
    acls::{Operation, Resource},
    context::Context,
    coordinators::Kind,
    transactions::{Identity, fenced},
};

impl Api for AddOffsetsToTxnRequest {
    const SERVED: RangeInclusive<i16> = 0..=4;

    async fn handle(self, ctx: &Context, version: i16) -> AddOffsetsToTxnResponse {
        let result = ctx.coordinate(|state, now| {
            let id = &self.transactional_id;
            if !state.may(&ctx.client, Operation::Write, Resource::TransactionalId, id) {
                return Err(ErrorCode::TransactionalIdAuthorizationFailed);
            }
            if !state.may(&ctx.client, Operation::Read, Resource::Group, &self.group_id) {
                return Err(ErrorCode::GroupAuthorizationFailed);
            }
            state.check_coordinator(ctx.broker, Kind::Transaction, id)?;
            let identity = Identity {
                producer_id: self.producer_id.0,
                epoch: self.producer_epoch,
            };
            state
                .coordinators
                .transactions
                .add_group(now, id, identity, &self.group_id)
        });
        let code = result.err().map(|code| fenced(code, version >= 2));
        AddOffsetsToTxnResponse::default().with_error_code(number(code))
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> AddOffsetsToTxnResponse {
        AddOffsetsToTxnResponse::default().with_error_code(code.code())
    }

    fn throttle(answer: &mut AddOffsetsToTxnResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}
