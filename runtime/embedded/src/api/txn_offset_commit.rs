use std::{ops::RangeInclusive, time::Duration};

use kafka_protocol::messages::{
    TxnOffsetCommitRequest, TxnOffsetCommitResponse,
    txn_offset_commit_request::TxnOffsetCommitRequestPartition,
    txn_offset_commit_response::{TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic},
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
    groups::{self, classic::CommitKind},
    state::State,
    transactions::{Adding, Identity},
};

impl Api for TxnOffsetCommitRequest {
    const SERVED: RangeInclusive<i16> = 0..=5;

    async fn handle(self, ctx: &Context, version: i16) -> TxnOffsetCommitResponse {
        let result = ctx.coordinate(|state, now| {
            check(&self, ctx, state, now, version)?;
            Ok(commit(&self, ctx, state))
        });
        match result {
            Ok(answer) => answer,
            Err(code) => self.refuse(ctx, code, version),
        }
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> TxnOffsetCommitResponse {
        each(self, |_, _| Some(code))
    }

    fn throttle(answer: &mut TxnOffsetCommitResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn check(
    request: &TxnOffsetCommitRequest,
    ctx: &Context,
    state: &mut State,
    now: Duration,
    version: i16,
) -> Result<(), ErrorCode> {
    let id = &request.group_id;
    if !state.may(
        &ctx.client,
        Operation::Write,
        Resource::TransactionalId,
        &request.transactional_id,
    ) {
        return Err(ErrorCode::TransactionalIdAuthorizationFailed);
    }
    if !state.may(&ctx.client, Operation::Read, Resource::Group, id) {
        return Err(ErrorCode::GroupAuthorizationFailed);
    }
    state.check_coordinator(ctx.broker, Kind::Group, id)?;
    if id.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    let epoch = request.generation_id;
    let group = state.coordinators.groups.for_commit(id, epoch);
    let group = group.map_err(|_| ErrorCode::IllegalGeneration)?;
    match &mut group.kind {
        groups::Kind::Classic(group) => {
            let instance = request.group_instance_id.as_deref();
            group.check_commit(
                now,
                &request.member_id,
                instance,
                epoch,
                CommitKind::Transactional,
            )?;
        }
        groups::Kind::Consumer(group) => {
            let stale = |code| match code {
                ErrorCode::StaleMemberEpoch => ErrorCode::IllegalGeneration,
                code => code,
            };
            group.check_commit(&request.member_id, epoch).map_err(stale)?;
        }
    }
    let identity = Identity {
        producer_id: request.producer_id.0,
        epoch: request.producer_epoch,
    };
    let adding = if version >= 5 {
        Adding::Implied
    } else {
        Adding::Before
    };
    let transactions = &mut state.coordinators.transactions;
    transactions.check_offsets(now, &request.transactional_id, identity, id, adding)
}

fn commit(request: &TxnOffsetCommitRequest, ctx: &Context, state: &mut State) -> TxnOffsetCommitResponse {
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
    let producer_id = request.producer_id.0;
    commits.store(state, &request.group_id, |offsets, topic, partition, offset| {
        offsets.commit_in_transaction(producer_id, topic, partition, offset);
    });
    answer
}

fn each(
    request: &TxnOffsetCommitRequest,
    mut code: impl FnMut(&str, &TxnOffsetCommitRequestPartition) -> Option<ErrorCode>,
) -> TxnOffsetCommitResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let partition = |partition: &TxnOffsetCommitRequestPartition| {
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(number(code(&topic.name, partition)))
        };
        let partitions = topic.partitions.iter().map(partition).collect();
        let answer = TxnOffsetCommitResponseTopic::default().with_name(topic.name.clone());
        topics.push(answer.with_partitions(partitions));
    }
    TxnOffsetCommitResponse::default().with_topics(topics)
}
