//! Groups of the new protocol (KIP-848): ConsumerGroupHeartbeat, ConsumerGroupDescribe, and what the old APIs say of them.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
    DescribeGroupsRequest, OffsetCommitRequest, TopicName,
    consumer_group_describe_response::DescribedGroup,
    consumer_group_heartbeat_request::TopicPartitions,
    offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
};
use uuid::Uuid;

use crate::{
    Case,
    classic::group_id,
    target::{Connection, Target, is, text},
};

pub const CASES: &[Case] = &[
    ("a heartbeat of the new protocol is checked", checks),
    ("a partition is given up before another gets it", two),
    ("epochs fence members of the new protocol", epochs),
    (
        "a static member of the new protocol is away and comes back",
        static_member,
    ),
    ("a pattern of the new protocol", pattern),
    ("groups of the new protocol are described", described),
    ("offsets are taken from members at their epoch", commits),
];

fn joining(group: &str, member: &str, topics: &[&str]) -> ConsumerGroupHeartbeatRequest {
    beat(group, member, 0)
        .with_rebalance_timeout_ms(20_000)
        .with_subscribed_topic_names(Some(topics.iter().map(|name| TopicName(text(name))).collect()))
        .with_topic_partitions(Some(vec![]))
}

fn beat(group: &str, member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group_id(group))
        .with_member_id(text(member))
        .with_member_epoch(epoch)
        .with_rebalance_timeout_ms(-1)
        .with_subscribed_topic_names(None)
        .with_topic_partitions(None)
}

fn owning(
    group: &str,
    member: &str,
    epoch: i32,
    topic: Uuid,
    owned: &[i32],
) -> ConsumerGroupHeartbeatRequest {
    let owned = TopicPartitions::default()
        .with_topic_id(topic)
        .with_partitions(owned.to_vec());
    beat(group, member, epoch).with_topic_partitions(Some(vec![owned]))
}

/// Error, epoch and the partitions of one topic.
fn told(answer: &ConsumerGroupHeartbeatResponse) -> (i16, i32, Option<Vec<i32>>) {
    let partitions = answer.assignment.as_ref().map(|assignment| {
        let all = assignment
            .topic_partitions
            .iter()
            .flat_map(|topic| topic.partitions.clone());
        all.collect::<BTreeSet<_>>().into_iter().collect()
    });
    (answer.error_code, answer.member_epoch, partitions)
}

fn describe(at: &mut Connection, group: &str) -> Result<DescribedGroup> {
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group_id(group)]);
    at.call(1, &request)?
        .groups
        .pop()
        .context("no group in the answer")
}

fn checks(target: &Target) -> Result<()> {
    let group = "consumer-checks";
    let mut at = target.group(group)?;
    let mut code =
        |request: ConsumerGroupHeartbeatRequest| Ok::<_, anyhow::Error>(at.call(1, &request)?.error_code);
    is("no group id", code(joining("", "a", &["t"]))?, 42)?;
    is("no member id", code(joining(group, "", &["t"]))?, 42)?;
    let nothing = joining(group, "a", &[]).with_subscribed_topic_names(None);
    is("no subscription", code(nothing)?, 42)?;
    is("no topics", code(joining(group, "a", &[]))?, 0)?;
    is(
        "no timeout",
        code(joining(group, "a", &["t"]).with_rebalance_timeout_ms(-1))?,
        42,
    )?;
    is(
        "no partitions",
        code(joining(group, "a", &["t"]).with_topic_partitions(None))?,
        42,
    )?;
    is(
        "an empty instance",
        code(joining(group, "a", &["t"]).with_instance_id(Some(text(""))))?,
        42,
    )?;
    is("an impossible epoch", code(beat(group, "a", -3))?, 42)?;
    is("away without an instance", code(beat(group, "a", -2))?, 42)?;
    let assignor = joining(group, "a", &["t"]).with_server_assignor(Some(text("best")));
    is("an unknown assignor", code(assignor)?, 112)?;
    is(
        "an unknown group",
        code(beat("consumer-checks-none", "a", 5))?,
        69,
    )?;
    is(
        "to leave an unknown group",
        code(beat("consumer-checks-none", "a", -1))?,
        69,
    )?;
    is(
        "a topic that is not there",
        code(joining(group, "a", &["consumer-checks-none"]))?,
        0,
    )?;
    is("an unknown member", code(beat(group, "b", 2))?, 25)
}

