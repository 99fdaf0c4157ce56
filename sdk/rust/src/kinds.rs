//! A trait for each kind of plugin.

use crate::{AclBinding, Batch, Config, Descriptor, Edits, Finding, Needs, SubjectState};

/// What every plugin is, beside its kind.
pub trait Plugin: Sized + 'static {
    /// Who it is. Must not depend on anything.
    fn describe() -> Descriptor;

    /// Makes a configured plugin. The host has checked known keys, required ones and types; what only the plugin can know is checked here. None: there is a
    /// mistake, which [`Config`] has noted.
    fn init(config: &mut Config) -> Option<Self>;

    /// What it touches as configured. Routers and checkers touch no records.
    fn needs(&self) -> Needs {
        Needs::none()
    }
}

/// Changes records. Pure: the output depends on configuration and batch alone; the same batch may come again, to any instance.
pub trait Transformation: Plugin {
    fn transform(&mut self, batch: &Batch<'_>) -> Result<Edits, Failure>;
}

/// Renames topics. Pure and invertible: the host checks `unmap_topic(map_topic(t)) = t`.
pub trait Router: Plugin {
    /// The target's name of a source topic; none: not routed, and refused by name.
    fn map_topic(&mut self, topic: &str) -> Result<Option<String>, Failure>;

    /// The source's name of a target topic; none: no source topic has that name there.
    fn unmap_topic(&mut self, topic: &str) -> Result<Option<String>, Failure>;
}

/// Says which records a transformation applies to. Pure.
pub trait Predicate: Plugin {
    /// Indexes of the records that match, strictly ascending. Without declared reads: all or none.
    fn matching(&mut self, batch: &Batch<'_>) -> Result<Vec<u32>, Failure>;
}

/// Judges pairs of records.
pub trait Validator: Plugin {
    /// The pairs that are wrong, ascending by index.
    fn validate(
        &mut self,
        source: &Batch<'_>,
        target: &Batch<'_>,
        pairs: &[Pair],
    ) -> Result<Vec<Rejection>, Failure>;
}

/// Compares a subject on both registries.
pub trait SchemaChecker: Plugin {
    /// None: the subject does not exist on that side, never on both.
    fn check(
        &mut self,
        source: Option<SubjectState>,
        target: Option<SubjectState>,
    ) -> Result<Vec<Finding>, Failure>;
}

/// Compares access rules.
pub trait AclChecker: Plugin {
    /// `due`: must be on the target now. `pending`: will be granted at a later gate, present or not. `target`: what is there.
    fn check(
        &mut self,
        due: Vec<AclBinding>,
        pending: Vec<AclBinding>,
        target: Vec<AclBinding>,
    ) -> Result<Vec<Finding>, Failure>;
}

/// A record of the source and what became of it, by index into the batches. Never both are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    pub source: Option<u32>,
    pub target: Option<u32>,
}

/// A pair that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Index into the pairs.
    pub index: u32,
    /// One sentence, lower case, without the record's content.
    pub reason: String,
}

/// The call as a whole failed; one bad record is not a failure, but [`Edits::reject`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One sentence for the operator.
    pub message: String,
    /// The same call may succeed later.
    pub retriable: bool,
}

// === impl Rejection ===

impl Rejection {
    /// For validators that look at nothing but the values on the target: asks about each, and rejects with the reason it gets. A record that is not
    /// on the target has no value to judge.
    pub fn of_target_values(
        target: &Batch<'_>,
        pairs: &[Pair],
        mut judge: impl FnMut(Option<&[u8]>) -> Result<(), String>,
    ) -> Vec<Self> {
        let values = target.values();
        let mut rejections = Vec::new();
        for (index, pair) in (0..).zip(pairs) {
            let Some(target) = pair.target else { continue };
            if let Err(reason) = judge(values.get(target as usize)) {
                rejections.push(Self { index, reason });
            }
        }
        rejections
    }
}

// === impl Failure ===

impl Failure {
    /// The same call would fail again.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            retriable: false,
        }
    }

    /// The same call may succeed later.
    pub fn retriable(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            retriable: true,
        }
    }
}
