use std::ops::RangeInclusive;

use kafka_protocol::messages::{
    GroupId, OffsetFetchRequest, OffsetFetchResponse, TopicName,
    offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics},
    offset_fetch_response::{
        OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
        OffsetFetchResponseTopic, OffsetFetchResponseTopics,
    },
};

use super::Api;
use crate::{
    ErrorCode,
    acls::{Operation, Resource},
    context::Context,
    coordinators::{Kind, text},
    groups::{self, Group},
    state::State,
};

impl Api for OffsetFetchRequest {
    const SERVED: RangeInclusive<i16> = 1..=9;

    async fn handle(self, ctx: &Context, version: i16) -> OffsetFetchResponse {
        let state = ctx.state();
        let asked = |group: &OffsetFetchRequestGroup| match fetch(ctx, &state, group, self.require_stable) {
            Ok(topics) => OffsetFetchResponseGroup::default()
                .with_group_id(group.group_id.clone())
                .with_topics(topics),
            Err(code) => refused(&group.group_id, code),
        };
        if version >= 8 {
            return OffsetFetchResponse::default().with_groups(self.groups.iter().map(asked).collect());
        }
        let answer = asked(&self.alone());
        alone(answer)
    }

    fn refuse(&self, _: &Context, code: ErrorCode, version: i16) -> OffsetFetchResponse {
        if version >= 8 {
            let groups = self
                .groups
                .iter()
                .map(|group| refused(&group.group_id, code))
                .collect();
            return OffsetFetchResponse::default().with_groups(groups);
        }
        if version >= 2 {
            return OffsetFetchResponse::default().with_error_code(code.code());
        }
        // Version 1 can say it of partitions alone.
        let topics = self.topics.iter().flatten().map(|topic| {
            let partition = |partition: &i32| nothing(*partition).with_error_code(code.code());
            OffsetFetchResponseTopics::default()
                .with_name(topic.name.clone())
                .with_partitions(topic.partition_indexes.iter().map(partition).collect())
        });
        alone(OffsetFetchResponseGroup::default().with_topics(topics.collect()))
    }

    fn throttle(answer: &mut OffsetFetchResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

trait Alone {
    fn alone(&self) -> OffsetFetchRequestGroup;
}

impl Alone for OffsetFetchRequest {
    /// Before version 8 a request is for one group.
    fn alone(&self) -> OffsetFetchRequestGroup {
        let topics = self.topics.as_ref().map(|topics| {
            let topic = topics.iter().map(|topic| {
                OffsetFetchRequestTopics::default()
                    .with_name(topic.name.clone())
                    .with_partition_indexes(topic.partition_indexes.clone())
            });
            topic.collect()
        });
        OffsetFetchRequestGroup::default()
            .with_group_id(self.group_id.clone())
            .with_member_epoch(-1)
            .with_topics(topics)
    }
}

fn fetch(
    ctx: &Context,
    state: &State,
    asked: &OffsetFetchRequestGroup,
    stable: bool,
) -> Result<Vec<OffsetFetchResponseTopics>, ErrorCode> {
    if !state.may(&ctx.client, Operation::Describe, Resource::Group, &asked.group_id) {
        return Err(ErrorCode::GroupAuthorizationFailed);
    }
    state.check_coordinator(ctx.broker, Kind::Group, &asked.group_id)?;
    let group = state.coordinators.groups.get(&asked.group_id);
    // A member of a consumer group says who it is (version 9).
    let member = asked.member_id.as_deref();
    if asked.member_epoch >= 0 || member.is_some_and(|member| !member.is_empty()) {
        match group.map(|group| &group.kind) {
            Some(groups::Kind::Consumer(group)) => {
                group.check_commit(member.unwrap_or_default(), asked.member_epoch)?;
            }
            // Of a group that is not there nothing is committed, whoever asks.
            Some(groups::Kind::Classic(_)) | None => {}
        }
    }
    let visible = |topic: &str| state.may(&ctx.client, Operation::Describe, Resource::Topic, topic);
    let Some(topics) = &asked.topics else {
        let known = group.map(|group| group.offsets.partitions()).unwrap_or_default();
        let known = known.into_iter().filter(|(topic, _)| visible(topic));
        let topics = known.map(|(topic, partitions)| {
            let partition = |partition: &i32| offset(group, topic, *partition, stable);
            OffsetFetchResponseTopics::default()
                .with_name(TopicName(text(topic)))
                .with_partitions(partitions.iter().map(partition).collect())
        });
        return Ok(topics.collect());
    };
    let topics = topics.iter().map(|topic| {
        let partition = |partition: &i32| {
            let code = ctx.refused(&topic.name, *partition);
            let code = code.or((!visible(&topic.name)).then_some(ErrorCode::TopicAuthorizationFailed));
            match code {
                Some(code) => nothing(*partition).with_error_code(code.code()),
                None => offset(group, &topic.name, *partition, stable),
            }
        };
        OffsetFetchResponseTopics::default()
            .with_name(topic.name.clone())
            .with_partitions(topic.partition_indexes.iter().map(partition).collect())
    });
    Ok(topics.collect())
}

fn offset(group: Option<&Group>, topic: &str, partition: i32, stable: bool) -> OffsetFetchResponsePartitions {
    let Some(group) = group else {
        return nothing(partition);
    };
    if stable && group.offsets.is_pending(topic, partition) {
        return nothing(partition).with_error_code(ErrorCode::UnstableOffsetCommit.code());
    }
    match group.offsets.get(topic, partition) {
        None => nothing(partition),
        Some(offset) => OffsetFetchResponsePartitions::default()
            .with_partition_index(partition)
            .with_committed_offset(offset.offset)
            .with_committed_leader_epoch(offset.leader_epoch)
            .with_metadata(Some(text(&offset.metadata))),
    }
}

fn nothing(partition: i32) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions::default()
        .with_partition_index(partition)
        .with_committed_offset(-1)
        .with_committed_leader_epoch(-1)
        .with_metadata(Some(text("")))
}

fn refused(group: &GroupId, code: ErrorCode) -> OffsetFetchResponseGroup {
    OffsetFetchResponseGroup::default()
        .with_group_id(group.clone())
        .with_error_code(code.code())
}

/// The answer for one group before version 8.
fn alone(group: OffsetFetchResponseGroup) -> OffsetFetchResponse {
    let topics = group.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|partition| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_committed_offset(partition.committed_offset)
                .with_committed_leader_epoch(partition.committed_leader_epoch)
                .with_metadata(partition.metadata)
                .with_error_code(partition.error_code)
        });
        OffsetFetchResponseTopic::default()
            .with_name(topic.name)
            .with_partitions(partitions.collect())
    });
    OffsetFetchResponse::default()
        .with_topics(topics.collect())
        .with_error_code(group.error_code)
}
