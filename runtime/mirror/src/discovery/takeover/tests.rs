use towpath_domain::{Partition, TopicId, offset_map::Run};
use towpath_wire::{TailBatch, positions::TargetPosition};

use super::{preserving::behind, *};

const PRODUCER: i64 = 9;
/// The bucket's producer after another one was given out.
const CLAIMED: i64 = 12;

/// Mirrored up to source offset 110, target offset 60; what is planned behind that is given.
fn candidate(runs: &[(i64, i64)], open: bool, is_unstable: bool) -> Candidate {
    let run = |&(source, target): &(i64, i64)| Run {
        source: Offset(source),
        target: Offset(target),
    };
    let anchor = Anchor {
        producer: PRODUCER,
        epoch: 1,
        sequence: 0,
        offset: Offset(50),
    };
    let place = TopicPartition::new("b", 0);
    let row = Position {
        offset: Offset(110),
        epoch: LeaderEpoch(4),
        topic: "a".into(),
        target: TargetPosition {
            topic: place.topic.clone(),
            topic_id: TopicId::ZERO,
            partition: Partition(0),
            next: Some(Offset(60)),
        },
        anchor: Some(anchor),
        runs: runs.iter().map(run).collect(),
        open,
        preserved: None,
        transactional: false,
        caught_up_at: None,
        resolved: None,
    };
    Candidate {
        source: TopicPartition::new("a", 0),
        place,
        bucket: Bucket(0),
        start: (row.offset, row.epoch),
        has_written: true,
        row: Some((row, anchor)),
        end: Offset(60),
        is_unstable,
        preserves: false,
    }
}

/// Batches of 5 behind target offset 60, by producer; `true` for a marker, which is one.
fn tail(batches: &[(i64, bool)]) -> Tail {
    let mut tail = Tail {
        end: Offset(60),
        batches: Vec::new(),
    };
    // As the candidate's anchor has it; a marker takes no sequence.
    let mut sequence = 10;
    for &(producer, is_control) in batches {
        let first = tail.end;
        let next = Offset(first.0 + if is_control { 1 } else { 5 });
        tail.batches.push(TailBatch {
            first,
            next,
            producer,
            epoch: 1,
            sequence: if is_control { -1 } else { sequence },
            is_control,
            is_transactional: is_control,
            is_commit: is_control,
        });
        sequence += if is_control { 0 } else { 5 };
        tail.end = next;
    }
    tail
}

fn read(candidate: &Candidate, batches: &[(i64, bool)]) -> Result<Found, PartitionState> {
    candidate.read(&tail(batches), &[CLAIMED])
}

fn at(found: &Found) -> (i64, i64) {
    (found.at.offset.0, found.end.0)
}

#[test]
fn what_has_come_behind_the_row_counts_and_the_planned_holes_with_it() {
    let candidate = candidate(&[(100, 50), (120, 65)], true, false);
    let found = read(&candidate, &[]).unwrap();
    assert_eq!(
        (at(&found), candidate.start_at(found.at)),
        ((110, 60), candidate.start)
    );
    let found = read(&candidate, &[(PRODUCER, false)]).unwrap();
    assert_eq!(at(&found), (120, 65), "115 to 119 have no record");
    let found = read(&candidate, &[(PRODUCER, false), (PRODUCER, false)]).unwrap();
    assert_eq!(at(&found), (125, 70));
    assert_eq!(candidate.start_at(found.at), (Offset(125), LeaderEpoch(-1)));
    assert!(!candidate.wants_marker(&found));
}

#[test]
fn what_somebody_else_wrote_stands_for_no_record_of_the_source() {
    let candidate = candidate(&[(100, 50)], true, false);
    for batches in [
        &[(-1, false)][..],
        &[(PRODUCER, false), (77, false)],
        &[(77, true)],
    ] {
        let state = read(&candidate, batches).map(|found| at(&found)).unwrap_err();
        let first = if batches.len() == 1 { 60 } else { 65 };
        assert_eq!(
            state,
            PartitionState::SecondWriter {
                offset: Offset(first)
            }
        );
    }
}

/// Records of a transaction behind the row, and what became of it.
fn transactional(batches: &[(i64, i64, Option<bool>)]) -> Tail {
    let mut anchor = candidate(&[], true, false).row.unwrap().1;
    let mut sequence = |(first, next): (i64, i64), is_control: bool| {
        let sequence = anchor.sequence_at(Offset(first));
        if is_control {
            let producer = towpath_wire::ProducerId {
                id: PRODUCER,
                epoch: 1,
            };
            anchor = anchor.behind(producer, (Offset(first), Offset(next)));
            return -1;
        }
        sequence
    };
    let batches: Vec<TailBatch> = batches
        .iter()
        .map(|&(first, next, ends)| TailBatch {
            sequence: sequence((first, next), ends.is_some()),
            first: Offset(first),
            next: Offset(next),
            producer: PRODUCER,
            epoch: 1,
            is_control: ends.is_some(),
            is_transactional: true,
            is_commit: ends == Some(true),
        })
        .collect();
    let end = batches.last().unwrap().next;
    Tail { end, batches }
}

