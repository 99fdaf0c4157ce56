//! Where a source offset is on the target.

use towpath_domain::{Offset, TopicId};
use towpath_wire::positions::Position;

/// What the target's log holds, read before the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Log {
    pub start: Offset,
    /// the last stable offset
    pub stable: Offset,
    pub end: Offset,
    /// of the topic that is there now; zero when it is not known
    pub topic_id: TopicId,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Located {
    At(Offset),
    /// The row does not go back so far: a chunk says it, or it is before everything that was mirrored.
    BeforeRow,
    /// not on the target, or not known
    Nowhere(String),
}

/// By what is stored of the partition. The row must be read after the log was looked at: then it has every run that begins before the log's end.
pub(super) fn locate(source: Offset, row: &Position, log: Log) -> Located {
    let target = &row.target;
    if row.anchor.is_none() {
        return Located::Nowhere(format!(
            "topic {} is mirrored at least once, so offsets have no exact counterpart; mirror it exactly once (delivery.guarantee)",
            row.topic
        ));
    }
    if !target.topic_id.is_zero() && !log.topic_id.is_zero() && target.topic_id != log.topic_id {
        return Located::Nowhere(format!(
            "topic {} of the target was deleted and created again",
            target.topic
        ));
    }
    // The row may be of later than the end: what it knows of as acknowledged is there.
    let end = log.end.max(target.next.unwrap_or(log.end));
    let mirrored = row.runs.source_at(end).map(|at| at.offset).max(Some(row.offset));
    if Some(source) > mirrored {
        return Located::Nowhere("the mirror has not come so far yet".to_owned());
    }
    match row.runs.first() {
        Some(first) if source < first.source => Located::BeforeRow,
        Some(_) => Located::At(row.runs.target_of(source, end).unwrap_or(end)),
        None => Located::At(end),
    }
}

/// Within what the target's readers can read: not before its first record, and not behind a transaction that is open there.
pub(super) fn clamp(at: Offset, log: Log) -> Offset {
    let most = if log.stable < log.end { log.stable } else { at };
    at.min(most).max(log.start)
}

#[cfg(test)]
mod tests {
    use towpath_domain::{LeaderEpoch, Partition, offset_map::Run};
    use towpath_wire::positions::{Anchor, TargetPosition};

    use super::*;

    fn id(last: u8) -> TopicId {
        let text = format!("\"00000000-0000-0000-0000-00000000000{last}\"");
        serde_json::from_str(&text).expect("an id")
    }

    fn log(end: i64) -> Log {
        Log {
            start: Offset(0),
            stable: Offset(end),
            end: Offset(end),
            topic_id: id(7),
        }
    }

    /// 100..103 are at 7..10, 103 is a marker, and from 104 on records are at 10 and behind.
    fn row(offset: i64, next: Option<i64>) -> Position {
        Position {
            offset: Offset(offset),
            epoch: LeaderEpoch(0),
            topic: "orders".into(),
            target: TargetPosition {
                topic: "orders".into(),
                topic_id: id(7),
                partition: Partition(0),
                next: next.map(Offset),
            },
            anchor: Some(Anchor {
                producer: 1,
                epoch: 0,
                sequence: 0,
                offset: Offset(7),
            }),
            runs: [(100, 7), (104, 10)]
                .map(|(source, target)| Run {
                    source: Offset(source),
                    target: Offset(target),
                })
                .into_iter()
                .collect(),
            open: true,
            preserved: None,
            transactional: false,
            caught_up_at: None,
            resolved: None,
        }
    }

    fn at(source: i64, row: &Position, log: Log) -> Option<i64> {
        match locate(Offset(source), row, log) {
            Located::At(at) => Some(at.0),
            Located::BeforeRow | Located::Nowhere(_) => None,
        }
    }

    #[test]
    fn an_offset_is_where_its_record_is_or_the_next_one() {
        let row = row(100, None);
        let located = [100, 102, 103, 104, 106].map(|source| at(source, &row, log(12)));
        assert_eq!(located, [Some(7), Some(9), Some(10), Some(10), Some(12)]);
    }

    #[test]
    fn what_is_not_mirrored_yet_waits_for_it() {
        let row = row(100, None);
        for source in [107, 1000] {
            let Located::Nowhere(reason) = locate(Offset(source), &row, log(12)) else {
                panic!("{source} is not mirrored");
            };
            assert_eq!(reason, "the mirror has not come so far yet");
        }
        // The log ends before the run that would say more.
        assert_eq!(at(104, &row, log(9)), None);
        assert_eq!(at(102, &row, log(9)), Some(9));
    }

    #[test]
    fn markers_behind_the_last_record_are_passed_when_the_row_says_so() {
        assert_eq!(at(110, &row(106, Some(12)), log(12)), None);
        assert_eq!(at(110, &row(110, Some(12)), log(12)), Some(12));
    }

    #[test]
    fn what_the_row_knows_as_acknowledged_is_there_though_the_log_was_looked_at_before() {
        let later = row(106, Some(12));
        assert_eq!(at(105, &later, log(10)), Some(11));
        assert_eq!(at(106, &later, log(10)), Some(12));
    }

    #[test]
    fn an_offset_before_the_rows_runs_is_looked_up_in_chunks() {
        assert_eq!(locate(Offset(99), &row(100, None), log(12)), Located::BeforeRow);
    }

    #[test]
    fn without_a_map_nothing_is_guessed() {
        let mut at_least_once = row(106, Some(12));
        at_least_once.anchor = None;
        let Located::Nowhere(reason) = locate(Offset(100), &at_least_once, log(12)) else {
            panic!("there is no map");
        };
        assert!(reason.contains("delivery.guarantee"), "{reason}");
        let recreated = Log {
            topic_id: id(8),
            ..log(12)
        };
        let Located::Nowhere(reason) = locate(Offset(100), &row(106, Some(12)), recreated) else {
            panic!("the map is of another topic");
        };
        assert!(reason.contains("created again"), "{reason}");
        // A broker that does not know ids, or rows of an older version.
        let unknown = Log {
            topic_id: TopicId::ZERO,
            ..log(12)
        };
        assert_eq!(at(100, &row(106, Some(12)), unknown), Some(7));
    }

    #[test]
    fn a_place_is_within_what_readers_can_read() {
        let log = Log {
            start: Offset(3),
            stable: Offset(8),
            end: Offset(12),
            ..log(12)
        };
        assert_eq!(
            [1, 5, 10].map(|at| clamp(Offset(at), log)),
            [Offset(3), Offset(5), Offset(8)]
        );
        // Nothing is open: what is behind an end of a moment ago is there, too.
        let quiet = Log {
            stable: Offset(12),
            ..log
        };
        assert_eq!(clamp(Offset(14), quiet), Offset(14));
    }
}
