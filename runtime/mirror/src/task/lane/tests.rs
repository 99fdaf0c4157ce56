use towpath_domain::TopicName;
use towpath_wire::batch::{
    self, Compression, Encoder, Headers, Record, SourceSpan, TimestampType, Transactional,
};

use super::{ledger::GATE_AGE, *};
use crate::task::{Stored, budget::Budget};

const IDENTITY: ProducerIdentity = ProducerIdentity {
    id: 7,
    epoch: 0,
    transactional: Transactional::No,
};

pub(super) fn lane() -> Lane {
    let mut lane = Lane::new(Assignment {
        source: TopicPartition::new("a", 0),
        topic_id: TopicId::ZERO,
        target: TopicPartition {
            topic: TopicName::new("b"),
            partition: towpath_domain::Partition(0),
        },
        target_id: TopicId::ZERO,
        batches: Some(batch::Target {
            timestamp_type: TimestampType::CreateTime,
            max_message_bytes: 1 << 20,
        }),
        start: (Offset(0), LeaderEpoch(-1)),
        plan: None,
        skip: 0,
        compacted: None,
        preserved: None,
        is_contested: false,
        stored: Some(Stored {
            offset: Offset(0),
            target_next: None,
        }),
        state: PartitionState::Mirroring,
    });
    lane.identify(IDENTITY);
    lane
}

/// A lane whose producer the broker knows: one record is on the target already.
fn known() -> Lane {
    let mut lane = lane();
    let now = Instant::now();
    read(&mut lane, &[(0, 1)]);
    send(&mut lane, 100, now).unwrap();
    lane.appended(Ticket(100), Some(Offset(0)));
    let mark = lane.mark(now).unwrap();
    lane.stored(mark);
    lane
}

/// A batch of `records` records from this source offset on.
fn batch(first: i64, records: i64) -> Prepared {
    let mut encoder = Encoder::new(Compression::None);
    for offset in first..first + records {
        let record = Record {
            offset: Offset(offset),
            timestamp: 0,
            key: None,
            value: Some(b"v"),
            headers: Headers::EMPTY,
        };
        encoder.push(&record).unwrap();
    }
    let outgoing = encoder
        .finish(SourceSpan {
            first: Offset(first),
            next: Offset(first + records),
        })
        .unwrap();
    Prepared {
        outgoing,
        epoch: LeaderEpoch(3),
        share: Budget::new(1).take(1),
        target: None,
    }
}

fn read(lane: &mut Lane, batches: &[(i64, i64)]) {
    for &(first, records) in batches {
        lane.push(batch(first, records));
        lane.read_up_to(Offset(first + records), LeaderEpoch(3));
    }
}

/// Sends one and says what it carries: base sequence and first source offset.
fn send(lane: &mut Lane, ticket: u64, now: Instant) -> Option<(i32, i64)> {
    if !lane.wants_send(now) {
        return None;
    }
    let outgoing = lane.send(Ticket(ticket), NodeId(1), now)?;
    let sequence = i32::from_be_bytes(outgoing.header()[53..57].try_into().unwrap());
    Some((sequence, outgoing.source().first.0))
}

#[test]
fn a_position_never_passes_what_is_not_acknowledged() {
    let now = Instant::now();
    let mut lane = known();
    read(&mut lane, &[(1, 10), (11, 10), (21, 10)]);
    assert_eq!(
        [send(&mut lane, 1, now), send(&mut lane, 2, now)],
        [Some((1, 1)), Some((11, 11))]
    );
    lane.appended(Ticket(2), Some(Offset(111)));
    assert!(lane.mark(now).is_none(), "the second is in, the first may not be");
    lane.appended(Ticket(1), Some(Offset(101)));
    let mark = lane.mark(now).unwrap();
    assert_eq!(
        (mark.next, mark.epoch, mark.target_next),
        (Offset(21), LeaderEpoch(3), Some(Offset(121)))
    );
    lane.stored(mark);
    assert!(lane.mark(now).is_none());
    assert_eq!(send(&mut lane, 3, now), Some((21, 21)));
    lane.appended(Ticket(3), Some(Offset(121)));
    assert_eq!(lane.mark(now).unwrap().next, Offset(31));
}

