//! Classic groups: FindCoordinator, JoinGroup, SyncGroup, Heartbeat, LeaveGroup, DescribeGroups, ListGroups, DeleteGroups.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest, SyncGroupRequest,
    SyncGroupResponse, describe_groups_response::DescribedGroup,
    join_group_request::JoinGroupRequestProtocol, leave_group_request::MemberIdentity,
    sync_group_request::SyncGroupRequestAssignment,
};
use towpath_lab::wait;

use crate::{
    Case,
    target::{Connection, Target, is, text},
};

pub const CASES: &[Case] = &[
    ("coordinators are found in every version", coordinators),
    ("a join is checked", joins),
    ("a dynamic member comes twice", dynamic),
    ("a group of two from beginning to end", two),
    ("assignments are checked", syncs),
    ("a static member comes back", static_member),
    ("leaving", leaving),
    ("groups that are not there", unknown),
    ("groups are listed by state and type", listed),
    ("groups are deleted when they are empty", deleted),
];

pub fn group_id(id: &str) -> GroupId {
    GroupId(text(id))
}

pub fn join(group: &str, member: &str) -> JoinGroupRequest {
    // Version 0 of a consumer's subscription: one topic, no user data.
    let metadata = Bytes::from_static(b"\0\0\0\0\0\x01\0\x0aclassic-in\xff\xff\xff\xff");
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(metadata);
    JoinGroupRequest::default()
        .with_group_id(group_id(group))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(20_000)
        .with_member_id(text(member))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

pub fn sync(group: &str, member: &str, generation: i32, given: &[(&str, &'static str)]) -> SyncGroupRequest {
    let assignment = |(member, assignment): &(&str, &'static str)| {
        SyncGroupRequestAssignment::default()
            .with_member_id(text(member))
            .with_assignment(Bytes::from(*assignment))
    };
    SyncGroupRequest::default()
        .with_group_id(group_id(group))
        .with_member_id(text(member))
        .with_generation_id(generation)
        .with_protocol_type(Some(text("consumer")))
        .with_protocol_name(Some(text("range")))
        .with_assignments(given.iter().map(assignment).collect())
}

fn heartbeat(at: &mut Connection, group: &str, member: &str, generation: i32) -> Result<i16> {
    let request = HeartbeatRequest::default()
        .with_group_id(group_id(group))
        .with_member_id(text(member))
        .with_generation_id(generation);
    Ok(at.call(4, &request)?.error_code)
}

/// A group of one: its member's id. Generation 1.
pub fn alone(at: &mut Connection, group: &str) -> Result<String> {
    let joined = at.call(3, &join(group, ""))?;
    is("the first join", joined.error_code, 0)?;
    let id = joined.member_id.to_string();
    let synced = at.call(5, &sync(group, &id, joined.generation_id, &[(&id, "all")]))?;
    is("the first sync", synced.error_code, 0)?;
    Ok(id)
}

fn describe(at: &mut Connection, group: &str, version: i16) -> Result<DescribedGroup> {
    let request = DescribeGroupsRequest::default().with_groups(vec![group_id(group)]);
    at.call(version, &request)?
        .groups
        .pop()
        .context("no group in the answer")
}

fn coordinators(target: &Target) -> Result<()> {
    target.group("conformance-find")?;
    let mut at = target.connect()?;
    for version in 0..=3 {
        let request = FindCoordinatorRequest::default().with_key(text("conformance-find"));
        let answer = at.call(version, &request)?;
        is("the error", answer.error_code, 0)?;
        ensure!(
            answer.port > 0 && answer.node_id.0 >= 0 && !answer.host.is_empty(),
            "{answer:?}"
        );
    }
    for version in 4..=6 {
        let keys = vec![text("conformance-find"), text("conformance-find-2")];
        let request = FindCoordinatorRequest::default().with_coordinator_keys(keys);
        let answer = at.call(version, &request)?;
        is("coordinators", answer.coordinators.len(), 2)?;
        is(
            "the second key",
            &*answer.coordinators[1].key,
            "conformance-find-2",
        )?;
    }
    let request = FindCoordinatorRequest::default()
        .with_key_type(9)
        .with_coordinator_keys(vec![text("x")]);
    is(
        "an unknown kind",
        at.call(4, &request)?.coordinators[0].error_code,
        42,
    )
}

fn joins(target: &Target) -> Result<()> {
    let mut at = target.group("classic-joins")?;
    let mut code = |request: JoinGroupRequest| Ok::<_, anyhow::Error>(at.call(5, &request)?.error_code);
    is("no group id", code(join("", ""))?, 24)?;
    is(
        "a session too short",
        code(join("classic-joins", "").with_session_timeout_ms(1))?,
        26,
    )?;
    is(
        "a session too long",
        code(join("classic-joins", "").with_session_timeout_ms(i32::MAX))?,
        26,
    )?;
    is(
        "a member of an unknown group",
        code(join("classic-joins", "nobody"))?,
        25,
    )?;
    is(
        "no protocol",
        code(join("classic-joins", "").with_protocols(vec![]))?,
        23,
    )?;
    is(
        "no protocol type",
        code(join("classic-joins", "").with_protocol_type(text("")))?,
        23,
    )?;
    alone(&mut at, "classic-joins")?;
    let mut code = |request: JoinGroupRequest| Ok::<_, anyhow::Error>(at.call(3, &request)?.error_code);
    let other = JoinGroupRequestProtocol::default().with_name(text("sticky"));
    is(
        "another protocol",
        code(join("classic-joins", "").with_protocols(vec![other]))?,
        23,
    )?;
    is(
        "another type",
        code(join("classic-joins", "").with_protocol_type(text("connect")))?,
        23,
    )?;
    is("an unknown member", code(join("classic-joins", "nobody"))?, 25)
}

fn dynamic(target: &Target) -> Result<()> {
    let mut at = target.group("classic-dynamic")?;
    let refused = at.call(9, &join("classic-dynamic", ""))?;
    is("the first join", refused.error_code, 79)?;
    is("its generation", refused.generation_id, -1)?;
    ensure!(
        refused.member_id.starts_with("conformance-"),
        "the id {:?}",
        refused.member_id
    );
    let joined = at.call(9, &join("classic-dynamic", &refused.member_id))?;
    is("the second join", joined.error_code, 0)?;
    is("its generation", joined.generation_id, 1)?;
    is("the leader", &joined.leader, &refused.member_id)?;
    is("members", joined.members.len(), 1)?;
    is("the protocol", joined.protocol_name.as_deref(), Some("range"))?;
    is("the type", joined.protocol_type.as_deref(), Some("consumer"))
}

/// Sends a join and waits until the coordinator has it: the others are told to join again.
fn start_join(target: &Target, group: &str, member: &str, generation: i32) -> Result<Connection> {
    let mut newcomer = target.group(group)?;
    newcomer.send(3, &join(group, ""))?;
    let mut at = target.group(group)?;
    wait::until("the rebalance", Duration::from_secs(30), || {
        Ok((heartbeat(&mut at, group, member, generation)? == 27).then_some(()))
    })?;
    Ok(newcomer)
}

fn two(target: &Target) -> Result<()> {
    let group = "classic-two";
    let mut first = target.group(group)?;
    let one = alone(&mut first, group)?;
    is("a heartbeat", heartbeat(&mut first, group, &one, 1)?, 0)?;
    is("another generation", heartbeat(&mut first, group, &one, 2)?, 22)?;
    is(
        "an unknown member",
        heartbeat(&mut first, group, "nobody", 1)?,
        25,
    )?;
    is(
        "its state",
        &*describe(&mut first, group, 5)?.group_state,
        "Stable",
    )?;

    let mut second = start_join(target, group, &one, 1)?;
    is(
        "its state",
        &*describe(&mut first, group, 5)?.group_state,
        "PreparingRebalance",
    )?;
    let joined: JoinGroupResponse = first.call(5, &join(group, &one))?;
    is(
        "the leader's generation",
        (joined.error_code, joined.generation_id),
        (0, 2),
    )?;
    is("the leader's members", joined.members.len(), 2)?;
    is("the leader", &*joined.leader, &one)?;
    let joined = second.receive::<JoinGroupRequest>(3)?;
    is(
        "the newcomer's generation",
        (joined.error_code, joined.generation_id),
        (0, 2),
    )?;
    is("the newcomer's members", joined.members.len(), 0)?;
    let two = joined.member_id.to_string();
    is(
        "its state",
        &*describe(&mut first, group, 5)?.group_state,
        "CompletingRebalance",
    )?;

    second.send(5, &sync(group, &two, 2, &[]))?;
    let synced: SyncGroupResponse = first.call(5, &sync(group, &one, 2, &[(&one, "1"), (&two, "2")]))?;
    is(
        "the leader's part",
        (synced.error_code, &synced.assignment[..]),
        (0, &b"1"[..]),
    )?;
    let synced = second.receive::<SyncGroupRequest>(5)?;
    is(
        "the newcomer's part",
        (synced.error_code, &synced.assignment[..]),
        (0, &b"2"[..]),
    )?;
    is("its protocol", synced.protocol_name.as_deref(), Some("range"))?;

    let described = describe(&mut first, group, 5)?;
    is("its state", &*described.group_state, "Stable")?;
    is(
        "its type",
        (&*described.protocol_type, &*described.protocol_data),
        ("consumer", "range"),
    )?;
    is("its members", described.members.len(), 2)?;
    let member = described.members.iter().find(|member| *member.member_id == *two);
    let member = member.context("the second member is not described")?;
    is("its part", &member.member_assignment[..], b"2")?;
    is(
        "its host and id",
        (&*member.client_host, &*member.client_id),
        ("/127.0.0.1", "conformance"),
    )?;
    // A follower with nothing new is answered at once; a leader that joins again assigns anew.
    is(
        "the follower again",
        second.call(5, &join(group, &two))?.generation_id,
        2,
    )?;
    first.send(5, &join(group, &one))?;
    wait::until("the rebalance", Duration::from_secs(30), || {
        Ok((heartbeat(&mut second, group, &two, 2)? == 27).then_some(()))
    })?;
    is(
        "the follower in the next one",
        second.call(5, &join(group, &two))?.generation_id,
        3,
    )?;
    is(
        "the leader in the next one",
        first.receive::<JoinGroupRequest>(5)?.generation_id,
        3,
    )
}

fn syncs(target: &Target) -> Result<()> {
    let group = "classic-syncs";
    let mut at = target.group(group)?;
    let one = alone(&mut at, group)?;
    let mut code = |request: SyncGroupRequest| Ok::<_, anyhow::Error>(at.call(5, &request)?.error_code);
    is("another generation", code(sync(group, &one, 7, &[]))?, 22)?;
    is("an unknown member", code(sync(group, "nobody", 1, &[]))?, 25)?;
    let other = sync(group, &one, 1, &[]).with_protocol_name(Some(text("sticky")));
    is("another protocol", code(other)?, 23)?;
    is(
        "an unknown group",
        code(sync("classic-syncs-none", &one, 1, &[]))?,
        25,
    )?;
    is("once more", code(sync(group, &one, 1, &[]))?, 0)
}

fn static_member(target: &Target) -> Result<()> {
    let group = "classic-static";
    let named = |member: &str| join(group, member).with_group_instance_id(Some(text("one")));
    let mut at = target.group(group)?;
    let first = at.call(9, &named(""))?;
    is("the first join", (first.error_code, first.generation_id), (0, 1))?;
    let synced = at.call(5, &sync(group, &first.member_id, 1, &[(&first.member_id, "all")]))?;
    is("the first sync", synced.error_code, 0)?;
    let back = at.call(9, &named(""))?;
    is("it comes back", (back.error_code, back.generation_id), (0, 1))?;
    ensure!(
        back.member_id != first.member_id,
        "the id stays {:?}",
        back.member_id
    );
    is(
        "it leads and does not assign",
        (back.skip_assignment, &back.leader),
        (true, &back.member_id),
    )?;
    let request = HeartbeatRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id(1)
        .with_member_id(first.member_id.clone())
        .with_group_instance_id(Some(text("one")));
    is("its former self", at.call(4, &request)?.error_code, 82)?;
    is(
        "its former self joins",
        at.call(9, &named(&first.member_id))?.error_code,
        82,
    )?;
    let synced = at.call(5, &sync(group, &back.member_id, 1, &[]))?;
    is(
        "its part",
        (synced.error_code, &synced.assignment[..]),
        (0, &b"all"[..]),
    )?;
    let old = at.call(8, &named(""))?;
    is("by an old client", (old.error_code, old.generation_id), (0, 1))?;
    is(
        "it is told of its former self as leader",
        (&old.leader, old.members.len()),
        (&back.member_id, 0),
    )?;

    let leave = |member: &str| {
        let member = MemberIdentity::default()
            .with_member_id(text(member))
            .with_group_instance_id(Some(text("one")));
        LeaveGroupRequest::default()
            .with_group_id(group_id(group))
            .with_members(vec![member])
    };
    is(
        "another leaves for it",
        at.call(5, &leave("nobody"))?.members[0].error_code,
        82,
    )?;
    is(
        "it is made to leave",
        at.call(5, &leave(""))?.members[0].error_code,
        0,
    )?;
    is("it is gone", at.call(5, &leave(""))?.members[0].error_code, 25)
}

fn leaving(target: &Target) -> Result<()> {
    let group = "classic-leaving";
    let mut at = target.group(group)?;
    let leave = |group: &str, member: &str| {
        let member = MemberIdentity::default().with_member_id(text(member));
        LeaveGroupRequest::default()
            .with_group_id(group_id(group))
            .with_members(vec![member])
    };
    let one = alone(&mut at, group)?;
    let answer = at.call(5, &leave(group, "nobody"))?;
    is(
        "an unknown member",
        (answer.error_code, answer.members[0].error_code),
        (0, 25),
    )?;
    let answer = at.call(5, &leave("classic-leaving-none", "nobody"))?;
    is(
        "an unknown group",
        (
            answer.error_code,
            answer.members.first().map(|one| one.error_code),
        ),
        (0, Some(25)),
    )?;
    let old = LeaveGroupRequest::default().with_group_id(group_id(group));
    is(
        "an unknown member, version 2",
        at.call(2, &old.clone().with_member_id(text("x")))?.error_code,
        25,
    )?;
    is(
        "the member, version 2",
        at.call(2, &old.with_member_id(text(&one)))?.error_code,
        0,
    )?;
    is("its state", &*describe(&mut at, group, 5)?.group_state, "Empty")?;
    is("a heartbeat", heartbeat(&mut at, group, &one, 1)?, 25)
}

fn unknown(target: &Target) -> Result<()> {
    let mut at = target.group("classic-unknown")?;
    let described = describe(&mut at, "classic-unknown", 5)?;
    is(
        "described, version 5",
        (described.error_code, &*described.group_state),
        (0, "Dead"),
    )?;
    let described = describe(&mut at, "classic-unknown", 6)?;
    is(
        "described, version 6",
        (described.error_code, &*described.group_state),
        (69, "Dead"),
    )?;
    is("a heartbeat", heartbeat(&mut at, "classic-unknown", "x", 1)?, 25)
}

fn listed(target: &Target) -> Result<()> {
    let group = "classic-listed";
    let mut at = target.group(group)?;
    alone(&mut at, group)?;
    let mut find = |states: &[&str], types: &[&str]| {
        let names = |names: &[&str]| names.iter().map(|name| text(name)).collect::<Vec<_>>();
        let request = ListGroupsRequest::default()
            .with_states_filter(names(states))
            .with_types_filter(names(types));
        let answer = at.call(5, &request)?;
        let found = answer
            .groups
            .into_iter()
            .find(|found| &*found.group_id.0 == group);
        Ok::<_, anyhow::Error>(found.map(|found| {
            (
                found.group_state.to_string(),
                found.group_type.to_string(),
                found.protocol_type.to_string(),
            )
        }))
    };
    let wanted = Some(("Stable".to_owned(), "classic".to_owned(), "consumer".to_owned()));
    is("among all", find(&[], &[])?, wanted.clone())?;
    is("among stable ones", find(&["stable"], &["Classic"])?, wanted)?;
    is("among empty ones", find(&["Empty"], &[])?, None)?;
    is("among those of the new protocol", find(&[], &["consumer"])?, None)
}

fn deleted(target: &Target) -> Result<()> {
    let group = "classic-deleted";
    let mut at = target.group(group)?;
    let one = alone(&mut at, group)?;
    let delete = |at: &mut Connection| {
        let groups = vec![group_id(group), group_id("classic-deleted-none")];
        let answer = at.call(2, &DeleteGroupsRequest::default().with_groups_names(groups))?;
        let code = |id: &str| {
            answer
                .results
                .iter()
                .find(|one| &*one.group_id.0 == id)
                .map(|one| one.error_code)
        };
        Ok::<_, anyhow::Error>((code(group), code("classic-deleted-none")))
    };
    is("with a member", delete(&mut at)?, (Some(68), Some(69)))?;
    let old = LeaveGroupRequest::default()
        .with_group_id(group_id(group))
        .with_member_id(text(&one));
    is("the member leaves", at.call(2, &old)?.error_code, 0)?;
    is("empty", delete(&mut at)?, (Some(0), Some(69)))?;
    is("once more", delete(&mut at)?, (Some(69), Some(69)))
}
