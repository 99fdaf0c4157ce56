use towpath_domain::{
    ClusterId, LeaderEpoch, Offset, TopicId,
    offset_map::{Run, Runs},
    state::PartitionState,
};
use towpath_wire::positions::{Anchor, Position, PositionKey, Preserved, Resolved, Span, TargetPosition};

use super::{
    missed::Missed,
    seen::{Former, Log, Target},
    sweep::Sweep,
    *,
};
use crate::discovery::offline::Behind;

const AT: i64 = 1_700_000_000_000;

fn id(last: u8) -> TopicId {
    let text = format!("\"00000000-0000-0000-0000-00000000000{last}\"");
    serde_json::from_str(&text).unwrap()
}

fn log(start: i64, end: i64) -> Log {
    Log {
        start: Offset(start),
        end: Offset(end),
    }
}

fn runs(runs: &[(i64, i64)]) -> Runs {
    let run = |&(source, target): &(i64, i64)| Run {
        source: Offset(source),
        target: Offset(target),
    };
    runs.iter().map(run).collect()
}

fn span(from: i64, to: i64) -> Option<Span> {
    Some(Span {
        from: Offset(from),
        to: Offset(to),
    })
}

/// Mirrored exactly up to 1000 of the source, 900 of the target; 100 offsets from 500 on have no record.
fn seen() -> Seen {
    let key = PositionKey {
        connector: "orders".to_owned(),
        source: ClusterId("west".to_owned()),
        topic: id(1),
        partition: Partition(0),
    };
    let row = Position {
        offset: Offset(1000),
        epoch: LeaderEpoch(3),
        topic: "orders".into(),
        target: TargetPosition {
            topic: "orders".into(),
            topic_id: id(2),
            partition: Partition(0),
            next: Some(Offset(900)),
        },
        anchor: Some(Anchor {
            producer: 7,
            epoch: 1,
            sequence: 0,
            offset: Offset(0),
        }),
        runs: runs(&[(0, 0), (600, 500)]),
        open: false,
        preserved: None,
        transactional: false,
        caught_up_at: None,
        resolved: None,
    };
    Seen {
        source: TopicPartition::new("orders", 0),
        log: log(0, 2000),
        behind: Some(Behind {
            offset: Offset(1000),
            runs: row.runs.clone(),
            end: Offset(900),
            foreign: None,
        }),
        key,
        row: Some(row),
        former: None,
        place: TopicPartition::new("orders", 0),
        target: Some(Target {
            id: id(2),
            log: log(0, 900),
        }),
        parted: None,
        has_chunks: false,
        missed: None,
    }
}

fn request(decision: Decision) -> Request {
    Request {
        decision,
        topic: Some("orders".into()),
        partition: None,
        existing: Existing::Refused,
        mode: Mode::Write,
        at: AT,
    }
}

fn one(seen: &Seen, request: &Request) -> Result<(Option<Change>, String), String> {
    let mut decided =
        select(vec![seen.clone()], request, false).map_err(|problems| problems[0].to_string())?;
    let (_, change, told) = decided.remove(0);
    Ok((change, told))
}

fn change(seen: &Seen, decision: Decision) -> Change {
    one(seen, &request(decision)).unwrap().0.unwrap()
}

/// The row that is written for the partition.
/// Compacted, and behind its position there is a hole.
fn missed() -> Seen {
    let mut seen = seen();
    seen.row.as_mut().unwrap().caught_up_at = Some(AT - 2000);
    seen.missed = Some(Missed {
        hole: Offset(1003),
        caught_up_at: AT - 2000,
        retention_ms: 1000,
        mirrored_from: Some(Offset(0)),
    });
    seen
}

#[test]
fn missed_tombstones_are_accepted_and_time_begins_anew() {
    let (change, told) = one(&missed(), &request(Decision::Accept)).unwrap();
    assert!(
        told.starts_with("tombstones-missed: mirrored up to offset 1000"),
        "{told}"
    );
    let change = change.unwrap();
    let row = row(&change);
    assert_eq!((row.offset, row.caught_up_at), (Offset(1000), Some(AT)));
    assert_eq!(row.anchor, missed().row.unwrap().anchor);
    assert_eq!((change.sweep, change.seal), (None, None));
    let mut later = missed();
    later.row = Some(row);
    later.missed = None;
    let (change, told) = one(&later, &request(Decision::Accept)).unwrap();
    assert!(change.is_none() && told.contains("was decided already"), "{told}");
}

