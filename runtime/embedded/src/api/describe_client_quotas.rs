use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{
        DescribeClientQuotasRequest, DescribeClientQuotasResponse,
        describe_client_quotas_request::ComponentData,
        describe_client_quotas_response::{EntityData, EntryData, ValueData},
    },
    protocol::StrBytes,
};

use super::Api;
use crate::{
    ErrorCode,
    acls::{CLUSTER, Operation, Resource},
    context::Context,
    coordinators::text,
    quotas::{Component, Match},
};

impl Api for DescribeClientQuotasRequest {
    const SERVED: RangeInclusive<i16> = 0..=1;

    async fn handle(self, ctx: &Context, version: i16) -> DescribeClientQuotasResponse {
        let state = ctx.state();
        if !state.may(
            &ctx.client,
            Operation::DescribeConfigs,
            Resource::Cluster,
            CLUSTER,
        ) {
            return self.refuse(ctx, ErrorCode::ClusterAuthorizationFailed, version);
        }
        let mut components = Vec::<Component>::new();
        for asked in &self.components {
            match component(asked) {
                Ok(component) if components.iter().any(|known| known.kind == component.kind) => {
                    let message = format!("Duplicate filter component entity type {}", component.kind);
                    return refused(ErrorCode::InvalidRequest, &message);
                }
                Ok(component) => components.push(component),
                Err((code, message)) => return refused(code, &message),
            }
        }
        let quotas = state.coordinators.quotas.iter();
        let found = quotas.filter(|(entity, _)| entity.matches(&components, self.strict));
        let entries = found.map(|(entity, values)| {
            let part = |(kind, name): (&str, Option<&str>)| {
                EntityData::default()
                    .with_entity_type(text(kind))
                    .with_entity_name(name.map(text))
            };
            let value =
                |(key, value): (&String, &f64)| ValueData::default().with_key(text(key)).with_value(*value);
            EntryData::default()
                .with_entity(entity.parts().map(part).collect())
                .with_values(values.iter().map(value).collect())
        });
        DescribeClientQuotasResponse::default().with_entries(Some(entries.collect()))
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> DescribeClientQuotasResponse {
        refused(code, &code.to_string())
    }

    fn throttle(answer: &mut DescribeClientQuotasResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn component(asked: &ComponentData) -> Result<Component, (ErrorCode, String)> {
    let kind = asked.entity_type.to_string();
    if !["user", "client-id", "ip"].contains(&kind.as_str()) {
        let message = format!("Custom entity type '{kind}' not supported");
        return Err((ErrorCode::UnsupportedVersion, message));
    }
    let wanted = match (asked.match_type, &asked._match) {
        (0, Some(name)) => Match::Exactly(name.to_string()),
        (1, None) => Match::Default,
        (2, None) => Match::Any,
        (number, _) => {
            let message = format!("Unexpected match type {number}, or a match that does not go with it");
            return Err((ErrorCode::InvalidRequest, message));
        }
    };
    Ok(Component { kind, wanted })
}

fn refused(code: ErrorCode, message: &str) -> DescribeClientQuotasResponse {
    DescribeClientQuotasResponse::default()
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(message.to_owned())))
        .with_entries(None)
}
