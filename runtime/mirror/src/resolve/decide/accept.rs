//! On from where it is possible.

use towpath_domain::{
    Offset, TopicId,
    config::Problem,
    offset_map::{Run, Runs},
    state::PartitionState,
};
use towpath_wire::positions::{Position, Span, TargetPosition};

use super::{GoOn, UNKNOWN, spans_of};
use crate::resolve::seen::Seen;

pub(super) fn accept(seen: &Seen, state: &PartitionState) -> Result<GoOn, Problem> {
    let row = seen.row.clone().ok_or_else(|| unknown(seen, state))?;
    if row.preserved.is_some() && moves_offsets(state) {
        return Err(moved(seen, state));
    }
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
            elsewhere(seen, row, *end, (spans, told))?
        }
        PartitionState::TombstonesMissed { position, .. } => plain(
            row,
            format!(
                "goes on at the source's offset {position}; the target may keep keys that the source has deleted"
            ),
        ),
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

/// Goes on at another offset of the source, where the target's log ends. What is known of offsets before it stays known.
pub(super) fn elsewhere(
    seen: &Seen,
    row: Position,
    offset: Offset,
    (spans, told): ((Option<Span>, Option<Span>), String),
) -> Result<GoOn, Problem> {
    let place = seen.target.map(|target| target.log.end);
    let (Some(behind), Some(place)) = (&seen.behind, place) else {
        return Ok(GoOn {
            row: at(row, offset),
            seal: None,
            unseal: false,
            spans,
            told,
        });
    };
    is_within(seen, row.runs.first().map(|first| first.source), offset)?;
    let kept = behind.runs.iter().filter(|run| run.source < offset).collect();
    Ok(again(at(row, offset), kept, place, spans, told))
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
        row.transactional = false;
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

pub(super) fn at(row: Position, offset: Offset) -> Position {
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

/// Whether what is mirrored from here on has another place on the target than at the source.
fn moves_offsets(state: &PartitionState) -> bool {
    !matches!(
        state,
        PartitionState::DataLoss { .. }
            | PartitionState::TombstonesMissed { .. }
            | PartitionState::Aborted { .. }
    )
}

fn moved(seen: &Seen, state: &PartitionState) -> Problem {
    Problem::new(
        "accept",
        Some(&seen.source.to_string()),
        format!("{state}: its offsets are preserved, and what comes next could not have the source's"),
        "mirror the topic anew by `towpath topic reseed`, or use abort",
    )
}

fn unknown(seen: &Seen, state: &PartitionState) -> Problem {
    Problem::new(
        "accept",
        Some(&seen.source.to_string()),
        format!("{state}: there is no place from which it could go on"),
        "use restart, or abort",
    )
}