#[test]
fn a_restart_deletes_on_the_target_what_is_deleted_and_says_before_that_the_row_is_no_reckoning() {
    let (change, _) = one(&missed(), &request(Decision::Restart)).unwrap();
    let mut change = change.unwrap();
    assert_eq!(change.sweep, Some(Sweep { from: Offset(0) }));
    let before = sweep::before(&missed(), &change).unwrap();
    let prepared = row(&before);
    assert_eq!(
        (prepared.offset, prepared.target.next),
        (Offset(1000), Some(Offset(900)))
    );
    assert_eq!(
        (prepared.anchor, prepared.caught_up_at, prepared.resolved),
        (None, Some(AT - 2000), None),
        "it is still missed"
    );
    let sealed = before.seal.unwrap().1;
    assert_eq!(sealed, runs(&[(0, 0), (600, 500), (1000, 901)]));
    assert_eq!(sealed.target_of(Offset(999), Offset(5000)), Some(Offset(899)));

    sweep::behind(&mut change, Offset(907));
    let row = row(&change);
    assert_eq!((row.offset, row.target.next), (Offset(1000), Some(Offset(907))));
    assert_eq!((row.anchor, row.caught_up_at), (None, Some(AT)));
    assert_eq!(row.resolved.unwrap().state, "tombstones-missed");
}

#[test]
fn nobody_elses_keys_are_deleted_without_a_word() {
    let refused = |seen: &Seen| one(seen, &request(Decision::Restart)).unwrap_err();
    let mut joined = missed();
    joined.missed.as_mut().unwrap().mirrored_from = Some(Offset(40));
    let told = refused(&joined);
    assert!(
        told.contains("0 to 40 (excluded)") && told.contains("--onto-existing"),
        "{told}"
    );
    let all = Request {
        existing: Existing::Doubled,
        ..request(Decision::Restart)
    };
    let (change, _) = one(&joined, &all).unwrap();
    assert_eq!(change.unwrap().sweep, Some(Sweep { from: Offset(0) }));
    let mut preserved = missed();
    preserved.row.as_mut().unwrap().preserved = Some(Preserved {
        begins: Offset(0),
        readable: true,
    });
    assert!(refused(&preserved).contains("its offsets are preserved"));
    let told = select(vec![missed()], &request(Decision::Restart), true).unwrap_err();
    assert!(told[0].to_string().contains("go through plugins"), "{told:?}");
}

fn row(change: &Change) -> Position {
    change.rows[0].1.clone().unwrap()
}

fn resolved(row: &Position) -> &Resolved {
    row.resolved.as_ref().unwrap()
}

/// What is seen once the change is written.
fn after(seen: &Seen, change: &Change) -> Seen {
    let row = row(change);
    Seen {
        behind: None,
        former: None,
        parted: None,
        row: Some(row),
        ..seen.clone()
    }
}

#[test]
fn what_retention_took_is_named_and_left_out_and_the_reckoning_goes_on() {
    let mut seen = seen();
    seen.log = log(1500, 2000);
    let lost = PartitionState::DataLoss {
        from: Offset(1000),
        to: Offset(1500),
    };
    assert_eq!(seen.state(), Some(lost));
    let change = change(&seen, Decision::Accept);
    let row = row(&change);
    assert_eq!((row.offset, row.epoch), (Offset(1500), LeaderEpoch(-1)));
    assert!(row.anchor.is_some() && row.runs == runs(&[(0, 0), (600, 500)]) && change.seal.is_none());
    assert_eq!(resolved(&row).source, span(1000, 1500));
    assert_eq!(
        (resolved(&row).at, resolved(&row).state.as_str()),
        (AT, "data-loss")
    );
}

#[test]
fn what_came_behind_the_row_is_not_counted_as_lost() {
    let mut seen = seen();
    seen.log = log(1500, 2000);
    seen.behind.as_mut().unwrap().offset = Offset(1200);
    let lost = PartitionState::DataLoss {
        from: Offset(1200),
        to: Offset(1500),
    };
    assert_eq!(seen.state(), Some(lost));
}

