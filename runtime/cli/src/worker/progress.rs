//! Live progress: a line a connector, drawn over itself on a terminal, logged now and then elsewhere.

use std::{
    collections::{HashMap, VecDeque},
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use towpath_mirror::status::{ConnectorStatus, GroupState, GroupStatus};

use super::connectors::Status;
use crate::number::grouped;

/// Rates are over this long.
const WINDOW: Duration = Duration::from_secs(5);
const LOG_INTERVAL: Duration = Duration::from_secs(10);

pub(super) struct Progress {
    is_terminal: bool,
    drawn: usize,
    last_log: Option<Instant>,
    samples: HashMap<String, VecDeque<Sample>>,
}

#[derive(Clone, Copy)]
struct Sample {
    at: Instant,
    records: u64,
    bytes: u64,
    lag: i64,
    /// partitions whose lag is not in `lag`
    unknown: usize,
}

// === impl Progress ===

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            is_terminal: std::io::stdout().is_terminal(),
            drawn: 0,
            last_log: None,
            samples: HashMap::new(),
        }
    }

    pub(super) fn show(&mut self, statuses: &[Status]) {
        let now = Instant::now();
        let lines: Vec<String> = statuses.iter().map(|status| self.line(status, now)).collect();
        if self.is_terminal {
            self.draw(&lines);
        } else if self
            .last_log
            .is_none_or(|last| now.duration_since(last) >= LOG_INTERVAL)
        {
            self.last_log = Some(now);
            for line in lines {
                tracing::info!("{line}");
            }
        }
    }

    pub(super) fn end(&mut self, statuses: &[Status]) {
        self.last_log = None;
        self.show(statuses);
    }

    fn draw(&mut self, lines: &[String]) {
        let mut out = std::io::stdout().lock();
        let mut text = String::new();
        if self.drawn > 0 {
            text.push_str(&format!("\x1b[{}A", self.drawn));
        }
        for line in lines {
            text.push_str(&format!("\r\x1b[2K{line}\n"));
        }
        self.drawn = lines.len();
        // A closed terminal is no reason to stop mirroring.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    fn line(&mut self, status: &Status, now: Instant) -> String {
        let connector = &status.connector;
        if let Some(groups) = &connector.groups {
            return groups_line(connector, groups);
        }
        let newest = Sample {
            at: now,
            records: connector.mirrored.records,
            bytes: connector.mirrored.bytes,
            lag: connector.lag.records,
            unknown: connector.lag.unknown_partitions,
        };
        let samples = self.samples.entry(connector.name.clone()).or_default();
        samples.push_back(newest);
        while samples.len() > 2 && now.duration_since(samples[0].at) > WINDOW {
            samples.pop_front();
        }
        let oldest = samples[0];
        let seconds = now.duration_since(oldest.at).as_secs_f64();
        let rate = |from: u64, to: u64| {
            if seconds > 0.0 {
                to.saturating_sub(from) as f64 / seconds
            } else {
                0.0
            }
        };
        let stopped = connector
            .tasks
            .iter()
            .flat_map(|task| &task.partitions)
            .filter(|partition| partition.detail.is_some())
            .count();
        let failed = connector
            .tasks
            .iter()
            .filter(|task| task.run.trace.is_some())
            .count();
        let state = if connector.connector.trace.is_some() {
            "FAILED"
        } else {
            "RUNNING"
        };
        let mut line = format!(
            "{} {state} | {} records | {}/s | {:.1} MB/s | lag {} | {}",
            connector.name,
            grouped(newest.records),
            grouped(rate(oldest.records, newest.records) as u64),
            rate(oldest.bytes, newest.bytes) / 1e6,
            grouped(newest.lag.unsigned_abs()),
            if connector.tasks.is_empty() {
                "looking for topics".to_owned()
            } else {
                predicted(oldest, newest, seconds)
            },
        );
        if failed > 0 {
            line.push_str(&format!(" | {failed} of {} tasks FAILED", connector.tasks.len()));
        }
        if stopped > 0 {
            line.push_str(&format!(" | {} stopped", partitions(stopped)));
        }
        if !connector.throttled.is_empty() {
            line.push_str(&format!(" | throttled by {}", connector.throttled.join(", ")));
        }
        if let Some(what) = connector
            .tasks
            .iter()
            .find_map(|task| task.retrying.as_ref())
            .or(connector.trouble.as_ref())
        {
            line.push_str(&format!(" | retrying: {what}"));
        }
        line
    }
}

/// Of a `MirrorCheckpoint`: how many offsets are in which state.
fn groups_line(connector: &ConnectorStatus, groups: &[GroupStatus]) -> String {
    let state = if connector.connector.trace.is_some() {
        "FAILED"
    } else {
        "RUNNING"
    };
    let mut line = format!("{} {state}", connector.name);
    for (state, name) in [
        (GroupState::Synced, "synced"),
        (GroupState::NotSynced, "not synced"),
        (GroupState::ActiveOnTarget, "active on the target"),
        (GroupState::Conflict, "in conflict"),
    ] {
        let count = groups.iter().filter(|shown| shown.state == state).count();
        if count > 0 || state == GroupState::Synced {
            line.push_str(&format!(" | {} {name}", grouped(count as u64)));
        }
    }
    if let Some(what) = &connector.trouble {
        line.push_str(&format!(" | retrying: {what}"));
    }
    line
}

/// When the lag is gone, if it goes on shrinking as it does.
fn predicted(oldest: Sample, newest: Sample, seconds: f64) -> String {
    if newest.unknown > 0 {
        return format!("lag of {} not known yet", partitions(newest.unknown));
    }
    if newest.lag == 0 {
        return "caught up".to_owned();
    }
    let shrinking = (oldest.lag - newest.lag) as f64 / seconds.max(f64::EPSILON);
    if oldest.unknown > 0 || shrinking < 1.0 || seconds < 1.0 {
        return "end not in sight".to_owned();
    }
    let left = (newest.lag as f64 / shrinking).ceil() as u64;
    match left {
        0..60 => format!("caught up in {left} s"),
        60..3600 => format!("caught up in {} min {} s", left / 60, left % 60),
        _ => format!("caught up in {} h {} min", left / 3600, left / 60 % 60),
    }
}

fn partitions(count: usize) -> String {
    if count == 1 {
        "1 partition".to_owned()
    } else {
        format!("{count} partitions")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_the_end_is_predicted_from_how_the_lag_shrinks() {
        assert_eq!(
            [grouped(0), grouped(999), grouped(1_234_567)],
            ["0", "999", "1,234,567"]
        );
        let at = Instant::now();
        let sample = |lag| Sample {
            at,
            records: 0,
            bytes: 0,
            lag,
            unknown: 0,
        };
        assert_eq!(
            predicted(sample(100_000), sample(90_000), 5.0),
            "caught up in 45 s"
        );
        assert_eq!(
            predicted(sample(100), sample(100), 5.0),
            "end not in sight",
            "a standing lag has no end"
        );
        assert_eq!(predicted(sample(7), sample(0), 5.0), "caught up");
        let unknown = Sample {
            unknown: 1,
            ..sample(0)
        };
        assert_eq!(
            predicted(sample(7), unknown, 5.0),
            "lag of 1 partition not known yet"
        );
    }
}