#[test]
fn records_of_a_transaction_count_when_it_is_committed_and_what_follows_is_behind_its_marker() {
    let mut candidate = candidate(&[(100, 50), (120, 63)], true, false);
    candidate.row.as_mut().unwrap().0.transactional = true;
    let look = |batches: &[(i64, i64, Option<bool>)]| {
        let found = candidate.read(&transactional(batches), &[CLAIMED]).unwrap();
        assert!(
            candidate.wants_marker(&found),
            "what is late of the former owner has to be shut out"
        );
        at(&found)
    };
    let (commit, abort) = (Some(true), Some(false));
    assert_eq!(look(&[(60, 63, None), (63, 64, commit)]), (113, 64));
    assert_eq!(look(&[(60, 62, None), (62, 63, abort)]), (110, 63));
    let again = [(60, 62, None), (62, 63, abort), (63, 66, None), (66, 67, commit)];
    assert_eq!(look(&again), (113, 67));
    let voided = [
        (60, 62, None),
        (62, 63, commit),
        (63, 65, None),
        (65, 66, abort),
        (66, 67, abort),
    ];
    assert_eq!(look(&voided), (112, 67));
    // Meant for another place: it came late to a broker that asks nobody, and is void.
    let mut late = transactional(&[(60, 62, None), (62, 63, abort), (63, 65, None), (65, 66, abort)]);
    late.batches[2].sequence += 1;
    let found = candidate.read(&late, &[CLAIMED]).unwrap();
    assert_eq!(at(&found), (110, 66));
    late.batches[3].is_commit = true;
    let state = candidate.read(&late, &[CLAIMED]).map(|found| at(&found));
    assert_eq!(state, Err(PartitionState::SecondWriter { offset: Offset(63) }));
    // Of an owner that brokers have let in though it was shut out: nobody has decided yet.
    assert_eq!(look(&[(60, 62, None)]), (110, 62));
}

#[test]
fn where_retention_has_taken_what_a_transaction_wrote_nobody_knows_whether_it_counted() {
    let mut candidate = candidate(&[(100, 50)], true, false);
    let gone = transactional(&[(63, 64, Some(true))]);
    assert!(candidate.read(&gone, &[CLAIMED]).is_ok());
    candidate.row.as_mut().unwrap().0.transactional = true;
    let state = candidate.read(&gone, &[CLAIMED]).map(|found| at(&found));
    assert_eq!(state, Err(PartitionState::SecondWriter { offset: Offset(60) }));
}

#[test]
fn a_batch_of_a_former_owner_that_came_late_to_another_place_stands_for_no_record_either() {
    let candidate = candidate(&[(100, 50)], true, false);
    let mut late = tail(&[(PRODUCER, false), (PRODUCER, false)]);
    assert!(candidate.read(&late, &[CLAIMED]).is_ok());
    // What is at 60 once more.
    late.batches[1].sequence = 10;
    let second = PartitionState::SecondWriter { offset: Offset(65) };
    let state = candidate
        .read(&late, &[CLAIMED])
        .map(|found| at(&found))
        .unwrap_err();
    assert_eq!(state, second);
    // And under an epoch that was over.
    (late.batches[1].sequence, late.batches[1].epoch) = (15, 0);
    let state = candidate
        .read(&late, &[CLAIMED])
        .map(|found| at(&found))
        .unwrap_err();
    assert_eq!(state, second);
}

#[test]
fn a_log_that_ends_before_the_row_has_lost_records() {
    let candidate = candidate(&[(100, 50)], true, false);
    let short = Tail {
        end: Offset(59),
        batches: Vec::new(),
    };
    let state = candidate.read(&short, &[]).map(|found| at(&found)).unwrap_err();
    let diverged = PartitionState::TargetDiverged {
        next: Offset(60),
        end: Offset(59),
    };
    assert_eq!(state, diverged);
}

#[test]
fn markers_are_no_records_and_another_one_follows_for_the_sequence() {
    let candidate = candidate(&[(100, 50), (112, 60)], false, false);
    let mut found = read(&candidate, &[(CLAIMED, true), (PRODUCER, true)]).unwrap();
    assert_eq!(found.end, Offset(62));
    assert!(
        candidate.wants_marker(&found),
        "sequences do not follow from the anchor any more"
    );
    // 110 and 111 have no record: they are behind the markers, as 112 is when it is placed.
    found.runs.note(Offset(112), Offset(62));
    let end = Offset(70);
    let places = [109, 110, 111].map(|source| found.runs.target_of(Offset(source), end).unwrap().0);
    assert_eq!(places, [59, 62, 62]);
    assert_eq!(candidate.start_at(found.at), candidate.start);
}

