//! Lanes whose records keep their offsets: what is before a record's place, and what waits for it.

use std::time::{Duration, Instant, SystemTime};

use towpath_domain::{LeaderEpoch, Offset, TopicId, TopicPartition, state::PartitionState};
use towpath_wire::{
    ProducerId,
    batch::Outgoing,
    positions::{Anchor, Preserved},
};

use super::{
    Failure, Gap, Landed, Lane, Plan, Ticket, Transactions,
    exact_tests::{batch_at, of, read, send, store},
};
use crate::task::{Assignment, Stored, budget::Budget};

const OWN: ProducerId = ProducerId { id: 9, epoch: 2 };

/// The target's log ends at `end`, the source's begins at `begins`.
fn lane(end: i64, begins: i64, readable: bool) -> Lane {
    let anchor = Anchor {
        producer: OWN.id,
        epoch: OWN.epoch,
        sequence: 0,
        offset: Offset(end),
    };
    Lane::new(Assignment {
        source: TopicPartition::new("a", 0),
        topic_id: TopicId::ZERO,
        target: TopicPartition::new("b", 0),
        target_id: TopicId::ZERO,
        batches: None,
        start: (Offset(begins.max(end)), LeaderEpoch(-1)),
        stored: Some(Stored {
            offset: Offset(end),
            target_next: Some(Offset(end)),
        }),
        state: PartitionState::Mirroring,
        plan: Some(Plan::new(anchor, of(&[(end, end)]), Offset(end), false).preserving()),
        skip: 0,
        compacted: None,
        preserved: Some(Preserved {
            begins: Offset(begins),
            readable,
        }),
        is_contested: false,
    })
}

fn gap(lane: &Lane) -> Option<Gap> {
    lane.gap(Instant::now())
}

fn middle(from: i64, to: i64) -> Option<Gap> {
    Some(Gap::Middle {
        from: Offset(from),
        to: Offset(to),
    })
}

fn start(from: i64, to: i64) -> Option<Gap> {
    Some(Gap::Start {
        from: Offset(from),
        to: Offset(to),
    })
}

fn position(lane: &Lane) -> Option<i64> {
    lane.status().unwrap().position
}

fn fill(lane: &mut Lane, from: i64, records: i32) {
    let filler = Outgoing::filler(records).unwrap().moved_to(Offset(from));
    lane.fill(filler, Budget::new(1).take(1));
}

/// Goes on at 100, where all is written and stored.
fn begun() -> Lane {
    let mut lane = lane(98, 90, true);
    read(&mut lane, &[98, 99]);
    store(&mut lane);
    assert_eq!(send(&mut lane, 100), Some(0));
    lane.appended(Ticket(100), Some(Offset(98)));
    lane
}

#[test]
fn what_is_before_the_first_record_is_filled_when_the_row_says_so() {
    let mut lane = lane(0, 50, false);
    assert_eq!(
        (gap(&lane), position(&lane)),
        (None, Some(0)),
        "nobody knows of it yet"
    );
    store(&mut lane);
    assert_eq!(gap(&lane), start(0, 50));
    fill(&mut lane, 0, 30);
    assert_eq!(send(&mut lane, 1), Some(0));
    assert_eq!(gap(&lane), None, "it is on its way");
    lane.appended(Ticket(1), Some(Offset(0)));
    assert_eq!((gap(&lane), position(&lane)), (start(30, 50), Some(30)));
    fill(&mut lane, 30, 20);
    assert_eq!(send(&mut lane, 2), Some(30));
    lane.appended(Ticket(2), Some(Offset(30)));
    read(&mut lane, &[50, 51]);
    assert_eq!(
        (gap(&lane), send(&mut lane, 3)),
        (None, Some(50)),
        "sequences go on"
    );
    lane.appended(Ticket(3), Some(Offset(50)));
    assert_eq!(lane.records, 2, "filler is no record");
    assert_eq!(lane.status().unwrap().state, "filling");
}

#[test]
fn a_first_record_behind_the_start_of_the_log_is_told_by_the_row_before_it_is_filled() {
    let mut lane = lane(0, 0, false);
    store(&mut lane);
    read(&mut lane, &[40]);
    assert_eq!(send(&mut lane, 1), None);
    assert_eq!(gap(&lane), start(0, 40));
    let before = lane.mark(Instant::now());
    lane.begins_at(Offset(0), Offset(40));
    assert_eq!(gap(&lane), None);
    if let Some(mark) = before {
        lane.stored(mark);
        assert_eq!(gap(&lane), None, "that row did not say it");
    }
    store(&mut lane);
    assert_eq!(gap(&lane), start(0, 40));
}

#[test]
fn between_records_markers_come_first_and_the_sequence_goes_on_or_begins_anew() {
    for (producer, sequence) in [(OWN, 3), (ProducerId { epoch: 3, ..OWN }, 0)] {
        let mut lane = begun();
        read(&mut lane, &[100]);
        read(&mut lane, &[105]);
        assert_eq!(send(&mut lane, 1), Some(2));
        assert_eq!(
            (send(&mut lane, 2), gap(&lane)),
            (None, None),
            "all before it first"
        );
        lane.appended(Ticket(1), Some(Offset(100)));
        assert_eq!((send(&mut lane, 2), gap(&lane)), (None, middle(101, 105)));
        lane.marked(producer, (Offset(101), Offset(105)));
        assert_eq!((gap(&lane), position(&lane)), (None, Some(105)));
        assert_eq!(send(&mut lane, 2), Some(sequence));
        lane.appended(Ticket(2), Some(Offset(105)));
        assert_eq!(position(&lane), Some(106));
    }
}

