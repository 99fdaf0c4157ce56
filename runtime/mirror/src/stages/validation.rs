//! Validators: each record that was read beside what is to be written for it.

use std::sync::Arc;

use towpath_plugin_host as host;

use super::{
    Flow, Judge, Name, Stuck,
    ask::ask,
    own,
    refused::{Refusal, Refused},
    rows::{Gone, Part, Rows, Side},
};
use crate::config::{Errors, OnReject};

/// A record of the source, and a row that is to be written for it.
struct Pair {
    source: u32,
    target: Option<u32>,
}

/// Asks about every record of `source` that is still to be written or was dropped, and does what `on.reject` says.
pub(super) fn judge(
    judge: &mut Judge,
    errors: &Errors,
    source: &Arc<Rows>,
    rows: &mut Arc<Rows>,
    refused: &mut Refused,
) -> Result<(), Stuck> {
    let pairs = pairs(source, rows, refused);
    if pairs.is_empty() {
        return Ok(());
    }
    let all: Vec<u32> = (0..pairs.len() as u32).collect();
    let validator = &mut judge.validator;
    let Name { stage, watch, .. } = &*judge.name;
    let all_read = &**source;
    let pieces = ask(errors, &all, |some| {
        let (read, written, given) = shown(source, rows, some.iter().map(|index| &pairs[*index as usize]));
        let place = all_read.place_of(&read.indexes);
        let answer = validator.validate(Arc::new(read), Arc::new(written), &given);
        watch.told(stage, place, answer)
    });
    let mut flow = Flow {
        asked: pairs.len() as u64,
        ..Flow::default()
    };
    for (some, result) in &pieces {
        match result {
            Ok(rejections) => {
                flow.rejected += rejections.len() as u64;
                flow.out += (some.len() - rejections.len()) as u64;
            }
            Err(_) => flow.unanswered += some.len() as u64,
        }
    }
    watch.count(flow);
    let owned = own(rows, &judge.name.stage)?;
    for (some, result) in pieces {
        match result {
            Ok(rejections) => {
                for host::Rejection { index, reason } in rejections {
                    let pair = &pairs[some[index as usize] as usize];
                    let refusal = Refusal::rejected(&judge.name, pair.source as usize, &reason);
                    match judge.on_reject {
                        OnReject::Fail => return Err(refusal.stuck(source)),
                        OnReject::Skip => refused.add(errors, source, &refusal, false),
                        OnReject::DeadLetter => refused.add(errors, source, &refusal, true),
                        OnReject::Tag => {
                            let alias = judge.name.stage.trim_start_matches("validators.");
                            if let Some(row) = pair.target {
                                let key = format!("{TAG}{alias}");
                                owned.append_header(row as usize, &key, Some(reason.as_bytes()));
                            }
                        }
                    }
                }
            }
            Err(trouble) => {
                let sources: Vec<u32> = some.iter().map(|index| pairs[*index as usize].source).collect();
                for refusal in Refusal::all(&judge.name, &sources, &trouble) {
                    refused.tolerate(errors, source, refusal)?;
                }
            }
        }
    }
    refused.leave(owned, Gone::new());
    Ok(())
}

/// What was read, in order, each with the rows that came of it. Refused records are accounted for already.
fn pairs(source: &Rows, rows: &Rows, refused: &Refused) -> Vec<Pair> {
    let mut targets = (0..).zip(rows.sources()).peekable();
    let mut pairs = Vec::with_capacity(rows.len());
    for (index, record) in (0..).zip(source.sources()) {
        if refused.records.contains_key(&record) {
            continue;
        }
        let before = pairs.len();
        while let Some((row, _)) = targets.next_if(|(_, from)| *from == record) {
            pairs.push(Pair {
                source: index,
                target: Some(row),
            });
        }
        if pairs.len() == before {
            pairs.push(Pair {
                source: index,
                target: None,
            });
        }
    }
    pairs
}

/// The batches of some pairs: nothing but their records.
fn shown<'a>(
    source: &Arc<Rows>,
    rows: &Arc<Rows>,
    pairs: impl Iterator<Item = &'a Pair>,
) -> (Part, Part, Vec<host::Pair>) {
    let mut read = Part {
        rows: Arc::clone(source),
        indexes: Vec::new(),
        side: Side::Source,
    };
    let mut written = Part {
        rows: Arc::clone(rows),
        indexes: Vec::new(),
        side: Side::Target,
    };
    let mut given = Vec::new();
    for Pair { source, target } in pairs {
        // Several rows of one record follow each other.
        if read.indexes.last() != Some(source) {
            read.indexes.push(*source);
        }
        written.indexes.extend(target);
        given.push(host::Pair {
            source: Some(read.indexes.len() as u32 - 1),
            target: target.map(|_| written.indexes.len() as u32 - 1),
        });
    }
    (read, written, given)
}

/// The header of a record that a validator rejects and that is written all the same; the validator's alias follows.
const TAG: &str = "towpath.rejected.";
