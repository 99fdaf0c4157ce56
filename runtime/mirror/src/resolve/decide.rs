//! What a decision makes of a partition's row. No I/O.

use towpath_domain::{
    Decision, LeaderEpoch, Offset, TopicId,
    config::Problem,
    offset_map::{Run, Runs},
    state::PartitionState,
};
use towpath_wire::positions::{Position, PositionKey, Resolved, Span, TargetPosition};

use super::{
    Existing,
    seen::{Log, Seen, Target},
};

/// What was decided, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub decision: Decision,
    pub existing: Existing,
    /// ms since 1970
    pub at: i64,
}

/// What is to be written for a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub rows: Vec<(PositionKey, Option<Position>)>,
    /// runs that the row no longer has, and that still hold
    pub seal: Option<(PositionKey, Runs)>,
    /// whose chunks hold no more
    pub unseal: Vec<PositionKey>,
    /// what becomes of the partition
    pub told: String,
}

/// Where a partition goes on, and the offsets that it is about.
struct GoOn {
    row: Position,
    seal: Option<Runs>,
    unseal: bool,
    spans: (Option<Span>, Option<Span>),
    told: String,
}

/// What to write for a partition in this state; or why it cannot be done, and what can.
pub(super) fn decide(seen: &Seen, state: &PartitionState, order: Order) -> Result<Change, Problem> {
    if order.decision == Decision::Abort {
        return Ok(abort(seen, state, order));
    }
    let before = state.name().to_owned();
    let go_on = match (order.decision, state) {
        (Decision::Restart, _) => restart(seen, order.existing)?,
        (_, PartitionState::TopicRecreated { .. }) => anew(seen),
        _ => accept(seen, state)?,
    };
    let mut row = go_on.row;
    row.resolved = Some(Resolved {
        decision: order.decision,
        state: before,
        at: order.at,
        source: go_on.spans.0,
        target: go_on.spans.1,
    });
    let formers = seen.former.iter().flat_map(|former| &former.rows);
    let formers: Vec<PositionKey> = formers.map(|(key, _)| key.clone()).collect();
    let mut rows = vec![(seen.key.clone(), Some(row))];
    rows.extend(formers.iter().map(|key| (key.clone(), None)));
    let own = go_on.unseal.then(|| seen.key.clone());
    Ok(Change {
        rows,
        seal: go_on.seal.map(|runs| (seen.key.clone(), runs)),
        unseal: own.into_iter().chain(formers).collect(),
        told: go_on.told,
    })
}

/// The decision that was made already, when nothing has happened since.
pub(super) fn decided(seen: &Seen, decision: Decision) -> Option<&Resolved> {
    let mut resolved = seen.rows().filter_map(|row| row.resolved.as_ref());
    resolved.find(|resolved| resolved.decision == decision)
}

fn abort(seen: &Seen, state: &PartitionState, order: Order) -> Change {
    let (source, target) = spans_of(state);
    let resolved = Resolved {
        decision: Decision::Abort,
        state: state.name().to_owned(),
        at: order.at,
        source,
        target,
    };
    let own = seen.row.iter().map(|row| (&seen.key, row));
    let former = seen.former.iter().flat_map(|former| &former.rows);
    let rows = own.chain(former.map(|(key, row)| (key, row)));
    let rows = rows.map(|(key, row)| {
        let mut row = row.clone();
        row.resolved = Some(resolved.clone());
        (key.clone(), Some(row))
    });
    Change {
        rows: rows.collect(),
        told: "stays stopped until it is decided otherwise".to_owned(),
        ..Change::default()
    }
}

fn restart(seen: &Seen, existing: Existing) -> Result<GoOn, Problem> {
    let Log { start, end } = seen.target.map_or(EMPTY, |target| target.log);
    if seen.target.is_some_and(|target| target.log.has_records()) && existing == Existing::Refused {
        let message = format!(
            "{} on the target has offsets {start} to {end} (excluded): what of the source is among them would be there twice",
            seen.place
        );
        let remedy = format!(
            "delete topic {} on the target, or its records, and repeat this; or add --onto-existing to have it twice",
            seen.place.topic
        );
        return Err(Problem::new(
            "restart",
            Some(&seen.source.to_string()),
            message,
            remedy,
        ));
    }
    Ok(anew(seen))
}

/// From the source's first record, behind whatever is on the target; nothing of a row before is left.
fn anew(seen: &Seen) -> GoOn {
    let start = seen.log.start;
    let row = Position {
        offset: start,
        epoch: UNKNOWN,
        topic: seen.source.topic.clone(),
        target: TargetPosition {
            topic: seen.place.topic.clone(),
            topic_id: seen.target.map_or(TopicId::ZERO, |target| target.id),
            partition: seen.place.partition,
            next: None,
        },
        anchor: None,
        runs: Runs::default(),
        open: false,
        resolved: None,
    };
    let behind = match seen.target {
        Some(Target { log, .. }) if log.has_records() => format!(", behind the target's offset {}", log.end),
        _ => String::new(),
    };
    GoOn {
        row,
        seal: None,
        unseal: true,
        spans: (None, None),
        told: format!("is mirrored from the source's offset {start}, its first{behind}"),
    }
}

