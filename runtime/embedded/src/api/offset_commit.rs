use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{
        OffsetCommitRequest, OffsetCommitResponse,
        offset_commit_request::OffsetCommitRequestPartition,
        offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
    },
    protocol::StrBytes,
};

use super::{Api, number};
use crate::{
    ErrorCode,
    acls::{Operation, Resource},
    context::Context,
    coordinators::Kind,
    groups::{self, classic::CommitKind, offsets::Offset},
    state::State,
};

impl Api for OffsetCommitRequest {
    const SERVED: RangeInclusive<i16> = 2..=9;

    async fn handle(self, ctx: &Context, version: i16) -> OffsetCommitResponse {
        let result = ctx.coordinate(|state, now| {
            check(&self, ctx, state, now, version)?;
            Ok(commit(&self, ctx, state))
        });
        match result {
            Ok(answer) => answer,
            Err(code) => self.refuse(ctx, code, version),
        }
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> OffsetCommitResponse {
        each(self, |_, _| Some(code))
    }

    fn throttle(answer: &mut OffsetCommitResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn check(
    request: &OffsetCommitRequest,
    ctx: &Context,
    state: &mut State,
    now: std::time::Duration,
    version: i16,
) -> Result<(), ErrorCode> {
    let id = &request.group_id;
    if !state.may(&ctx.client, Operation::Read, Resource::Group, id) {
        return Err(ErrorCode::GroupAuthorizationFailed);
    }
    state.check_coordinator(ctx.broker, Kind::Group, id)?;
    let epoch = request.generation_id_or_member_epoch;
    let group = state.coordinators.groups.for_commit(id, epoch);
    let group = group.map_err(|code| match code {
        // Who asks in an older version does not know that a group may not be found.
        ErrorCode::GroupIdNotFound if version < 9 => ErrorCode::IllegalGeneration,
        code => code,
    })?;
    match &mut group.kind {
        groups::Kind::Classic(group) => {
            let instance = request.group_instance_id.as_deref();
            group.check_commit(now, &request.member_id, instance, epoch, CommitKind::Plain)
        }
        // A member of a consumer group speaks of epochs since version 9.
        groups::Kind::Consumer(group) if version < 9 && group.has(&request.member_id) => {
            Err(ErrorCode::UnsupportedVersion)
        }
        groups::Kind::Consumer(group) => group.check_commit(&request.member_id, epoch),
    }
}

fn commit(request: &OffsetCommitRequest, ctx: &Context, state: &mut State) -> OffsetCommitResponse {
    let mut commits = Vec::new();
    let answer = each(request, |topic, partition| {
        let code = refusal(
            ctx,
            state,
            topic,
            partition.partition_index,
            partition.committed_metadata.as_ref(),
        );
        if code.is_none() {
            let offset = Offset {
                offset: partition.committed_offset,
                leader_epoch: partition.committed_leader_epoch,
                metadata: partition
                    .committed_metadata
                    .as_deref()
                    .unwrap_or_default()
                    .to_owned(),
            };
            commits.push((topic.to_owned(), partition.partition_index, offset));
        }
        code
    });
    if let Some(group) = state.coordinators.groups.get_mut(&request.group_id) {
        for (topic, partition, offset) in commits {
            group.offsets.commit(&topic, partition, offset);
        }
    }
    answer
}

/// Why an offset of one partition is not taken.
pub(super) fn refusal(
    ctx: &Context,
    state: &State,
    topic: &str,
    partition: i32,
    metadata: Option<&StrBytes>,
) -> Option<ErrorCode> {
    if let Some(code) = ctx.refused(topic, partition) {
        return Some(code);
    }
    if !state.may(&ctx.client, Operation::Read, Resource::Topic, topic) {
        return Some(ErrorCode::TopicAuthorizationFailed);
    }
    if state.topics.partition(topic, partition).is_none() {
        return Some(ErrorCode::UnknownTopicOrPartition);
    }
    let limit = state.configs.number("offset.metadata.max.bytes");
    let size = metadata.map_or(0, |metadata| metadata.len());
    (i64::try_from(size).is_ok_and(|size| size > limit)).then_some(ErrorCode::OffsetMetadataTooLarge)
}

fn each(
    request: &OffsetCommitRequest,
    mut code: impl FnMut(&str, &OffsetCommitRequestPartition) -> Option<ErrorCode>,
) -> OffsetCommitResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let partition = |partition: &OffsetCommitRequestPartition| {
            OffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(number(code(&topic.name, partition)))
        };
        let partitions = topic.partitions.iter().map(partition).collect();
        let answer = OffsetCommitResponseTopic::default().with_name(topic.name.clone());
        topics.push(answer.with_partitions(partitions));
    }
    OffsetCommitResponse::default().with_topics(topics)
}
