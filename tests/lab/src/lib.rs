//! The lab: real Apache Kafka brokers on loopback, traffic with known contents, and comparisons that never use Towpath's own
//! Kafka client. Not part of the product; its only users are `./demo`, `./test` and people at a terminal.
//!
//! ```no_run
//! use towpath_lab::{broker::Pair, compare, generate::Traffic};
//!
//! let pair = Pair::start()?;
//! let traffic = Traffic::orders("orders", 8, 100_000);
//! pair.source.admin()?.create_topic("orders", 8, &[("retention.ms", "-1")])?;
//! traffic.produce(pair.source.bootstrap())?;
//! // ... mirror ...
//! compare::assert_same((pair.source.bootstrap(), "orders"), (pair.target.bootstrap(), "orders"), 100_000)?;
//! # anyhow::Ok(())
//! ```
#![forbid(unsafe_code)]

pub mod admin;
pub mod bench;
pub mod broker;
pub mod certificates;
pub mod chaos;
pub mod cluster;
pub mod compare;
pub mod environment;
pub mod generate;
pub mod kafka;
pub mod mask;
pub mod number;
pub mod offset_map;
pub mod plugins;
pub mod process;
pub mod proxy;
pub mod read;
pub mod registry;
pub mod rest;
pub mod segments;
pub mod sequence;
pub mod towpath;
pub mod wait;
