use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{
        DescribeConfigsRequest, DescribeConfigsResponse,
        describe_configs_request::DescribeConfigsResource,
        describe_configs_response::{
            DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
        },
    },
    protocol::StrBytes,
};

use super::Api;
use crate::{
    ErrorCode,
    acls::Operation,
    config::{BROKER, Definition, Source, TOPIC},
    context::Context,
    state::{Denied, State},
};

/// What can have configs.
pub(super) mod resource {
    pub(crate) const TOPIC: i8 = 2;
    pub(crate) const BROKER: i8 = 4;
}

/// One config, and the values it would have otherwise.
struct Described {
    definition: &'static Definition,
    value: Option<String>,
    source: Source,
    synonyms: Vec<(&'static str, String, Source)>,
}

impl Api for DescribeConfigsRequest {
    const SERVED: RangeInclusive<i16> = 1..=4;

    async fn handle(self, ctx: &Context, version: i16) -> DescribeConfigsResponse {
        let state = ctx.state();
        let results = self.resources.iter().map(|asked| {
            let resource = (asked.resource_type, &*asked.resource_name);
            let access = check_access(ctx, &state, Operation::DescribeConfigs, resource);
            let described = match access.and_then(|()| describe(&state, asked)) {
                Ok(described) => described,
                Err(denied) => return refused(asked, denied.code, Some(denied.message)),
            };
            let wanted = |described: &Described| match &asked.configuration_keys {
                Some(keys) => keys.iter().any(|key| **key == *described.definition.name),
                None => true,
            };
            let configs = described
                .into_iter()
                .filter(wanted)
                .map(|described| described.answer(self.include_synonyms, version));
            DescribeConfigsResult::default()
                .with_resource_type(asked.resource_type)
                .with_resource_name(asked.resource_name.clone())
                .with_configs(configs.collect())
        });
        let results = results.collect();
        DescribeConfigsResponse::default().with_results(results)
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> DescribeConfigsResponse {
        let results = self.resources.iter().map(|asked| refused(asked, code, None));
        DescribeConfigsResponse::default().with_results(results.collect())
    }

    fn throttle(answer: &mut DescribeConfigsResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn refused(
    asked: &DescribeConfigsResource,
    code: ErrorCode,
    message: Option<String>,
) -> DescribeConfigsResult {
    DescribeConfigsResult::default()
        .with_error_code(code.code())
        .with_error_message(message.map(StrBytes::from_string))
        .with_resource_type(asked.resource_type)
        .with_resource_name(asked.resource_name.clone())
}

/// Who may see or change the configuration of a topic, or of brokers.
pub(super) fn check_access(
    ctx: &Context,
    state: &State,
    operation: Operation,
    (kind, name): (i8, &str),
) -> Result<(), Denied> {
    let access = match kind {
        resource::TOPIC => state.check_topic_access(&ctx.client, operation, name),
        _ => state.check_cluster_access(&ctx.client, operation),
    };
    access.map_err(Denied::from)
}

fn describe(state: &State, asked: &DescribeConfigsResource) -> Result<Vec<Described>, Denied> {
    match asked.resource_type {
        resource::TOPIC => {
            let topic = state.topics.get(&asked.resource_name).ok_or_else(|| {
                Denied::new(
                    ErrorCode::UnknownTopicOrPartition,
                    "This server does not host this topic-partition.",
                )
            })?;
            let describe = |definition: &'static Definition| {
                let (value, source) = state.configs.topic(&topic.configs, -1, definition);
                let mut synonyms = Vec::new();
                if source == Source::Topic {
                    synonyms.push((definition.name, value.to_owned(), source));
                }
                if let Some(key) = definition.broker {
                    synonyms.extend(state.configs.layers(-1, key));
                }
                Described {
                    definition,
                    value: Some(value.to_owned()),
                    source,
                    synonyms,
                }
            };
            Ok(TOPIC.iter().map(describe).collect())
        }
        resource::BROKER => {
            let id = broker(state, &asked.resource_name)?;
            let describe = |definition: &'static Definition| {
                let (value, source) = state.configs.get(id.unwrap_or(-1), definition.name)?;
                // Of all brokers at once only what was set for all at once is told.
                if id.is_none() && source != Source::BrokerDefault {
                    return None;
                }
                Some(Described {
                    definition,
                    value: Some(value.to_owned()),
                    source,
                    synonyms: state.configs.layers(id.unwrap_or(-1), definition.name),
                })
            };
            Ok(BROKER.iter().filter_map(describe).collect())
        }
        other => Err(Denied::new(
            ErrorCode::InvalidRequest,
            format!("Unsupported resource type: {other}"),
        )),
    }
}

/// A broker by the name of its resource; the empty name is all of them at once.
pub(super) fn broker(state: &State, name: &str) -> Result<Option<i32>, Denied> {
    if name.is_empty() {
        return Ok(None);
    }
    let known = name.parse().ok().filter(|id| state.brokers.contains_key(id));
    known.map(Some).ok_or_else(|| {
        let message = format!(
            "Unexpected broker id, expected one of {:?}, but received {name}",
            state.brokers.keys()
        );
        Denied::new(ErrorCode::InvalidRequest, message)
    })
}

// === impl Described ===

impl Described {
    fn answer(self, with_synonyms: bool, version: i16) -> DescribeConfigsResourceResult {
        let text = |text: String| Some(StrBytes::from_string(text));
        let synonym = |(name, value, source): (&'static str, String, Source)| {
            DescribeConfigsSynonym::default()
                .with_name(StrBytes::from_static_str(name))
                .with_value(text(value))
                .with_source(source as i8)
        };
        let mut answer = DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str(self.definition.name))
            .with_value(self.value.and_then(text))
            .with_read_only(false)
            .with_config_source(self.source as i8);
        if with_synonyms {
            answer.synonyms = self.synonyms.into_iter().map(synonym).collect();
        }
        if version >= 3 {
            answer.config_type = self.definition.kind as i8;
        }
        answer
    }
}
