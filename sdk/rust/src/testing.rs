//! Testing plugins without WebAssembly: the same type runs natively, on records in memory, and is held to the contract as the host
//! would. Whatever the host would call broken panics here.
//!
//! ```
//! use towpath_plugin::testing::{Harness, Outcome, TestBatch, TestRecord};
//! # use towpath_plugin::*;
//! # struct Upper;
//! # impl Plugin for Upper {
//! #     fn describe() -> Descriptor { Descriptor::new("upper", "0.1.0", "") }
//! #     fn init(_: &mut Config) -> Option<Self> { Some(Self) }
//! #     fn needs(&self) -> Needs { Needs::none().reads_value().changes_value() }
//! # }
//! # impl Transformation for Upper {
//! #     fn transform(&mut self, batch: &Batch<'_>) -> Result<Edits, Failure> {
//! #         let mut edits = Edits::new();
//! #         for record in batch.records(self.needs().reads).iter() {
//! #             edits.set_value(record.index, record.value.map(|v| v.to_ascii_uppercase()).as_deref());
//! #         }
//! #         Ok(edits)
//! #     }
//! # }
//!
//! let mut upper = Harness::<Upper>::new(&[]).unwrap();
//! let outcomes = upper.transform(&TestBatch::of([TestRecord::new("k", "quiet")])).unwrap();
//! assert_eq!(outcomes, [Outcome::Written(TestRecord::new("k", "QUIET"))]);
//! ```
//!
//! What a plugin is for is best told by golden cases: folders with a configuration, records and what comes of them, run by [`cases`].

use std::{cell::RefCell, collections::BTreeMap};

use crate::{
    Batch, Config, ConfigError, Edits, Failure, Header, Needs, Pair, Plugin, Predicate, Presence, Reads,
    Rejection, Router, TimestampType, Transformation, Validator, host::Level,
};

mod apply;
pub mod cases;
mod check;
pub mod registry;
mod source;

pub use apply::Outcome;

/// A configured plugin under test.
pub struct Harness<P> {
    /// For what the calls here do not show.
    pub plugin: P,
    needs: Needs,
}

/// Records of one partition.
#[derive(Clone, Debug)]
pub struct TestBatch {
    pub topic: String,
    pub partition: u32,
    pub timestamp_type: TimestampType,
    /// False: not written yet, as the target of an inline validator.
    pub has_offsets: bool,
    pub records: Vec<TestRecord>,
}

/// A record, before or after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestRecord {
    /// Set by `set_topic`; none: the batch's.
    pub topic: Option<String>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<Header>,
    /// ms since the epoch
    pub timestamp: i64,
    pub offset: i64,
}

#[derive(Default)]
struct Said {
    lines: Vec<(Level, String)>,
    counters: BTreeMap<String, u64>,
}

thread_local! {
    static SAID: RefCell<Said> = RefCell::default();
}

// === impl Harness ===

