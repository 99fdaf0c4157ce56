//! The states of connectors, tasks and partitions, as status shows them.

use std::fmt;

use serde::Serialize;

use crate::{Offset, TopicId, TopicName};

/// Connect's states of a connector or a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Run {
    Unassigned,
    Running,
    Failed,
}

/// What a source partition is doing. All but [`Mirroring`](Self::Mirroring) and those that [only report](Self::is_report) stop the partition, never its task's other
/// partitions; an operator decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum PartitionState {
    Mirroring,
    /// Retention at the source outran the mirror: records `from` (included) to `to` (excluded) were deleted before they were read.
    DataLoss {
        from: Offset,
        to: Offset,
    },
    /// The source topic was deleted and created again: another topic id under the same name.
    TopicRecreated {
        stored: TopicId,
        found: TopicId,
    },
    /// The source's log no longer holds what was mirrored up to `position`: it ends, or its leader epochs diverge, at `end`.
    SourceTruncated {
        position: Offset,
        end: Offset,
    },
    /// Compaction has taken what was at the source's offset `hole` before it was read, and what the log had `retention_ms` ago was not mirrored to its end: it may have been a
    /// tombstone, and the target keep a key that the source has deleted. Everything before `position` is mirrored.
    TombstonesMissed {
        position: Offset,
        hole: Offset,
        /// what the source had then is mirrored, ms since 1970
        caught_up_at: i64,
        /// the topic's `delete.retention.ms`
        retention_ms: i64,
    },
    /// The target does not take the record batch that begins at the source's `offset`.
    TargetRefuses {
        offset: Offset,
        error: String,
        remedy: String,
    },
    /// The target topic was deleted and created again: what was mirrored is not in the topic that has its name now.
    TargetRecreated {
        stored: TopicId,
        found: TopicId,
    },
    /// The target's log ends at `end`, before `next`, up to where it was mirrored: acknowledged records are gone from it.
    TargetDiverged {
        next: Offset,
        end: Offset,
    },
    /// Somebody else wrote to the target topic: what is at `offset` there is not what this mirror has put or would put there.
    #[serde(rename = "target-diverged")]
    SecondWriter {
        offset: Offset,
    },
    /// Offsets are to be preserved, and the target has others: its log ends at `end`, where the source's offset `next` has its place.
    #[serde(rename = "target-diverged")]
    OffsetsTaken {
        next: Offset,
        end: Offset,
    },
    /// Another worker has taken over the connector's partitions: this one must not write any more.
    Fenced,
    /// Two source topics map to one target topic: another one of this connector, or one of another connector.
    TopicCollision {
        target: TopicName,
        #[serde(flatten)]
        writer: Writer,
    },
    /// The target topic has fewer partitions than the source's.
    PartitionsShrunk {
        source: i32,
        target: i32,
    },
    /// A batch read from the source is not what Kafka writes (CRC, lengths): nothing is copied from it.
    SourceCorrupt {
        offset: Offset,
        error: String,
    },
    /// A transaction that began at `offset` is open, and no reader of committed records gets past it. Only a report: the partition goes on by itself when it ends.
    BlockedByOpenTransaction {
        /// the source's last stable offset
        offset: Offset,
        /// none where the source does not say who has it open
        #[serde(skip_serializing_if = "Option::is_none")]
        producer: Option<OpenTransaction>,
        remedy: String,
    },
    /// An operator has left it stopped; it was in `state`. What is wrong with it may be mended by now.
    Aborted {
        state: String,
        /// when it was decided, ms since 1970
        at: i64,
    },
    /// A plugin broke on, failed on or rejected the record at `offset`, and `errors.tolerance` is none.
    PluginFailed {
        offset: Offset,
        error: String,
    },
}

/// Who has a transaction open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OpenTransaction {
    pub id: i64,
    pub epoch: i16,
    /// when it wrote to the partition last, ms since 1970 by its records' time; -1 when that is not known
    pub last_timestamp: i64,
}

/// Who writes to a target topic already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Writer {
    /// Another source topic of the same connector.
    With(TopicName),
    /// Another connector.
    Connector(String),
    /// This connector brings the records from the target's cluster, or takes them back to the source's: they would go round for ever.
    Loop(String),
}

// === impl PartitionState ===

impl PartitionState {
    /// Whether what is wrong cannot be mended, so that somebody must decide what becomes of it.
    pub fn is_to_be_decided(&self) -> bool {
        match self {
            Self::DataLoss { .. }
            | Self::TopicRecreated { .. }
            | Self::SourceTruncated { .. }
            | Self::TombstonesMissed { .. }
            | Self::TargetRecreated { .. }
            | Self::TargetDiverged { .. }
            | Self::SecondWriter { .. } => true,
            // An aborted one says so itself.
            Self::Mirroring
            | Self::TargetRefuses { .. }
            | Self::OffsetsTaken { .. }
            | Self::Fenced
            | Self::TopicCollision { .. }
            | Self::PartitionsShrunk { .. }
            | Self::SourceCorrupt { .. }
            | Self::BlockedByOpenTransaction { .. }
            | Self::Aborted { .. }
            | Self::PluginFailed { .. } => false,
        }
    }