#[test]
fn a_truncated_source_goes_on_at_its_end_and_the_map_of_what_is_left_is_kept() {
    let mut seen = seen();
    seen.log = log(0, 700);
    let change = change(&seen, Decision::Accept);
    let row = row(&change);
    assert_eq!((row.offset, row.target.next), (Offset(700), Some(Offset(900))));
    assert_eq!((row.anchor, row.runs.len()), (None, 0));
    let (_, sealed) = change.seal.unwrap();
    assert_eq!(sealed, runs(&[(0, 0), (600, 500), (700, 900)]));
    assert_eq!(sealed.target_of(Offset(650), Offset(2000)), Some(Offset(550)));
    assert_eq!(resolved(&row).source, span(700, 1000));
    // An end that has grown past the position again is told by its epochs.
    let mut parted = self::seen();
    parted.parted = Some(Offset(650));
    let state = PartitionState::SourceTruncated {
        position: Offset(1000),
        end: Offset(650),
    };
    assert_eq!(parted.state(), Some(state));
}

#[test]
fn a_diverged_target_goes_on_at_its_end_and_what_it_lost_is_named_on_both_sides() {
    let mut seen = seen();
    seen.target.as_mut().unwrap().log = log(0, 700);
    seen.behind = None;
    let change = change(&seen, Decision::Accept);
    let row = row(&change);
    assert_eq!((row.offset, row.target.next), (Offset(1000), Some(Offset(700))));
    assert_eq!(row.anchor, None);
    assert_eq!(
        (resolved(&row).source, resolved(&row).target),
        (span(800, 1000), span(700, 900))
    );
    let (_, sealed) = change.seal.clone().unwrap();
    // A group within what was lost reads next what comes next.
    let places = [550, 799, 800, 999].map(|source| sealed.target_of(Offset(source), Offset(2000)));
    assert_eq!(places, [500, 699, 700, 700].map(|place| Some(Offset(place))));
    assert_eq!(after(&seen, &change).state(), None);
}

#[test]
fn a_map_that_is_cut_before_the_row_is_not_accepted() {
    let mut seen = seen();
    seen.has_chunks = true;
    seen.row.as_mut().unwrap().runs = runs(&[(800, 700)]);
    seen.target.as_mut().unwrap().log = log(0, 600);
    seen.behind = None;
    let told = one(&seen, &request(Decision::Accept)).unwrap_err();
    assert!(
        told.contains("offset 600") && told.contains("use restart, or abort"),
        "{told}"
    );
}

#[test]
fn what_somebody_else_wrote_stays_and_the_mirror_goes_on_behind_it() {
    let mut seen = seen();
    seen.target.as_mut().unwrap().log = log(0, 960);
    let behind = seen.behind.as_mut().unwrap();
    behind.foreign = Some(Offset(950));
    behind.offset = Offset(1050);
    behind.end = Offset(960);
    let state = PartitionState::SecondWriter { offset: Offset(950) };
    assert_eq!(seen.state(), Some(state));
    let change = change(&seen, Decision::Accept);
    let row = row(&change);
    assert_eq!((row.offset, row.target.next), (Offset(1050), Some(Offset(960))));
    assert_eq!(resolved(&row).target, span(950, 960));
    let (_, sealed) = change.seal.unwrap();
    assert_eq!(sealed, runs(&[(0, 0), (600, 500), (1050, 960)]));
}

#[test]
fn a_topic_that_was_created_again_is_begun_anew_and_rows_of_the_old_one_go() {
    let mut seen = seen();
    let former = PositionKey {
        topic: id(9),
        ..seen.key.clone()
    };
    seen.former = Some(Former {
        id: id(9),
        rows: vec![(former.clone(), seen.row.take().unwrap())],
    });
    seen.log = log(40, 90);
    let change = change(&seen, Decision::Accept);
    assert_eq!(change.rows[1], (former.clone(), None));
    assert!(change.unseal.contains(&former));
    let row = row(&change);
    assert_eq!(
        (row.offset, row.target.next, row.anchor),
        (Offset(40), None, None)
    );
    assert!(
        change.told.contains("behind the target's offset 900"),
        "{}",
        change.told
    );
    let mut whole = request(Decision::Accept);
    whole.partition = Some(Partition(0));
    assert!(one(&seen, &whole).unwrap_err().contains("leave --partition out"));
    let aborted = self::change(&seen, Decision::Abort);
    assert_eq!(aborted.rows[0].0, former);
}

