use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{SaslHandshakeRequest, SaslHandshakeResponse},
    protocol::StrBytes,
};

use super::{Api, number};
use crate::{ErrorCode, context::Context, users::Mechanism};

impl Api for SaslHandshakeRequest {
    /// After version 0 tokens would come without a request around them: no client of this decade does that.
    const SERVED: RangeInclusive<i16> = 1..=1;

    async fn handle(self, ctx: &Context, _: i16) -> SaslHandshakeResponse {
        let result = ctx.client.session.handshake(&self.mechanism);
        if result.is_err() {
            ctx.close();
        }
        answer(result.err())
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> SaslHandshakeResponse {
        answer(Some(code))
    }

    /// The answer has no place for it.
    fn throttle(_: &mut SaslHandshakeResponse, _: i32) {}
}

fn answer(code: Option<ErrorCode>) -> SaslHandshakeResponse {
    let mechanisms = Mechanism::ALL.map(|mechanism| StrBytes::from_static_str(mechanism.name()));
    SaslHandshakeResponse::default()
        .with_error_code(number(code))
        .with_mechanisms(mechanisms.to_vec())
}
