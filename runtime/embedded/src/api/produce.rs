use std::ops::RangeInclusive;

use bytes::Bytes;
use kafka_protocol::{
    messages::{
        BrokerId, ProduceRequest, ProduceResponse, TopicName,
        produce_response::{
            BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse,
            TopicProduceResponse,
        },
    },
    protocol::StrBytes,
};
use towpath_wire::batch::{Batch, Piece, batches};
use uuid::Uuid;

use super::Api;
use crate::{
    ErrorCode,
    acls::{Operation, Resource},
    context::Context,
    log::{Incoming, Refused, Refuser},
    quotas::Rate,
    state::State,
    transactions::{self, Write},
};

/// One partition of a request. Of a partition that is listed twice only the last is left: Kafka keeps them in a map.
struct Part {
    topic: StrBytes,
    id: Uuid,
    partition: i32,
    records: Option<Bytes>,
}

/// What one partition answers.
struct Answered {
    topic: StrBytes,
    id: Uuid,
    answer: PartitionProduceResponse,
}

/// From this version on topics go by id (KIP-516).
const BY_ID: i16 = 13;

impl Api for ProduceRequest {
    const SERVED: RangeInclusive<i16> = 3..=13;

    async fn handle(self, ctx: &Context, version: i16) -> ProduceResponse {
        if self.acks == 0 {
            ctx.answer_nothing();
        }
        if !(-1..=1).contains(&self.acks) {
            return self.refuse(ctx, ErrorCode::InvalidRequiredAcks, version);
        }
        let has_transactional = || {
            let mut partitions = self.topic_data.iter().flat_map(|topic| &topic.partition_data);
            partitions.any(|partition| partition.records.as_ref().is_some_and(is_transactional))
        };
        if self.transactional_id.is_none() && has_transactional() {
            return self.refuse(ctx, ErrorCode::TransactionalIdAuthorizationFailed, version);
        }
        let may_write = |id: &str| {
            ctx.state()
                .may(&ctx.client, Operation::Write, Resource::TransactionalId, id)
        };
        if self
            .transactional_id
            .as_ref()
            .is_some_and(|id| has_transactional() && !may_write(id))
        {
            return self.refuse(ctx, ErrorCode::TransactionalIdAuthorizationFailed, version);
        }
        let mut answered: Vec<Answered> = Vec::new();
        let mut bytes = 0;
        for part in parts(&self, ctx) {
            bytes += part.records.as_ref().map_or(0, Bytes::len);
            let appended = append(ctx, &self, &part, version);
            answered.push(Answered {
                answer: match appended {
                    Ok(answer) => answer,
                    Err(refused) => failed(ctx, &part, refused, version),
                },
                topic: part.topic,
                id: part.id,
            });
        }
        ctx.count(Rate::Produce, bytes);
        if self.acks == 0 && answered.iter().any(|part| part.answer.error_code != 0) {
            ctx.hang_up();
        }
        answer(ctx, answered, version)
    }

    fn refuse(&self, ctx: &Context, code: ErrorCode, version: i16) -> ProduceResponse {
        let refused = parts(self, ctx).into_iter().map(|part| Answered {
            answer: PartitionProduceResponse::default()
                .with_index(part.partition)
                .with_error_code(code.code())
                .with_base_offset(-1)
                .with_log_append_time_ms(-1)
                .with_log_start_offset(-1),
            topic: part.topic,
            id: part.id,
        });
        answer(ctx, refused.collect(), version)
    }

    fn throttle(answer: &mut ProduceResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }

    fn topics(&self, ctx: &Context) -> Vec<StrBytes> {
        parts(self, ctx).into_iter().map(|part| part.topic).collect()
    }
}

fn is_transactional(records: &Bytes) -> bool {
    let transactional = |piece| matches!(piece, Ok(Piece::Batch(batch)) if Batch::is_transactional(&batch));
    batches(records.clone()).any(transactional)
}

/// An id that nobody knows leaves the name empty.
fn parts(request: &ProduceRequest, ctx: &Context) -> Vec<Part> {
    let state = ctx.state();
    let mut parts: Vec<Part> = Vec::new();
    for topic in &request.topic_data {
        let name = if topic.topic_id.is_nil() {
            topic.name.0.clone()
        } else {
            state.topics.name_of(topic.topic_id).cloned().unwrap_or_default()
        };
        for partition in &topic.partition_data {
            let part = Part {
                topic: name.clone(),
                id: topic.topic_id,
                partition: partition.index,
                records: partition.records.clone(),
            };
            let same = |other: &&mut Part| {
                other.partition == part.partition && other.id == part.id && other.topic == part.topic
            };
            match parts.iter_mut().find(same) {
                Some(earlier) => *earlier = part,
                None => parts.push(part),
            }
        }
    }
    parts
}

