//! The data plane: source partition -> route -> (stages) -> target partition, with positions on the target.
//! Knows nothing of REST or migrations.
//!
//! A [`Connector`](connector::Connector) selects topics, routes them, creates what the target lacks, and divides partitions among tasks.
//! A task owns its partitions from fetch to position and never talks to another task. Beside it, a [checkpoint connector](checkpoint) syncs where groups go on
//! reading, by the offset maps that are stored with the positions.
#![forbid(unsafe_code)]

pub mod checkpoint;
mod checks;
pub mod claims;
pub mod config;
pub mod connector;
mod delivery;
mod discovery;
#[doc(hidden)]
pub mod fuzzing;
pub mod ownership;
mod reading;
mod registries;
pub mod resolve;
mod route;
mod stages;
pub mod status;
mod targets;
mod task;
pub mod throttle;
mod withheld;
