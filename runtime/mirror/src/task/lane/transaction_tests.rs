//! Lanes whose records go in transactions: when one is planned, and what is made of its end.

use std::time::{Duration, Instant};

use towpath_domain::{Offset, state::PartitionState};
use towpath_wire::{ProducerId, Tail, TailBatch};

use super::{
    Lane, Ticket, Transactions,
    exact_tests::{lane, read, runs, send, store},
};

/// The lane's, as its anchor says; and the epoch after it.
const OWN: ProducerId = ProducerId { id: 9, epoch: 2 };
const RENEWED: ProducerId = ProducerId { id: 9, epoch: 3 };

/// What is on the target: offsets of transactional records by (first, next), or markers.
enum On {
    Records(i64, i64),
    Plain(i64, i64),
    Foreign(i64),
    Commit(i64),
    Abort(i64),
    /// of the next epoch
    ShutOut(i64),
}

/// Goes on at source offset 100, target offset 50, with everything in transactions.
fn transactional() -> Lane {
    let mut lane = lane(&[(90, 40)], true);
    lane.exact.as_mut().unwrap().transactions = Transactions::All;
    lane
}

fn later() -> Instant {
    Instant::now() + Duration::from_secs(1)
}

fn tail(batches: &[On]) -> Tail {
    let batches: Vec<TailBatch> = batches
        .iter()
        .map(|on| {
            let (first, next) = match on {
                On::Records(first, next) | On::Plain(first, next) => (*first, *next),
                On::Foreign(first) | On::Commit(first) | On::Abort(first) | On::ShutOut(first) => {
                    (*first, *first + 1)
                }
            };
            TailBatch {
                first: Offset(first),
                next: Offset(next),
                producer: if matches!(on, On::Foreign(_)) { 7 } else { 9 },
                epoch: if matches!(on, On::ShutOut(_)) { 3 } else { 2 },
                // Of what belongs at offset 50, as all of it does.
                sequence: if matches!(on, On::Records(..) | On::Plain(..)) {
                    0
                } else {
                    -1
                },
                is_control: matches!(on, On::Commit(_) | On::Abort(_) | On::ShutOut(_)),
                is_transactional: !matches!(on, On::Plain(..) | On::Foreign(_)),
                is_commit: matches!(on, On::Commit(_)),
            }
        })
        .collect();
    let end = batches.last().map_or(Offset(50), |last| last.next);
    Tail { end, batches }
}

/// Plans what was read, stores it and begins.
fn begin(lane: &mut Lane) -> Vec<i32> {
    lane.waiting_since = lane.waiting_since.map(|_| Instant::now());
    lane.plan_transaction(later());
    assert!(!lane.may_begin(later()), "the row comes first");
    store(lane);
    assert!(lane.may_begin(later()));
    let write = lane.begin_transaction().unwrap();
    assert!(!lane.may_begin(later()), "it runs");
    assert_eq!(Some(write.from), lane.located_from());
    write.batches.iter().map(|batch| batch.records()).collect()
}

#[test]
fn a_transaction_is_planned_when_its_first_batch_has_waited_and_nothing_is_sent_beside_it() {
    let mut lane = transactional();
    read(&mut lane, &[100, 101, 102]);
    read(&mut lane, &[103]);
    lane.plan_transaction(Instant::now());
    assert!(!lane.has_transaction(), "more may come");
    assert_eq!(send(&mut lane, 1), None);
    assert_eq!(begin(&mut lane), [3, 1]);
    read(&mut lane, &[104]);
    lane.plan_transaction(later());
    assert_eq!(
        send(&mut lane, 1),
        None,
        "it waits for the end of the transaction"
    );
    assert_eq!(
        lane.ledger.acked().0,
        Offset(100),
        "what was read is not acknowledged"
    );
    lane.committed(OWN, later());
    assert_eq!(lane.ledger.acked().0, Offset(104));
    assert_eq!(lane.located_from(), Some(Offset(55)), "behind the marker at 54");
    assert_eq!(runs(&lane), [(90, 40), (104, 55)]);
    assert_eq!(begin(&mut lane), [1]);
    let anchor = lane.exact.as_ref().unwrap().plan.anchor;
    assert_eq!(anchor.sequence_at(Offset(55)), 4, "markers have no sequence");
    assert_eq!((lane.records, lane.failures), (4, 0));
}

