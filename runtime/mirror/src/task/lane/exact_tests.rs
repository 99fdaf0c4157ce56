//! Lanes that are exact: what is sent when, and what the target's log makes of it.

use std::time::Instant;

use towpath_domain::{
    LeaderEpoch, Offset, TopicId, TopicPartition,
    offset_map::{Run, Runs, SourceAt},
    state::PartitionState,
};
use towpath_wire::{
    NodeId,
    batch::{Compression, Encoder, Headers, Record, SourceSpan},
    positions::Anchor,
};

use super::{Failure, Landed, Lane, Plan, Prepared, Ticket};
use crate::task::{Assignment, Stored, budget::Budget};

const NODE: NodeId = NodeId(1);

/// Goes on at source offset 100, target offset 50.
pub(super) fn lane(runs: &[(i64, i64)], is_stored: bool) -> Lane {
    let anchor = Anchor {
        producer: 9,
        epoch: 2,
        sequence: i32::MAX - 1,
        offset: Offset(48),
    };
    Lane::new(Assignment {
        source: TopicPartition::new("a", 0),
        topic_id: TopicId::ZERO,
        target: TopicPartition::new("b", 0),
        target_id: TopicId::ZERO,
        batches: None,
        start: (Offset(100), LeaderEpoch(-1)),
        stored: Some(Stored {
            offset: Offset(100),
            target_next: Some(Offset(50)),
        }),
        state: PartitionState::Mirroring,
        plan: Some(Plan::new(anchor, of(runs), Offset(50), is_stored)),
        skip: 0,
        compacted: None,
        preserved: None,
        is_contested: false,
    })
}

pub(super) fn of(runs: &[(i64, i64)]) -> Runs {
    let run = |&(source, target): &(i64, i64)| Run {
        source: Offset(source),
        target: Offset(target),
    };
    runs.iter().map(run).collect()
}

/// Records of these source offsets, in one batch.
pub(super) fn batch(offsets: &[i64]) -> Prepared {
    batch_at(offsets, 0)
}

/// As [`batch`], of records of this time, ms.
pub(super) fn batch_at(offsets: &[i64], timestamp: i64) -> Prepared {
    let mut encoder = Encoder::new(Compression::None);
    for offset in offsets {
        let record = Record {
            offset: Offset(*offset),
            timestamp,
            key: None,
            value: Some(b"v"),
            headers: Headers::EMPTY,
        };
        encoder.push(&record).unwrap();
    }
    let span = SourceSpan {
        first: Offset(offsets[0]),
        next: Offset(offsets[offsets.len() - 1] + 1),
    };
    Prepared {
        outgoing: encoder.finish(span).unwrap(),
        epoch: LeaderEpoch(3),
        share: Budget::new(1).take(1),
        target: None,
    }
}

pub(super) fn read(lane: &mut Lane, offsets: &[i64]) {
    lane.push(batch(offsets));
    lane.read_up_to(Offset(offsets[offsets.len() - 1] + 1), LeaderEpoch(3));
}

pub(super) fn store(lane: &mut Lane) {
    let mark = lane.mark(Instant::now()).expect("there is something to store");
    lane.stored(mark);
}

/// Sends what may be sent; the sequences.
pub(super) fn send(lane: &mut Lane, ticket: u64) -> Option<i32> {
    let now = Instant::now();
    lane.wants_send(now).then(|| {
        let header = *lane.send(Ticket(ticket), NODE, now).unwrap().header();
        i32::from_be_bytes(header[53..57].try_into().unwrap())
    })
}

pub(super) fn runs(lane: &Lane) -> Vec<(i64, i64)> {
    let runs = lane.exact.as_ref().unwrap().plan.runs.iter();
    runs.map(|run| (run.source.0, run.target.0)).collect()
}

#[test]
fn sequences_follow_from_the_place_on_the_target_and_begin_again_at_0() {
    let mut lane = lane(&[(90, 40)], true);
    read(&mut lane, &[100, 101, 102]);
    read(&mut lane, &[103]);
    assert_eq!(send(&mut lane, 1), Some(0), "two records behind i32::MAX - 1");
    lane.appended(Ticket(1), Some(Offset(50)));
    assert_eq!(send(&mut lane, 2), Some(3));
}

