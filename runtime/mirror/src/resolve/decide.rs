//! What a decision makes of a partition's row. No I/O.

mod accept;
mod anew;
mod deleting;

use towpath_domain::{
    Decision, LeaderEpoch, Offset, config::Problem, offset_map::Runs, state::PartitionState,
};
use towpath_wire::positions::{Position, PositionKey, Resolved, Span};

use super::{Existing, seen::Seen, sweep::Sweep};
use accept::{accept, elsewhere};
use anew::{anew, restart};
use deleting::deleting;

/// What was decided, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub decision: Decision,
    pub existing: Existing,
    /// ms since 1970
    pub at: i64,
    /// records go through plugins
    pub has_plugins: bool,
}

/// What is to be written for a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub rows: Vec<(PositionKey, Option<Position>)>,
    /// runs that the row no longer has, and that still hold
    pub seal: Option<(PositionKey, Runs)>,
    /// whose chunks hold no more
    pub unseal: Vec<PositionKey>,
    /// keys that are to be deleted on the target before
    pub sweep: Option<Sweep>,
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

/// Of the record before a place that a decision names.
const UNKNOWN: LeaderEpoch = LeaderEpoch(-1);

/// What to write for a partition in this state; or why it cannot be done, and what can.
pub(super) fn decide(seen: &Seen, state: &PartitionState, order: Order) -> Result<Change, Problem> {
    if order.decision == Decision::Abort {
        return Ok(abort(seen, state, order));
    }
    let before = state.name().to_owned();
    let mut sweep = None;
    let mut go_on = match (order.decision, state) {
        (Decision::Restart, PartitionState::TombstonesMissed { .. }) => {
            let (go_on, swept) = deleting(seen, state, order)?;
            sweep = Some(swept);
            go_on
        }
        (Decision::Restart, _) => restart(seen, order.existing)?,
        (_, PartitionState::TopicRecreated { .. }) => anew(seen),
        _ => accept(seen, state)?,
    };
    if let PartitionState::TombstonesMissed { .. } = state {
        // What is missing from then on is not what was decided about.
        go_on.row.caught_up_at = Some(order.at);
    }
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
        sweep,
        told: go_on.told,
    })
}

/// The partition goes on at this offset of the source's log, whatever was mirrored.
pub(super) fn go_on_at(seen: &Seen, offset: Offset) -> Result<Change, Problem> {
    let told = format!("goes on at the source's offset {offset}");
    let go_on = match seen.row.clone() {
        Some(row) => elsewhere(seen, row, offset, ((None, None), told)).map_err(|problem| {
            let remedy = "write an offset that is not so far back, or null to begin anew";
            Problem::new("offset", Some(&offset.to_string()), problem.message, remedy)
        })?,
        None => {
            let mut go_on = anew(seen);
            go_on.row.offset = offset;
            go_on
        }
    };
    let row = Position {
        resolved: None,
        ..go_on.row
    };
    Ok(Change {
        rows: vec![(seen.key.clone(), Some(row))],
        seal: go_on.seal.map(|runs| (seen.key.clone(), runs)),
        unseal: go_on.unseal.then(|| seen.key.clone()).into_iter().collect(),
        sweep: None,
        told: go_on.told,
    })
}

/// Nothing is known of the partition any more.
pub(super) fn forget(seen: &Seen) -> Change {
    Change {
        rows: vec![(seen.key.clone(), None)],
        unseal: vec![seen.key.clone()],
        ..Change::default()
    }
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

/// Whether a state is the topic's, and not of one of its partitions.
pub(super) fn is_of_topic(state: &PartitionState) -> bool {
    matches!(
        state,
        PartitionState::TopicRecreated { .. } | PartitionState::TargetRecreated { .. }
    )
}
