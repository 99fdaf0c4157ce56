use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{
        IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
        incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
        incremental_alter_configs_response::AlterConfigsResourceResponse,
    },
    protocol::StrBytes,
};

use super::{
    Api,
    altering::{Base, Change, altered},
};
use crate::{ErrorCode, context::Context, state::Denied};

impl Api for IncrementalAlterConfigsRequest {
    const SERVED: RangeInclusive<i16> = 0..=1;

    async fn handle(self, ctx: &Context, _: i16) -> IncrementalAlterConfigsResponse {
        let mut state = ctx.state();
        let responses = self.resources.iter().map(|asked| {
            let resource = (asked.resource_type, &*asked.resource_name);
            let changes = || changes(asked);
            let (code, message) = altered(ctx, &mut state, resource, Base::Own, changes, self.validate_only);
            response(asked, code, message)
        });
        let responses = responses.collect();
        IncrementalAlterConfigsResponse::default().with_responses(responses)
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> IncrementalAlterConfigsResponse {
        let responses = self
            .resources
            .iter()
            .map(|asked| response(asked, code.code(), None));
        IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
    }

    fn throttle(answer: &mut IncrementalAlterConfigsResponse, ms: i32) {
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

fn changes(asked: &AlterConfigsResource) -> Result<Vec<(String, Change)>, Denied> {
    let change = |config: &AlterableConfig| {
        let value = || config.value.as_ref().map(StrBytes::to_string);
        let change = match (config.config_operation, value()) {
            (0, Some(value)) => Change::Set(value),
            (1, _) => Change::Delete,
            (2, Some(value)) => Change::Append(value),
            (3, Some(value)) => Change::Subtract(value),
            (0 | 2 | 3, None) => {
                let message = format!("Null value not supported for : {}", config.name.as_str());
                return Err(Denied::new(ErrorCode::InvalidRequest, message));
            }
            (other, _) => {
                let message = format!("Unknown operation {other} for {}", config.name.as_str());
                return Err(Denied::new(ErrorCode::InvalidRequest, message));
            }
        };
        Ok((config.name.to_string(), change))
    };
    asked.configs.iter().map(change).collect()
}
