use std::{collections::BTreeMap, ops::RangeInclusive};

use kafka_protocol::{
    messages::{
        AlterConfigsRequest, AlterConfigsResponse, alter_configs_request::AlterConfigsResource,
        alter_configs_response::AlterConfigsResourceResponse,
    },
    protocol::StrBytes,
};

use super::{
    Api,
    describe_configs::check_access,
    incremental_alter_configs::{Change, alter},
};
use crate::{ErrorCode, acls::Operation, context::Context};

/// The old way: what is not named goes back to its default.
impl Api for AlterConfigsRequest {
    const SERVED: RangeInclusive<i16> = 0..=2;

    async fn handle(self, ctx: &Context, _: i16) -> AlterConfigsResponse {
        let mut state = ctx.state();
        let responses = self.resources.iter().map(|asked| {
            let named = asked.configs.iter();
            let changes = named.map(|config| match &config.value {
                Some(value) => (config.name.to_string(), Change::Set(value.to_string())),
                None => (config.name.to_string(), Change::Delete),
            });
            let changes = changes.collect();
            let resource = (asked.resource_type, &*asked.resource_name);
            let access = check_access(ctx, &state, Operation::AlterConfigs, resource);
            let none = Some(BTreeMap::new());
            let altered =
                access.and_then(|()| alter(&mut state, resource, none, changes, self.validate_only));
            match altered {
                Ok(()) => response(asked, 0, None),
                Err(denied) => response(asked, denied.code.code(), Some(denied.message)),
            }
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
