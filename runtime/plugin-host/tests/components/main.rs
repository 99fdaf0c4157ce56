//! The host with real components: the shipped plugins, one of every other kind, and one that does everything wrong.

mod cache;
mod calls;
mod guests;
mod hostile;
mod scan;