impl<P: Plugin> Harness<P> {
    /// Configures the plugin as the host would: unknown and missing keys are mistakes, defaults are filled in. (Types and valid values are left to the
    /// host.)
    pub fn new(config: &[(&str, &str)]) -> Result<Self, Vec<ConfigError>> {
        let known = P::describe().config;
        let mistake = |key: &str, message: &str| ConfigError {
            key: key.into(),
            message: message.into(),
        };
        let mut mistakes = Vec::new();
        for (key, _) in config {
            if !known.iter().any(|known| known.name == *key) {
                mistakes.push(mistake(key, "is not a key of this plugin"));
            }
        }
        let mut values = Vec::new();
        for key in &known {
            match (config.iter().find(|(name, _)| *name == key.name), key.presence) {
                (Some((_, value)), _) => values.push((key.name.to_owned(), (*value).to_owned())),
                (None, Presence::Default(value)) => values.push((key.name.to_owned(), value.to_owned())),
                (None, Presence::Required) => mistakes.push(mistake(key.name, "must be given")),
                (None, Presence::Optional) => {}
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let mut config = Config::new(values);
        let plugin = P::init(&mut config);
        let plugin = config.settle(plugin)?;
        let needs = plugin.needs();
        Ok(Self { plugin, needs })
    }

    /// What it declared.
    pub fn needs(&self) -> Needs {
        self.needs
    }
}

impl<P: Transformation> Harness<P> {
    /// What becomes of each record. Panics where the host would call the plugin broken.
    pub fn transform(&mut self, batch: &TestBatch) -> Result<Vec<Outcome>, Failure> {
        let edits = self.edits(batch)?;
        Ok(apply::apply(edits, batch, self.needs.effects))
    }

    /// The bare edits, unchecked.
    pub fn edits(&mut self, batch: &TestBatch) -> Result<Edits, Failure> {
        self.plugin.transform(&Batch::new(&batch.lend(self.needs.reads)))
    }
}

impl<P: Router> Harness<P> {
    pub fn map_topic(&mut self, topic: &str) -> Result<Option<String>, Failure> {
        self.plugin.map_topic(topic)
    }

    pub fn unmap_topic(&mut self, topic: &str) -> Result<Option<String>, Failure> {
        self.plugin.unmap_topic(topic)
    }
}

impl<P: Predicate> Harness<P> {
    /// The records that match. Panics where the host would call the plugin broken.
    pub fn matching(&mut self, batch: &TestBatch) -> Result<Vec<u32>, Failure> {
        let matching = self.plugin.matching(&Batch::new(&batch.lend(self.needs.reads)))?;
        assert!(
            matching.is_sorted_by(|one, other| one < other),
            "matches must ascend: {matching:?}"
        );
        assert!(
            matching
                .iter()
                .all(|index| (*index as usize) < batch.records.len()),
            "out of range: {matching:?}"
        );
        Ok(matching)
    }
}

impl<P: Validator> Harness<P> {
    /// The pairs that are wrong. Panics where the host would call the plugin broken.
    pub fn validate(
        &mut self,
        source: &TestBatch,
        target: &TestBatch,
        pairs: &[Pair],
    ) -> Result<Vec<Rejection>, Failure> {
        let (source, target) = (source.lend(self.needs.reads), target.lend(self.needs.reads));
        let rejections = self
            .plugin
            .validate(&Batch::new(&source), &Batch::new(&target), pairs)?;
        assert!(
            rejections.is_sorted_by(|one, other| one.index < other.index),
            "rejections must ascend"
        );
        assert!(
            rejections
                .iter()
                .all(|rejection| (rejection.index as usize) < pairs.len()),
            "out of range"
        );
        Ok(rejections)
    }
}

// === impl TestBatch ===

impl TestBatch {
    /// Partition 0 of topic `test`, create time.
    pub fn of(records: impl IntoIterator<Item = TestRecord>) -> Self {
        Self {
            topic: "test".to_owned(),
            partition: 0,
            timestamp_type: TimestampType::CreateTime,
            has_offsets: true,
            records: records.into_iter().collect(),
        }
    }

    fn lend(&self, reads: Reads) -> source::Lent<'_> {
        source::Lent { batch: self, reads }
    }
}

// === impl TestRecord ===

impl TestRecord {
    pub fn new(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        Self {
            key: Some(key.as_ref().to_vec()),
            value: Some(value.as_ref().to_vec()),
            ..Self::default()
        }
    }

    pub fn tombstone(key: impl AsRef<[u8]>) -> Self {
        Self {
            key: Some(key.as_ref().to_vec()),
            ..Self::default()
        }
    }

    /// With one more header.
    pub fn header(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push(Header {
            key: key.to_owned(),
            value: Some(value.as_ref().to_vec()),
        });
        self
    }
}

/// Lines that the plugin logged on this thread since the last call of this.
pub fn logged() -> Vec<(Level, String)> {
    SAID.with_borrow_mut(|said| std::mem::take(&mut said.lines))
}

/// What the plugin counted on this thread under this name.
pub fn counted(name: &str) -> u64 {
    SAID.with_borrow(|said| said.counters.get(name).copied().unwrap_or(0))
}

pub(crate) fn log(level: Level, message: String) {
    SAID.with_borrow_mut(|said| said.lines.push((level, message)));
}

pub(crate) fn count(name: &str, by: u64) {
    SAID.with_borrow_mut(|said| *said.counters.entry(name.to_owned()).or_default() += by);
}
