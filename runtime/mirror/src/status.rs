//! What a connector says of itself: Connect's words for connectors and tasks, one entry a partition beside them.

use std::collections::BTreeMap;

use serde::Serialize;
use towpath_domain::{
    GroupId, TopicName,
    plugin::Kind,
    state::{PartitionState, Run},
};
use towpath_plugin_host::Usage;

use crate::config::Offsets;

pub use crate::{
    checks::{CheckStatus, State},
    stages::Flow,
};

/// A connector with its tasks, as written to `--status-file`.
#[derive(Clone, Debug, Serialize)]
pub struct ConnectorStatus {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub connector: RunStatus,
    /// what keeps the connector from finding or preparing topics; it goes on trying
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// what holds for records on the target; none before that is known
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryStatus>,
    /// which of the 16 buckets this worker has, where several share the connector
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buckets: Option<Vec<u32>>,
    /// the keys of the limits that hold it back
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub throttled: Vec<&'static str>,
    pub tasks: Vec<TaskStatus>,
    pub lag: Lag,
    pub mirrored: Mirrored,
    /// what the checkers found
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckStatus>,
    /// as attached, predicates first, then transformations and routers, then validators
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<PluginStatus>,
    /// of a `MirrorCheckpoint` connector: each partition that a group has committed an offset of
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<GroupStatus>>,
}

/// How a group's offset of a partition is synced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupStatus {
    pub group: GroupId,
    /// the source's
    pub topic: TopicName,
    pub partition: i32,
    /// what the group has committed on the source
    pub source_offset: i64,
    /// and on the target; none when nothing is committed there
    pub target_offset: Option<i64>,
    pub state: GroupState,
    /// why it is not synced
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What becomes of a group's offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupState {
    /// the target has what the source has
    Synced,
    /// not now; the reason says why
    NotSynced,
    /// the group has members on the target: they alone commit
    ActiveOnTarget,
    /// somebody else has committed on the target, and is left alone
    Conflict,
}

/// An alias's plugin, and what it did since the connector started.
#[derive(Clone, Debug, Serialize)]
pub struct PluginStatus {
    pub alias: String,
    pub kind: Kind,
    pub name: String,
    pub version: String,
    /// the first 12 hex digits of the file's sha256
    pub digest: String,
    #[serde(flatten)]
    pub usage: Usage,
    /// none of routers and checkers, which are asked about other things
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<Flow>,
    /// the plugin's own
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, u64>,
}

/// What those see once who leave out what was aborted.
pub const READ_COMMITTED: &str = "read_committed";

#[derive(Clone, Debug, Serialize)]
pub struct DeliveryStatus {
    /// `exactly-once`, `exact for read_committed readers` or `at-least-once`
    pub guarantee: &'static str,
    /// `offsets.mode`
    pub offsets: Offsets,
    /// with `auto`: what became of each topic of the source
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub topics: BTreeMap<TopicName, Chosen>,
    /// why it is not what was asked for, or for which records it is not
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Which offsets a topic's records have on the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chosen {
    /// not `auto`
    pub offsets: Offsets,
    pub reason: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct RunStatus {
    pub state: Run,
    pub worker_id: String,
    /// what made it fail; every stopped partition with its typed state first. Of a task that runs: what partitions wait for that only somebody else can end
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct TaskStatus {
    pub id: usize,
    #[serde(flatten)]
    pub run: RunStatus,
    /// what the task keeps retrying by itself
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retrying: Option<String>,
    pub partitions: Vec<PartitionStatus>,
}

#[derive(Clone, Debug, Serialize)]
pub struct PartitionStatus {
    pub topic: TopicName,
    pub partition: i32,
    pub target: TopicName,
    /// source offset up to which everything is on the target
    pub position: Option<i64>,
    /// the source's end offset; under read_committed the last stable one
    pub end: Option<i64>,
    pub lag: Option<i64>,
    pub state: &'static str,
    /// for whom it is exact, when that is not everybody: records have gone in transactions since the start
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readers: Option<&'static str>,
    /// the follower that is read instead of the leader, because it is in the worker's rack
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_from: Option<i32>,
    /// the typed state's own fields, when the partition stopped or waits for somebody
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<PartitionState>,
}

/// Offsets still to be mirrored. A gap in the source's log counts until it is passed.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Lag {
    pub records: i64,
    /// partitions whose end or position is not known yet: their lag is not in `records`
    pub unknown_partitions: usize,
}

/// What this run has written and the target has acknowledged. `copied` + `decoded` = `batches`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Mirrored {
    pub records: u64,
    /// bytes of record batches, compressed as they were written
    pub bytes: u64,
    /// batches passed through as they were
    pub copied: u64,
    /// batches that were decoded and written anew
    pub decoded: u64,
    /// records that were read and that a plugin could not pass: `errors.tolerance` or `on.reject` let them be left out
    pub skipped: u64,
    /// those of them that the dead letter queue has
    pub dead_lettered: u64,
}

/// What a task shows to its connector. The task changes what has changed in place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// none where a partition was that another worker has now
    pub partitions: Vec<Option<PartitionStatus>>,
    pub mirrored: Mirrored,
    pub retrying: Option<String>,
}

// === impl DeliveryStatus ===

impl DeliveryStatus {
    /// Some records go in transactions: what becomes of them when one is aborted is seen by those who read uncommitted ones.
    pub(crate) fn is_for_committed(&mut self, why: &str) {
        self.guarantee = "exact for read_committed readers";
        self.reason.get_or_insert_with(|| why.to_owned());
    }
}

// === impl PartitionStatus ===

impl PartitionStatus {
    /// Why the partition stopped, when it did, or what it waits for.
    pub(crate) fn trace(&self) -> Option<String> {
        let detail = self.detail.as_ref()?;
        let decide = if detail.is_to_be_decided() {
            "; stop the worker and decide by `towpath worker resolve`"
        } else {
            ""
        };
        Some(format!("{}-{}: {detail}{decide}", self.topic, self.partition))
    }

    pub(crate) fn has_stopped(&self) -> bool {
        self.detail.as_ref().is_some_and(|detail| !detail.is_report())
    }

    pub(crate) fn lag(position: Option<i64>, end: Option<i64>) -> Option<i64> {
        Some((end? - position?).max(0))
    }
}

// === impl GroupStatus ===

impl GroupStatus {
    pub(crate) fn place(&self) -> (&GroupId, &TopicName, i32) {
        (&self.group, &self.topic, self.partition)
    }
}

// === impl Lag, Mirrored ===

impl Lag {
    pub(crate) fn add(&mut self, partition: &PartitionStatus) {
        match partition.lag {
            Some(lag) => self.records += lag,
            None => self.unknown_partitions += 1,
        }
    }
}

impl Mirrored {
    pub(crate) fn add(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
        self.copied += other.copied;
        self.decoded += other.decoded;
        self.skipped += other.skipped;
        self.dead_lettered += other.dead_lettered;
    }
}
