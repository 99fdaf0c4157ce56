//! The plugins of a pipeline on decoded records: predicates and transformations, then validators.
//!
//! One [`Stages`] holds one instance of each; a task has a few, each working on one partition at a time.

use std::sync::Arc;

use towpath_domain::{Offset, Partition, TopicName};
use towpath_plugin_host as host;
use towpath_wire::batch::{Records, TimestampType};

use crate::config::{Errors, OnReject};

mod ask;
mod condition;
mod letter;
mod refused;
mod rows;
mod validation;
mod watch;

pub(crate) use condition::{Condition, Conditions};
pub(crate) use letter::Letter;
pub(crate) use rows::Rows;
pub use watch::Flow;
pub(crate) use watch::{Place, Watch, broke_at_start};

use ask::ask;
use refused::{Refusal, Refused};
use rows::{Gone, Part, Side};

/// One instance of each plugin, with the alias the user gave it.
pub(crate) struct Stages {
    pub(crate) steps: Vec<Step>,
    pub(crate) conditions: Conditions,
    pub(crate) judges: Vec<Judge>,
    pub(crate) errors: Arc<Errors>,
}

/// A transformation, and which predicate says what it applies to.
pub(crate) struct Step {
    pub name: Arc<Name>,
    pub transformation: host::Transformation,
    /// index of the predicate, and whether it is negated
    pub condition: Option<(usize, bool)>,
}

/// A validator, and what its rejections do.
pub(crate) struct Judge {
    pub name: Arc<Name>,
    pub validator: host::Validator,
    pub on_reject: OnReject,
}

/// A plugin as messages and dead letters call it.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    /// such as `transforms.mask`
    pub stage: String,
    /// `name@version`
    pub plugin: String,
    pub digest: String,
    pub watch: Arc<Watch>,
}

/// Where records come from and go, as plugins may ask.
pub(crate) struct Origin {
    pub source: TopicName,
    pub target: TopicName,
    pub partition: Partition,
    pub timestamp_type: TimestampType,
    /// records before it were not asked for: a batch may begin earlier
    pub from: Offset,
    /// records from it on are left for later
    pub until: Option<Offset>,
}

/// The record a pipeline cannot pass, and why.
#[derive(Debug)]
pub(crate) struct Stuck {
    pub offset: Offset,
    pub message: String,
}

/// What came out at the end.
pub(crate) struct Passed {
    pub rows: Arc<Rows>,
    /// for the dead letter queue, by offset
    pub letters: Vec<Letter>,
    /// records that a plugin could not pass: neither written nor, but for the letters, kept
    pub skipped: u64,
}

// === impl Origin ===

impl Origin {
    fn wants(&self, offset: Offset) -> bool {
        offset >= self.from && self.until.is_none_or(|until| offset < until)
    }
}

// === impl Stages ===

impl Stages {
    /// Whether any plugin looks at records of this topic: predicates that go by topic are asked once.
    pub(crate) fn touches(&mut self, source: &TopicName, partition: Partition) -> bool {
        !self.judges.is_empty()
            || self.steps.iter().any(|step| {
                step.condition.is_none_or(|(predicate, negate)| {
                    self.conditions
                        .by_topic(&self.errors, predicate, source, partition)
                        .is_none_or(|answer| answer.map_or(true, |matches| matches != negate))
                })
            })
    }

