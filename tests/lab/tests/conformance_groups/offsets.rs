//! Committed offsets: OffsetCommit, OffsetFetch, OffsetDelete.

use anyhow::{Context, Result};
use kafka_protocol::messages::{
    LeaveGroupRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, TopicName,
    offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
    offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics},
};

use crate::{
    Case,
    classic::{alone, group_id, join},
    target::{Connection, Target, is, text},
};

pub const CASES: &[Case] = &[
    ("offsets of a group without members", without_members),
    ("offsets of a group with members", with_members),
    ("an offset is checked", checks),
    ("offsets in every version", versions),
    ("offsets of several groups at once", several),
    ("offsets are deleted", deleted),
];

pub fn commit(group: &str, topic: &str, partition: i32, offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(partition)
        .with_committed_offset(offset)
        .with_committed_leader_epoch(-1)
        .with_committed_metadata(Some(text("said")));
    let topic = OffsetCommitRequestTopic::default()
        .with_name(TopicName(text(topic)))
        .with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}

fn committed(at: &mut Connection, request: &OffsetCommitRequest) -> Result<i16> {
    Ok(at.call(8, request)?.topics[0].partitions[0].error_code)
}

/// Error and offset of a partition.
pub fn fetched(at: &mut Connection, group: &str, topic: &str, partition: i32) -> Result<(i16, i64)> {
    fetched_with(at, group, topic, partition, Stable::No)
}

#[derive(PartialEq)]
pub enum Stable {
    Yes,
    No,
}

pub fn fetched_with(
    at: &mut Connection,
    group: &str,
    topic: &str,
    partition: i32,
    stable: Stable,
) -> Result<(i16, i64)> {
    let topic = OffsetFetchRequestTopics::default()
        .with_name(TopicName(text(topic)))
        .with_partition_indexes(vec![partition]);
    let asked = OffsetFetchRequestGroup::default()
        .with_group_id(group_id(group))
        .with_member_epoch(-1)
        .with_topics(Some(vec![topic]));
    let request = OffsetFetchRequest::default()
        .with_groups(vec![asked])
        .with_require_stable(stable == Stable::Yes);
    let mut answer = at.call(8, &request)?;
    let group = answer.groups.pop().context("no group in the answer")?;
    is("the group's error", group.error_code, 0)?;
    let partition = &group.topics[0].partitions[0];
    Ok((partition.error_code, partition.committed_offset))
}

/// Partition, error and offset of all that a group has, to be sure of each.
pub fn fetched_all(at: &mut Connection, group: &str) -> Result<Vec<(i32, i16, i64)>> {
    let asked = OffsetFetchRequestGroup::default()
        .with_group_id(group_id(group))
        .with_member_epoch(-1)
        .with_topics(None);
    let request = OffsetFetchRequest::default()
        .with_groups(vec![asked])
        .with_require_stable(true);
    let mut answer = at.call(8, &request)?;
    let group = answer.groups.pop().context("no group in the answer")?;
    is("the group's error", group.error_code, 0)?;
    let partitions = group.topics.iter().flat_map(|topic| &topic.partitions);
    Ok(partitions
        .map(|found| (found.partition_index, found.error_code, found.committed_offset))
        .collect())
}

fn without_members(target: &Target) -> Result<()> {
    let (group, topic) = ("offsets-without", "offsets-without");
    target.topic(topic, 2, &[])?;
    let mut at = target.group(group)?;
    is("before the first", fetched(&mut at, group, topic, 0)?, (0, -1))?;
    let generation = commit(group, topic, 0, 5).with_generation_id_or_member_epoch(5);
    is(
        "of a generation that never was",
        committed(&mut at, &generation)?,
        22,
    )?;
    is("a first", committed(&mut at, &commit(group, topic, 0, 5))?, 0)?;
    is("a later one", committed(&mut at, &commit(group, topic, 0, 9))?, 0)?;
    is(
        "an earlier one",
        committed(&mut at, &commit(group, topic, 0, 3))?,
        0,
    )?;
    is("what is there", fetched(&mut at, group, topic, 0)?, (0, 3))?;
    is("another partition", fetched(&mut at, group, topic, 1)?, (0, -1))?;
    is(
        "a partition that is not there",
        fetched(&mut at, group, topic, 7)?,
        (0, -1),
    )?;
    is(
        "a topic that is not there",
        fetched(&mut at, group, "offsets-none", 0)?,
        (0, -1),
    )
}

fn with_members(target: &Target) -> Result<()> {
    let (group, topic) = ("offsets-with", "offsets-with");
    target.topic(topic, 1, &[])?;
    let mut at = target.group(group)?;
    let one = alone(&mut at, group)?;
    let of = |member: &str, generation: i32| {
        commit(group, topic, 0, 5)
            .with_member_id(text(member))
            .with_generation_id_or_member_epoch(generation)
    };
    is("of the member", committed(&mut at, &of(&one, 1))?, 0)?;
    is("of another generation", committed(&mut at, &of(&one, 2))?, 22)?;
    is("of nobody", committed(&mut at, &of("nobody", 1))?, 25)?;
    is("from outside", committed(&mut at, &of("", -1))?, 25)?;
    // A member that has joined and not synced yet.
    is("it joins again", at.call(5, &join(group, &one))?.generation_id, 2)?;
    is(
        "in the middle of a rebalance",
        committed(&mut at, &of(&one, 2))?,
        27,
    )
}

