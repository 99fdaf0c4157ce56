//! The host with real components: the shipped plugins, one of every other kind, and one that does everything wrong.

#![allow(clippy::unwrap_used, reason = "all of this is tests")]

mod cache;
mod calls;
mod contract;
mod guests;
mod hostile;
mod registries;
mod scan;
mod wasi;
