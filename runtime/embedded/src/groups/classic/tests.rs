use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot::{self, Receiver, error::TryRecvError};

use super::{CommitKind, Group, Join, Joined, Refused, State, Sync, Synced};

type JoinAnswer = Receiver<Result<Joined, Refused>>;
type SyncAnswer = Receiver<Result<Synced, ResponseError>>;

const REBALANCE: Duration = Duration::from_secs(60);
const SESSION: Duration = Duration::from_secs(10);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn member(fresh: &str) -> Join {
    Join {
        member: String::new(),
        instance: None,
        fresh: fresh.to_owned(),
        id_required: false,
        can_skip_assignment: true,
        client_id: "c".to_owned(),
        client_host: "127.0.0.1".to_owned(),
        session_timeout: SESSION,
        rebalance_timeout: REBALANCE,
        protocol_type: "consumer".to_owned(),
        protocols: vec![("range".to_owned(), Bytes::from_static(b"topics"))],
    }
}

fn again(id: &str) -> Join {
    Join {
        member: id.to_owned(),
        ..member("unused")
    }
}

fn instance(fresh: &str, instance: &str) -> Join {
    Join {
        instance: Some(instance.to_owned()),
        ..member(fresh)
    }
}

fn join(group: &mut Group, now: Duration, join: Join) -> JoinAnswer {
    let (sender, receiver) = oneshot::channel();
    group.join(now, join, sender);
    receiver
}