fn two(target: &Target) -> Result<()> {
    let group = "consumer-two";
    let topic = target.topic_for_groups("consumer-two", 4)?;
    let mut at = target.group(group)?;
    let first = at.call(1, &joining(group, "a", &["consumer-two"]))?;
    is("the first member", told(&first), (0, 2, Some(vec![0, 1, 2, 3])))?;
    is("its id", first.member_id.as_deref(), Some("a"))?;
    is("the interval", first.heartbeat_interval_ms, 5000)?;
    is(
        "nothing new",
        told(&at.call(1, &beat(group, "a", 2))?),
        (0, 2, None),
    )?;
    let second = at.call(1, &joining(group, "b", &["consumer-two"]))?;
    is("the second member", told(&second), (0, 3, Some(vec![])))?;
    is(
        "its state",
        &*describe(&mut at, group)?.group_state,
        "Reconciling",
    )?;

    let revoke = at.call(1, &owning(group, "a", 2, topic, &[0, 1, 2, 3]))?;
    let (code, epoch, kept) = told(&revoke);
    let kept = kept.context("nothing is revoked")?;
    is("the first gives up two", (code, epoch, kept.len()), (0, 2, 2))?;
    is(
        "not free yet",
        told(&at.call(1, &beat(group, "b", 3))?),
        (0, 3, None),
    )?;
    is(
        "given up",
        told(&at.call(1, &owning(group, "a", 2, topic, &kept))?),
        (0, 3, None),
    )?;
    let (code, epoch, got) = told(&at.call(1, &beat(group, "b", 3))?);
    let got = got.context("nothing is given")?;
    is("the second gets two", (code, epoch, got.len()), (0, 3, 2))?;
    ensure!(
        got.iter().all(|partition| !kept.contains(partition)),
        "{got:?} and {kept:?}"
    );
    is("its state", &*describe(&mut at, group)?.group_state, "Stable")?;

    is(
        "the second leaves",
        told(&at.call(1, &beat(group, "b", -1))?),
        (0, -1, None),
    )?;
    let (code, epoch, all) = told(&at.call(1, &beat(group, "a", 3))?);
    is(
        "the first gets all",
        (code, epoch, all),
        (0, 4, Some(vec![0, 1, 2, 3])),
    )?;
    is(
        "the first leaves",
        told(&at.call(1, &beat(group, "a", -1))?),
        (0, -1, None),
    )?;
    is("its state", &*describe(&mut at, group)?.group_state, "Empty")?;
    is("gone", at.call(1, &beat(group, "a", 4))?.error_code, 25)
}

fn epochs(target: &Target) -> Result<()> {
    let group = "consumer-epochs";
    let topic = target.topic_for_groups("consumer-epochs", 1)?;
    let mut at = target.group(group)?;
    is(
        "it joins",
        told(&at.call(1, &joining(group, "a", &["consumer-epochs"]))?),
        (0, 2, Some(vec![0])),
    )?;
    is("a later epoch", at.call(1, &beat(group, "a", 3))?.error_code, 110)?;
    // The answer to the join was lost: it joins again.
    let again = at.call(1, &joining(group, "a", &["consumer-epochs"]))?;
    is("it joins again", told(&again), (0, 2, Some(vec![0])))?;
    // It subscribes to more: the next epoch.
    let more = owning(group, "a", 2, topic, &[0])
        .with_rebalance_timeout_ms(20_000)
        .with_subscribed_topic_names(Some(vec![
            TopicName(text("consumer-epochs")),
            TopicName(text("consumer-epochs-none")),
        ]));
    is(
        "it subscribes to more",
        told(&at.call(1, &more)?),
        (0, 3, Some(vec![0])),
    )?;
    is(
        "the epoch before, with all",
        at.call(1, &owning(group, "a", 2, topic, &[0]))?.error_code,
        0,
    )?;
    is(
        "the epoch before, with more",
        at.call(1, &owning(group, "a", 2, topic, &[0, 1]))?.error_code,
        110,
    )?;
    is(
        "the epoch before, silent",
        at.call(1, &beat(group, "a", 2))?.error_code,
        110,
    )?;
    let again = at.call(1, &joining(group, "a", &["consumer-epochs"]))?;
    is(
        "it joins again",
        (again.error_code, again.assignment.is_some()),
        (0, true),
    )
}