fn checks(target: &Target) -> Result<()> {
    let (group, topic) = ("offsets-checks", "offsets-checks");
    target.topic(topic, 1, &[])?;
    let mut at = target.group(group)?;
    is(
        "a topic that is not there",
        committed(&mut at, &commit(group, "offsets-none", 0, 5))?,
        3,
    )?;
    is(
        "a partition that is not there",
        committed(&mut at, &commit(group, topic, 7, 5))?,
        3,
    )?;
    let mut long = commit(group, topic, 0, 5);
    long.topics[0].partitions[0].committed_metadata = Some(text(&"x".repeat(4097)));
    is("metadata too large", committed(&mut at, &long)?, 12)?;
    long.topics[0].partitions[0].committed_metadata = Some(text(&"x".repeat(4096)));
    is("metadata as large as may be", committed(&mut at, &long)?, 0)?;
    is(
        "the group without a name",
        committed(&mut at, &commit("", topic, 0, 5))?,
        0,
    )
}

fn versions(target: &Target) -> Result<()> {
    let (group, topic) = ("offsets-versions", "offsets-versions");
    target.topic(topic, 1, &[])?;
    let mut at = target.group(group)?;
    for version in 2..=9 {
        let mut request = commit(group, topic, 0, i64::from(version));
        request.topics[0].partitions[0].committed_leader_epoch = if version >= 6 { 0 } else { -1 };
        let answer = at.call(version, &request)?;
        is("the commit", answer.topics[0].partitions[0].error_code, 0)?;
        is(
            "what is there",
            fetched(&mut at, group, topic, 0)?,
            (0, i64::from(version)),
        )?;
    }
    for version in 1..=7 {
        let asked = OffsetFetchRequestTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partition_indexes(vec![0]);
        let request = OffsetFetchRequest::default()
            .with_group_id(group_id(group))
            .with_topics(Some(vec![asked]));
        let answer = at.call(version, &request)?;
        let partition = &answer.topics[0].partitions[0];
        is(
            "the answer",
            (
                answer.error_code,
                partition.error_code,
                partition.committed_offset,
            ),
            (0, 0, 9),
        )?;
        is("its metadata", partition.metadata.as_deref(), Some("said"))?;
        if version >= 5 {
            is("its epoch", partition.committed_leader_epoch, 0)?;
        }
    }
    let all = OffsetFetchRequest::default()
        .with_group_id(group_id(group))
        .with_topics(None);
    let answer = at.call(7, &all)?;
    is("of all topics", answer.topics.len(), 1)
}

fn several(target: &Target) -> Result<()> {
    target.topic("offsets-several", 2, &[])?;
    let mut at = target.group("offsets-several-1")?;
    is(
        "a commit",
        committed(&mut at, &commit("offsets-several-1", "offsets-several", 1, 5))?,
        0,
    )?;
    let group = |id: &str| {
        OffsetFetchRequestGroup::default()
            .with_group_id(group_id(id))
            .with_member_epoch(-1)
            .with_topics(None)
    };
    let groups = vec![group("offsets-several-1"), group("offsets-several-2")];
    let answer = at.call(9, &OffsetFetchRequest::default().with_groups(groups))?;
    is("groups", answer.groups.len(), 2)?;
    let find = |id: &str| {
        answer
            .groups
            .iter()
            .find(|group| &*group.group_id.0 == id)
            .context("a group is missing")
    };
    let (one, none) = (find("offsets-several-1")?, find("offsets-several-2")?);
    is("the first", (one.error_code, one.topics.len()), (0, 1))?;
    let partition = &one.topics[0].partitions[0];
    is(
        "its offset",
        (partition.partition_index, partition.committed_offset),
        (1, 5),
    )?;
    is(
        "one that is not there",
        (none.error_code, none.topics.len()),
        (0, 0),
    )?;
    let member = group("offsets-several-2")
        .with_member_id(Some(text("a")))
        .with_member_epoch(1);
    let answer = at.call(9, &OffsetFetchRequest::default().with_groups(vec![member]))?;
    is(
        "a member of one that is not there",
        answer.groups[0].error_code,
        0,
    )
}

fn deleted(target: &Target) -> Result<()> {
    let (group, topic) = ("offsets-deleted", "classic-in");
    target.topic(topic, 2, &[])?;
    let mut at = target.group(group)?;
    let delete = |group: &str, topic: &str, partition: i32| {
        let partition = OffsetDeleteRequestPartition::default().with_partition_index(partition);
        let topic = OffsetDeleteRequestTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(vec![partition]);
        OffsetDeleteRequest::default()
            .with_group_id(group_id(group))
            .with_topics(vec![topic])
    };
    is(
        "of an unknown group",
        at.call(0, &delete("offsets-none", topic, 0))?.error_code,
        69,
    )?;
    is("a commit", committed(&mut at, &commit(group, topic, 0, 5))?, 0)?;
    let one = alone(&mut at, group)?;
    let code = |at: &mut Connection, topic: &str, partition: i32| {
        let answer = at.call(0, &delete(group, topic, partition))?;
        is("the group's error", answer.error_code, 0)?;
        Ok::<_, anyhow::Error>(answer.topics[0].partitions[0].error_code)
    };
    is("of a subscribed topic", code(&mut at, topic, 0)?, 86)?;
    is(
        "of a topic that is not there",
        code(&mut at, "offsets-none", 0)?,
        3,
    )?;
    let leave = LeaveGroupRequest::default()
        .with_group_id(group_id(group))
        .with_member_id(text(&one));
    is("the member leaves", at.call(2, &leave)?.error_code, 0)?;
    is("when nobody is subscribed", code(&mut at, topic, 0)?, 0)?;
    is("one that never was", code(&mut at, topic, 1)?, 0)?;
    is("what is there", fetched(&mut at, group, topic, 0)?, (0, -1))
}