#[test]
fn the_row_says_that_records_may_not_count_before_there_are_any() {
    let mut lane = transactional();
    read(&mut lane, &[100]);
    lane.plan_transaction(later());
    let mark = lane.mark(Instant::now()).unwrap();
    assert!(mark.is_transactional && mark.is_open);
    assert!(lane.waits_for_row());
    lane.stored(mark);
    lane.begin_transaction();
    lane.committed(OWN, later());
    let mark = lane.mark(Instant::now()).unwrap();
    assert!(!mark.is_transactional);
    assert_eq!((mark.next, mark.target_next), (Offset(101), Some(Offset(52))));
}

#[test]
fn what_was_aborted_is_planned_again_behind_it() {
    let mut lane = transactional();
    read(&mut lane, &[100, 101]);
    read(&mut lane, &[105]);
    assert_eq!(begin(&mut lane), [2, 1]);
    let found = tail(&[On::Records(50, 52), On::Abort(52), On::ShutOut(53)]);
    assert_eq!(lane.look(&found, RENEWED, later()), Ok(()));
    assert_eq!(lane.ledger.acked().0, Offset(100));
    assert_eq!(lane.located_from(), Some(Offset(54)));
    assert_eq!(runs(&lane), [(90, 40), (100, 54)]);
    assert_eq!(begin(&mut lane), [2, 1]);
    assert_eq!(runs(&lane), [(90, 40), (100, 54), (105, 56)]);
    let anchor = lane.exact.as_ref().unwrap().plan.anchor;
    assert!(anchor.is_of(RENEWED));
    assert_eq!(anchor.sequence_at(Offset(54)), 0);
    lane.committed(RENEWED, later());
    assert_eq!(lane.ledger.acked().0, Offset(106));
}

#[test]
fn what_was_committed_without_an_answer_counts() {
    let mut lane = transactional();
    read(&mut lane, &[100, 101]);
    begin(&mut lane);
    let found = tail(&[On::Records(50, 52), On::Commit(52), On::ShutOut(53)]);
    assert_eq!(lane.look(&found, RENEWED, later()), Ok(()));
    assert_eq!(lane.ledger.acked().0, Offset(102));
    assert_eq!(runs(&lane), [(90, 40), (102, 54)]);
    assert!(!lane.has_in_flight() && !lane.has_pending());
    lane.closing = true;
    let mark = lane.mark(Instant::now()).unwrap();
    assert!(!mark.is_open, "nothing is on its way");
}

#[test]
fn of_a_transaction_of_which_nothing_is_known_the_row_says_so_and_it_goes_again() {
    let mut lane = transactional();
    read(&mut lane, &[100]);
    begin(&mut lane);
    lane.not_transacted(Some(Instant::now()));
    assert!(!lane.may_begin(Instant::now()), "it rests");
    lane.closing = true;
    assert!(lane.mark(Instant::now()).is_none_or(|mark| mark.is_open));
    lane.closing = false;
    assert!(lane.may_begin(later() + Duration::from_secs(5)));
    assert_eq!(lane.begin_transaction().unwrap().batches.len(), 1);
}

#[test]
fn late_batches_of_a_former_owner_count_when_they_came_before_it_was_shut_out() {
    let mut lane = transactional();
    read(&mut lane, &[100, 101, 102]);
    begin(&mut lane);
    // As its row says: 100 is at 50.
    let found = tail(&[On::Plain(50, 52), On::ShutOut(52)]);
    assert_eq!(lane.look(&found, RENEWED, later()), Ok(()));
    assert_eq!(lane.ledger.acked().0, Offset(102));
    assert_eq!(
        lane.next_fetch,
        Some(Offset(102)),
        "what is behind it is read again"
    );
    assert_eq!(runs(&lane), [(90, 40), (102, 53)]);
}