#[test]
fn a_producer_that_the_broker_may_not_know_sends_one_batch_alone() {
    let now = Instant::now();
    let mut lane = lane();
    read(&mut lane, &[(0, 1), (1, 1), (2, 1)]);
    assert_eq!(send(&mut lane, 1, now), Some((0, 0)));
    assert_eq!(
        send(&mut lane, 2, now),
        None,
        "without state the broker would take it even if the first fails"
    );
    lane.failed(Ticket(1), Failure::Retry("NOT_LEADER_OR_FOLLOWER".to_owned()));
    lane.settle().unwrap();
    assert_eq!(send(&mut lane, 3, now), Some((0, 0)));
    assert_eq!(send(&mut lane, 4, now), None);
    lane.appended(Ticket(3), Some(Offset(0)));
    assert!(send(&mut lane, 5, now).is_some() && send(&mut lane, 6, now).is_some());
}

#[test]
fn after_a_failure_everything_goes_again_with_the_same_sequences_once_all_answers_are_in() {
    let now = Instant::now();
    let mut lane = known();
    read(&mut lane, &[(1, 10), (11, 10), (21, 10), (31, 10)]);
    for ticket in 1..=3 {
        send(&mut lane, ticket, now).unwrap();
    }
    lane.appended(Ticket(1), Some(Offset(1)));
    lane.failed(Ticket(3), Failure::Identity("45".to_owned()));
    assert!(lane.settle().is_none(), "an answer is awaited");
    assert_eq!(send(&mut lane, 4, now), None, "nothing is sent meanwhile");
    lane.failed(Ticket(2), Failure::Retry("NOT_LEADER_OR_FOLLOWER".to_owned()));
    assert!(
        matches!(lane.settle(), Some(Failure::Retry(_))),
        "the first failure decides: the later one follows from it"
    );
    assert_eq!(send(&mut lane, 5, now), Some((11, 11)));
    lane.appended(Ticket(5), None);
    assert_eq!(
        [send(&mut lane, 6, now), send(&mut lane, 7, now)],
        [Some((21, 21)), Some((31, 31))]
    );
}

#[test]
fn another_producer_begins_at_sequence_0_with_the_first_batch_that_failed() {
    let now = Instant::now();
    let mut lane = known();
    read(&mut lane, &[(1, 10), (11, 10)]);
    send(&mut lane, 1, now);
    send(&mut lane, 2, now);
    lane.failed(Ticket(1), Failure::Identity("UNKNOWN_PRODUCER_ID".to_owned()));
    lane.failed(
        Ticket(2),
        Failure::Identity("OUT_OF_ORDER_SEQUENCE_NUMBER".to_owned()),
    );
    assert!(matches!(lane.settle(), Some(Failure::Identity(_))));
    lane.identify(ProducerIdentity { id: 8, ..IDENTITY });
    assert_eq!(send(&mut lane, 3, now), Some((0, 1)));
    lane.appended(Ticket(3), None);
    assert_eq!(send(&mut lane, 4, now), Some((10, 11)));
}

#[test]
fn at_most_five_are_on_the_wire() {
    let now = Instant::now();
    let mut lane = known();
    read(&mut lane, &(1..9).map(|index| (index, 1)).collect::<Vec<_>>());
    let sent = (0..8)
        .filter(|ticket| send(&mut lane, *ticket, now).is_some())
        .count();
    assert_eq!(sent, MAX_IN_FLIGHT);
}