#[test]
fn a_batch_behind_a_hole_is_sent_when_the_hole_is_stored_and_those_before_it_at_once() {
    let mut lane = lane(&[(90, 40)], true);
    read(&mut lane, &[100, 101]);
    read(&mut lane, &[105, 106, 109]);
    assert_eq!(runs(&lane), [(90, 40), (105, 52), (109, 54)]);
    assert!(send(&mut lane, 1).is_some(), "it goes on as the stored run does");
    lane.appended(Ticket(1), Some(Offset(50)));
    assert_eq!(send(&mut lane, 2), None);
    let mark = lane.mark(Instant::now()).unwrap();
    // What is read while the row is written is not in it.
    read(&mut lane, &[120]);
    lane.stored(mark);
    assert!(send(&mut lane, 2).is_some());
    lane.appended(Ticket(2), Some(Offset(52)));
    assert_eq!(send(&mut lane, 3), None);
    store(&mut lane);
    assert!(send(&mut lane, 3).is_some());
}

#[test]
fn nothing_is_sent_before_another_anchor_is_stored() {
    let mut lane = lane(&[(100, 50)], false);
    read(&mut lane, &[100]);
    assert_eq!(send(&mut lane, 1), None);
    store(&mut lane);
    assert!(send(&mut lane, 1).is_some());
}

#[test]
fn a_record_that_became_several_is_sent_when_it_is_stored_how_many() {
    let mut lane = lane(&[(90, 40)], true);
    read(&mut lane, &[100, 101, 101, 101, 102]);
    assert_eq!(runs(&lane), [(90, 40), (102, 54)]);
    assert_eq!(
        send(&mut lane, 1),
        None,
        "the end at 52 would look like source offset 102"
    );
    store(&mut lane);
    assert!(send(&mut lane, 1).is_some());
    let plan = &lane.exact.as_ref().unwrap().plan;
    let skip = |target| plan.runs.source_at(Offset(target)).unwrap();
    assert_eq!((skip(52).offset, skip(52).skip), (Offset(101), 1));
}

#[test]
fn the_several_of_one_record_may_be_in_two_batches() {
    let mut lane = lane(&[(90, 40)], true);
    read(&mut lane, &[100, 101, 101]);
    read(&mut lane, &[101, 102]);
    assert_eq!(runs(&lane), [(90, 40), (102, 54)]);
    assert_eq!(send(&mut lane, 1), None);
    store(&mut lane);
    assert!(send(&mut lane, 1).is_some() && send(&mut lane, 2).is_none());
}

#[test]
fn what_was_let_go_is_planned_anew_and_a_row_of_the_old_plan_does_not_count() {
    let mut lane = lane(&[(90, 40)], true);
    read(&mut lane, &[105]);
    let mark = lane.mark(Instant::now()).unwrap();
    lane.let_go(&Budget::new(1000));
    assert_eq!(lane.next_fetch, Some(Offset(100)));
    read(&mut lane, &[107]);
    lane.stored(mark);
    assert_eq!(send(&mut lane, 1), None, "the row says 105");
    store(&mut lane);
    assert!(send(&mut lane, 1).is_some());
}

#[test]
fn after_a_lost_answer_only_what_is_not_in_the_log_goes_again() {
    let mut lane = lane(&[(90, 40)], true);
    for first in [100, 102, 104] {
        read(&mut lane, &[first, first + 1]);
    }
    let first = send(&mut lane, 1);
    lane.appended(Ticket(1), Some(Offset(50)));
    assert!(send(&mut lane, 2).is_some() && send(&mut lane, 3).is_some());
    for ticket in [2, 3] {
        lane.failed(Ticket(ticket), Failure::Retry("gone".to_owned()));
    }
    assert!(lane.settle().is_some());
    assert_eq!(lane.located_from(), Some(Offset(52)));
    // The first of both is there.
    assert_eq!(lane.landed(Offset(54), Instant::now()), Landed::Here);
    assert_eq!(lane.located_from(), Some(Offset(54)));
    assert_eq!(send(&mut lane, 4), first.map(|sequence| sequence + 4));
    lane.appended(Ticket(4), Some(Offset(54)));
    assert_eq!(lane.mark(Instant::now()).unwrap().next, Offset(106));
}