fn append(
    ctx: &Context,
    request: &ProduceRequest,
    part: &Part,
    version: i16,
) -> Result<PartitionProduceResponse, Refused> {
    let refused = |code: ErrorCode| Refused {
        code,
        message: None,
        records: Vec::new(),
        by: Refuser::Broker,
    };
    if let Some(code) = ctx.refused(&part.topic, part.partition) {
        return Err(refused(code));
    }
    let unknown_topic = if version >= BY_ID {
        ErrorCode::UnknownTopicId
    } else {
        ErrorCode::UnknownTopicOrPartition
    };
    let (id, settings) = {
        let state = ctx.state();
        // A topic by an id that nobody knows has no name.
        if !part.topic.is_empty() {
            let access = state.check_topic_access(&ctx.client, Operation::Write, &part.topic);
            access.map_err(refused)?;
        }
        let topic = state
            .topics
            .get(&part.topic)
            .ok_or_else(|| refused(unknown_topic))?;
        let partition = topic.partition(part.partition);
        let partition = partition.ok_or_else(|| refused(ErrorCode::UnknownTopicOrPartition))?;
        if partition.leader != ctx.broker {
            return Err(refused(ErrorCode::NotLeaderOrFollower));
        }
        // More than there are replicas is never asked for.
        let least = topic.settings.min_insync_replicas.min(partition.replicas.len());
        let in_sync = partition
            .isr
            .iter()
            .filter(|replica| state.is_running(**replica))
            .count();
        if request.acks == -1 && in_sync < least {
            return Err(refused(ErrorCode::NotEnoughReplicas));
        }
        (topic.id, topic.settings)
    };
    // Without the lock: checksums and codecs take their time.
    let incoming = Incoming::check(part.records.clone(), version, &settings, ctx.now_ms())?;

    let mut state = ctx.state();
    if incoming.batch().is_transactional() {
        verify(&mut state, request, part, &incoming, version).map_err(refused)?;
    }
    // It may have been deleted, created again or moved meanwhile.
    if state.topics.get(&part.topic).is_none_or(|topic| topic.id != id) {
        return Err(refused(unknown_topic));
    }
    let expiration = state.producer_expiration(ctx.broker);
    let partition = state.topics.partition_mut(&part.topic, part.partition);
    let partition = partition.ok_or_else(|| refused(ErrorCode::UnknownTopicOrPartition))?;
    if partition.leader != ctx.broker {
        return Err(refused(ErrorCode::NotLeaderOrFollower));
    }
    if let Some(expiration) = expiration {
        partition.log.forget_producers(ctx.now_ms() - expiration);
    }
    let appended = partition.log.append(incoming, partition.leader_epoch)?;
    Ok(PartitionProduceResponse::default()
        .with_index(part.partition)
        .with_base_offset(appended.base_offset)
        .with_log_append_time_ms(appended.append_time)
        .with_log_start_offset(partition.log.start()))
}

fn verify(
    state: &mut State,
    request: &ProduceRequest,
    part: &Part,
    incoming: &Incoming,
    version: i16,
) -> Result<(), ErrorCode> {
    let batch = incoming.batch();
    let (producer_id, producer_epoch) = (batch.producer_id(), batch.producer_epoch());
    let partition = state.topics.partition(&part.topic, part.partition);
    if partition.is_some_and(|partition| partition.log.is_in_transaction(producer_id, producer_epoch)) {
        return Ok(());
    }
    let write = Write {
        transactional_id: request.transactional_id.as_deref().map_or("", StrBytes::as_str),
        producer_id,
        producer_epoch,
        topic: &part.topic,
        partition: part.partition,
        version,
    };
    transactions::verify(state, &write)
}

fn failed(ctx: &Context, part: &Part, refused: Refused, version: i16) -> PartitionProduceResponse {
    let mut answer = PartitionProduceResponse::default()
        .with_index(part.partition)
        .with_error_code(refused.code.code())
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
        .with_log_start_offset(-1);
    if version >= 5 && refused.by == Refuser::Log {
        let state = ctx.state();
        let partition = state.topics.partition(&part.topic, part.partition);
        answer.log_start_offset = partition.map_or(-1, |partition| partition.log.start());
    }
    if version >= 8 {
        let record = |(index, reason): (i32, String)| {
            BatchIndexAndErrorMessage::default()
                .with_batch_index(index)
                .with_batch_index_error_message(Some(StrBytes::from_string(reason)))
        };
        answer.error_message = refused.message.map(StrBytes::from_string);
        answer.record_errors = refused.records.into_iter().map(record).collect();
    }
    if version >= 10 && refused.code == ErrorCode::NotLeaderOrFollower {
        let state = ctx.state();
        if let Some(partition) = state.topics.partition(&part.topic, part.partition) {
            answer.current_leader = LeaderIdAndEpoch::default()
                .with_leader_id(BrokerId(partition.leader))
                .with_leader_epoch(partition.leader_epoch);
        }
    }
    answer
}

/// Partitions under their topics again; with the address of each leader that was named.
fn answer(ctx: &Context, answered: Vec<Answered>, version: i16) -> ProduceResponse {
    let mut topics: Vec<TopicProduceResponse> = Vec::new();
    let mut leaders: Vec<i32> = Vec::new();
    for Answered { topic, id, answer } in answered {
        if answer.current_leader.leader_id.0 >= 0 {
            leaders.push(answer.current_leader.leader_id.0);
        }
        let (topic, id) = if version >= BY_ID {
            (StrBytes::new(), id)
        } else {
            (topic, Uuid::nil())
        };
        let topic = TopicName(topic);
        match topics
            .iter_mut()
            .find(|known| known.name == topic && known.topic_id == id)
        {
            Some(known) => known.partition_responses.push(answer),
            None => topics.push(
                TopicProduceResponse::default()
                    .with_name(topic)
                    .with_topic_id(id)
                    .with_partition_responses(vec![answer]),
            ),
        }
    }
    leaders.sort_unstable();
    leaders.dedup();
    let endpoints = leaders.into_iter().filter_map(|id| {
        let state = ctx.state();
        let broker = state.brokers.get(&id)?;
        Some(
            NodeEndpoint::default()
                .with_node_id(BrokerId(id))
                .with_host(StrBytes::from_static_str("127.0.0.1"))
                .with_port(i32::from(broker.port))
                .with_rack(broker.rack.clone().map(StrBytes::from_string)),
        )
    });
    ProduceResponse::default()
        .with_responses(topics)
        .with_node_endpoints(endpoints.collect())
}
