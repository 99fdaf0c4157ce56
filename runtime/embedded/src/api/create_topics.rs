use std::{collections::BTreeMap, ops::RangeInclusive};

use kafka_protocol::{
    messages::{
        CreateTopicsRequest, CreateTopicsResponse,
        create_topics_request::CreatableTopic,
        create_topics_response::{CreatableTopicConfigs, CreatableTopicResult},
    },
    protocol::StrBytes,
};

use super::Api;
use crate::{
    ErrorCode,
    acls::Operation,
    config::{Definition, TOPIC},
    context::Context,
    state::{Denied, Placement, State},
};

impl Api for CreateTopicsRequest {
    const SERVED: RangeInclusive<i16> = 2..=7;

    async fn handle(self, ctx: &Context, version: i16) -> CreateTopicsResponse {
        let mut state = ctx.state();
        let twice = |topic: &CreatableTopic| {
            self.topics
                .iter()
                .filter(|other| other.name == topic.name)
                .count()
                > 1
        };
        let mut results: Vec<CreatableTopicResult> = Vec::new();
        for topic in &self.topics {
            let created = if twice(topic) {
                if results.iter().any(|result| result.name == topic.name) {
                    continue;
                }
                Err(Denied::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
            } else {
                check_access(ctx, &state, &topic.name)
                    .and_then(|()| create(&mut state, topic, self.validate_only, version))
            };
            results.push(match created {
                Ok(result) => result.with_name(topic.name.clone()),
                Err(denied) => refused(topic, denied.code, Some(denied.message)),
            });
        }
        CreateTopicsResponse::default().with_topics(results)
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> CreateTopicsResponse {
        let topics = self.topics.iter().map(|topic| refused(topic, code, None));
        CreateTopicsResponse::default().with_topics(topics.collect())
    }

    fn throttle(answer: &mut CreateTopicsResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }

    fn topics(&self, _: &Context) -> Vec<StrBytes> {
        self.topics.iter().map(|topic| topic.name.0.clone()).collect()
    }
}

/// Who may create any topic, or this one.
fn check_access(ctx: &Context, state: &State, name: &str) -> Result<(), Denied> {
    let cluster = state.check_cluster_access(&ctx.client, Operation::Create);
    let access = cluster.or_else(|_| state.check_topic_access(&ctx.client, Operation::Create, name));
    access.map_err(Denied::from)
}

fn refused(topic: &CreatableTopic, code: ErrorCode, message: Option<String>) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(topic.name.clone())
        .with_error_code(code.code())
        .with_error_message(message.map(StrBytes::from_string))
        .with_configs(None)
}

fn create(
    state: &mut State,
    topic: &CreatableTopic,
    validate_only: bool,
    version: i16,
) -> Result<CreatableTopicResult, Denied> {
    let placement = placement(state, topic)?;
    let mut configs = BTreeMap::new();
    for config in &topic.configs {
        let Some(value) = &config.value else {
            let message = format!("Null value not supported for topic configs: {}", config.name);
            return Err(Denied::new(ErrorCode::InvalidConfig, message));
        };
        configs.insert(config.name.to_string(), value.to_string());
    }
    state.check_topic(&topic.name, &placement, &configs)?;
    let (partitions, replicas) = match &placement {
        Placement::Count { partitions, replicas } => (*partitions, *replicas),
        Placement::Assigned(assigned) => (assigned.len() as i32, assigned.first().map_or(0, Vec::len)),
    };
    let mut result = CreatableTopicResult::default();
    if version >= 5 {
        result = result
            .with_num_partitions(partitions)
            .with_replication_factor(replicas as i16)
            .with_configs(Some(effective(state, &configs)));
    }
    if !validate_only {
        let created = state.create_topic(topic.name.0.clone(), placement, configs);
        if version >= 7 {
            result.topic_id = created.id;
        }
    }
    Ok(result)
}

fn placement(state: &State, topic: &CreatableTopic) -> Result<Placement, Denied> {
    if topic.assignments.is_empty() {
        let default = |asked: i64, key: &str| {
            if asked == -1 {
                state.configs.number(key)
            } else {
                asked
            }
        };
        return Ok(Placement::Count {
            partitions: default(i64::from(topic.num_partitions), "num.partitions") as i32,
            replicas: default(i64::from(topic.replication_factor), "default.replication.factor").max(0)
                as usize,
        });
    }
    if topic.num_partitions != -1 || topic.replication_factor != -1 {
        return Err(Denied::new(
            ErrorCode::InvalidRequest,
            "A manual partition assignment was specified, but partition count or replication factor was not set to -1.",
        ));
    }
    let mut assigned = vec![Vec::new(); topic.assignments.len()];
    for assignment in &topic.assignments {
        let slot = usize::try_from(assignment.partition_index)
            .ok()
            .and_then(|index| assigned.get_mut(index))
            .filter(|slot| slot.is_empty());
        let Some(slot) = slot else {
            return Err(Denied::new(
                ErrorCode::InvalidReplicaAssignment,
                "partitions should be a consecutive 0-based integer sequence",
            ));
        };
        *slot = assignment.broker_ids.iter().map(|id| id.0).collect();
    }
    Ok(Placement::Assigned(assigned))
}

/// Every config of a new topic, as version 5 and later answer them.
fn effective(state: &State, own: &BTreeMap<String, String>) -> Vec<CreatableTopicConfigs> {
    let config = |definition: &'static Definition| {
        let (value, source) = state.configs.topic(own, -1, definition);
        CreatableTopicConfigs::default()
            .with_name(StrBytes::from_static_str(definition.name))
            .with_value(Some(StrBytes::from_string(value.to_owned())))
            .with_config_source(source as i8)
    };
    TOPIC.iter().map(config).collect()
}
