//! On from the position, when what the source has deleted is deleted on the target too.

use towpath_domain::{config::Problem, state::PartitionState};

use super::{GoOn, Order, accept::at};
use crate::resolve::{Existing, seen::Seen, sweep::Sweep};

pub(super) fn deleting(seen: &Seen, state: &PartitionState, order: Order) -> Result<(GoOn, Sweep), Problem> {
    let refused = |what: String, remedy: &str| {
        Problem::new(
            "restart",
            Some(&seen.source.to_string()),
            format!("{state}: {what}"),
            remedy,
        )
    };
    let (Some(row), Some(position), Some(missed), Some(target)) =
        (seen.row.clone(), seen.position(), seen.missed, seen.target)
    else {
        let what = "there is no topic on the target to delete keys in".to_owned();
        return Err(refused(what, "start the worker, which says what is missing"));
    };
    if row.preserved.is_some() {
        let what = "its offsets are preserved, and tombstones for what is deleted would take offsets of records to come".to_owned();
        let remedy = "use accept, and delete those keys by hand where it matters; or mirror the topic anew by `towpath topic reseed`";
        return Err(refused(what, remedy));
    }
    if order.has_plugins {
        let what = "its records go through plugins, so the target's keys need not be the source's, and what is deleted cannot be told".to_owned();
        let remedy = "use accept, and delete those keys by hand; or delete the target topic and use restart";
        return Err(refused(what, remedy));
    }
    let start = target.log.start;
    let from = match (order.existing, missed.mirrored_from) {
        (Existing::Doubled, _) => start,
        (Existing::Refused, Some(from)) if from <= start => start,
        (Existing::Refused, from) => {
            let until = from.unwrap_or(target.log.end);
            let what = format!(
                "what the target has at offsets {start} to {until} (excluded) is not known to be of this mirror, and its keys that the source does not have would be deleted too"
            );
            let remedy = "add --onto-existing when all of it is to be as the source; else use accept";
            return Err(refused(what, remedy));
        }
    };
    let go_on = GoOn {
        row: at(row, position),
        seal: None,
        unseal: false,
        spans: (None, None),
        told: format!(
            "goes on at the source's offset {position}, behind tombstones for the keys of the target that the source does not have any more"
        ),
    };
    Ok((go_on, Sweep { from }))
}
