//! A Kafka cluster in this process: real brokers' protocol over loopback TCP, without a JVM, with faults on demand.
//!
//! [`Cluster::start`] gives a cluster of as many brokers as wanted; any Kafka client can use it. What a broker does with a request is
//! Apache Kafka 4.3.1's behaviour, and what is left out is in this crate's README.
//!
//! All brokers share one state: there is no replication to wait for, every replica has every record, and a broker refuses partitions
//! that it does not lead. Each API is one file. [`faults`] is how a test makes a broker misbehave.
#![forbid(unsafe_code)]
#![expect(
    dead_code,
    reason = "what transactions and admin requests need of the log is there before they are"
)]

mod acls;
mod api;
mod broker;
mod clock;
mod cluster;
mod config;
mod connection;
mod context;
mod coordinators;
mod error;
pub mod faults;
mod groups;
mod log;
mod options;
mod quotas;
mod state;
mod topic;
mod transactions;
mod users;

pub use cluster::{Cluster, LogView};
pub use coordinators::Kind as CoordinatorKind;
pub use error::Error;
pub use faults::{Action, Faults, Injected, Random, Rule};
/// An error by its name: what a broker answers.
pub use kafka_protocol::error::ResponseError as ErrorCode;
/// An API by its name: what a fault is for.
pub use kafka_protocol::messages::ApiKey;
pub use options::{NewTopic, Options};
pub use quotas::Rate as QuotaRate;
