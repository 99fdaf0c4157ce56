use std::ops::RangeInclusive;

use kafka_protocol::messages::{EndTxnRequest, EndTxnResponse, ProducerId};

use super::Api;
use crate::{
    ErrorCode,
    acls::{Operation, Resource},
    context::Context,
    coordinators::Kind,
    log::Outcome,
    transactions::{Bump, End, Identity, fenced},
};

impl Api for EndTxnRequest {
    const SERVED: RangeInclusive<i16> = 0..=5;

    async fn handle(self, ctx: &Context, version: i16) -> EndTxnResponse {
        let result = ctx.coordinate(|state, now| {
            let id = &self.transactional_id;
            if !state.may(&ctx.client, Operation::Write, Resource::TransactionalId, id) {
                return Err(ErrorCode::TransactionalIdAuthorizationFailed);
            }
            state.check_coordinator(ctx.broker, Kind::Transaction, id)?;
            let identity = Identity {
                producer_id: self.producer_id.0,
                epoch: self.producer_epoch,
            };
            let outcome = if self.committed {
                Outcome::Commit
            } else {
                Outcome::Abort
            };
            let bump = if version >= 5 { Bump::Epoch } else { Bump::Nothing };
            let fresh = state.new_producer_id();
            let ended =
                state
                    .coordinators
                    .transactions
                    .end(now, id, identity, End { outcome, bump }, fresh)?;
            if let Some(marker) = &ended.marker {
                state.end_transaction(marker, ctx.now_ms());
            }
            Ok(ended.identity)
        });
        match result {
            Ok(identity) if version >= 5 => EndTxnResponse::default()
                .with_producer_id(ProducerId(identity.producer_id))
                .with_producer_epoch(identity.epoch),
            Ok(_) => nobody(),
            Err(code) => self.refuse(ctx, fenced(code, version >= 2), version),
        }
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> EndTxnResponse {
        nobody().with_error_code(code.code())
    }

    fn throttle(answer: &mut EndTxnResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn nobody() -> EndTxnResponse {
    EndTxnResponse::default()
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1)
}
