use std::{collections::BTreeMap, ops::RangeInclusive};

use kafka_protocol::{
    messages::{
        BrokerId, MetadataRequest, MetadataResponse,
        metadata_request::MetadataRequestTopic,
        metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic},
    },
    protocol::StrBytes,
};
use uuid::Uuid;

use super::{Api, number};
use crate::{
    ErrorCode,
    acls::Operation,
    context::Context,
    state::{Placement, State},
    topic::{Partition, Topic},
};

/// Nobody asked which operations are allowed.
const NOT_ASKED: i32 = i32::MIN;
/// READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS, as bits.
pub(super) const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;
/// CREATE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS, IDEMPOTENT_WRITE.
pub(super) const CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;

impl Api for MetadataRequest {
    const SERVED: RangeInclusive<i16> = 0..=13;

    async fn handle(self, ctx: &Context, version: i16) -> MetadataResponse {
        let mut state = ctx.state();
        let mut topics = Vec::new();
        // Before version 1 there is no null: an empty list asks for all.
        let asked = self.topics.filter(|topics| version > 0 || !topics.is_empty());
        match asked {
            None => {
                let visible = |topic: &&Topic| may_see(ctx, &state, &topic.name);
                for topic in state.topics.iter().filter(visible) {
                    topics.push(describe(ctx, &state, topic, version));
                }
            }
            Some(asked) => {
                for topic in &asked {
                    if self.allow_auto_topic_creation || version < 4 {
                        create_if_missing(ctx, &mut state, topic);
                    }
                    topics.push(one(ctx, &state, topic, version));
                }
            }
        }
        if self.include_topic_authorized_operations {
            for topic in topics.iter_mut().filter(|topic| topic.error_code == 0) {
                topic.topic_authorized_operations = TOPIC_OPERATIONS;
            }
        }
        let operations = if self.include_cluster_authorized_operations && (8..=10).contains(&version) {
            CLUSTER_OPERATIONS
        } else {
            NOT_ASKED
        };
        cluster(&state, version)
            .with_topics(topics)
            .with_cluster_authorized_operations(operations)
    }

    fn refuse(&self, ctx: &Context, code: ErrorCode, version: i16) -> MetadataResponse {
        let state = ctx.state();
        let refused = |name: Option<StrBytes>, id: Uuid| {
            MetadataResponseTopic::default()
                .with_error_code(code.code())
                .with_name(Some(name.unwrap_or_default().into()))
                .with_topic_id(id)
        };
        let topics = match &self.topics {
            Some(topics) => topics
                .iter()
                .map(|topic| refused(topic.name.clone().map(StrBytes::from), topic.topic_id))
                .collect(),
            None => state
                .topics
                .iter()
                .map(|topic| refused(Some(topic.name.clone()), topic.id))
                .collect(),
        };
        cluster(&state, version).with_topics(topics)
    }

    fn throttle(answer: &mut MetadataResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }

    fn topics(&self, _: &Context) -> Vec<StrBytes> {
        let named = self.topics.iter().flatten();
        named
            .filter_map(|topic| topic.name.clone().map(StrBytes::from))
            .collect()
    }
}

fn cluster(state: &State, _: i16) -> MetadataResponse {
    let brokers = state.running().map(|(id, broker)| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(id))
            .with_host(StrBytes::from_static_str("127.0.0.1"))
            .with_port(i32::from(broker.port))
            .with_rack(broker.rack.clone().map(StrBytes::from_string))
    });
    MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_cluster_id(Some(StrBytes::from_string(state.cluster_id.clone())))
        .with_controller_id(BrokerId(state.controller()))
}

fn may_see(ctx: &Context, state: &State, topic: &str) -> bool {
    state
        .check_topic_access(&ctx.client, Operation::Describe, topic)
        .is_ok()
}

fn create_if_missing(ctx: &Context, state: &mut State, asked: &MetadataRequestTopic) {
    let Some(name) = &asked.name else { return };
    let any = state.check_cluster_access(&ctx.client, Operation::Create);
    let access = any.or_else(|_| state.check_topic_access(&ctx.client, Operation::Create, name));
    if access.is_err() || !may_see(ctx, state, name) {
        return;
    }
    if state.topics.get(name).is_some() || !state.configs.is_true("auto.create.topics.enable") {
        return;
    }
    let placement = Placement::Count {
        partitions: state.configs.number("num.partitions") as i32,
        replicas: state.configs.number("default.replication.factor") as usize,
    };
    if state.check_topic(name, &placement, &BTreeMap::new()).is_ok() {
        state.create_topic(name.0.clone(), placement, BTreeMap::new());
    }
}

fn one(ctx: &Context, state: &State, asked: &MetadataRequestTopic, version: i16) -> MetadataResponseTopic {
    let name = match &asked.name {
        Some(name) => Some(&name.0),
        None => state.topics.name_of(asked.topic_id),
    };
    if name.is_some_and(|name| !may_see(ctx, state, name)) {
        // What an id is of is not told to somebody who may not see it.
        let (code, id) = match &asked.name {
            Some(_) => (ErrorCode::TopicAuthorizationFailed, Uuid::nil()),
            None => (ErrorCode::UnknownTopicId, asked.topic_id),
        };
        return MetadataResponseTopic::default()
            .with_error_code(code.code())
            .with_name(asked.name.clone())
            .with_topic_id(id);
    }
    if let Some(topic) = name.and_then(|name| state.topics.get(name)) {
        return describe(ctx, state, topic, version);
    }
    let code = match &asked.name {
        Some(name) if !towpath_domain::TopicName::is_legal(name) => ErrorCode::InvalidTopicException,
        Some(_) => ErrorCode::UnknownTopicOrPartition,
        None => ErrorCode::UnknownTopicId,
    };
    let name = match &asked.name {
        // Before version 12 a name cannot be null.
        None if version < 12 => Some(StrBytes::new().into()),
        name => name.clone(),
    };
    MetadataResponseTopic::default()
        .with_error_code(code.code())
        .with_name(name)
        .with_topic_id(asked.topic_id)
}

fn describe(ctx: &Context, state: &State, topic: &Topic, version: i16) -> MetadataResponseTopic {
    let answer = MetadataResponseTopic::default()
        .with_name(Some(topic.name.clone().into()))
        .with_topic_id(topic.id)
        .with_is_internal(topic.is_internal());
    if let Some(code) = ctx.refused(&topic.name, -1) {
        return answer.with_error_code(code.code());
    }
    let partitions = (0..)
        .zip(&topic.partitions)
        .map(|(index, partition)| describe_partition(state, index, partition, version));
    answer.with_partitions(partitions.collect())
}

fn describe_partition(state: &State, index: i32, partition: &Partition, _: i16) -> MetadataResponsePartition {
    let ids = |replicas: &[i32]| replicas.iter().map(|id| BrokerId(*id)).collect();
    let offline: Vec<i32> = partition
        .replicas
        .iter()
        .copied()
        .filter(|replica| !state.is_running(*replica))
        .collect();
    let code = (partition.leader < 0).then_some(ErrorCode::LeaderNotAvailable);
    MetadataResponsePartition::default()
        .with_error_code(number(code))
        .with_partition_index(index)
        .with_leader_id(BrokerId(partition.leader))
        .with_leader_epoch(partition.leader_epoch)
        .with_replica_nodes(ids(&partition.replicas))
        .with_isr_nodes(ids(&partition.isr))
        .with_offline_replicas(ids(&offline))
}
