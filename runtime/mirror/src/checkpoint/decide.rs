//! What is to be done about a group's offset of one partition: the rules, without I/O.

use towpath_domain::Offset;
use towpath_wire::{CommittedOffset, positions::Checkpoint};

use crate::status::GroupState;

/// What is known of a group's offset of one partition.
#[derive(Clone, Debug)]
pub(super) struct Case<'a> {
    pub source: &'a CommittedOffset,
    /// where that is on the target, or why that is not known
    pub at: Result<Offset, String>,
    /// what is committed on the target
    pub target: Option<&'a CommittedOffset>,
    /// what this connector committed there last
    pub written: Option<Checkpoint>,
    pub activity: Activity,
    pub age: Age,
}

/// Whether the group has members on the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    Active,
    Empty,
}

/// Of the last commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Fresh,
    /// before the target's `offsets.retention.minutes` are over it is made again
    Due,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// to be committed, and stored before that
    Commit { target: Offset, row: Checkpoint },
    /// left as it is
    Leave {
        state: GroupState,
        reason: Option<String>,
    },
}

pub(super) fn decide(case: Case<'_>) -> Verdict {
    if case.activity == Activity::Active {
        let reason = "the group has members on the target: from there on it commits itself";
        return leave(GroupState::ActiveOnTarget, reason);
    }
    let committed = case.target.map(|target| target.offset);
    if let (Some(committed), Some(written)) = (committed, case.written)
        && !written.is_ours(committed)
    {
        return conflict(committed, Some(written.target));
    }
    let target = match case.at {
        Ok(target) => target,
        Err(reason) => return leave(GroupState::NotSynced, reason),
    };
    if let Some(committed) = committed {
        if case.written.is_none() && committed != target {
            return conflict(committed, None);
        }
        if target < committed {
            return leave(
                GroupState::NotSynced,
                format!(
                    "the group went back on the source, to what is offset {target} on the target; offset {committed} is committed there, and never set back: delete the group's offset there to have it follow"
                ),
            );
        }
    }
    let is_there = case
        .target
        .is_some_and(|there| there.offset == target && there.metadata == case.source.metadata);
    let is_ours = case.written.is_some_and(|written| written.target == target);
    if is_there && is_ours && case.age == Age::Fresh {
        return Verdict::Leave {
            state: GroupState::Synced,
            reason: None,
        };
    }
    Verdict::Commit {
        target,
        row: Checkpoint {
            source: case.source.offset,
            target,
            before: committed.filter(|committed| *committed != target),
            late: late(case.written, committed).filter(|late| *late != target),
        },
    }
}

/// What a commit that has not come through may still set the group to.
fn late(written: Option<Checkpoint>, committed: Option<Offset>) -> Option<Offset> {
    let written = written?;
    match committed == Some(written.target) {
        true => written.late,
        false => Some(written.target),
    }
}

fn conflict(committed: Offset, ours: Option<Offset>) -> Verdict {
    let ours = ours.map_or("nothing".to_owned(), |ours| format!("offset {ours}"));
    leave(
        GroupState::Conflict,
        format!(
            "somebody else has committed offset {committed} on the target, where this connector committed {ours}; it is left alone: delete the group's offset there to have it synced"
        ),
    )
}

fn leave(state: GroupState, reason: impl Into<String>) -> Verdict {
    Verdict::Leave {
        state,
        reason: Some(reason.into()),
    }
}

#[cfg(test)]
mod tests {
    use towpath_domain::LeaderEpoch;

    use super::*;

    fn committed(offset: i64) -> CommittedOffset {
        CommittedOffset {
            offset: Offset(offset),
            leader_epoch: LeaderEpoch(4),
            metadata: "m".to_owned(),
        }
    }

    fn written(target: i64) -> Option<Checkpoint> {
        Some(Checkpoint {
            source: Offset(target + 3),
            target: Offset(target),
            before: None,
            late: None,
        })
    }

    /// Source offset 13 is 10 on the target.
    struct Given {
        at: Result<i64, &'static str>,
        target: Option<CommittedOffset>,
        written: Option<Checkpoint>,
        activity: Activity,
        age: Age,
    }

    const FIRST: Given = Given {
        at: Ok(10),
        target: None,
        written: None,
        activity: Activity::Empty,
        age: Age::Due,
    };

    fn verdict(given: Given) -> Verdict {
        decide(Case {
            source: &committed(13),
            at: given.at.map(Offset).map_err(str::to_owned),
            target: given.target.as_ref(),
            written: given.written,
            activity: given.activity,
            age: given.age,
        })
    }

