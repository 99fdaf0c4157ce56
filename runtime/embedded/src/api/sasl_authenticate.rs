use std::{ops::RangeInclusive, time::Duration};

use kafka_protocol::{
    messages::{SaslAuthenticateRequest, SaslAuthenticateResponse},
    protocol::StrBytes,
};

use super::Api;
use crate::{ErrorCode, context::Context};

impl Api for SaslAuthenticateRequest {
    const SERVED: RangeInclusive<i16> = 0..=2;

    async fn handle(self, ctx: &Context, _: i16) -> SaslAuthenticateResponse {
        let mut state = ctx.state();
        let lifetime_ms = state.configs.number("connections.max.reauth.ms");
        let lifetime = u64::try_from(lifetime_ms)
            .ok()
            .filter(|ms| *ms > 0)
            .map(Duration::from_millis);
        let nonce = state.new_uuid().simple().to_string();
        let session = &ctx.client.session;
        let said = session.authenticate(&self.auth_bytes, &state.coordinators.users, &nonce, lifetime);
        match said {
            Ok(said) => {
                let lifetime_ms = if session.is_done() { lifetime_ms.max(0) } else { 0 };
                SaslAuthenticateResponse::default()
                    .with_auth_bytes(said.into())
                    .with_session_lifetime_ms(lifetime_ms)
            }
            Err(failed) => {
                ctx.close();
                refused(failed.code, failed.message)
            }
        }
    }

    fn refuse(&self, ctx: &Context, code: ErrorCode, _: i16) -> SaslAuthenticateResponse {
        ctx.close();
        refused(code, code.to_string())
    }

    /// The answer has no place for it.
    fn throttle(_: &mut SaslAuthenticateResponse, _: i32) {}
}

fn refused(code: ErrorCode, message: String) -> SaslAuthenticateResponse {
    SaslAuthenticateResponse::default()
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(message)))
}
