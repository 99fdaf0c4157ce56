//! What OffsetCommit and TxnOffsetCommit have in common: which offsets are taken, and taking them.

use kafka_protocol::protocol::StrBytes;

use crate::{
    ErrorCode,
    acls::{Operation, Resource},
    context::Context,
    groups::offsets::{Offset, Offsets},
    state::State,
};

/// An offset as either request has it.
pub(super) struct Asked<'a> {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) leader_epoch: i32,
    pub(super) metadata: Option<&'a StrBytes>,
}

/// Offsets that nothing speaks against.
#[derive(Default)]
pub(super) struct Commits(Vec<(String, i32, Offset)>);

// === impl Commits ===

impl Commits {
    /// Takes the offset, or answers why not.
    pub(super) fn take(
        &mut self,
        ctx: &Context,
        state: &State,
        topic: &str,
        asked: &Asked<'_>,
    ) -> Option<ErrorCode> {
        let refusal = refusal(ctx, state, topic, asked);
        if refusal.is_none() {
            let offset = Offset {
                offset: asked.offset,
                leader_epoch: asked.leader_epoch,
                metadata: asked.metadata.map(StrBytes::to_string).unwrap_or_default(),
            };
            self.0.push((topic.to_owned(), asked.partition, offset));
        }
        refusal
    }

    /// Gives them to the group, each by `commit`.
    pub(super) fn store(
        self,
        state: &mut State,
        group: &str,
        commit: impl Fn(&mut Offsets, &str, i32, Offset),
    ) {
        if let Some(group) = state.coordinators.groups.get_mut(group) {
            for (topic, partition, offset) in self.0 {
                commit(&mut group.offsets, &topic, partition, offset);
            }
        }
    }
}

fn refusal(ctx: &Context, state: &State, topic: &str, asked: &Asked<'_>) -> Option<ErrorCode> {
    if let Some(code) = ctx.refused(topic, asked.partition) {
        return Some(code);
    }
    if !state.may(&ctx.client, Operation::Read, Resource::Topic, topic) {
        return Some(ErrorCode::TopicAuthorizationFailed);
    }
    if state.topics.partition(topic, asked.partition).is_none() {
        return Some(ErrorCode::UnknownTopicOrPartition);
    }
    let limit = state.configs.number("offset.metadata.max.bytes");
    let size = asked.metadata.map_or(0, |metadata| metadata.len());
    (i64::try_from(size).is_ok_and(|size| size > limit)).then_some(ErrorCode::OffsetMetadataTooLarge)
}