#[test]
fn the_gate_bounds_what_a_killed_worker_doubles() {
    let start = Instant::now();
    let mut lane = known();
    read(
        &mut lane,
        &(0..7)
            .map(|index| (1 + index * 20_000, 20_000))
            .collect::<Vec<_>>(),
    );
    assert!(send(&mut lane, 1, start).is_some() && send(&mut lane, 2, start).is_some());
    assert_eq!(
        send(&mut lane, 3, start),
        None,
        "60,000 records would have no position"
    );
    lane.appended(Ticket(1), None);
    lane.appended(Ticket(2), None);
    assert_eq!(send(&mut lane, 3, start), None, "acknowledged is not stored");
    assert_eq!(lane.mark_due_at(start, Duration::from_secs(1)), start);
    let mark = lane.mark(start).unwrap();
    lane.stored(mark);
    assert!(send(&mut lane, 3, start).is_some());
    lane.appended(Ticket(3), None);
    assert_eq!(
        send(&mut lane, 4, start + GATE_AGE),
        None,
        "an acknowledged record would be without a position for too long"
    );
    let mark = lane.mark(start).unwrap();
    lane.stored(mark);
    assert!(send(&mut lane, 4, start + GATE_AGE).is_some());
}

#[test]
fn one_batch_above_the_gate_is_admitted_alone() {
    let now = Instant::now();
    let mut lane = known();
    read(&mut lane, &[(1, 60_000), (60_001, 1)]);
    assert!(send(&mut lane, 1, now).is_some());
    assert_eq!(send(&mut lane, 2, now), None);
}

#[test]
fn what_was_read_and_abandoned_is_not_taken_for_mirrored() {
    let now = Instant::now();
    let mut lane = lane();
    read(&mut lane, &[(0, 10), (10, 10), (20, 10)]);
    send(&mut lane, 1, now);
    lane.abandon();
    lane.appended(Ticket(1), Some(Offset(0)));
    assert_eq!(
        lane.mark(now).unwrap().next,
        Offset(10),
        "10 to 30 were read, never sent"
    );
    assert!(!lane.wants_fetch(now));
}

#[test]
fn what_has_nothing_for_the_target_is_passed_once_all_before_it_is_in() {
    let now = Instant::now();
    let mut lane = lane();
    read(&mut lane, &[(0, 10)]);
    lane.read_up_to(Offset(15), LeaderEpoch(4));
    assert!(lane.mark(now).is_none());
    send(&mut lane, 1, now);
    lane.appended(Ticket(1), Some(Offset(0)));
    let mark = lane.mark(now).unwrap();
    assert_eq!((mark.next, mark.epoch), (Offset(15), LeaderEpoch(4)));
    lane.stored(mark);
    lane.read_up_to(Offset(16), LeaderEpoch(4));
    assert_eq!(
        lane.mark(now).unwrap().next,
        Offset(16),
        "markers alone move the position too"
    );
}

#[test]
fn a_lane_stopped_at_a_bad_batch_still_mirrors_what_was_before_it() {
    let now = Instant::now();
    let mut lane = lane();
    read(&mut lane, &[(0, 10)]);
    lane.stop_after_pending(PartitionState::SourceCorrupt {
        offset: Offset(10),
        error: "crc".to_owned(),
    });
    assert!(!lane.wants_fetch(now));
    assert!(send(&mut lane, 1, now).is_some());
    lane.appended(Ticket(1), Some(Offset(0)));
    assert_eq!(lane.mark(now).unwrap().next, Offset(10));
}

#[test]
fn a_split_batch_takes_the_place_and_the_sequence_of_the_whole() {
    let now = Instant::now();
    let mut lane = known();
    read(&mut lane, &[(1, 10), (11, 10), (21, 10)]);
    for ticket in 1..=3 {
        send(&mut lane, ticket, now);
    }
    lane.appended(Ticket(1), Some(Offset(1)));
    lane.failed(Ticket(2), Failure::TooLarge);
    lane.failed(Ticket(3), Failure::Identity("45".to_owned()));
    assert!(matches!(lane.settle(), Some(Failure::TooLarge)));
    let whole = lane.take_first().unwrap();
    let parts = whole.split(whole.outgoing.size() - 1).unwrap();
    assert_eq!(parts.len(), 2);
    lane.put_first(parts);
    assert_eq!(send(&mut lane, 4, now), Some((11, 11)));
    lane.appended(Ticket(4), None);
    assert_eq!(
        lane.mark(now).unwrap().next,
        Offset(16),
        "a restart goes on inside the source's batch"
    );
    assert_eq!(
        [send(&mut lane, 5, now), send(&mut lane, 6, now)],
        [Some((16, 16)), Some((21, 21))]
    );
}

