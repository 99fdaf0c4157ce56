//! What goes wrong in a call.

use std::{fmt, time::Duration};

use wasmtime::{Trap, WasmBacktrace};

use crate::{
    batch::{Misuse, Undeclared},
    limits::{Limits, PARTS},
    state::State,
    wasi::Forbidden,
};

/// The plugin broke: nothing of the call was applied, and the instance is gone. The next call makes a fresh one.
#[derive(Debug, thiserror::Error)]
#[error("plugin {plugin}@{version} (sha256 {}) broke in `{call}`: {cause}", digest.get(..12).unwrap_or(digest))]
pub struct Broken {
    pub plugin: String,
    pub version: String,
    /// hex sha256 of the component's file
    pub digest: String,
    /// the function of the contract, such as `transform`
    pub call: &'static str,
    pub cause: Cause,
    /// The guest's functions that were running, callee first, demangled. Empty when it was not the call itself that broke.
    pub backtrace: Vec<String>,
}

/// A cause, and where the guest was.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) cause: Cause,
    pub(crate) backtrace: Vec<String>,
}

/// How it broke.
#[derive(Debug)]
pub enum Cause {
    /// The guest's own fault stopped it. `last_words`: the last error it logged during the call, a Rust guest's panic message for example; else its
    /// last lines on stderr, the end of a traceback.
    Trap {
        trap: String,
        backtrace: String,
        last_words: Option<String>,
    },
    /// It ran for longer than this.
    Deadline(Duration),
    /// It wanted more bytes than this, and did not survive the refusal.
    Memory(usize),
    /// Its answer was larger than this many bytes.
    Output(usize),
    /// Its answer breaks a rule of the contract.
    Malformed(String),
    /// It read or did what it had not declared.
    Undeclared(String),
    /// It reached for what no plugin is given, or for more than a plugin is given.
    Forbidden(String),
}

/// Why a call gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The plugin says that it cannot do it.
    #[error("{message}")]
    Failure { message: String, retriable: bool },
    /// A registry that it asked does not answer: the same call may be made again, and is to be.
    #[error("{0}")]
    Unavailable(String),
    #[error(transparent)]
    Broken(#[from] Box<Broken>),
}

// === impl Broken ===

impl Broken {
    /// The cause without the guest's own words, which may have anything of a record in them.
    pub fn kind(&self) -> String {
        match &self.cause {
            Cause::Trap { trap, .. } => format!("it trapped: {trap}"),
            cause => cause.to_string(),
        }
    }
}

// === impl Fault ===

impl Fault {
    pub(crate) fn of(error: &wasmtime::Error, state: &State, limits: &Limits, timeout: Duration) -> Self {
        Self {
            cause: Cause::of(error, state, limits, timeout),
            backtrace: error.downcast_ref::<WasmBacktrace>().map_or_else(Vec::new, names),
        }
    }
}

impl From<Cause> for Fault {
    fn from(cause: Cause) -> Self {
        Self {
            cause,
            backtrace: Vec::new(),
        }
    }
}

// === impl Cause ===

impl Cause {
    /// Reads the cause from what wasmtime says, and from what the store saw during the call.
    pub(crate) fn of(error: &wasmtime::Error, state: &State, limits: &Limits, timeout: Duration) -> Self {
        if let Some(undeclared) = error.downcast_ref::<Undeclared>() {
            return Self::Undeclared(undeclared.to_string());
        }
        if let Some(misuse) = error.downcast_ref::<Misuse>() {
            return Self::Malformed(misuse.to_string());
        }
        if let Some(forbidden) = error.downcast_ref::<Forbidden>() {
            return Self::Forbidden(forbidden.to_string());
        }
        let trap = error.downcast_ref::<Trap>();
        if trap == Some(&Trap::Interrupt) {
            return Self::Deadline(timeout);
        }
        if state.limiter.refused() {
            return Self::Memory(limits.memory_bytes);
        }
        let root = error.root_cause().to_string();
        // wasmtime has no public type for this one; `tests/hostile.rs` would notice a change of its words
        if root.contains("fuel allocated for hostcalls has been exhausted") {
            return Self::Output(limits.output_bytes);
        }
        if root.contains("store handle limit exceeded") {
            return Self::Forbidden("it holds too many handles of resources".to_owned());
        }
        if root.contains("count too high") {
            return Self::Malformed(format!(
                "it has more than {PARTS} core instances, memories or tables"
            ));
        }
        match trap {
            Some(trap) => Self::Trap {
                trap: trap.to_string().trim_start_matches("wasm trap: ").to_owned(),
                backtrace: error
                    .downcast_ref::<WasmBacktrace>()
                    .map_or_else(String::new, frames),
                last_words: state.last_words(),
            },
            // lifting the answer failed: a string that is not UTF-8, an unknown case, a list that ends outside of memory
            None => Self::Malformed(format!("its answer could not be read: {root}")),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trap {
                trap,
                backtrace,
                last_words,
            } => {
                write!(f, "it trapped: {trap}")?;
                if let Some(words) = last_words {
                    write!(f, "; its last words: {words}")?;
                }
                if backtrace.is_empty() {
                    Ok(())
                } else {
                    write!(f, "; at {backtrace}")
                }
            }
            Self::Deadline(limit) => write!(f, "it ran for more than {limit:?}"),
            Self::Memory(limit) => write!(f, "it wanted more memory than {limit} bytes"),
            Self::Output(limit) => write!(f, "its answer is larger than {limit} bytes"),
            Self::Malformed(what) | Self::Undeclared(what) | Self::Forbidden(what) => f.write_str(what),
        }
    }
}

// === impl CallError ===

impl From<Broken> for CallError {
    fn from(broken: Broken) -> Self {
        Self::Broken(Box::new(broken))
    }
}

/// The innermost frames on one line.
fn frames(backtrace: &WasmBacktrace) -> String {
    let mut names = names(backtrace);
    names.truncate(8);
    names.join(" <- ")
}

/// Of a guest that was built with its names stripped these are numbers. They are the guest's, so they are cut and on one line.
fn names(backtrace: &WasmBacktrace) -> Vec<String> {
    let text = backtrace.to_string();
    let frames = text
        .lines()
        .filter_map(|line| line.split_once(" - "))
        .map(|(_, frame)| frame.split_once('!').map_or(frame, |(_, name)| name));
    frames
        .map(|name| name.chars().filter(|c| !c.is_control()).take(NAME).collect())
        .collect()
}

/// Characters of a function's name that are kept.
const NAME: usize = 200;