    /// Whether the partition goes on by itself: nothing has stopped, and there is nothing to restart.
    pub fn is_report(&self) -> bool {
        matches!(self, Self::BlockedByOpenTransaction { .. })
    }

    /// The name of the state as product and status know it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Mirroring => "mirroring",
            Self::DataLoss { .. } => "data-loss",
            Self::TopicRecreated { .. } => "topic-recreated",
            Self::SourceTruncated { .. } => "source-truncated",
            Self::TombstonesMissed { .. } => "tombstones-missed",
            Self::TargetRefuses { .. } => "target-refuses",
            Self::TargetRecreated { .. } => "target-recreated",
            Self::TargetDiverged { .. } | Self::SecondWriter { .. } | Self::OffsetsTaken { .. } => {
                "target-diverged"
            }
            Self::Fenced => "fenced",
            Self::TopicCollision { .. } => "topic-collision",
            Self::PartitionsShrunk { .. } => "partitions-shrunk",
            Self::SourceCorrupt { .. } => "source-corrupt",
            Self::BlockedByOpenTransaction { .. } => "blocked-by-open-transaction",
            Self::Aborted { .. } => "aborted",
            Self::PluginFailed { .. } => "plugin-failed",
        }
    }
}

impl fmt::Display for PartitionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::Mirroring => f.write_str(name),
            Self::DataLoss { from, to } => write!(
                f,
                "{name}: the source deleted offsets {from} to {to} (excluded) before they were read"
            ),
            Self::TopicRecreated { stored, found } => {
                write!(
                    f,
                    "{name}: the stored position is of topic id {stored}, the source now has {found}"
                )
            }
            Self::SourceTruncated { position, end } => {
                write!(
                    f,
                    "{name}: mirrored up to offset {position}, but the source's log ends or diverges at {end}"
                )
            }
            Self::TombstonesMissed {
                position,
                hole,
                caught_up_at,
                retention_ms,
            } => write!(
                f,
                "{name}: mirrored up to offset {position}, and compaction has taken what was at {hole}: what the source had at {caught_up_at} ms since 1970 was mirrored last to \
                 its end, longer ago than delete.retention.ms ({retention_ms}) of the topic, so tombstones may be gone, and keys that are deleted at the source still be on the \
                 target; raise it where the mirror may be that far behind"
            ),
            Self::TargetRefuses {
                offset,
                error,
                remedy,
            } => write!(f, "{name}: source offset {offset}: {error}; {remedy}"),
            Self::TargetRecreated { stored, found } => write!(
                f,
                "{name}: the records were written to topic id {stored} of the target, which was deleted; the topic of its name is {found} now and lacks \
                 them"
            ),
            Self::TargetDiverged { next, end } => write!(
                f,
                "{name}: mirrored up to the target's offset {next}, but its log ends at {end}"
            ),
            Self::SecondWriter { offset } => write!(
                f,
                "{name}: at the target's offset {offset} there is something that this mirror did not write: find out who else writes to the topic and \
                 end it, or set delivery.guarantee=at-least-once to share it"
            ),
            Self::OffsetsTaken { next, end } => write!(
                f,
                "{name}: the target's log has records up to offset {end} that are not of this mirror, and the source's begin at {next}: offsets cannot be the same. Delete \
                 the target topic, or set offsets.mode=translate"
            ),
            Self::Fenced => write!(
                f,
                "{name}: another worker has started this connector with the same offset.storage.topic: stop one of them, or restart this one"
            ),
            Self::TopicCollision { target, writer } => match writer {
                Writer::With(topic) => write!(f, "{name}: {topic} is already mirrored to {target}"),
                Writer::Connector(connector) => {
                    write!(f, "{name}: connector {connector} already mirrors to {target}")
                }
                Writer::Loop(connector) => write!(
                    f,
                    "{name}: mirrored to {target}, records would come back to the cluster that they are from, and go round for ever, by connector {connector}: leave the topic \
                     out by `topics.exclude`, or end one of both connectors"
                ),
            },
            Self::PartitionsShrunk { source, target } => {
                write!(
                    f,
                    "{name}: {source} partitions at the source, {target} at the target"
                )
            }
            Self::SourceCorrupt { offset, error } => write!(f, "{name}: source offset {offset}: {error}"),
            Self::BlockedByOpenTransaction {
                offset,
                producer,
                remedy,
            } => {
                write!(f, "{name}: a transaction")?;
                if let Some(OpenTransaction {
                    id,
                    epoch,
                    last_timestamp,
                }) = producer
                {
                    write!(
                        f,
                        " of producer {id}, epoch {epoch}, last written to at {last_timestamp} ms since 1970,"
                    )?;
                }
                write!(
                    f,
                    " is open at the source's offset {offset}, and nothing behind that can be read: mirroring goes on by itself when it ends; {remedy}"
                )
            }
            Self::Aborted { state, .. } => write!(
                f,
                "{name}: an operator left it stopped, it was {state}: to go on, stop the worker and decide otherwise by `towpath worker resolve`"
            ),
            Self::PluginFailed { offset, error } => write!(f, "{name}: source offset {offset}: {error}"),
        }
    }
}