#[test]
fn in_another_target_topic_it_goes_on_and_the_old_map_holds_no_more() {
    let mut seen = seen();
    seen.behind = None;
    seen.target = Some(Target {
        id: id(5),
        log: log(0, 0),
    });
    let change = change(&seen, Decision::Accept);
    let row = row(&change);
    assert_eq!(
        (row.offset, row.target.next, row.target.topic_id),
        (Offset(1000), None, id(5))
    );
    assert_eq!(change.unseal, [seen.key.clone()]);
    assert_eq!(after(&seen, &change).state(), None);
}

#[test]
fn restart_wants_an_empty_target_or_to_be_told_that_it_may_double() {
    let mut seen = seen();
    seen.log = log(1500, 2000);
    let told = one(&seen, &request(Decision::Restart)).unwrap_err();
    assert!(
        told.contains("offsets 0 to 900") && told.contains("--onto-existing"),
        "{told}"
    );
    let mut doubled = request(Decision::Restart);
    doubled.existing = Existing::Doubled;
    let (change, _) = one(&seen, &doubled).unwrap();
    let row = row(&change.unwrap());
    assert_eq!(
        (row.offset, row.target.next, row.anchor),
        (Offset(1500), None, None)
    );
    seen.target.as_mut().unwrap().log = log(900, 900);
    assert!(one(&seen, &request(Decision::Restart)).is_ok());
}

#[test]
fn a_decision_is_made_once_and_said_the_second_time() {
    let mut seen = seen();
    seen.log = log(1500, 2000);
    for decision in [Decision::Accept, Decision::Abort] {
        let change = change(&seen, decision);
        let (again, told) = one(&after(&seen, &change), &request(decision)).unwrap();
        assert_eq!(again, None);
        assert!(
            told.contains(&format!("{decision} of data-loss was decided already")),
            "{told}"
        );
    }
}

#[test]
fn what_was_left_stopped_is_decided_otherwise_by_name_alone() {
    let mut seen = seen();
    seen.log = log(1500, 2000);
    let mut aborted = after(&seen, &change(&seen, Decision::Abort));
    let mut all = request(Decision::Accept);
    all.topic = None;
    assert_eq!(one(&aborted, &all).unwrap().0, None);
    assert_eq!(row(&change(&aborted, Decision::Accept)).offset, Offset(1500));
    // What was wrong is mended.
    aborted.log = log(0, 2000);
    assert!(matches!(aborted.state(), Some(PartitionState::Aborted { .. })));
    assert_eq!(row(&change(&aborted, Decision::Accept)).offset, Offset(1000));
}

#[test]
fn a_partition_that_has_not_stopped_is_refused() {
    for decision in [Decision::Accept, Decision::Restart, Decision::Abort] {
        let mut request = request(decision);
        request.partition = Some(Partition(0));
        let told = one(&seen(), &request).unwrap_err();
        assert!(
            told.starts_with("--partition = \"orders-0\": has not stopped"),
            "{told}"
        );
    }
}

/// As [`seen`], with the same offsets on both sides.
fn preserved() -> Seen {
    let mut seen = seen();
    let row = seen.row.as_mut().unwrap();
    row.preserved = Some(Preserved {
        begins: Offset(0),
        readable: true,
    });
    row.runs = runs(&[(0, 0)]);
    row.target.next = Some(Offset(1000));
    seen.behind = Some(Behind {
        offset: Offset(1000),
        runs: runs(&[(0, 0)]),
        end: Offset(1000),
        foreign: None,
    });
    seen.target = Some(Target {
        id: id(2),
        log: log(0, 1000),
    });
    seen
}

#[test]
fn where_offsets_are_preserved_nothing_is_accepted_that_would_move_them() {
    let mut lost = preserved();
    lost.log = log(1200, 2000);
    let row = row(&change(&lost, Decision::Accept));
    assert_eq!((row.offset, row.anchor.is_some()), (Offset(1200), true));
    let mut shared = preserved();
    shared.behind.as_mut().unwrap().foreign = Some(Offset(1000));
    shared.target.as_mut().unwrap().log = log(0, 1001);
    let refused = one(&shared, &request(Decision::Accept)).unwrap_err();
    assert!(refused.contains("its offsets are preserved"), "{refused}");
}