fn accept(seen: &Seen, state: &PartitionState) -> Result<GoOn, Problem> {
    let row = seen.row.clone().ok_or_else(|| unknown(seen, state))?;
    let spans = spans_of(state);
    let plain = |row: Position, told: String| GoOn {
        row,
        seal: None,
        unseal: false,
        spans,
        told,
    };
    Ok(match state {
        PartitionState::DataLoss { from, to } => plain(
            at(row, *to),
            format!("goes on at the source's offset {to}; {from} to {to} (excluded) are not on the target"),
        ),
        PartitionState::SourceTruncated { position, end } => {
            let told = format!(
                "goes on at the source's offset {end}; the target keeps what {end} to {position} (excluded) were before"
            );
            let place = seen.target.map(|target| target.log.end);
            let (Some(behind), Some(place)) = (&seen.behind, place) else {
                return Ok(plain(at(row, *end), told));
            };
            is_within(seen, row.runs.first().map(|first| first.source), *end)?;
            let kept = behind.runs.iter().filter(|run| run.source < *end).collect();
            again(at(row, *end), kept, place, spans, told)
        }
        PartitionState::TargetDiverged { next, end } => {
            let told = format!(
                "goes on at the source's offset {} and the target's {end}; what {end} to {next} (excluded) were before is not on the target",
                row.offset
            );
            is_within(seen, row.runs.first().map(|first| first.target), *end)?;
            let mut runs = row.runs.clone();
            let from = runs.source_at(*end).map(|at| at.offset);
            runs.cut(*end);
            let lost = from.map(|from| Span { from, to: row.offset });
            again(row, runs, *end, (lost, spans.1), told)
        }
        PartitionState::SecondWriter { offset } => {
            let (Some(behind), Some(target)) = (&seen.behind, seen.target) else {
                return Err(unknown(seen, state));
            };
            let place = target.log.end;
            let told = format!(
                "goes on at the source's offset {} and the target's {place}; {offset} to {place} (excluded) are left there as somebody else's",
                behind.offset
            );
            let mut runs = behind.runs.clone();
            runs.cut(*offset);
            let others = Span {
                from: *offset,
                to: place,
            };
            again(at(row, behind.offset), runs, place, (None, Some(others)), told)
        }
        PartitionState::TargetRecreated { .. } => {
            let from = seen.log.start.min(row.offset);
            let told = format!(
                "goes on at the source's offset {} in the topic that is there now, which lacks what is before it",
                row.offset
            );
            let lacking = Span { from, to: row.offset };
            let target = TargetPosition {
                topic_id: seen.target.map_or(TopicId::ZERO, |target| target.id),
                next: None,
                ..row.target
            };
            GoOn {
                unseal: true,
                ..again(
                    Position { target, ..row },
                    Runs::default(),
                    None,
                    (Some(lacking), None),
                    told,
                )
            }
        }
        PartitionState::Aborted { .. } => {
            let told = format!("goes on at the source's offset {}", row.offset);
            plain(row, told)
        }
        _ => return Err(unknown(seen, state)),
    })
}

/// Goes on at another place of the target than its sequences say: the next start begins a new reckoning there. What is before stays known to groups that are far behind.
fn again(
    mut row: Position,
    mut runs: Runs,
    place: impl Into<Option<Offset>>,
    spans: (Option<Span>, Option<Span>),
    told: String,
) -> GoOn {
    let mut goes_on = false;
    if let Some(place) = place.into() {
        if row.anchor.is_some() {
            runs.note(row.offset, place);
            let border = Run {
                source: row.offset,
                target: place,
            };
            // Record by record as it was: the sequences hold.
            goes_on = runs.last() != Some(border);
        }
        row.target.next = Some(place);
    }
    row.open = false;
    row.runs = Runs::default();
    if goes_on {
        row.runs = std::mem::take(&mut runs);
    } else {
        row.anchor = None;
    }
    GoOn {
        row,
        // A single run says nothing of what is before it.
        seal: (runs.len() > 1).then_some(runs),
        unseal: false,
        spans,
        told,
    }
}

fn at(row: Position, offset: Offset) -> Position {
    let epoch = if row.offset == offset { row.epoch } else { UNKNOWN };
    Position { offset, epoch, ..row }
}

/// Whether the row has the runs from which on the map holds no more.
fn is_within(seen: &Seen, first: Option<Offset>, cut: Offset) -> Result<(), Problem> {
    if !seen.has_chunks || first.is_some_and(|first| first < cut) {
        return Ok(());
    }
    let message = format!(
        "what is gone begins at offset {cut}, before everything that the row's offset map goes back to: groups could not be told where they go on"
    );
    Err(Problem::new(
        "accept",
        Some(&seen.source.to_string()),
        message,
        "use restart, or abort",
    ))
}

fn unknown(seen: &Seen, state: &PartitionState) -> Problem {
    Problem::new(
        "accept",
        Some(&seen.source.to_string()),
        format!("{state}: there is no place from which it could go on"),
        "use restart, or abort",
    )
}

/// The offsets that a state names: the source's and the target's.
fn spans_of(state: &PartitionState) -> (Option<Span>, Option<Span>) {
    match *state {
        PartitionState::DataLoss { from, to } => (Some(Span { from, to }), None),
        PartitionState::SourceTruncated { position, end } => (
            Some(Span {
                from: end,
                to: position,
            }),
            None,
        ),
        PartitionState::TargetDiverged { next, end } => (None, Some(Span { from: end, to: next })),
        _ => (None, None),
    }
}

const UNKNOWN: LeaderEpoch = LeaderEpoch(-1);
const EMPTY: Log = Log {
    start: Offset(0),
    end: Offset(0),
};

/// Whether a state is the topic's, and not of one of its partitions.
pub(super) fn is_of_topic(state: &PartitionState) -> bool {
    matches!(
        state,
        PartitionState::TopicRecreated { .. } | PartitionState::TargetRecreated { .. }
    )
}
