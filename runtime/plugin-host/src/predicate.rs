//! Typed calls of a predicate.

use std::sync::Arc;

use crate::{
    CallError, Cause, Needs, Reads, Records,
    batch::{Batch, unreadable_headers},
    bindings::Matches,
    instance::{Keeper, Refusal, lend},
    plugin::Plugin,
};

/// A configured predicate. One batch at a time.
pub struct Predicate {
    keeper: Keeper<Matches>,
}

/// Records by index, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    pub matches: Vec<u32>,
    /// Those the predicate cannot judge, because it reads headers and one of their keys is not UTF-8. They are in `matches` or not.
    pub unreadable: Vec<u32>,
}

// === impl Predicate ===

impl Predicate {
    pub(crate) fn start(plugin: Arc<Plugin>, config: Vec<(String, String)>) -> Result<Self, Refusal> {
        Ok(Self {
            keeper: Keeper::start(plugin, config)?,
        })
    }

    /// What it declared for this configuration.
    pub fn needs(&self) -> Needs {
        self.keeper.needs()
    }

    /// It looks at no record: its answer is all or none, and holds for the batch's topic.
    pub fn is_of_topics(&self) -> bool {
        self.needs().reads == Reads::default()
    }

    /// Which records match. After `Broken` the same batch may be given again, to a fresh instance.
    pub fn matching(&mut self, batch: Arc<dyn Records>) -> Result<Matching, CallError> {
        let Ok(records @ 1..) = u32::try_from(batch.len()) else {
            return Ok(Matching::default());
        };
        let reads = self.keeper.needs().reads;
        let answer = self.keeper.call("matching", |store, exports| {
            lend(store, Batch::new(&batch, reads), |store, batch| {
                exports.towpath_plugin_predicate().call_matching(store, batch)
            })
        })?;
        let matches = answer?;
        check(&matches, records, self.is_of_topics())
            .map_err(|what| self.keeper.discard("matching", Cause::Malformed(what)))?;
        let unreadable = match reads.header {
            true => unreadable_headers(batch.as_ref()).collect(),
            false => Vec::new(),
        };
        Ok(Matching { matches, unreadable })
    }
}

fn check(matches: &[u32], records: u32, all_or_none: bool) -> Result<(), String> {
    if let Some(pair) = matches.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(format!(
            "its matches do not ascend: record {} after record {}",
            pair[1], pair[0]
        ));
    }
    if let Some(last) = matches.last().filter(|last| **last >= records) {
        return Err(format!("it matches record {last} of a batch of {records}"));
    }
    if all_or_none && !matches.is_empty() && matches.len() != records as usize {
        return Err(format!(
            "it declared no reads, and matches {} of {records} records: it must answer all or none",
            matches.len()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_held_to_the_contract() {
        for (matches, all_or_none) in [
            (&[][..], false),
            (&[0, 2], false),
            (&[], true),
            (&[0, 1, 2], true),
        ] {
            assert_eq!(check(matches, 3, all_or_none), Ok(()), "{matches:?}");
        }
        for (matches, all_or_none, expected) in [
            (&[1, 1][..], false, "do not ascend"),
            (&[2, 0], false, "do not ascend"),
            (&[3], false, "record 3 of a batch of 3"),
            (&[0, 1], true, "all or none"),
        ] {
            let what = check(matches, 3, all_or_none).unwrap_err();
            assert!(what.contains(expected), "{what}");
        }
    }
}
