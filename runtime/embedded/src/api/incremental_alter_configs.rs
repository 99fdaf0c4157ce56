use std::{collections::BTreeMap, ops::RangeInclusive};

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
    describe_configs::{broker, check_access, resource},
};
use crate::{
    ErrorCode,
    acls::Operation,
    config::{Definition, Kind, broker_key, topic_key},
    context::Context,
    state::{Denied, State},
};

/// What happens to one key.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Set(String),
    /// Back to the default.
    Delete,
    /// Of a list.
    Append(String),
    /// Of a list.
    Subtract(String),
}

impl Api for IncrementalAlterConfigsRequest {
    const SERVED: RangeInclusive<i16> = 0..=1;

    async fn handle(self, ctx: &Context, _: i16) -> IncrementalAlterConfigsResponse {
        let mut state = ctx.state();
        let responses = self.resources.iter().map(|asked| {
            let resource = (asked.resource_type, &*asked.resource_name);
            let access = check_access(ctx, &state, Operation::AlterConfigs, resource);
            let altered = access
                .and_then(|()| changes(asked))
                .and_then(|changes| alter(&mut state, resource, None, changes, self.validate_only));
            match altered {
                Ok(()) => response(asked, 0, None),
                Err(denied) => response(asked, denied.code.code(), Some(denied.message)),
            }
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

/// Applies changes to what a topic or a broker has, or to `from` instead; all of them or none.
pub(super) fn alter(
    state: &mut State,
    (kind, name): (i8, &str),
    from: Option<BTreeMap<String, String>>,
    changes: Vec<(String, Change)>,
    validate_only: bool,
) -> Result<(), Denied> {
    match kind {
        resource::TOPIC => {
            let Some(topic) = state.topics.get(name) else {
                return Err(Denied::new(
                    ErrorCode::UnknownTopicOrPartition,
                    format!("The topic '{name}' does not exist."),
                ));
            };
            let own = from.unwrap_or_else(|| topic.configs.clone());
            let altered = apply(own, changes, topic_key)?;
            if !validate_only {
                state.configure_topic(name, altered);
            }
        }
        resource::BROKER => {
            let id = broker(state, name)?;
            let own = match id {
                Some(id) => state.configs.own.get(&id).cloned().unwrap_or_default(),
                None => state.configs.default.clone(),
            };
            let altered = apply(from.unwrap_or(own), changes, broker_key)?;
            if !validate_only {
                match id {
                    Some(id) => drop(state.configs.own.insert(id, altered)),
                    None => state.configs.default = altered,
                }
                state.reconfigure();
            }
        }
        other => {
            let message = format!("Unsupported resource type: {other}");
            return Err(Denied::new(ErrorCode::InvalidRequest, message));
        }
    }
    Ok(())
}

fn apply(
    mut configs: BTreeMap<String, String>,
    changes: Vec<(String, Change)>,
    definition_of: impl Fn(&str) -> Option<&'static Definition>,
) -> Result<BTreeMap<String, String>, Denied> {
    let invalid = |message: String| Denied::new(ErrorCode::InvalidConfig, message);
    for (name, change) in changes {
        let definition =
            definition_of(&name).ok_or_else(|| invalid(format!("Unknown topic config name: {name}")))?;
        let list = |configs: &BTreeMap<String, String>| -> Vec<String> {
            let value = configs
                .get(&name)
                .map(String::as_str)
                .or(definition.default)
                .unwrap_or("");
            value
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let is_list = definition.kind == Kind::List;
        let value = match change {
            Change::Delete => {
                configs.remove(&name);
                continue;
            }
            Change::Set(value) => value,
            Change::Append(_) | Change::Subtract(_) if !is_list => {
                let message =
                    format!("Can't append to or subtract from key {name} because its type is not LIST.");
                return Err(invalid(message));
            }
            Change::Append(value) => {
                let mut parts = list(&configs);
                let more: Vec<String> = value.split(',').map(|part| part.trim().to_owned()).collect();
                parts.extend(more.into_iter().filter(|part| !list(&configs).contains(part)));
                parts.join(",")
            }
            Change::Subtract(value) => {
                let mut parts = list(&configs);
                parts.retain(|part| !value.split(',').any(|less| less.trim() == part));
                parts.join(",")
            }
        };
        if let Some(message) = definition.refuse(&value) {
            return Err(invalid(message));
        }
        configs.insert(name, value);
    }
    Ok(configs)
}