#[test]
fn markers_at_the_end_of_the_source_are_markers_on_the_target_before_they_count() {
    let mut lane = begun();
    lane.read_up_to(Offset(103), LeaderEpoch(3));
    assert_eq!((gap(&lane), position(&lane)), (middle(100, 103), Some(100)));
    lane.marked(OWN, (Offset(100), Offset(103)));
    assert_eq!((gap(&lane), position(&lane)), (None, Some(103)));
}

#[test]
fn after_a_failure_the_end_before_a_gap_is_where_it_should_be() {
    let mut lane = begun();
    read(&mut lane, &[100]);
    read(&mut lane, &[105]);
    assert_eq!(send(&mut lane, 1), Some(2));
    lane.failed(Ticket(1), Failure::Retry("lost".to_owned()));
    assert!(lane.settle().is_some());
    assert_eq!(gap(&lane), None, "what was sent may still come");
    assert_eq!(lane.landed(Offset(101), Instant::now()), Landed::Here);
    assert_eq!(gap(&lane), middle(101, 105));
    let mut lane = begun();
    read(&mut lane, &[100]);
    assert_eq!(lane.landed(Offset(102), Instant::now()), Landed::Elsewhere);
}

#[test]
fn what_is_let_go_is_read_again_where_it_can_be_read() {
    let mut lane = lane(0, 50, false);
    store(&mut lane);
    read(&mut lane, &[50]);
    lane.let_go(&Budget::new(1));
    assert_eq!(
        lane.next_fetch,
        Some(Offset(50)),
        "not what is before the first record"
    );
}

#[test]
fn a_log_is_for_consumers_when_it_has_begun_there_for_a_minute() {
    let mut lane = lane(0, 50, false);
    store(&mut lane);
    fill(&mut lane, 0, 50);
    send(&mut lane, 1);
    lane.appended(Ticket(1), Some(Offset(0)));
    let now = Instant::now();
    let later = |seconds| now + Duration::from_secs(seconds);
    lane.end = Some(Offset(50));
    lane.begins_there(Offset(0), now);
    lane.begins_there(Offset(50), later(1));
    lane.begins_there(Offset(50), later(59));
    assert!(lane.is_filling());
    // The broker was killed before it had noted it.
    lane.begins_there(Offset(0), later(60));
    lane.begins_there(Offset(50), later(62));
    assert!(lane.is_filling());
    lane.begins_there(Offset(50), later(122));
    assert!(!lane.is_filling());
    assert!(lane.mark(now).is_some(), "the row says so");
}

#[test]
fn a_log_in_which_records_are_still_looked_for_is_not_for_consumers() {
    let mut lane = lane(0, 0, false);
    store(&mut lane);
    let now = Instant::now();
    lane.end = Some(Offset(90));
    lane.begins_there(Offset(0), now);
    lane.begins_there(Offset(0), now + Duration::from_secs(100));
    assert!(
        lane.is_filling(),
        "the first one may come with an offset that needs filler"
    );
}

fn young() -> i64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64
}

fn read_at(lane: &mut Lane, offsets: &[i64], timestamp: i64) {
    lane.push(batch_at(offsets, timestamp));
    lane.read_up_to(Offset(offsets[offsets.len() - 1] + 1), LeaderEpoch(3));
}

/// Records of a day ago are forgotten.
fn forgetful(mut lane: Lane) -> Lane {
    let day = Duration::from_secs(24 * 3600);
    lane.exact.as_mut().unwrap().forgotten = Transactions::OlderThan(day);
    lane
}

#[test]
fn old_records_wait_until_nothing_comes_late_and_the_log_was_looked_at_since() {
    let now = Instant::now();
    let at = now + Duration::from_secs(30);
    let mut lane = forgetful(begun());
    lane.settles(at);
    // A young one goes at once.
    read_at(&mut lane, &[100], young());
    assert!(!lane.settle_late(now));
    assert_eq!(send(&mut lane, 1), Some(2));
    read_at(&mut lane, &[101], 0);
    assert_eq!(
        (lane.settle_late(at), send(&mut lane, 2)),
        (false, None),
        "the log's end is not known"
    );
    lane.appended(Ticket(1), Some(Offset(100)));
    assert_eq!((lane.settle_late(now), send(&mut lane, 2)), (false, None));
    assert!(lane.is_paused(now) && !lane.is_paused(at));
    // Whoever is next is told that something may come late.
    lane.close();
    let mark = lane.mark(now).unwrap();
    assert!(mark.is_open);

    let mut lane = forgetful(begun());
    lane.settles(at);
    read_at(&mut lane, &[100], 0);
    lane.exact.as_mut().unwrap().locating = true;
    assert!(!lane.settle_late(at), "that look may have begun before");
    lane.exact.as_mut().unwrap().locating = false;
    assert!(lane.settle_late(at), "the log is looked at");
    assert_eq!(lane.landed(Offset(100), at), Landed::Here);
    assert_eq!(send(&mut lane, 1), Some(2));
    assert!(!lane.settle_late(at));
}

#[test]
fn what_a_former_owner_has_written_late_is_not_written_again() {
    let at = Instant::now();
    let mut lane = forgetful(lane(100, 90, true));
    store(&mut lane);
    lane.settles(at);
    read_at(&mut lane, &[100], 0);
    read_at(&mut lane, &[101], 0);
    assert!(lane.settle_late(at));
    assert_eq!(lane.landed(Offset(101), at), Landed::Here);
    assert_eq!((send(&mut lane, 1), lane.first_offset()), (Some(1), None));
}