#[test]
fn late_batches_are_shut_out_where_they_may_be_others_and_the_owner_did_not_end_in_peace() {
    for (open, is_unstable, wanted) in [
        (true, true, true),
        (true, false, false),
        (false, true, false),
        (false, false, false),
    ] {
        let candidate = candidate(&[(100, 50)], open, is_unstable);
        let found = read(&candidate, &[]).unwrap();
        assert_eq!(
            candidate.wants_marker(&found),
            wanted,
            "open {open}, unstable {is_unstable}"
        );
    }
}

#[test]
fn a_record_that_is_there_in_part_goes_on_in_its_middle_without_a_marker() {
    // 112 became 10 records, from 62 on.
    let candidate = candidate(&[(100, 50), (113, 72)], true, true);
    let found = read(&candidate, &[(PRODUCER, false)]).unwrap();
    assert_eq!((found.at.offset, found.at.skip), (Offset(112), 3));
    assert!(!candidate.wants_marker(&found));
}

/// Of a partition whose records have the source's offsets: 50 to 59 are written, the row says 58.
fn preserving(open: bool) -> Candidate {
    let mut candidate = candidate(&[(50, 50)], open, true);
    candidate.preserves = true;
    let (row, _) = candidate.row.as_mut().unwrap();
    row.offset = Offset(60);
    row.preserved = Some(Preserved {
        begins: Offset(50),
        readable: true,
    });
    candidate.start = (Offset(60), LeaderEpoch(4));
    candidate
}

#[test]
fn preserved_offsets_go_on_where_the_log_ends_with_the_sequence_behind_its_markers() {
    let candidate = preserving(true);
    let batches = [(PRODUCER, false), (PRODUCER, true), (PRODUCER, false)];
    let found = read(&candidate, &batches).unwrap();
    assert!(
        !candidate.wants_marker(&found),
        "it would take an offset of the source's"
    );
    let taken = candidate.go_on(found);
    assert_eq!(taken.start, (Offset(71), LeaderEpoch(-1)));
    // 50 to 64 and 66 to 70 are records.
    let anchor = taken.plan.anchor;
    assert_eq!(
        (anchor.epoch, anchor.sequence, anchor.offset),
        (1, 15, Offset(66))
    );
    let newer = behind(
        anchor,
        &TailBatch {
            first: Offset(71),
            next: Offset(72),
            producer: PRODUCER,
            epoch: 2,
            sequence: -1,
            is_control: true,
            is_transactional: true,
            is_commit: true,
        },
    );
    assert_eq!((newer.epoch, newer.sequence, newer.offset), (2, 0, Offset(72)));
    let undisturbed = candidate.go_on(read(&candidate, &[]).unwrap());
    assert_eq!(undisturbed.start, candidate.start);
}

#[test]
fn filler_that_is_not_complete_is_no_place_to_read_from() {
    let mut candidate = preserving(true);
    let (row, _) = candidate.row.as_mut().unwrap();
    row.preserved = Some(Preserved {
        begins: Offset(100),
        readable: false,
    });
    let taken = candidate.go_on(read(&candidate, &[(PRODUCER, false)]).unwrap());
    assert_eq!((taken.start.0, taken.plan.next()), (Offset(100), Offset(65)));
}

#[test]
fn a_row_ahead_of_the_log_is_where_both_logs_begin() {
    let mut candidate = preserving(true);
    candidate.start = (Offset(200), LeaderEpoch(4));
    let taken = candidate.go_on(read(&candidate, &[(PRODUCER, false)]).unwrap());
    assert_eq!((taken.start, taken.plan.next()), (candidate.start, Offset(65)));
    let preserved = taken.preserved.unwrap();
    assert_eq!((preserved.begins, preserved.readable), (Offset(200), false));
}

#[test]
fn what_was_translated_is_preserved_from_here_on_only_where_it_is_in_its_place() {
    let mut candidate = preserving(true);
    candidate.row.as_mut().unwrap().0.preserved = None;
    let found = read(&candidate, &[]).unwrap();
    assert_eq!(found.preserved.map(|preserved| preserved.begins), Some(Offset(0)));
    candidate.row.as_mut().unwrap().0.runs = [(50, 50), (56, 55)]
        .map(|(source, target)| Run {
            source: Offset(source),
            target: Offset(target),
        })
        .into_iter()
        .collect();
    let state = read(&candidate, &[]).map(|found| at(&found)).unwrap_err();
    assert!(matches!(state, PartitionState::OffsetsTaken { .. }), "{state}");
}
