use std::ops::RangeInclusive;

use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::Api;
use crate::{ErrorCode, context::Context};

impl Api for InitProducerIdRequest {
    const SERVED: RangeInclusive<i16> = 0..=5;

    async fn handle(self, ctx: &Context, version: i16) -> InitProducerIdResponse {
        if self.transactional_id.is_some() {
            return self.refuse(ctx, ErrorCode::CoordinatorNotAvailable, version);
        }
        // A producer that bumps its own epoch: brokers give an idempotent one a new id, they do not remember the old one.
        let id = ctx.state().new_producer_id();
        InitProducerIdResponse::default()
            .with_producer_id(ProducerId(id))
            .with_producer_epoch(0)
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