fn sync(
    group: &mut Group,
    now: Duration,
    id: &str,
    generation: i32,
    given: &[(&str, &'static str)],
) -> SyncAnswer {
    let (sender, receiver) = oneshot::channel();
    let assignments = given
        .iter()
        .map(|(id, bytes)| ((*id).to_owned(), Bytes::from(*bytes)))
        .collect();
    let sync = Sync {
        member: id.to_owned(),
        instance: None,
        generation,
        protocol_type: None,
        protocol: None,
        assignments,
    };
    group.sync(now, sync, sender);
    receiver
}

fn joined(mut answer: JoinAnswer) -> Joined {
    answer.try_recv().expect("no answer yet").expect("refused")
}

fn refused(mut answer: JoinAnswer) -> Refused {
    answer
        .try_recv()
        .expect("no answer yet")
        .expect_err("not refused")
}

fn assigned(mut answer: SyncAnswer) -> Result<Bytes, ResponseError> {
    answer
        .try_recv()
        .expect("no answer yet")
        .map(|synced| synced.assignment)
}

fn waits<T>(answer: &mut Receiver<T>) -> bool {
    matches!(answer.try_recv(), Err(TryRecvError::Empty))
}

/// Two members, "a" leads, generation 2.
fn pair() -> Group {
    let mut group = Group::new(Duration::ZERO);
    assert_eq!(joined(join(&mut group, at(0), member("a"))).generation, 1);
    let b = join(&mut group, at(0), member("b"));
    let a = join(&mut group, at(0), again("a"));
    assert_eq!(joined(a).members.len(), 2);
    assert_eq!(joined(b).members, []);
    let mut b = sync(&mut group, at(0), "b", 2, &[]);
    assert!(waits(&mut b));
    let a = sync(&mut group, at(0), "a", 2, &[("a", "one"), ("b", "two")]);
    assert_eq!(assigned(a), Ok(Bytes::from("one")));
    assert_eq!(assigned(b), Ok(Bytes::from("two")));
    assert_eq!(group.state(), State::Stable);
    group
}

#[test]
fn the_leader_assigns_and_the_others_wait_for_it() {
    let mut group = pair();
    assert_eq!(group.heartbeat(at(1), "a", None, 2), Ok(()));
    assert_eq!(
        group.heartbeat(at(1), "a", None, 1),
        Err(ResponseError::IllegalGeneration)
    );
    assert_eq!(
        group.heartbeat(at(1), "x", None, 2),
        Err(ResponseError::UnknownMemberId)
    );
    // Asked again, the assignment is given at once.
    assert_eq!(
        assigned(sync(&mut group, at(1), "b", 2, &[])),
        Ok(Bytes::from("two"))
    );
}

#[test]
fn a_newcomer_makes_the_others_join_again() {
    let mut group = pair();
    let mut c = join(&mut group, at(1), member("c"));
    assert!(waits(&mut c));
    assert_eq!(
        group.heartbeat(at(2), "a", None, 2),
        Err(ResponseError::RebalanceInProgress)
    );
    let mut a = join(&mut group, at(2), again("a"));
    assert!(waits(&mut a));
    let b = join(&mut group, at(3), again("b"));
    let all = [joined(a), joined(b), joined(c)];
    assert!(all.iter().all(|one| one.generation == 3 && one.leader == "a"));
}

#[test]
fn who_does_not_join_again_in_time_is_left_out() {
    let mut group = pair();
    let mut c = join(&mut group, at(1), member("c"));
    let mut a = join(&mut group, at(1), again("a"));
    // b lives on, but does not join.
    for now in [8, 16, 24, 32, 40, 48, 56] {
        let _ = group.heartbeat(at(now), "b", None, 2);
        group.tick(at(now));
        assert!(waits(&mut a) && waits(&mut c), "at {now} s");
    }
    assert_eq!(group.next_deadline(), Some(at(61)));
    group.tick(at(61));
    assert_eq!(joined(a).members.len(), 2);
    assert_eq!(joined(c).generation, 3);
    assert_eq!(
        group.heartbeat(at(61), "b", None, 3),
        Err(ResponseError::UnknownMemberId)
    );
}

#[test]
fn a_session_that_ends_is_a_reason_to_rebalance() {
    let mut group = pair();
    assert_eq!(group.heartbeat(at(5), "b", None, 2), Ok(()));
    assert_eq!(group.next_deadline(), Some(at(10)));
    group.tick(at(10));
    assert_eq!(
        group.heartbeat(at(10), "b", None, 2),
        Err(ResponseError::RebalanceInProgress)
    );
    let b = joined(join(&mut group, at(10), again("b")));
    assert_eq!((b.generation, b.leader.as_str()), (3, "b"));
}

#[test]
fn a_leader_that_never_assigns_is_left_out() {
    let mut group = Group::new(Duration::ZERO);
    let _answer = join(&mut group, at(0), member("a"));
    let b = join(&mut group, at(0), member("b"));
    let _answer = join(&mut group, at(0), again("a"));
    assert_eq!(joined(b).leader, "a");
    let b = sync(&mut group, at(0), "b", 2, &[]);
    for now in [9, 18, 27, 36, 45, 54] {
        assert_eq!(group.heartbeat(at(now), "a", None, 2), Ok(()));
        group.tick(at(now));
    }
    group.tick(at(60));
    assert_eq!(assigned(b), Err(ResponseError::RebalanceInProgress));
    assert_eq!(joined(join(&mut group, at(60), again("b"))).leader, "b");
}

#[test]
fn a_dynamic_member_comes_twice_and_a_lost_id_ends() {
    let mut group = Group::new(Duration::ZERO);
    let asked = Join {
        id_required: true,
        ..member("a")
    };
    let refusal = refused(join(&mut group, at(0), asked));
    assert_eq!(
        (refusal.error, refusal.member.as_str()),
        (ResponseError::MemberIdRequired, "a")
    );
    assert_eq!(
        joined(join(
            &mut group,
            at(1),
            Join {
                id_required: true,
                ..again("a")
            }
        ))
        .member,
        "a"
    );

    let lost = Join {
        id_required: true,
        ..member("b")
    };
    let _answer = join(&mut group, at(2), lost);
    group.tick(at(12));
    assert_eq!(
        refused(join(&mut group, at(12), again("b"))).error,
        ResponseError::UnknownMemberId
    );
}

#[test]
fn members_share_a_protocol() {
    let mut group = pair();
    let other = Join {
        protocols: vec![("sticky".to_owned(), Bytes::new())],
        ..member("c")
    };
    assert_eq!(
        refused(join(&mut group, at(1), other)).error,
        ResponseError::InconsistentGroupProtocol
    );
    let other = Join {
        protocol_type: "connect".to_owned(),
        ..member("c")
    };
    assert_eq!(
        refused(join(&mut group, at(1), other)).error,
        ResponseError::InconsistentGroupProtocol
    );

    let both = || {
        vec![
            ("sticky".to_owned(), Bytes::new()),
            ("range".to_owned(), Bytes::new()),
        ]
    };
    let c = join(
        &mut group,
        at(1),
        Join {
            protocols: both(),
            ..member("c")
        },
    );
    let _answer = join(&mut group, at(1), again("a"));
    let _answer = join(&mut group, at(1), again("b"));
    assert_eq!(joined(c).protocol.as_deref(), Some("range"));
}

#[test]
fn a_static_member_comes_back_without_a_rebalance_and_fences_its_former_self() {
    let mut group = Group::new(Duration::ZERO);
    let _answer = join(&mut group, at(0), instance("a1", "one"));
    let b = join(&mut group, at(0), instance("b1", "two"));
    let _answer = join(
        &mut group,
        at(0),
        Join {
            member: "a1".to_owned(),
            ..instance("", "one")
        },
    );
    assert_eq!(joined(b).generation, 2);
    let _answer = sync(&mut group, at(0), "a1", 2, &[("a1", "one"), ("b1", "two")]);

    let back = joined(join(&mut group, at(5), instance("b2", "two")));
    assert_eq!(
        (back.generation, back.member.as_str(), back.leader.as_str()),
        (2, "b2", "a1")
    );
    assert_eq!(
        assigned(sync(&mut group, at(5), "b2", 2, &[])),
        Ok(Bytes::from("two"))
    );
    assert_eq!(
        group.heartbeat(at(5), "b1", Some("two"), 2),
        Err(ResponseError::FencedInstanceId)
    );

    // The leader comes back: it may not assign, the members still have what it gave them.
    let leader = joined(join(&mut group, at(6), instance("a2", "one")));
    assert!(leader.skip_assignment && leader.leader == "a2" && leader.members.len() == 2);
    let old = Join {
        can_skip_assignment: false,
        ..instance("a3", "one")
    };
    let leader = joined(join(&mut group, at(6), old));
    assert_eq!(
        (leader.leader.as_str(), leader.member.as_str(), leader.members),
        ("a2", "a3", vec![])
    );
}

#[test]
fn leaving_and_being_left() {
    let mut group = pair();
    assert_eq!(group.leave(at(1), "x", None), Err(ResponseError::UnknownMemberId));
    assert_eq!(group.leave(at(1), "a", None), Ok(()));
    assert_eq!(group.leave(at(1), "b", None), Ok(()));
    assert_eq!((group.state(), group.generation), (State::Empty, 3));

    let _answer = join(&mut group, at(2), instance("s", "one"));
    assert_eq!(
        group.leave(at(3), "t", Some("one")),
        Err(ResponseError::FencedInstanceId)
    );
    assert_eq!(group.leave(at(3), "", Some("one")), Ok(()));
    assert!(group.is_empty());
}

#[test]
fn the_first_rebalance_waits_for_more_members() {
    let mut group = Group::new(Duration::from_secs(3));
    let mut a = join(&mut group, at(0), member("a"));
    let mut b = join(&mut group, at(2), member("b"));
    group.tick(at(3));
    assert!(waits(&mut a) && waits(&mut b), "a newcomer prolongs the wait");
    group.tick(at(6));
    assert_eq!((joined(a).generation, joined(b).generation), (1, 1));
}

#[test]
fn offsets_are_taken_from_members_of_this_generation() {
    let mut group = pair();
    let check = |group: &mut Group, id: &str, generation| {
        group.check_commit(at(1), id, None, generation, CommitKind::Plain)
    };
    assert_eq!(check(&mut group, "a", 2), Ok(()));
    assert_eq!(check(&mut group, "a", 1), Err(ResponseError::IllegalGeneration));
    assert_eq!(check(&mut group, "x", 2), Err(ResponseError::UnknownMemberId));
    assert_eq!(check(&mut group, "", -1), Err(ResponseError::UnknownMemberId));
    let _answer = join(&mut group, at(1), member("c"));
    assert_eq!(check(&mut group, "a", 2), Ok(()), "before it joins again");
    let _answer = join(&mut group, at(1), again("a"));
    let _answer = join(&mut group, at(1), again("b"));
    assert_eq!(check(&mut group, "a", 3), Err(ResponseError::RebalanceInProgress));
    let in_transaction = group.check_commit(at(1), "a", None, 3, CommitKind::Transactional);
    assert_eq!(in_transaction, Ok(()));

    let mut empty = Group::new(Duration::ZERO);
    assert_eq!(check(&mut empty, "", -1), Ok(()));
}

#[test]
fn subscriptions_are_read_from_the_members_metadata() {
    let mut group = Group::new(Duration::ZERO);
    // Version 1: two topics, no user data, no owned partitions.
    let metadata = Bytes::from_static(b"\0\x01\0\0\0\x02\0\x01t\0\x01u\xff\xff\xff\xff\0\0\0\0");
    let protocols = vec![("range".to_owned(), metadata)];
    let _answer = join(
        &mut group,
        at(0),
        Join {
            protocols,
            ..member("a")
        },
    );
    let topics = group.subscribed().unwrap();
    assert_eq!(topics.into_iter().collect::<Vec<_>>(), ["t", "u"]);
}
