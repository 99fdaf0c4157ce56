use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{
        AlterConfigsRequest, AlterConfigsResponse,
        alter_configs_request::{AlterConfigsResource, AlterableConfig},
        alter_configs_response::AlterConfigsResourceResponse,
    },
    protocol::StrBytes,
};

use super::{
    Api,
    altering::{Base, Change, altered},
};
use crate::{ErrorCode, context::Context};

/// The old way: what is not named goes back to its default.
impl Api for AlterConfigsRequest {
    const SERVED: RangeInclusive<i16> = 0..=2;

    async fn handle(self, ctx: &Context, _: i16) -> AlterConfigsResponse {
        let mut state = ctx.state();
        let responses = self.resources.iter().map(|asked| {
            let change = |config: &AlterableConfig| match &config.value {
                Some(value) => (config.name.to_string(), Change::Set(value.to_string())),
                None => (config.name.to_string(), Change::Delete),
            };
            let changes = || Ok(asked.configs.iter().map(change).collect());
            let resource = (asked.resource_type, &*asked.resource_name);
            let (code, message) = altered(
                ctx,
                &mut state,
                resource,
                Base::Defaults,
                changes,
                self.validate_only,
            );
            response(asked, code, message)
        });
        let responses = responses.collect();
        AlterConfigsResponse::default().with_responses(responses)
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> AlterConfigsResponse {
        let responses = self
            .resources
            .iter()
            .map(|asked| response(asked, code.code(), None));
        AlterConfigsResponse::default().with_responses(responses.collect())
    }

    fn throttle(answer: &mut AlterConfigsResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn response(
    asked: &AlterConfigsResource,
    code: i16,
    message: Option<String>,
) -> AlterConfigsResourceResponse {
    AlterConfigsResourceResponse::default()
        .with_error_code(code)
        .with_error_message(message.map(StrBytes::from_string))
        .with_resource_type(asked.resource_type)
        .with_resource_name(asked.resource_name.clone())
}
