//! The Kafka protocol client of the data plane, and of the admin calls it needs.
//!
//! [`Client`] knows one cluster: its brokers, leaders, topics. [`Connection`] is one TCP connection with requests in flight, for a caller
//! that fetches or produces. [`batch`] reads, rewrites, decodes and encodes record batches. [`positions`] keeps how far each source
//! partition was mirrored, in a compacted topic; [`dead_letters`] takes what a pipeline cannot pass.
//!
//! `kafka-protocol` writes requests and reads answers; record batches never pass through it, because its record decoder loses what Kafka keeps.
#![forbid(unsafe_code)]

mod answer;
mod api;
mod append;
mod backoff;
pub mod batch;
mod client;
pub mod compacted;
mod connection;
pub mod dead_letters;
mod dial;
mod error;
mod fetch;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod kafka_error;
mod lease;
mod options;
mod own;
pub mod positions;
mod produce;
mod race;
mod reading;
mod retry;
mod rows;
mod sasl;
pub mod security;
mod tail;
mod tombstones;
mod transport;

#[cfg(test)]
mod scripted;

pub use backoff::Backoff;
pub use client::{
    Allowed, Client, CommittedOffset, ConfigEntry, ConfigSource, DescribedGroup, GroupMember, GroupType,
    Leader, ListedGroup, ListedOffset, Missing, NewTopic, NodeId, OffsetSpec, Operation, PartitionMetadata,
    ProducerId, ProducerState, TopicConfigs, TopicMetadata, Topics, Use,
};
pub use connection::{Connection, InFlight};
pub use error::{Error, Peer, Versions};
pub use fetch::{
    AbortedTransaction, DivergingEpoch, FetchAnswer, FetchOptions, FetchPartition, FetchSession,
    FetchedPartition, Isolation,
};
pub use http::{Authorization, HttpError, HttpRequest, Patience, parse_url};
pub use hyper::{Method, StatusCode, Uri};
pub use kafka_error::KafkaError;
pub use lease::Lease;
pub use options::{Address, Options};
pub use produce::{Appended, ProduceAnswer, ProducePartition, ProduceRequest};
pub use retry::{Retry, classify};
pub use sasl::{
    ClientCredentials, Login, OauthBearer, Sasl, SaslError, ScramHash, TokenEndpoint, TokenError,
    TokenSource, Who,
};
pub use security::{Environment, Secret, Security, Tls, Unresolved};
pub use tail::{Tail, TailBatch, Tails};
