//! From the source's first record again.

use towpath_domain::{Offset, TopicId, config::Problem, offset_map::Runs};
use towpath_wire::positions::{Position, TargetPosition};

use super::{GoOn, UNKNOWN};
use crate::resolve::{
    Existing,
    seen::{Log, Seen, Target},
};

const EMPTY: Log = Log {
    start: Offset(0),
    end: Offset(0),
};

pub(super) fn restart(seen: &Seen, existing: Existing) -> Result<GoOn, Problem> {
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
pub(super) fn anew(seen: &Seen) -> GoOn {
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
        preserved: None,
        transactional: false,
        caught_up_at: None,
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
