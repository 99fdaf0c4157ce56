//! The narrowed WebAssembly engine: finds plugins in `plugin.path`, compiles them, and calls them within limits.
//!
//! [`Host::open`] scans once; [`Host::resolve`] finds a plugin by name; [`Plugin::router`], [`Plugin::transformation`] and their like give a configured
//! use of it, which owns one instance and replaces it when the guest breaks. All calls block the thread for up to their deadline: not for an async thread.
//!
//! This is the only crate that names wasmtime, and the contract's bindings stay inside (`bindings.rs`): others see the types here.
#![deny(unsafe_code)]

mod batch;
mod bindings;
mod broken;
mod cache;
mod checkers;
mod config;
mod descriptor;
mod edits;
mod engine;
mod figures;
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod instance;
mod limits;
mod needs;
mod plugin;
mod predicate;
mod registries;
mod router;
mod scan;
mod state;
mod transformation;
mod validator;
mod voice;
mod wasi;

pub use batch::{Records, TimestampType, UNREADABLE_HEADER};
pub use broken::{Broken, CallError, Cause};
pub use checkers::{AclChecker, SchemaChecker};
pub use config::ConfigError;
pub use descriptor::{ConfigKey, ConfigType, Descriptor, Importance, Presence};
pub use edits::{Column, Edit, Edits, Header, Outgoing, ValueEdits};
pub use figures::{Breaks, Figures, Usage};
pub use host::{Error, Host, Options, ResolveError};
pub use limits::Limits;
pub use needs::{Effects, Needs, Reads};
pub use plugin::{Code, InitError, Plugin};
pub use predicate::{Matching, Predicate};
pub use registries::{Answer, Ask, Registries, SchemaText, Side};
pub use router::Router;
pub use scan::{Problem, ScanError};
pub use transformation::Transformation;
pub use validator::{Pair, Rejection, Validator};
