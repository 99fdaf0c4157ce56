//! What an attached plugin is seen to do: records in and out, and where it broke.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde::Serialize;
use towpath_domain::{Offset, Partition, TopicName};
use towpath_plugin_host::{Broken, CallError};

/// Of one alias, all its instances together. Counted a call, not a record; what is asked about again counts again.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    asked: AtomicU64,
    out: AtomicU64,
    dropped: AtomicU64,
    rejected: AtomicU64,
    unanswered: AtomicU64,
    told: Mutex<Told>,
}

/// Lines about breaks, which a hostile plugin could make many of.
#[derive(Debug, Default)]
struct Told {
    since: Option<Instant>,
    lines: u32,
    suppressed: u64,
}

/// Records of an alias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// given to the plugin
    #[serde(rename = "in")]
    pub asked: u64,
    /// a transformation: left, or come in the place of others; a predicate: matched; a validator: accepted
    pub out: u64,
    /// left out by the plugin's edits
    pub dropped: u64,
    /// found wrong by the plugin
    pub rejected: u64,
    /// without an answer: it failed, or broke
    pub unanswered: u64,
}

/// Records that a plugin is asked about.
pub(crate) struct Place<'a> {
    pub topic: &'a TopicName,
    pub partition: Option<Partition>,
    /// of the first of them; none: the call is about the topic
    pub offset: Option<Offset>,
    pub records: usize,
}

/// At most this many lines in [`WINDOW`], each with a backtrace.
const LINES: u32 = 10;
const WINDOW: Duration = Duration::from_secs(10);

// === impl Watch ===

impl Watch {
    pub(crate) fn count(&self, flow: Flow) {
        for (counter, by) in [
            (&self.asked, flow.asked),
            (&self.out, flow.out),
            (&self.dropped, flow.dropped),
            (&self.rejected, flow.rejected),
            (&self.unanswered, flow.unanswered),
        ] {
            if by > 0 {
                counter.fetch_add(by, Relaxed);
            }
        }
    }

    pub(crate) fn flow(&self) -> Flow {
        Flow {
            asked: self.asked.load(Relaxed),
            out: self.out.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            rejected: self.rejected.load(Relaxed),
            unanswered: self.unanswered.load(Relaxed),
        }
    }

    /// Logs an answer that is none because the plugin broke, with all that is known but the records' contents.
    pub(crate) fn told<A>(
        &self,
        stage: &str,
        place: Place<'_>,
        answer: Result<A, CallError>,
    ) -> Result<A, CallError> {
        if let Err(CallError::Broken(broken)) = &answer
            && let Some(suppressed) = self.admit()
        {
            tell(stage, &place, broken, suppressed);
        }
        answer
    }

    /// Some: a line may be written, after so many that were not.
    fn admit(&self) -> Option<u64> {
        // Nothing in it can be half done.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.since.is_none_or(|since| since.elapsed() >= WINDOW) {
            told.since = Some(Instant::now());
            told.lines = 0;
        }
        if told.lines >= LINES {
            told.suppressed += 1;
            return None;
        }
        told.lines += 1;
        Some(std::mem::take(&mut told.suppressed))
    }
}

/// As [`Watch::told`], of a plugin that broke before it was asked about anything.
pub(crate) fn broke_at_start(stage: &str, broken: &Broken) {
    let Broken {
        plugin,
        version,
        digest,
        call,
        ..
    } = broken;
    let (backtrace, cause) = (broken.backtrace.join(" <- "), broken.kind());
    tracing::warn!(
        stage,
        plugin,
        version,
        digest,
        call,
        cause,
        backtrace,
        "a plugin broke"
    );
}

fn tell(stage: &str, place: &Place<'_>, broken: &Broken, suppressed: u64) {
    let Broken {
        plugin,
        version,
        digest,
        call,
        ..
    } = broken;
    let backtrace = broken.backtrace.join(" <- ");
    let cause = broken.kind();
    let Place { topic, records, .. } = place;
    let (partition, offset) = (place.partition.map(|it| it.0), place.offset.map(|it| it.0));
    tracing::warn!(stage, plugin, version, digest, call, %topic, partition, offset, records, cause, backtrace, suppressed, "a plugin broke");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_breaks_is_a_few_lines_and_a_count() {
        let watch = Watch::default();
        let admitted = (0..1000).filter_map(|_| watch.admit()).count();
        assert_eq!(admitted, LINES as usize);
        watch.told.lock().unwrap().since = Instant::now().checked_sub(WINDOW);
        assert_eq!(watch.admit(), Some(1000 - u64::from(LINES)));
        assert_eq!(watch.admit(), Some(0));
    }
}
