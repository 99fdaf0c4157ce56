//! What a plugin says: log lines at a limited rate, and counters of its own.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tracing::{debug, error, info, trace, warn};

use crate::{bindings::host::Level, limits::Limits};

/// One per attached use of a plugin: its instances share the counters, and all uses of the plugin the rate.
pub(crate) struct Voice {
    /// `name@version`, or the file's name while it is being described
    plugin: String,
    lines_per_second: u32,
    line_bytes: usize,
    /// shared by all uses of the plugin
    rate: Arc<Mutex<Rate>>,
    counted: Mutex<Counted>,
}

struct Rate {
    since: Instant,
    lines: u32,
    suppressed: u64,
}

#[derive(Default)]
struct Counted {
    counters: BTreeMap<String, u64>,
    refused_one: bool,
}

/// At most this many counters per plugin: each is a time series in somebody's metrics.
const COUNTERS: usize = 16;

// === impl Voice ===

impl Voice {
    pub(crate) fn new(plugin: String, limits: &Limits) -> Self {
        let rate = Rate {
            since: Instant::now(),
            lines: 0,
            suppressed: 0,
        };
        Self {
            plugin,
            lines_per_second: limits.log_lines_per_second,
            line_bytes: limits.log_line_bytes,
            rate: Arc::new(Mutex::new(rate)),
            counted: Mutex::default(),
        }
    }

    /// Of another use of the same plugin: with counters of its own.
    pub(crate) fn sibling(&self) -> Self {
        Self {
            plugin: self.plugin.clone(),
            rate: Arc::clone(&self.rate),
            counted: Mutex::default(),
            ..*self
        }
    }

    /// Logs a line that [`Voice::clean`] made, or counts it when there were too many this second.
    pub(crate) fn log(&self, level: Level, message: &str) {
        let Some(suppressed) = self.admit() else { return };
        let plugin = self.plugin.as_str();
        if suppressed > 0 {
            warn!(target: "towpath::plugin", plugin, suppressed, "log lines of this plugin were left out: above plugin.log.lines");
        }
        match level {
            Level::Trace => trace!(target: "towpath::plugin", plugin, "{message}"),
            Level::Debug => debug!(target: "towpath::plugin", plugin, "{message}"),
            Level::Info => info!(target: "towpath::plugin", plugin, "{message}"),
            Level::Warn => warn!(target: "towpath::plugin", plugin, "{message}"),
            Level::Error => error!(target: "towpath::plugin", plugin, "{message}"),
        }
    }

    /// Counts lines that nobody tried to log.
    pub(crate) fn leave_out(&self, lines: u64) {
        let mut rate = lock(&self.rate);
        rate.suppressed = rate.suppressed.saturating_add(lines);
    }

    pub(crate) fn lines_per_second(&self) -> usize {
        usize::try_from(self.lines_per_second).unwrap_or(usize::MAX)
    }

    pub(crate) fn line_bytes(&self) -> usize {
        self.line_bytes
    }

    /// Some: the line may be logged, after so many that were not.
    fn admit(&self) -> Option<u64> {
        let mut rate = lock(&self.rate);
        if rate.since.elapsed() >= Duration::from_secs(1) {
            rate.since = Instant::now();
            rate.lines = 0;
        }
        if rate.lines >= self.lines_per_second {
            rate.suppressed += 1;
            return None;
        }
        rate.lines += 1;
        Some(std::mem::take(&mut rate.suppressed))
    }

    /// A guest's text on one line of limited length, so that it can neither forge lines nor steer a terminal.
    pub(crate) fn clean(&self, message: &str) -> String {
        let mut line = String::with_capacity(message.len().min(self.line_bytes));
        for c in message.chars() {
            if line.len() + c.len_utf8() > self.line_bytes {
                line.push('…');
                break;
            }
            if c.is_control() {
                line.extend(c.escape_default())
            } else {
                line.push(c)
            }
        }
        line
    }

    pub(crate) fn count(&self, name: &str, by: u64) {
        let mut counted = lock(&self.counted);
        if let Some(counter) = counted.counters.get_mut(name) {
            *counter = counter.saturating_add(by);
            return;
        }
        let legal = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
        if counted.counters.len() < COUNTERS && (1..=64).contains(&name.len()) && name.bytes().all(legal) {
            counted.counters.insert(name.to_owned(), by);
        } else if !std::mem::replace(&mut counted.refused_one, true) {
            drop(counted);
            warn!(
                target: "towpath::plugin",
                plugin = self.plugin.as_str(),
                counter = self.clean(name),
                "counter ignored: a plugin has at most {COUNTERS}, named by 1-64 of a-z 0-9 _",
            );
        }
    }

    pub(crate) fn counters(&self) -> Vec<(String, u64)> {
        lock(&self.counted)
            .counters
            .iter()
            .map(|(name, count)| (name.clone(), *count))
            .collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // nothing in here can be half done
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_cannot_be_forged() {
        let limits = Limits {
            log_line_bytes: 12,
            ..Limits::default()
        };
        let voice = Voice::new("p@1.0.0".into(), &limits);
        assert_eq!(voice.clean("a\nb\u{1b}[2J"), "a\\nb\\u{1b}[2…");
        assert_eq!(voice.clean("éééééééé"), "éééééé…");
    }

    #[test]
    fn counters_are_few_and_have_plain_names() {
        let voice = Voice::new("p@1.0.0".into(), &Limits::default());
        voice.count("Bad Name", 1);
        for index in 0..20 {
            voice.count(&format!("n{index:02}"), 2);
            voice.count(&format!("n{index:02}"), 3);
        }
        assert_eq!(voice.counters().len(), COUNTERS);
        assert!(voice.counters().iter().all(|(_, count)| *count == 5));
    }
}
