//! Levels of loggers, changed while the worker runs (KIP-495). A logger is a crate or module, such as `towpath_mirror` or `towpath_mirror::task`.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use crate::herder::{Level, Logger};

/// Applies directives, as `RUST_LOG` has them. The error is a sentence.
pub type Apply = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

pub struct Loggers {
    known: Mutex<BTreeMap<String, Logger>>,
    apply: Apply,
}

/// Log4j's name of all others.
const ROOT: &str = "root";
/// Those that are listed though nobody has said anything of them.
const CRATES: [&str; 5] = [
    "towpath",
    "towpath_mirror",
    "towpath_plugin_host",
    "towpath_server",
    "towpath_wire",
];

// === impl Loggers ===

impl Loggers {
    /// `directives` are those that hold now. Of these only levels by name are understood.
    pub fn new(directives: &str, apply: Apply) -> Self {
        let mut known = BTreeMap::new();
        let logger = |level| Logger {
            level,
            last_modified: None,
        };
        known.insert(ROOT.to_owned(), logger(Level::Error));
        for directive in directives.split(',').map(str::trim) {
            let (name, level) = directive.split_once('=').unwrap_or((ROOT, directive));
            if let Some(level) = Level::parse(level) {
                known.insert(name.to_owned(), logger(level));
            }
        }
        Self {
            known: Mutex::new(known),
            apply,
        }
    }

    pub(super) fn all(&self) -> BTreeMap<String, Logger> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = known.clone();
        for name in CRATES {
            if let Some(logger) = effective(&known, name) {
                all.entry(name.to_owned()).or_insert(logger);
            }
        }
        all
    }

    /// `None`: nobody logs under this name.
    pub(super) fn one(&self, name: &str) -> Option<Logger> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_ours = CRATES.contains(&name.split("::").next().unwrap_or(name));
        match known.get(name) {
            Some(logger) => Some(*logger),
            None if is_ours => effective(&known, name),
            None => None,
        }
    }

    /// Also of what is below it. Answers the names that are changed.
    pub(super) fn set(&self, name: &str, level: Level) -> Result<Vec<String>, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO);
        let changed = Logger {
            level,
            last_modified: Some(since.as_millis() as i64),
        };
        let below = format!("{name}::");
        let mut next = known.clone();
        let mut names = vec![name.to_owned()];
        next.insert(name.to_owned(), changed);
        for (other, logger) in next.iter_mut().filter(|(other, _)| other.starts_with(&below)) {
            *logger = changed;
            names.push(other.clone());
        }
        (self.apply)(&directives(&next))?;
        *known = next;
        Ok(names)
    }
}

/// Of the nearest that is known above it.
fn effective(known: &BTreeMap<String, Logger>, name: &str) -> Option<Logger> {
    let mut name = name;
    loop {
        if let Some(logger) = known.get(name) {
            return Some(*logger);
        }
        match name.rsplit_once("::") {
            Some((above, _)) => name = above,
            None => return known.get(ROOT).copied(),
        }
    }
}

fn directives(known: &BTreeMap<String, Logger>) -> String {
    let one = |(name, logger): (&String, &Logger)| {
        let level = format!("{:?}", logger.level).to_lowercase();
        match name.as_str() {
            ROOT => level,
            name => format!("{name}={level}"),
        }
    };
    known.iter().map(one).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_level_is_applied_with_those_that_were_there_and_to_what_is_below() {
        let applied = Arc::new(Mutex::new(String::new()));
        let seen = Arc::clone(&applied);
        let apply: Apply = Box::new(move |directives| match directives.contains("broken") {
            true => Err("no".to_owned()),
            false => {
                *seen.lock().unwrap() = directives.to_owned();
                Ok(())
            }
        });
        let loggers = Loggers::new("info,librdkafka=off,towpath_mirror::task=warn", apply);
        assert_eq!(loggers.one("root").unwrap().level, Level::Info);
        assert_eq!(loggers.one("towpath_mirror").unwrap().level, Level::Info);
        let below = loggers.one("towpath_mirror::task::lane").unwrap();
        assert_eq!((below.level, below.last_modified), (Level::Warn, None));
        assert_eq!(loggers.one("org.apache.kafka"), None);

        let changed = loggers.set("towpath_mirror", Level::Debug).unwrap();
        assert_eq!(changed, ["towpath_mirror", "towpath_mirror::task"]);
        assert_eq!(
            *applied.lock().unwrap(),
            "librdkafka=off,info,towpath_mirror=debug,towpath_mirror::task=debug"
        );
        let logger = loggers.one("towpath_mirror::task").unwrap();
        assert!(logger.level == Level::Debug && logger.last_modified.is_some());
        assert!(loggers.all().contains_key("towpath_wire"));

        assert!(loggers.set("broken", Level::Warn).is_err());
        assert_eq!(
            loggers.one("broken"),
            None,
            "what could not be applied is not shown"
        );
    }
}
