use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use kafka_protocol::ResponseError;
use uuid::Uuid;

use super::{Assignment, Beat, Beaten, Group, Times, Topics};

/// Topics by name, with as many partitions; a topic's id is its first letter.
struct Cluster(BTreeMap<&'static str, i32>);

impl Topics for Cluster {
    fn names(&self) -> Vec<String> {
        self.0.keys().map(|name| (*name).to_owned()).collect()
    }

    fn topic(&self, name: &str) -> Option<(Uuid, i32)> {
        self.0.get(name).map(|partitions| (id(name), *partitions))
    }
}

const TIMES: Times = Times {
    session: Duration::from_secs(45),
    heartbeat: Duration::from_secs(5),
};

fn id(name: &str) -> Uuid {
    Uuid::from_u128(u128::from(name.as_bytes()[0]))
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn joining(member: &str, topics: &[&str]) -> Beat {
    Beat {
        member: member.to_owned(),
        rebalance_timeout: Some(Duration::from_secs(60)),
        topics: Some(topics.iter().map(|name| (*name).to_owned()).collect()),
        owned: Some(Assignment::new()),
        ..Beat::default()
    }
}

fn beat(member: &str, epoch: i32) -> Beat {
    Beat {
        member: member.to_owned(),
        epoch,
        ..Beat::default()
    }
}

fn owning(member: &str, epoch: i32, owned: Assignment) -> Beat {
    Beat {
        owned: Some(owned),
        ..beat(member, epoch)
    }
}

fn part(name: &str, partitions: impl IntoIterator<Item = i32>) -> Assignment {
    Assignment::from([(id(name), partitions.into_iter().collect())])
}

fn told(beaten: Result<Beaten, ResponseError>) -> (i32, Option<Assignment>) {
    let beaten = beaten.unwrap();
    (beaten.epoch, beaten.assignment)
}

#[test]
fn a_partition_is_given_up_before_another_gets_it() {
    let topics = Cluster(BTreeMap::from([("t", 4)]));
    let mut group = Group::new(TIMES);
    let first = group.heartbeat(at(0), joining("a", &["t"]), &topics);
    assert_eq!(told(first), (2, Some(part("t", 0..4))));
    assert_eq!(group.state(), "Stable");

    let second = group.heartbeat(at(1), joining("b", &["t"]), &topics);
    assert_eq!(told(second), (3, Some(Assignment::new())), "all are still with a");
    assert_eq!(group.state(), "Reconciling");

    let revoke = group.heartbeat(at(2), owning("a", 2, part("t", 0..4)), &topics);
    let (epoch, kept) = told(revoke);
    let kept = kept.expect("a is told to give up two");
    assert_eq!((epoch, kept[&id("t")].len()), (2, 2));
    assert_eq!(told(group.heartbeat(at(3), beat("b", 3), &topics)), (3, None));

    let done = group.heartbeat(at(4), owning("a", 2, kept.clone()), &topics);
    assert_eq!(told(done), (3, None));
    let (epoch, got) = told(group.heartbeat(at(5), beat("b", 3), &topics));
    let got = got.expect("the two are free");
    assert_eq!((epoch, got[&id("t")].len()), (3, 2));
    assert!(got[&id("t")].is_disjoint(&kept[&id("t")]));
    assert_eq!(group.state(), "Stable");
}

#[test]
fn who_does_not_give_up_in_time_is_put_out() {
    let topics = Cluster(BTreeMap::from([("t", 2)]));
    let mut group = Group::new(TIMES);
    let _ = group.heartbeat(at(0), joining("a", &["t"]), &topics);
    let _ = group.heartbeat(at(0), joining("b", &["t"]), &topics);
    let _ = group.heartbeat(at(0), owning("a", 2, part("t", 0..2)), &topics);
    for now in [20, 40] {
        assert!(group.heartbeat(at(now), beat("a", 2), &topics).is_ok());
        assert!(group.heartbeat(at(now), beat("b", 3), &topics).is_ok());
        group.tick(at(now), &topics);
    }
    group.tick(at(60), &topics);
    let unknown = group.heartbeat(at(60), beat("a", 2), &topics);
    assert_eq!(unknown, Err(ResponseError::UnknownMemberId));
    assert_eq!(
        told(group.heartbeat(at(60), beat("b", 3), &topics)),
        (4, Some(part("t", 0..2)))
    );
}

#[test]
fn sessions_end_and_members_leave() {
    let topics = Cluster(BTreeMap::from([("t", 2)]));
    let mut group = Group::new(TIMES);
    let _ = group.heartbeat(at(0), joining("a", &["t"]), &topics);
    assert_eq!(group.next_deadline(), Some(at(45)));
    group.tick(at(45), &topics);
    assert!(group.is_empty());

    let _ = group.heartbeat(at(46), joining("a", &["t"]), &topics);
    let left = group.heartbeat(at(47), beat("a", -1), &topics);
    assert_eq!(told(left), (-1, None));
    assert_eq!((group.state(), group.epoch()), ("Empty", 5));
}

#[test]
fn epochs_fence() {
    let topics = Cluster(BTreeMap::from([("t", 2)]));
    let mut group = Group::new(TIMES);
    let _ = group.heartbeat(at(0), joining("a", &["t"]), &topics);
    let newer = group.heartbeat(at(0), beat("a", 3), &topics);
    assert_eq!(newer, Err(ResponseError::FencedMemberEpoch));
    let unknown = group.heartbeat(at(0), beat("x", 2), &topics);
    assert_eq!(unknown, Err(ResponseError::UnknownMemberId));
    assert_eq!(group.check_commit("a", 2), Ok(()));
    assert_eq!(group.check_commit("a", 0), Err(ResponseError::StaleMemberEpoch));
    assert_eq!(group.check_commit("", -1), Err(ResponseError::UnknownMemberId));
}

#[test]
fn new_topics_and_partitions_are_assigned_with_the_next_heartbeat() {
    let mut topics = Cluster(BTreeMap::from([("t", 1)]));
    let mut group = Group::new(TIMES);
    let _ = group.heartbeat(at(0), joining("a", &["t", "u"]), &topics);
    topics.0.insert("t", 2);
    topics.0.insert("u", 1);
    let (epoch, given) = told(group.heartbeat(at(1), beat("a", 2), &topics));
    let mut all = part("t", 0..2);
    all.extend(part("u", 0..1));
    assert_eq!((epoch, given), (3, Some(all)));
}

#[test]
fn a_pattern_subscribes_whole_names() {
    let topics = Cluster(BTreeMap::from([("ab", 1), ("b", 1), ("xab", 1)]));
    let mut group = Group::new(TIMES);
    let pattern = Beat {
        topics: None,
        pattern: Some("a.*|b".to_owned()),
        ..joining("a", &[])
    };
    let (_, given) = told(group.heartbeat(at(0), pattern, &topics));
    let mut wanted = part("ab", 0..1);
    wanted.extend(part("b", 0..1));
    assert_eq!(given, Some(wanted));
    let broken = Beat {
        pattern: Some("(".to_owned()),
        ..joining("b", &[])
    };
    let broken = group.heartbeat(at(0), broken, &topics);
    assert_eq!(broken, Err(ResponseError::InvalidRegularExpression));
}

#[test]
fn a_static_member_keeps_its_partitions_while_it_is_away() {
    let topics = Cluster(BTreeMap::from([("t", 2)]));
    let mut group = Group::new(TIMES);
    let named = |member: &str| Beat {
        instance: Some("one".to_owned()),
        ..joining(member, &["t"])
    };
    let _ = group.heartbeat(at(0), named("a"), &topics);
    let taken = group.heartbeat(at(1), named("b"), &topics);
    assert_eq!(taken, Err(ResponseError::UnreleasedInstanceId));
    let away = Beat {
        epoch: -2,
        instance: Some("one".to_owned()),
        ..beat("a", -2)
    };
    assert_eq!(told(group.heartbeat(at(1), away, &topics)), (-2, None));
    let back = group.heartbeat(at(2), named("b"), &topics);
    assert_eq!(
        told(back),
        (2, Some(part("t", 0..2))),
        "nothing has changed for the group"
    );
}

#[test]
fn ranges_are_neighbours_and_uniform_moves_little() {
    let topics = Cluster(BTreeMap::from([("t", 5), ("u", 5)]));
    let mut group = Group::new(TIMES);
    for member in ["a", "b"] {
        let range = Beat {
            assignor: Some("range".to_owned()),
            ..joining(member, &["t", "u"])
        };
        let _ = group.heartbeat(at(0), range, &topics);
    }
    assert_eq!(group.target("a")[&id("t")], BTreeSet::from([0, 1, 2]));
    assert_eq!(group.target("a")[&id("u")], BTreeSet::from([0, 1, 2]));

    let mut group = Group::new(TIMES);
    let _ = group.heartbeat(at(0), joining("a", &["t", "u"]), &topics);
    let _ = group.heartbeat(at(0), joining("b", &["t", "u"]), &topics);
    let count = |assignment: Assignment| assignment.values().map(BTreeSet::len).sum::<usize>();
    assert_eq!((count(group.target("a")), count(group.target("b"))), (5, 5));
    let (a, b) = (group.target("a"), group.target("b"));
    let _ = group.heartbeat(at(0), joining("c", &["t", "u"]), &topics);
    let stays = |before: &Assignment, after: &Assignment| {
        after
            .iter()
            .all(|(topic, all)| before.get(topic).is_some_and(|had| all.is_subset(had)))
    };
    assert!(
        stays(&a, &group.target("a")) && stays(&b, &group.target("b")),
        "only c gains"
    );
    assert_eq!(count(group.target("c")), 3);
}

#[test]
fn a_heartbeat_is_checked_whatever_the_group() {
    let code = |beat: Beat| beat.check().err().map(|(error, _)| error);
    assert_eq!(code(joining("a", &["t"])), None);
    let invalid = Some(ResponseError::InvalidRequest);
    assert_eq!(
        code(Beat {
            topics: None,
            ..joining("a", &[])
        }),
        invalid
    );
    assert_eq!(
        code(Beat {
            rebalance_timeout: None,
            ..joining("a", &["t"])
        }),
        invalid
    );
    assert_eq!(
        code(Beat {
            owned: None,
            ..joining("a", &["t"])
        }),
        invalid
    );
    assert_eq!(code(beat("a", -3)), invalid);
    assert_eq!(code(beat("a", -2)), invalid);
    let assignor = Beat {
        assignor: Some("best".to_owned()),
        ..joining("a", &["t"])
    };
    assert_eq!(code(assignor), Some(ResponseError::UnsupportedAssignor));
}