fn static_member(target: &Target) -> Result<()> {
    let group = "consumer-static";
    target.topic_for_groups("consumer-static", 2)?;
    let mut at = target.group(group)?;
    let named =
        |member: &str| joining(group, member, &["consumer-static"]).with_instance_id(Some(text("one")));
    is(
        "it joins",
        told(&at.call(1, &named("a"))?),
        (0, 2, Some(vec![0, 1])),
    )?;
    is("another as the same", at.call(1, &named("b"))?.error_code, 111)?;
    let away = beat(group, "a", -2).with_instance_id(Some(text("one")));
    is("it goes away", told(&at.call(1, &away)?), (0, -2, None))?;
    is(
        "another comes back",
        told(&at.call(1, &named("b"))?),
        (0, 2, Some(vec![0, 1])),
    )?;
    let old = beat(group, "a", 2).with_instance_id(Some(text("one")));
    is("its former self", at.call(1, &old)?.error_code, 82)
}

fn pattern(target: &Target) -> Result<()> {
    let group = "consumer-pattern";
    target.topic_for_groups("consumer-pattern-in", 1)?;
    target.topic_for_groups("not-consumer-pattern-in", 1)?;
    let mut at = target.group(group)?;
    let broken = joining(group, "a", &[]).with_subscribed_topic_regex(Some(text("(")));
    is("a broken pattern", at.call(1, &broken)?.error_code, 128)
}

fn described(target: &Target) -> Result<()> {
    let group = "consumer-described";
    let topic = target.topic_for_groups("consumer-described", 2)?;
    let mut at = target.group(group)?;
    is("unknown", describe(&mut at, group)?.error_code, 69)?;
    let range = joining(group, "a", &["consumer-described"]).with_server_assignor(Some(text("range")));
    is("it joins", at.call(1, &range)?.error_code, 0)?;
    let described = describe(&mut at, group)?;
    is(
        "its state",
        (described.error_code, &*described.group_state),
        (0, "Stable"),
    )?;
    is(
        "its epochs",
        (described.group_epoch, described.assignment_epoch),
        (2, 2),
    )?;
    is("its assignor", &*described.assignor_name, "range")?;
    let member = &described.members[0];
    is(
        "its member",
        (&*member.member_id, member.member_epoch, member.member_type),
        ("a", 2, 1),
    )?;
    is("its host", &*member.client_host, "/127.0.0.1")?;
    is("its topics", member.subscribed_topic_names.len(), 1)?;
    let part = &member.assignment.topic_partitions[0];
    is(
        "its part",
        (part.topic_id, &*part.topic_name.0, &part.partitions[..]),
        (topic, "consumer-described", &[0, 1][..]),
    )?;
    is("its target", &member.target_assignment, &member.assignment)?;
    let request = DescribeGroupsRequest::default().with_groups(vec![group_id(group)]);
    is(
        "as a classic group",
        at.call(6, &request)?.groups[0].error_code,
        69,
    )
}

fn commits(target: &Target) -> Result<()> {
    let group = "consumer-commits";
    target.topic_for_groups("consumer-commits", 1)?;
    let mut at = target.group(group)?;
    is(
        "it joins",
        at.call(1, &joining(group, "a", &["consumer-commits"]))?
            .error_code,
        0,
    )?;
    let mut code = |member: &str, epoch: i32, version: i16| {
        let partition = OffsetCommitRequestPartition::default().with_committed_offset(5);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(text("consumer-commits")))
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(group_id(group))
            .with_member_id(text(member))
            .with_generation_id_or_member_epoch(epoch)
            .with_topics(vec![topic]);
        Ok::<_, anyhow::Error>(at.call(version, &request)?.topics[0].partitions[0].error_code)
    };
    is("at its epoch", code("a", 2, 9)?, 0)?;
    is("at another", code("a", 0, 9)?, 113)?;
    is("of nobody", code("b", 2, 9)?, 25)?;
    is("from outside", code("", -1, 9)?, 25)?;
    is("in an old version", code("a", 2, 8)?, 35)
}
