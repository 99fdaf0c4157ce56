//! Any broker will do: whoever answers first of those that are connected, those that are known, and the bootstrap servers.
//!
//! When every known broker is gone the bootstrap servers say where the cluster is now (KIP-899, `metadata.recovery.strategy=rebootstrap`).

use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};
use kafka_protocol::messages::MetadataResponse;
use rand::seq::SliceRandom;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{Client, Topics, metadata};
use crate::{Address, Connection, Error, Options, Peer, race::race};

/// How long a broker may be silent before the next one is asked beside it.
const HEAD_START: Duration = Duration::from_secs(1);

type Candidate<'a> = BoxFuture<'a, Result<Connection, Error>>;

// === impl Client ===

impl Client {
    /// A connection to any broker.
    pub(super) async fn any(&self) -> Result<Connection, Error> {
        race(self.candidates().await, HEAD_START).await.map_err(told)
    }

    /// The first metadata that any broker answers. One that is connected and silent does not keep others from being asked.
    pub(super) async fn ask_any(&self, topics: &Topics) -> Result<(Connection, MetadataResponse), Error> {
        let ask = |candidate: Candidate<'static>| {
            let topics = topics.clone();
            async move {
                let connection = candidate.await?;
                let answer = metadata::ask(&connection, &topics).await?;
                Ok((connection, answer))
            }
            .boxed()
        };
        let candidates = self.candidates().await.into_iter().map(ask).collect();
        race(candidates, HEAD_START).await.map_err(told)
    }

    async fn candidates(&self) -> Vec<Candidate<'static>> {
        let open = self.open_connections().await;
        let mut nodes = self.cluster().nodes();
        nodes.retain(|node| {
            open.iter()
                .all(|connection| connection.peer().node != Some(*node))
        });
        nodes.shuffle(&mut rand::rng());
        let mut candidates: Vec<Candidate<'static>> = Vec::new();
        for connection in open {
            candidates.push(async { Ok(connection) }.boxed());
        }
        for node in nodes {
            let client = self.clone();
            candidates.push(async move { client.shared(node).await }.boxed());
        }
        candidates.extend(at_bootstrap(&self.0.bootstrap, &self.0.options, &self.0.closed));
        candidates
    }

    /// Takes nothing for granted of a broker whose address leads elsewhere.
    pub(super) async fn forget(&self, node: super::NodeId) {
        self.update_cluster(|cluster| cluster.forget(node));
        self.prune().await;
    }
}

/// The first of the bootstrap servers that speaks Kafka.
pub(super) async fn bootstrap(
    addresses: &[Address],
    options: &Options,
    closed: &CancellationToken,
) -> Result<Connection, Error> {
    race(at_bootstrap(addresses, options, closed), HEAD_START)
        .await
        .map_err(|mut causes| match causes.iter().position(is_refusal) {
            Some(index) => causes.swap_remove(index),
            None => Error::Bootstrap { causes },
        })
}

/// The brokers know us by the same credentials: what one of them says of them is what is to be mended.
fn is_refusal(cause: &Error) -> bool {
    matches!(cause, Error::Sasl { .. })
}

fn at_bootstrap(
    addresses: &[Address],
    options: &Options,
    closed: &CancellationToken,
) -> Vec<Candidate<'static>> {
    let until = Instant::now() + options.request_timeout;
    let one = |address: &Address| {
        let peer = Peer {
            address: address.clone(),
            node: None,
        };
        let (options, token) = (options.clone(), closed.child_token());
        async move {
            let opening = Connection::open(peer.clone(), &options, token);
            let opened = timeout_at(until, opening).await;
            opened.unwrap_or(Err(Error::Timeout {
                peer,
                api: "ApiVersions",
                after: options.request_timeout,
            }))
        }
        .boxed()
    };
    addresses.iter().map(one).collect()
}

/// Why nobody could be asked. What a broker said counts for more than that others are silent.
fn told(mut causes: Vec<Error>) -> Error {
    let is_answer = |cause: &Error| {
        !matches!(
            cause,
            Error::Connect { .. } | Error::Disconnected { .. } | Error::Timeout { .. }
        )
    };
    match causes.iter().position(is_answer) {
        Some(index) => causes.swap_remove(index),
        None => Error::Bootstrap { causes },
    }
}
