//! Typed calls of a validator.

use std::sync::Arc;

use crate::{
    CallError, Cause, Needs, Records,
    batch::{Batch, UNREADABLE_HEADER, unreadable_headers},
    bindings::{Validates, validator as wit},
    instance::{Keeper, Refusal, lend},
    plugin::Plugin,
};

/// A configured validator. One call at a time.
pub struct Validator {
    keeper: Keeper<Validates>,
}

/// A record of the source and what became of it, by index into the two batches. Never both are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    pub source: Option<u32>,
    pub target: Option<u32>,
}

/// A pair that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// index into the pairs
    pub index: u32,
    pub reason: String,
}

// === impl Validator ===

impl Validator {
    pub(crate) fn start(plugin: Arc<Plugin>, config: Vec<(String, String)>) -> Result<Self, Refusal> {
        Ok(Self {
            keeper: Keeper::start(plugin, config)?,
        })
    }

    /// What it declared for this configuration: the columns of both batches.
    pub fn needs(&self) -> Needs {
        self.keeper.needs()
    }

    /// The pairs that are wrong, ascending. After `Broken` the same pairs may be given again, to a fresh instance.
    pub fn validate(
        &mut self,
        source: Arc<dyn Records>,
        target: Arc<dyn Records>,
        pairs: &[Pair],
    ) -> Result<Vec<Rejection>, CallError> {
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        let reads = self.keeper.needs().reads;
        let given: Vec<wit::Pair> = pairs.iter().map(|pair| pair.to_wit()).collect();
        let answer = self.keeper.call("validate", |store, exports| {
            lend(store, Batch::new(&source, reads), |store, source| {
                lend(store, Batch::new(&target, reads), |store, target| {
                    exports
                        .towpath_plugin_validator()
                        .call_validate(store, source, target, &given)
                })
            })
        })?;
        let mut rejections: Vec<Rejection> = answer?.into_iter().map(Rejection::from_wit).collect();
        check(&rejections, pairs.len())
            .map_err(|what| self.keeper.discard("validate", Cause::Malformed(what)))?;
        if reads.header {
            reject_unreadable(&mut rejections, (&*source, &*target), pairs);
        }
        Ok(rejections)
    }
}

fn check(rejections: &[Rejection], pairs: usize) -> Result<(), String> {
    if let Some(two) = rejections.windows(2).find(|two| two[0].index >= two[1].index) {
        return Err(format!(
            "its rejections do not ascend: pair {} after pair {}",
            two[1].index, two[0].index
        ));
    }
    match rejections.last() {
        Some(last) if last.index as usize >= pairs => {
            Err(format!("it rejects pair {} of {pairs}", last.index))
        }
        _ => Ok(()),
    }
}

fn reject_unreadable(
    rejections: &mut Vec<Rejection>,
    (source, target): (&dyn Records, &dyn Records),
    pairs: &[Pair],
) {
    let source: Vec<u32> = unreadable_headers(source).collect();
    let target: Vec<u32> = unreadable_headers(target).collect();
    if source.is_empty() && target.is_empty() {
        return;
    }
    let is_in =
        |list: &[u32], index: Option<u32>| index.is_some_and(|index| list.binary_search(&index).is_ok());
    for (index, pair) in (0..).zip(pairs) {
        if !is_in(&source, pair.source) && !is_in(&target, pair.target) {
            continue;
        }
        let rejection = Rejection {
            index,
            reason: UNREADABLE_HEADER.to_owned(),
        };
        match rejections.binary_search_by_key(&index, |rejection| rejection.index) {
            Ok(at) => rejections[at] = rejection,
            Err(at) => rejections.insert(at, rejection),
        }
    }
}

// === impl Pair, Rejection ===

impl Pair {
    fn to_wit(self) -> wit::Pair {
        wit::Pair {
            source: self.source,
            target: self.target,
        }
    }
}

impl Rejection {
    fn from_wit(rejection: wit::Rejection) -> Self {
        Self {
            index: rejection.index,
            reason: rejection.reason,
        }
    }
}