/// What changes of one partition's position to this offset, or of taking it away.
fn altered(seen: &Seen, offset: Option<i64>) -> Result<(Option<Change>, String), String> {
    let entry = offsets::Entry {
        partition: offsets::SourcePartition {
            cluster: offsets::CLUSTER.to_owned(),
            topic: "orders".to_owned(),
            partition: 0,
        },
        offset: offset.map(|offset| offsets::SourceOffset { offset }),
    };
    changed(seen, vec![entry])
}

fn changed(seen: &Seen, entries: Vec<offsets::Entry>) -> Result<(Option<Change>, String), String> {
    let changes = offsets::Changes::These(offsets::Offsets { offsets: entries });
    let mut changed = offsets::changed(vec![seen.clone()], &changes).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        problems.join("\n")
    })?;
    let (_, change, told) = changed.remove(0);
    Ok((change, told))
}

#[test]
fn a_position_is_set_back_and_what_is_before_it_stays_known() {
    let (change, told) = altered(&seen(), Some(700)).unwrap();
    let change = change.unwrap();
    let (_, row) = &change.rows[0];
    let row = row.as_ref().unwrap();
    assert_eq!((row.offset, row.epoch), (Offset(700), LeaderEpoch(-1)));
    assert_eq!(row.target.next, Some(Offset(900)), "behind what is there");
    assert!(
        row.anchor.is_none() && row.runs.is_empty(),
        "the next start reckons anew"
    );
    let (_, kept) = change.seal.unwrap();
    assert_eq!(kept, runs(&[(0, 0), (600, 500), (700, 900)]));
    assert!(
        told.contains("700 to 1000 (excluded) will be on the target twice"),
        "{told}"
    );
}

#[test]
fn a_position_is_set_ahead_and_what_is_passed_over_is_where_the_next_record_will_be() {
    let (change, told) = altered(&seen(), Some(1500)).unwrap();
    let (_, kept) = change.unwrap().seal.unwrap();
    assert_eq!(kept.target_of(Offset(1200), Offset(900)), Some(Offset(900)));
    assert_eq!(kept.target_of(Offset(999), Offset(900)), Some(Offset(899)));
    assert!(told.contains("1000 to 1500 (excluded) are passed over"), "{told}");
    let (change, told) = altered(&seen(), Some(1000)).unwrap();
    assert!(change.is_none() && told.contains("nothing is changed"), "{told}");
}

#[test]
fn a_position_that_is_taken_away_leaves_nothing() {
    let mut seen = seen();
    let (change, _) = altered(&seen, None).unwrap();
    let change = change.unwrap();
    assert_eq!(change.rows, [(seen.key.clone(), None)]);
    assert_eq!(change.unseal, [seen.key.clone()]);
    let all = offsets::changed(vec![seen.clone()], &offsets::Changes::Reset).unwrap();
    assert_eq!(all[0].1.as_ref(), Some(&change));
    seen.row = None;
    assert!(altered(&seen, None).unwrap().0.is_none());
    assert!(
        offsets::changed(vec![seen], &offsets::Changes::Reset)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn what_cannot_be_a_position_is_said_all_at_once() {
    let entry = |cluster: &str, topic: &str, offset| offsets::Entry {
        partition: offsets::SourcePartition {
            cluster: cluster.to_owned(),
            topic: topic.to_owned(),
            partition: 0,
        },
        offset: Some(offsets::SourceOffset { offset }),
    };
    let wrong = vec![
        entry("west", "orders", 2001),
        entry("source", "unknown", 3),
        entry("source", "orders", -1),
    ];
    let said = changed(&seen(), wrong).unwrap_err();
    for part in [
        "cluster = \"west\"",
        "unknown-0",
        "offset = \"-1\"",
        "listed twice",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let beyond = altered(&seen(), Some(2001)).unwrap_err();
    assert!(beyond.contains("0 to 2000 (excluded)"), "{beyond}");
    assert!(
        changed(&seen(), Vec::new())
            .unwrap_err()
            .contains("nothing is listed")
    );
    let mut preserved = seen();
    preserved.row.as_mut().unwrap().preserved = Some(Preserved {
        begins: Offset(0),
        readable: true,
    });
    for offset in [Some(700), None] {
        let said = altered(&preserved, offset).unwrap_err();
        assert!(said.contains("towpath topic reseed"), "{said}");
    }
    let mut diverged = seen();
    diverged.target.as_mut().unwrap().log.end = Offset(899);
    let said = altered(&diverged, Some(700)).unwrap_err();
    assert!(said.contains("towpath worker resolve"), "{said}");
}