#[test]
fn a_new_leader_gets_nothing_while_the_old_one_has_not_answered() {
    let now = Instant::now();
    let mut lane = known();
    read(&mut lane, &[(1, 10), (11, 10)]);
    send(&mut lane, 1, now);
    assert!(lane.may_send_to(NodeId(1)) && !lane.may_send_to(NodeId(2)));
    lane.failed(Ticket(1), Failure::Retry("NOT_LEADER_OR_FOLLOWER".to_owned()));
    lane.settle().unwrap();
    assert!(lane.may_send_to(NodeId(2)));
}

#[test]
fn a_partition_that_stopped_before_it_began_stores_nothing() {
    let assignment = Assignment {
        source: TopicPartition::new("a", 0),
        topic_id: TopicId::ZERO,
        target: TopicPartition::new("b", 0),
        target_id: TopicId::ZERO,
        batches: None,
        start: (Offset(7), LeaderEpoch(-1)),
        plan: None,
        skip: 0,
        compacted: None,
        preserved: None,
        is_contested: false,
        stored: None,
        state: PartitionState::TopicRecreated {
            stored: TopicId::ZERO,
            found: TopicId::ZERO,
        },
    };
    let mut lane = Lane::new(assignment.clone());
    assert!(
        lane.mark(Instant::now()).is_none(),
        "a stored position would hide the reason at the next start"
    );
    lane = Lane::new(Assignment {
        state: PartitionState::Mirroring,
        ..assignment
    });
    assert_eq!(
        lane.mark(Instant::now()).unwrap().next,
        Offset(7),
        "where it starts is stored at once: latest must not move at a restart"
    );
}

#[test]
fn records_of_one_source_offset_in_two_batches_do_not_close_the_gate_for_good() {
    let now = Instant::now();
    let mut lane = known();
    let mut first = batch(1, 30_000);
    first.outgoing = {
        let mut encoder = Encoder::new(Compression::None);
        for _ in 0..30_000 {
            let record = Record {
                offset: Offset(1),
                timestamp: 0,
                key: None,
                value: Some(b"v"),
                headers: Headers::EMPTY,
            };
            encoder.push(&record).unwrap();
        }
        encoder
            .finish(SourceSpan {
                first: Offset(1),
                next: Offset(1),
            })
            .unwrap()
    };
    lane.push(first);
    read(&mut lane, &[(1, 30_000)]);
    send(&mut lane, 1, now).unwrap();
    lane.appended(Ticket(1), Some(Offset(1)));
    assert_eq!(
        send(&mut lane, 2, now),
        None,
        "60,000 records would be without a position"
    );
    let mark = lane
        .mark(now)
        .expect("the offset has not moved, the records have");
    lane.stored(mark);
    assert!(send(&mut lane, 2, now).is_some());
}

#[test]
fn a_stuck_partition_lets_go_of_what_it_can_read_again_and_nothing_is_passed_over() {
    let now = Instant::now();
    let mut lane = known();
    read(&mut lane, &[(1, 10), (11, 10), (21, 10), (31, 10)]);
    send(&mut lane, 1, now);
    send(&mut lane, 2, now);
    for ticket in [1, 2] {
        lane.failed(Ticket(ticket), Failure::Retry("NOT_ENOUGH_REPLICAS".to_owned()));
    }
    lane.settle().unwrap();
    lane.pause(now);
    assert!(lane.is_stuck(now) && !lane.wants_fetch(now));
    let budget = Budget::new(1_000_000);
    lane.let_go(&budget);
    assert_eq!(
        lane.next_fetch,
        Some(Offset(21)),
        "what was never sent is read again"
    );
    assert!(
        budget.room(1_000_000).is_some_and(|room| room < 1_000_000),
        "what was sent is kept, on its own"
    );
    let later = now + Duration::from_secs(3);
    assert_eq!(
        send(&mut lane, 3, later),
        Some((1, 1)),
        "as the same batches, with the same sequences"
    );
    lane.appended(Ticket(3), None);
    assert_eq!(send(&mut lane, 4, later), Some((11, 11)));
    lane.appended(Ticket(4), None);
    assert_eq!(lane.mark(later).unwrap().next, Offset(21));
    assert!(lane.wants_fetch(Instant::now() + Duration::from_secs(3)));
}