    fn state(given: Given) -> GroupState {
        match verdict(given) {
            Verdict::Commit { .. } => panic!("it is committed"),
            Verdict::Leave { state, reason } => {
                assert_eq!(reason.is_none(), state == GroupState::Synced, "{reason:?}");
                state
            }
        }
    }

    fn commits(given: Given, before: Option<i64>) {
        commits_after(given, before, None);
    }

    fn commits_after(given: Given, before: Option<i64>, late: Option<i64>) {
        let row = Checkpoint {
            source: Offset(13),
            target: Offset(10),
            before: before.map(Offset),
            late: late.map(Offset),
        };
        let target = Offset(10);
        assert_eq!(verdict(given), Verdict::Commit { target, row });
    }

    #[test]
    fn an_offset_is_committed_once_and_moves_on() {
        commits(FIRST, None);
        let there = Given {
            target: Some(committed(10)),
            written: written(10),
            age: Age::Fresh,
            ..FIRST
        };
        assert_eq!(state(there), GroupState::Synced);
        let behind = Given {
            target: Some(committed(8)),
            written: written(8),
            age: Age::Fresh,
            ..FIRST
        };
        commits(behind, Some(8));
    }

    #[test]
    fn other_metadata_is_committed_with_the_same_offset() {
        let mut target = committed(10);
        target.metadata = "older".to_owned();
        let given = Given {
            target: Some(target),
            written: written(10),
            age: Age::Fresh,
            ..FIRST
        };
        commits(given, None);
    }

    #[test]
    fn before_it_expires_and_after_it_is_gone_it_is_committed_again() {
        let old = Given {
            target: Some(committed(10)),
            written: written(10),
            ..FIRST
        };
        commits(old, None);
        let gone = Given {
            written: written(10),
            age: Age::Fresh,
            ..FIRST
        };
        commits(gone, None);
    }

    #[test]
    fn a_commit_of_somebody_else_is_left_alone() {
        for other in [0, 9, 11] {
            let moved = Given {
                target: Some(committed(other)),
                written: written(8),
                ..FIRST
            };
            assert_eq!(state(moved), GroupState::Conflict, "{other}");
            let never_written = Given {
                target: Some(committed(other)),
                ..FIRST
            };
            assert_eq!(state(never_written), GroupState::Conflict, "{other}");
        }
        // Also where it would be right by accident, and while the mirror is behind.
        for at in [Ok(10), Err("later")] {
            let accident = Given {
                at,
                target: Some(committed(10)),
                written: written(8),
                ..FIRST
            };
            assert_eq!(state(accident), GroupState::Conflict);
        }
    }

    #[test]
    fn the_same_offset_that_was_there_before_is_taken_over() {
        let given = Given {
            target: Some(committed(10)),
            ..FIRST
        };
        commits(given, None);
    }

    #[test]
    fn a_commit_that_did_not_come_through_is_no_conflict() {
        let given = |there| Given {
            target: Some(committed(there)),
            written: Some(Checkpoint {
                source: Offset(12),
                target: Offset(9),
                before: Some(Offset(8)),
                late: None,
            }),
            ..FIRST
        };
        commits_after(given(8), Some(8), Some(9));
        commits(given(9), Some(9));
        assert_eq!(state(given(7)), GroupState::Conflict);
    }

    #[test]
    fn a_commit_that_comes_late_is_no_conflict_and_the_group_moves_on_again() {
        let late = |source| Given {
            target: Some(committed(7)),
            written: Some(Checkpoint {
                source: Offset(13),
                target: Offset(source),
                before: None,
                late: Some(Offset(7)),
            }),
            age: Age::Fresh,
            ..FIRST
        };
        commits_after(late(10), Some(7), None);
        commits_after(late(9), Some(7), Some(9));
        let known = Given {
            target: Some(committed(9)),
            ..late(9)
        };
        commits_after(known, Some(9), Some(7));
    }

    #[test]
    fn an_active_group_is_not_touched_whatever_it_has_committed() {
        for target in [None, Some(committed(3)), Some(committed(10))] {
            let given = Given {
                target,
                written: written(10),
                activity: Activity::Active,
                ..FIRST
            };
            assert_eq!(state(given), GroupState::ActiveOnTarget);
        }
    }

    #[test]
    fn nothing_is_set_back() {
        let given = Given {
            target: Some(committed(11)),
            written: written(11),
            ..FIRST
        };
        assert_eq!(state(given), GroupState::NotSynced);
    }

    #[test]
    fn what_has_no_place_yet_is_not_synced() {
        for written in [None, written(8)] {
            let given = Given {
                at: Err("the mirror has not come so far yet"),
                target: written.map(|_| committed(8)),
                written,
                ..FIRST
            };
            assert_eq!(state(given), GroupState::NotSynced);
        }
    }
}