#[test]
fn an_end_within_a_batch_is_another_owner_and_a_former_owner_only_at_the_beginning() {
    let mut lane = lane(&[(90, 40), (120, 60)], true);
    read(&mut lane, &[100, 101, 102]);
    assert_eq!(
        lane.landed(Offset(62), Instant::now()),
        Landed::Former(SourceAt {
            offset: Offset(122),
            skip: 0
        }),
        "by the former owner's runs"
    );
    lane.go_on_behind(
        Offset(62),
        SourceAt {
            offset: Offset(122),
            skip: 0,
        },
    );
    assert_eq!(lane.next_fetch, Some(Offset(122)));
    read(&mut lane, &[122, 123]);
    store(&mut lane);
    assert!(send(&mut lane, 1).is_some());
    lane.appended(Ticket(1), Some(Offset(62)));
    read(&mut lane, &[124, 125]);
    assert_eq!(lane.landed(Offset(65), Instant::now()), Landed::Elsewhere);
}

#[test]
fn an_answer_with_another_place_stops_the_lane_and_counts_nothing() {
    let mut lane = lane(&[(90, 40)], true);
    read(&mut lane, &[100]);
    send(&mut lane, 1).unwrap();
    lane.appended(Ticket(1), Some(Offset(51)));
    assert_eq!(lane.state, PartitionState::SecondWriter { offset: Offset(50) });
    assert_eq!(lane.located_from(), Some(Offset(50)));
}

#[test]
fn a_lane_that_ends_in_peace_says_so_and_one_with_open_questions_does_not() {
    let mut lane = lane(&[(90, 40)], true);
    read(&mut lane, &[100]);
    send(&mut lane, 1).unwrap();
    lane.close();
    assert!(lane.mark(Instant::now()).is_none_or(|mark| mark.is_open));
    lane.appended(Ticket(1), Some(Offset(50)));
    assert!(!lane.mark(Instant::now()).unwrap().is_open);
    store(&mut lane);
    assert!(lane.mark(Instant::now()).is_none());

    let mut lane = self::lane(&[(90, 40)], true);
    read(&mut lane, &[100]);
    send(&mut lane, 1).unwrap();
    lane.failed(Ticket(1), Failure::Retry("gone".to_owned()));
    lane.settle().unwrap();
    lane.close();
    lane.abandon();
    assert!(
        lane.mark(Instant::now()).is_none_or(|mark| mark.is_open),
        "it may still come"
    );
}

#[test]
fn a_look_at_the_log_does_not_end_the_wait_for_what_is_late() {
    let mut lane = lane(&[(90, 40)], true);
    read(&mut lane, &[100]);
    send(&mut lane, 1).unwrap();
    lane.failed(Ticket(1), Failure::Retry("gone".to_owned()));
    lane.settle().unwrap();
    // Not there yet, and not sent again before the task ends: it may come when nobody looks.
    assert_eq!(lane.landed(Offset(50), Instant::now()), Landed::Here);
    let mut ended = std::mem::replace(&mut lane, self::lane(&[(90, 40)], true));
    ended.close();
    ended.abandon();
    assert!(ended.mark(Instant::now()).is_none_or(|mark| mark.is_open));

    read(&mut lane, &[100]);
    send(&mut lane, 1).unwrap();
    lane.failed(Ticket(1), Failure::Retry("gone".to_owned()));
    lane.settle().unwrap();
    assert_eq!(lane.landed(Offset(51), Instant::now()), Landed::Here);
    lane.close();
    assert!(!lane.mark(Instant::now()).unwrap().is_open, "it has come");
}