    /// Runs every stage over the records. On an error nothing of it is to be written, and the record is named.
    pub(crate) fn apply(&mut self, base: Arc<Records>, origin: Origin) -> Result<Passed, Stuck> {
        let origin = Arc::new(origin);
        let mut rows = Arc::new(Rows::new(Arc::clone(&base), Arc::clone(&origin)));
        let mut refused = Refused::default();
        for step in &mut self.steps {
            if rows.len() == 0 {
                break;
            }
            let (indexes, mut refusals) = self.conditions.rows(&self.errors, step.condition, &rows);
            let mut gone = Gone::new();
            refusals.extend(step.transform(&self.errors, &mut rows, &indexes, &mut gone)?);
            refusals.sort_by_key(|refusal| refusal.row);
            let owned = own(&mut rows, &step.name.stage)?;
            for refusal in refusals {
                refused.tolerate(&self.errors, owned, refusal)?;
            }
            refused.leave(owned, gone);
        }
        if !self.judges.is_empty() {
            let source = Arc::new(Rows::new(base, origin));
            for judge in &mut self.judges {
                validation::judge(judge, &self.errors, &source, &mut rows, &mut refused)?;
            }
        }
        own(&mut rows, "the pipeline")?;
        let skipped = refused.records.len() as u64;
        Ok(Passed {
            rows,
            letters: refused.records.into_values().flatten().collect(),
            skipped,
        })
    }
}

// === impl Step ===

impl Step {
    /// Edits the rows of these indexes; those that go are added to `gone`, those that cannot pass are returned.
    fn transform(
        &mut self,
        errors: &Errors,
        rows: &mut Arc<Rows>,
        indexes: &[u32],
        gone: &mut Gone,
    ) -> Result<Vec<Refusal>, Stuck> {
        if indexes.is_empty() {
            return Ok(Vec::new());
        }
        let Name { stage, watch, .. } = &*self.name;
        let pieces = ask(errors, indexes, |indexes| {
            let answer = self.transformation.transform(Arc::new(Part {
                rows: Arc::clone(rows),
                indexes: indexes.to_vec(),
                side: Side::Source,
            }));
            watch.told(stage, rows.place_of(indexes), answer)
        });
        let mut flow = Flow::default();
        let mut refusals = Vec::new();
        let owned = own(rows, &self.name.stage)?;
        for (indexes, result) in pieces {
            match result {
                Ok(edits) => {
                    let (before, asked) = (gone.len(), indexes.len() as u64);
                    let rejected = owned.edit(edits, indexes, gone);
                    let replaced = gone[before..].iter().filter(|(_, records)| !records.is_empty());
                    let come: usize = gone[before..].iter().map(|(_, records)| records.len()).sum();
                    let left = (gone.len() - before) as u64;
                    flow.asked += asked;
                    flow.rejected += rejected.len() as u64;
                    flow.dropped += left - replaced.count() as u64;
                    flow.out += asked - left - rejected.len() as u64 + come as u64;
                    for (row, reason) in rejected {
                        refusals.push(Refusal::rejected(&self.name, row, &reason));
                    }
                }
                Err(trouble) => {
                    flow.asked += indexes.len() as u64;
                    flow.unanswered += indexes.len() as u64;
                    refusals.extend(Refusal::all(&self.name, indexes, &trouble));
                }
            }
        }
        watch.count(flow);
        gone.sort_by_key(|(row, _)| *row);
        Ok(refusals)
    }
}

/// The rows, for changing: while no guest has kept a batch after its call.
fn own<'a>(rows: &'a mut Arc<Rows>, stage: &str) -> Result<&'a mut Rows, Stuck> {
    let offset = rows.first();
    Arc::get_mut(rows).ok_or_else(|| Stuck {
        offset,
        message: format!("{stage}: the plugin kept the batch after its call"),
    })
}

/// Applies what a plugin would have answered, in a pipeline that tolerates nothing.
pub(crate) fn edited(base: Records, origin: Origin, edits: host::Edits) -> Result<Rows, Stuck> {
    let mut rows = Rows::new(Arc::new(base), Arc::new(origin));
    let indexes: Vec<u32> = (0..rows.len() as u32).collect();
    let mut gone = Gone::new();
    if let Some((row, message)) = rows.edit(edits, &indexes, &mut gone).into_iter().next() {
        return Err(Stuck {
            offset: rows.offset_of(row),
            message,
        });
    }
    rows.replace(gone);
    Ok(rows)
}
