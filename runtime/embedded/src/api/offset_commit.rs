use std::ops::RangeInclusive;

use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse,
    offset_commit_request::OffsetCommitRequestPartition,
    offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
};

use super::{
    Api,
    committing::{Asked, Commits},
    number,
};
use crate::{
    ErrorCode,
    acls::{Operation, Resource},
    context::Context,
    coordinators::Kind,
    groups::{self, classic::CommitKind, offsets::Offsets},
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
    let mut commits = Commits::default();
    let answer = each(request, |topic, partition| {
        let asked = Asked {
            partition: partition.partition_index,
            offset: partition.committed_offset,
            leader_epoch: partition.committed_leader_epoch,
            metadata: partition.committed_metadata.as_ref(),
        };
        commits.take(ctx, state, topic, &asked)
    });
    commits.store(state, &request.group_id, Offsets::commit);
    answer
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