#[test]
fn what_others_wrote_stops_the_partition() {
    for (found, state) in [
        (
            vec![On::Foreign(50), On::ShutOut(51)],
            PartitionState::SecondWriter { offset: Offset(50) },
        ),
        (
            vec![On::Records(50, 53), On::Commit(53)],
            PartitionState::SecondWriter { offset: Offset(50) },
        ),
    ] {
        let mut lane = transactional();
        read(&mut lane, &[100]);
        begin(&mut lane);
        assert_eq!(lane.look(&tail(&found), RENEWED, later()), Err(state));
    }
    let mut lane = transactional();
    read(&mut lane, &[100]);
    begin(&mut lane);
    let newer = tail(&[On::ShutOut(50)]);
    assert_eq!(lane.look(&newer, OWN, later()), Err(PartitionState::Fenced));
}

#[test]
fn a_lane_that_ends_amid_a_transaction_counts_what_was_committed_and_forgets_the_rest() {
    for (found, acked) in [
        (vec![On::Records(50, 51), On::Commit(51)], 101),
        (vec![On::Records(50, 51), On::Abort(51)], 100),
    ] {
        let mut lane = transactional();
        read(&mut lane, &[100]);
        begin(&mut lane);
        read(&mut lane, &[101]);
        lane.closing = true;
        lane.abandon();
        assert!(lane.has_in_flight());
        assert_eq!(lane.look(&tail(&found), OWN, later()), Ok(()));
        assert!(!lane.has_in_flight() && !lane.has_pending());
        assert_eq!(lane.ledger.acked().0, Offset(acked));
        let mark = lane.mark(Instant::now()).unwrap();
        assert_eq!((mark.next, mark.is_open), (Offset(acked), false));
    }
    let mut planned = transactional();
    read(&mut planned, &[100]);
    planned.plan_transaction(later());
    planned.abandon();
    assert!(!planned.has_in_flight());
}

#[test]
fn young_records_go_without_and_behind_old_ones_in_their_turn() {
    let mut lane = lane(&[(90, 40)], true);
    // Those of these tests are of 1970.
    lane.exact.as_mut().unwrap().transactions = Transactions::OlderThan(Duration::from_secs(3600));
    read(&mut lane, &[100]);
    lane.plan_transaction(later());
    assert!(lane.has_transaction());
    store(&mut lane);
    lane.begin_transaction();
    lane.committed(OWN, later());
    lane.exact.as_mut().unwrap().transactions = Transactions::None;
    read(&mut lane, &[101]);
    store(&mut lane);
    assert_eq!(
        send(&mut lane, 1),
        Some(1),
        "behind the sequence of the one before"
    );
    lane.appended(Ticket(1), Some(Offset(52)));
    assert_eq!(lane.ledger.acked().0, Offset(102));
}

#[test]
fn ages_are_by_the_timestamp() {
    let hour = Transactions::OlderThan(Duration::from_secs(3600));
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    assert!(hour.take(now - 3_700_000) && hour.take(-1));
    assert!(!hour.take(now - 3_500_000) && !hour.take(now + 1));
    assert!(Transactions::All.take(now) && !Transactions::None.take(0));
}

#[test]
fn a_batch_that_is_refused_is_the_first_of_the_next_transaction() {
    let mut lane = transactional();
    read(&mut lane, &[100]);
    read(&mut lane, &[101]);
    begin(&mut lane);
    let found = tail(&[On::Records(50, 51), On::Abort(51)]);
    lane.look(&found, OWN, later()).unwrap();
    assert!(!lane.is_refused_at(1));
    assert_eq!(begin(&mut lane), [1], "what is before it goes alone");
    lane.committed(OWN, later());
    assert_eq!(begin(&mut lane), [1]);
    lane.look(&tail(&[On::Abort(54)]), OWN, later()).unwrap();
    assert!(lane.is_refused_at(0));
    assert_eq!(lane.first_offset(), Some(Offset(101)));
}
