//! Are two topics the same? Every record of both, read by librdkafka, compared in order.
//!
//! A partition of the source is compared with the partition of the same number on the target, from the first retained
//! offset of each to the end offset it had when the comparison started. Offsets may differ (gaps of compaction, transaction
//! markers); the sequence of records may not. Memory does not grow with the topics: two bounded queues a worker.

mod partition;
mod reader;
mod record;
mod report;

use std::{
    sync::{
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use towpath_domain::{Partition, TopicName};

use self::{partition::Pair, reader::Reader};

pub use self::{
    record::{Header, Record, Timestamp},
    report::{Difference, PartitionReport, Report, SideReport, What},
};

/// What to compare, and how strictly.
#[derive(Clone, Debug)]
pub struct Options {
    pub source: Endpoint,
    pub target: Endpoint,
    pub isolation: Isolation,
    pub timestamps: Timestamps,
    /// Give up when neither side delivered anything for this long.
    pub stall_timeout: Duration,
    /// Partitions compared at the same time, 1 and up. Each worker has two clients with a queue of [`QUEUE_KBYTES`] each.
    pub workers: usize,
}

/// A topic on a cluster.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `host:port`, separated by commas.
    pub bootstrap: String,
    pub topic: TopicName,
    /// Further librdkafka client properties (`security.protocol` and the like). They win over ours.
    pub properties: Vec<(String, String)>,
}

/// Which records a reader sees of a topic with transactions. Java consumers read uncommitted by default, librdkafka's committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    #[default]
    ReadCommitted,
    ReadUncommitted,
}

/// How far timestamps belong to a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timestamps {
    /// The same milliseconds and the same type.
    #[default]
    Exact,
    /// The same milliseconds: a LogAppendTime source and a CreateTime target agree by this.
    Value,
    /// Not compared: the target stamps records itself.
    Ignored,
}

/// Writes the value that the target must have for this value of the source. Called once for every record whose value is not
/// null, from several threads; the buffer comes empty. Tombstones stay tombstones.
pub type Mask<'a> = dyn Fn(&[u8], &mut Vec<u8>) + Sync + 'a;

/// Why a comparison could not be finished. A difference is not an error: it is in the [`Report`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot make a client for {bootstrap}: {reason}")]
    Client { bootstrap: String, reason: String },
    #[error("no topic {topic} on {bootstrap}: check its name and the permission to DESCRIBE it")]
    NoSuchTopic { bootstrap: String, topic: TopicName },
    #[error("cannot ask {bootstrap} for {topic}: {reason}")]
    Metadata {
        bootstrap: String,
        topic: TopicName,
        reason: String,
    },
    #[error(
        "the source topic has {source_count} partitions and the target topic {target_count}: records of a partition stay in it, so the counts must be equal"
    )]
    PartitionCount {
        source_count: usize,
        target_count: usize,
    },
    #[error("cannot read {topic}-{partition} on {bootstrap}: {reason}")]
    Read {
        bootstrap: String,
        topic: TopicName,
        partition: Partition,
        reason: String,
    },
    #[error("{topic}-{partition} on {bootstrap} delivered nothing for {seconds} s{}", last_error.as_ref().map(|e| format!(", last error: {e}")).unwrap_or_default())]
    Stalled {
        bootstrap: String,
        topic: TopicName,
        partition: Partition,
        seconds: u64,
        last_error: Option<String>,
    },
}

/// Prefetched kilobytes a client holds at most (librdkafka's `queued.max.messages.kbytes`; one fetch may overshoot it).
pub const QUEUE_KBYTES: u32 = 8 * 1024;

const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

// === impl Options ===

impl Options {
    /// The strictest comparison of two topics.
    pub fn new(source: Endpoint, target: Endpoint) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            source,
            target,
            isolation: Isolation::default(),
            timestamps: Timestamps::default(),
            stall_timeout: Duration::from_secs(60),
            workers: (cores / 2).clamp(1, 4),
        }
    }
}

// === impl Endpoint ===

impl Endpoint {
    pub fn new(bootstrap: impl Into<String>, topic: impl AsRef<str>) -> Self {
        Self {
            bootstrap: bootstrap.into(),
            topic: TopicName::new(topic),
            properties: Vec::new(),
        }
    }
}

/// Compares two topics record by record. `mask` gives the expected value where a plugin changed it; `progress` is called
/// a few times a second, on the calling thread, with the source offsets passed and the source offsets to pass.
///
/// Blocks until everything is compared. The first difference of each partition is reported, and counts go on to its end.
pub fn compare(
    options: &Options,
    mask: Option<&Mask<'_>>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Report, Error> {
    let started = Instant::now();
    let plan = plan(options)?;
    let total = plan.iter().map(Pair::source_offsets).sum();
    let (passed, next, stop) = (AtomicU64::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let mut reports = Vec::with_capacity(plan.len());

    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..options.workers.clamp(1, plan.len().max(1)) {
            let sender = sender.clone();
            let (plan, passed, next, stop) = (&plan, &passed, &next, &stop);
            scope.spawn(move || {
                let work = || -> Result<(), Error> {
                    let source = Reader::new(&options.source, options)?;
                    let target = Reader::new(&options.target, options)?;
                    while let Some(pair) = plan.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        let report = pair.compare(&source, &target, mask, options.timestamps, passed)?;
                        // The receiver is gone only when another worker failed.
                        let _ = sender.send(Ok(report));
                    }
                    Ok(())
                };
                if let Err(error) = work() {
                    stop.store(true, Ordering::Relaxed);
                    let _ = sender.send(Err(error));
                }
            });
        }
        drop(sender);
        loop {
            match receiver.recv_timeout(PROGRESS_INTERVAL) {
                Ok(report) => reports.push(report?),
                Err(RecvTimeoutError::Timeout) => progress(passed.load(Ordering::Relaxed).min(total), total),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    })?;

    progress(total, total);
    reports.sort_by_key(|report: &PartitionReport| report.partition);
    Ok(Report {
        partitions: reports,
        elapsed: started.elapsed(),
    })
}

/// Both topics' partitions with the offsets to read, taken before the first record is read.
fn plan(options: &Options) -> Result<Vec<Pair>, Error> {
    let source = Reader::new(&options.source, options)?;
    let target = Reader::new(&options.target, options)?;
    let (source_count, target_count) = (source.partition_count()?, target.partition_count()?);
    if source_count != target_count {
        return Err(Error::PartitionCount {
            source_count,
            target_count,
        });
    }
    (0..source_count)
        .map(|index| {
            let partition = Partition(i32::try_from(index).expect("Kafka counts partitions in an i32"));
            Ok(Pair {
                partition,
                source: source.range(partition)?,
                target: target.range(partition)?,
            })
        })
        .collect()
}