#[test]
fn what_is_read_again_begins_in_the_epoch_of_what_is_before_it() {
    let now = Instant::now();
    let budget = Budget::new(1_000_000);
    let of_epoch = |first, epoch| Prepared {
        epoch: LeaderEpoch(epoch),
        ..batch(first, 10)
    };
    // The source's leader has changed twice, at 11 and at 25; a marker at 21 to 25 was left out.
    let mut lane = known();
    for (first, epoch) in [(1, 3), (11, 4), (25, 5)] {
        lane.push(of_epoch(first, epoch));
        lane.read_up_to(Offset(first + 10), LeaderEpoch(epoch));
    }
    send(&mut lane, 1, now).unwrap();
    send(&mut lane, 2, now).unwrap();
    lane.appended(Ticket(1), Some(Offset(1)));
    lane.let_go(&budget);
    assert_eq!(
        (lane.next_fetch, lane.fetched_epoch),
        (Some(Offset(21)), LeaderEpoch(4)),
        "behind what is on the wire"
    );
    lane.push(of_epoch(25, 5));
    lane.read_up_to(Offset(35), LeaderEpoch(5));
    lane.appended(Ticket(2), Some(Offset(11)));
    lane.let_go(&budget);
    assert_eq!(
        (lane.next_fetch, lane.fetched_epoch),
        (Some(Offset(21)), LeaderEpoch(4)),
        "behind what is acknowledged"
    );
}

#[test]
fn a_lost_row_is_stored_again_and_says_how_far_the_target_was_before() {
    let now = Instant::now();
    let stored = Stored {
        offset: Offset(7),
        target_next: Some(Offset(5)),
    };
    let assignment = Assignment {
        source: TopicPartition::new("a", 0),
        topic_id: TopicId::ZERO,
        target: TopicPartition::new("b", 0),
        target_id: TopicId::ZERO,
        batches: None,
        start: (Offset(7), LeaderEpoch(2)),
        plan: None,
        skip: 0,
        compacted: None,
        preserved: None,
        is_contested: false,
        stored: Some(stored),
        state: PartitionState::Mirroring,
    };
    let mut lane = Lane::new(assignment.clone());
    assert!(lane.has_written(), "an earlier run has");
    assert!(lane.mark(now).is_none());
    lane.lost_row();
    let mark = lane.mark(now).unwrap();
    assert_eq!((mark.next, mark.target_next), (Offset(7), Some(Offset(5))));
    lane.stored(mark);
    assert!(lane.mark(now).is_none());

    let mut stopped = Lane::new(Assignment {
        stored: None,
        state: PartitionState::PartitionsShrunk { source: 2, target: 1 },
        ..assignment
    });
    stopped.lost_row();
    assert!(stopped.mark(now).is_none(), "there was none");
}

#[test]
fn a_lane_whose_target_is_another_topic_sends_nothing_more() {
    let now = Instant::now();
    let mut lane = known();
    read(&mut lane, &[(1, 10), (11, 10)]);
    send(&mut lane, 1, now).unwrap();
    assert!(lane.has_written() && lane.is_writing());
    lane.stop(PartitionState::TargetRecreated {
        stored: TopicId::ZERO,
        found: TopicId::ZERO,
    });
    assert!(lane.is_writing(), "an answer is awaited");
    assert_eq!(send(&mut lane, 2, now), None);
    lane.failed(Ticket(1), Failure::Retry("UNKNOWN_TOPIC_ID".to_owned()));
    lane.settle().unwrap();
    assert!(
        lane.has_lost_its_target() && lane.has_pending(),
        "what failed is back"
    );
    lane.abandon();
    assert!(!lane.is_writing());
}
