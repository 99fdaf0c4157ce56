//! Records that a plugin cannot pass, and what is done about them.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Letter, Name, Stuck,
    ask::{Kind, Trouble},
    rows::{Gone, Rows},
};
use crate::config::{Errors, Tolerance};

/// Why a row cannot pass.
pub(super) struct Refusal {
    pub row: usize,
    pub name: Arc<Name>,
    pub kind: Kind,
    pub message: String,
}

/// The records that are not written, by their place in the decoded batch; each has its letter when it goes to the dead letter queue.
#[derive(Default)]
pub(super) struct Refused {
    pub records: BTreeMap<usize, Option<Letter>>,
}

// === impl Refusal ===

impl Refusal {
    pub(super) fn rejected(name: &Arc<Name>, row: usize, reason: &str) -> Self {
        Self {
            row,
            name: Arc::clone(name),
            kind: Kind::Rejected,
            message: format!("rejected: {reason}"),
        }
    }

    /// The plugin gave no answer for any of these rows.
    pub(super) fn all(name: &Arc<Name>, rows: &[u32], trouble: &Trouble) -> impl Iterator<Item = Self> {
        rows.iter().map(|row| Self {
            row: *row as usize,
            name: Arc::clone(name),
            kind: trouble.kind,
            message: trouble.message.clone(),
        })
    }

    pub(super) fn stuck(&self, rows: &Rows) -> Stuck {
        Stuck {
            offset: rows.offset_of(self.row),
            message: format!("{}: {}", self.name.stage, self.message),
        }
    }
}

// === impl Refused ===

impl Refused {
    /// What `errors.tolerance` says: the partition stops at the row, or goes on without it.
    pub(super) fn tolerate(&mut self, errors: &Errors, rows: &Rows, refusal: Refusal) -> Result<(), Stuck> {
        if errors.tolerance == Tolerance::None {
            return Err(refusal.stuck(rows));
        }
        self.add(errors, rows, &refusal, errors.dead_letters.is_some());
        Ok(())
    }

    /// Notes that the record of this row is not written. Of several reasons the first counts.
    pub(super) fn add(&mut self, errors: &Errors, rows: &Rows, refusal: &Refusal, to_dead_letters: bool) {
        let source = rows.source_index(refusal.row);
        if self.records.contains_key(&source) {
            return;
        }
        let record = rows.source(refusal.row);
        if errors.log {
            let Name { stage, plugin, .. } = &*refusal.name;
            let (topic, partition) = rows.place();
            let (offset, kind) = (record.offset, refusal.kind.as_str());
            let reason = &refusal.message;
            tracing::warn!(stage, plugin, %topic, %partition, %offset, kind, reason, "a record is not written");
        }
        let letter = to_dead_letters.then(|| Letter::of(&record, refusal));
        self.records.insert(source, letter);
    }

    /// Takes rows out, in whose place others come, and every row of a record that is refused: a record is written whole or not at all.
    pub(super) fn leave(&self, rows: &mut Rows, gone: Gone) {
        if self.records.is_empty() {
            return rows.replace(gone);
        }
        let mut gone = gone.into_iter().peekable();
        let mut all = Gone::new();
        for (row, source) in rows.sources().enumerate() {
            let asked = gone.next_if(|(at, _)| *at == row);
            if self.records.contains_key(&source) {
                all.push((row, Vec::new()));
            } else {
                all.extend(asked);
            }
        }
        rows.replace(all);
    }
}
