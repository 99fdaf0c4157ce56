//! What a run came to.

use std::{fmt, time::Duration};

use anyhow::Result;

use super::{
    judge::Judged,
    log::Deviation,
    performance::Performance,
    schedule::{Schedule, Setting},
    stage::Stage,
};
use crate::number::grouped;

/// The outcome of a run.
#[derive(Debug)]
pub struct Report {
    pub setting: Setting,
    pub schedule: Schedule,
    pub judged: Judged,
    /// None: everything was as it must be.
    pub deviations: Vec<Deviation>,
    /// what was done, when it was, and what the workers said meanwhile
    done: Vec<(Duration, String)>,
    fenced: usize,
    ended: usize,
    producer_failures: Vec<String>,
    /// folders of brokers and workers; none where everything was right
    kept: Vec<String>,
}

const BEFORE: Duration = Duration::from_secs(6);
const AFTER: Duration = Duration::from_secs(20);

// === impl Report ===

impl Report {
    pub(super) fn new(stage: &mut Stage, performance: Performance, judged: Judged) -> Result<Self> {
        let producer_failures = performance.producer_failures();
        let Performance {
            setting,
            schedule,
            mut crew,
            watch,
            mut done,
            ..
        } = performance;
        let mut deviations = watch.deviations;
        for (worker, log) in crew.logs().iter().enumerate() {
            if let Some(line) = log.lines().find(|line| line.contains("panicked")) {
                deviations.push(Deviation::new(format!("worker {worker} has panicked: {line}")));
            }
        }
        let mut kept = Vec::new();
        if !deviations.is_empty() {
            kept = stage.keep()?;
            kept.extend(
                crew.keep()
                    .into_iter()
                    .map(|folder| format!("worker: {}", folder.display())),
            );
        }
        done.extend(watch.said);
        done.sort_by_key(|(at, _)| *at);
        Ok(Self {
            setting,
            schedule,
            judged,
            deviations,
            done,
            fenced: watch.fenced,
            ended: watch.ended,
            producer_failures,
            kept,
        })
    }

    pub fn is_right(&self) -> bool {
        self.deviations.is_empty()
    }

    /// Whether all that is wrong comes of partitions with preserved offsets that have stopped because the target's log has something that nobody wrote: a coordinator
    /// that changes while it writes a marker may write it twice, which nothing can undo. What such a partition lacks is said there; nothing else may be wrong with it.
    pub fn is_a_marker_too_many(&self) -> bool {
        let stopped: Vec<&str> = self
            .deviations
            .iter()
            .filter_map(|each| surplus(&each.what))
            .collect();
        let comes_of_it = |what: &str| {
            let is_of = |place: &&str| what.contains(*place) || what.starts_with(topic(place));
            let is_lack = [
                "are not on the target",
                "not caught up",
                "the logs' bounds",
                "target-diverged",
            ];
            stopped.iter().any(is_of) && is_lack.iter().any(|lack| what.contains(lack))
        };
        !stopped.is_empty() && self.deviations.iter().all(|each| comes_of_it(&each.what))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setting {
            seed,
            workers,
            brokers,
            ..
        } = self.setting;
        let Judged {
            records,
            offsets,
            group_offsets,
        } = self.judged;
        writeln!(
            f,
            "seed {seed}: {} events, {workers} workers, {brokers} brokers a cluster; {} committed records compared in two copies, {} offsets in the stored maps, {} offsets of groups; \
             {} partitions fenced because another worker had started later; workers could not start {} times, for want of a cluster; {} producers failed and were made anew",
            self.schedule.events.len(),
            grouped(records),
            grouped(offsets),
            grouped(group_offsets),
            self.fenced,
            self.ended,
            self.producer_failures.len()
        )?;
        if self.is_right() {
            return write!(f, "seed {seed}: everything is as it must be");
        }
        for deviation in &self.deviations {
            writeln!(f, "\nDEVIATION: {}", deviation.what)?;
            if deviation.what.contains("-old-") {
                writeln!(f, "  {OLD}")?;
            }
            let Some(at) = deviation.at else { continue };
            writeln!(f, "  near {:.1} s:", at.as_secs_f64())?;
            let near = at.saturating_sub(BEFORE)..at + AFTER;
            for (at, what) in self.done.iter().filter(|(at, _)| near.contains(at)) {
                writeln!(f, "  {:7.2} s  {what}", at.as_secs_f64())?;
            }
        }
        if !self.producer_failures.is_empty() {
            writeln!(f, "\nproducers that failed on the source:")?;
            self.producer_failures
                .iter()
                .try_for_each(|failure| writeln!(f, "  {failure}"))?;
        }
        writeln!(f, "\nkept:")?;
        self.kept
            .iter()
            .try_for_each(|folder| writeln!(f, "  {folder}"))?;
        write!(f, "seed {seed}: {} deviations", self.deviations.len())
    }
}

/// The partition that has stopped so, of a deviation that says it of one.
fn surplus(what: &str) -> Option<&str> {
    let (stopped, why) = what.split_once('\n')?;
    let (connector, place) = stopped.split_once(": target-diverged at worker ")?;
    let is_so = connector.ends_with("-preserve") && why.contains("that this mirror did not write");
    let place = place.split_once(": ")?.1;
    (is_so && !place.contains(", ")).then_some(place)
}

fn topic(place: &str) -> &str {
    place.rsplit_once('-').map_or(place, |(topic, _)| topic)
}

const OLD: &str = "where offsets are preserved, records older than the target's producer.id.expiration.ms (a day) are protected by a lease: a request that came later than \
                   request.timeout.ms may be the cause";
