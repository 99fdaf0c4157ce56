//! Exactly once, or why not: decided when a connector starts.

mod probe;

use std::{collections::BTreeMap, time::Duration};

use towpath_domain::{Bucket, Buckets};
use towpath_wire::{Client, Error, KafkaError, ProducerId, positions::Positions};

use crate::{
    config::{Delivery, Offsets},
    status::DeliveryStatus,
    task::Transactions,
};
use probe::Found;

/// What holds for a connector's records.
#[derive(Debug)]
pub(crate) enum Delivered {
    ExactlyOnce(Exactly),
    /// the reason, when more was asked for
    AtLeastOnce(Option<String>),
}

/// How it is exact.
#[derive(Debug)]
pub(crate) struct Exactly {
    /// the producer of each bucket that was claimed
    pub buckets: BTreeMap<Bucket, ProducerId>,
    pub offsets: Offsets,
    /// `offsets.mode=auto`: why no offsets are preserved on this target
    pub translates: Option<String>,
    means: Means,
}

/// What makes it exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Means {
    /// compare-and-append, and transactions for what is older than that: brokers forget who wrote it
    Sequences(Duration),
    /// transactions alone, and what the target lacks for more
    Transactions(String),
}

/// Why records go in transactions, of some of them.
pub(crate) const OLD: &str = "records that are older than half of the target's producer.id.expiration.ms (a day unless set) are written in transactions, and what an aborted one has written stays visible to read_uncommitted readers";
/// What holds of old records where offsets are preserved.
const PRESERVED: &str = "records that are older than half of the target's producer.id.expiration.ms (a day unless set) are protected by a lease: after a worker or a connection was lost they wait for request.timeout.ms and 5 s, and a request that arrives later than that stops its partition as target-diverged";
/// Of a target that does not tell: Kafka's default.
const EXPIRATION: Duration = Duration::from_secs(24 * 3600);

/// Probes the target and claims the connector's rows in these buckets, when it is to be exact. Fails where that is required and not possible.
pub(crate) async fn begin(
    client: &Client,
    positions: &Positions,
    (connector, owned): (&str, Buckets),
    (wanted, offsets): (Delivery, Offsets),
) -> Result<Delivered, Error> {
    let needed_by = match wanted {
        Delivery::AtLeastOnce => return Ok(Delivered::AtLeastOnce(None)),
        Delivery::ExactlyOnce { .. } if offsets == Offsets::Preserve => Some("offsets.mode is preserve"),
        Delivery::ExactlyOnce { required: true } => Some("exactly.once.support is required"),
        Delivery::ExactlyOnce { required: false } => None,
    };
    let means = match (probe::probe(client, positions.topic(), offsets).await?, offsets) {
        (Found::Sequences, _) => Ok((Means::Sequences(expiration(client).await / 2), None)),
        // A marker costs an offset that the source may not have.
        (Found::Translated(what) | Found::Transactions(what), Offsets::Preserve) => Err(what),
        (Found::Translated(what), _) => Ok((Means::Sequences(expiration(client).await / 2), Some(what))),
        (Found::Transactions(what), _) => Ok((Means::Transactions(what.clone()), Some(what))),
        (Found::Neither(what), _) => Err(what),
    };
    let reason = match means {
        Ok((means, translates)) => match positions.claim(connector, owned).await {
            Ok(buckets) => {
                return Ok(Delivered::ExactlyOnce(Exactly {
                    buckets,
                    offsets,
                    translates,
                    means,
                }));
            }
            // Somebody else claims at the same time, and it is tried again: whoever comes last has it. To go on at least once would double what the other one writes.
            Err(error) if error.is_fenced() || may_pass(&error) => return Err(error),
            Err(error) => told(&error),
        },
        Err(what) => what,
    };
    if let Some(needed_by) = needed_by {
        let what = format!("{needed_by}, and cannot be had: {reason}");
        return Err(refused(positions, what));
    }
    tracing::warn!(connector, "records are mirrored at least once: {reason}");
    Ok(Delivered::AtLeastOnce(Some(reason)))
}

/// How long the target's brokers remember a producer behind its last record's timestamp.
async fn expiration(client: &Client) -> Duration {
    match client.producer_expiration().await {
        Ok(found) => found.unwrap_or(EXPIRATION),
        Err(error) => {
            tracing::info!(%error, "producer.id.expiration.ms of the target is not known, a day is assumed");
            EXPIRATION
        }
    }
}

fn refused(positions: &Positions, what: String) -> Error {
    Error::Own {
        topic: positions.topic().clone(),
        purpose: "exact delivery",
        what,
        cause: None,
    }
}

/// What may pass is waited for: to go on at least once would be until the next start. That nobody coordinates transactions, for as long as a request may take, is how
/// a cluster is that cannot make the topic for them.
fn may_pass(error: &Error) -> bool {
    let is_without_coordinator =
        matches!(error, Error::GaveUp { .. }) && error.kafka() == Some(KafkaError::COORDINATOR_NOT_AVAILABLE);
    error.retry().is_soon() && !is_without_coordinator
}

fn told(error: &Error) -> String {
    if error.kafka() == Some(KafkaError::COORDINATOR_NOT_AVAILABLE) {
        return format!(
            "{error}; on a cluster with fewer brokers than transaction.state.log.replication.factor says (3 when it is not set) set that to what it has, and restart"
        );
    }
    error.to_string()
}

// === impl Delivered ===

impl Delivered {
    pub(crate) fn status(&self) -> DeliveryStatus {
        match self {
            Self::ExactlyOnce(exactly) => {
                let mut status = DeliveryStatus {
                    guarantee: "exactly-once",
                    offsets: exactly.offsets,
                    topics: BTreeMap::new(),
                    reason: None,
                };
                match &exactly.means {
                    Means::Transactions(why) => status.is_for_committed(why),
                    Means::Sequences(_) if exactly.offsets == Offsets::Preserve => {
                        status.reason = Some(PRESERVED.to_owned());
                    }
                    Means::Sequences(_) => {}
                }
                status
            }
            Self::AtLeastOnce(reason) => DeliveryStatus {
                guarantee: "at-least-once",
                offsets: Offsets::Translate,
                topics: BTreeMap::new(),
                reason: reason.clone(),
            },
        }
    }

    /// Which records go in transactions, where offsets are translated; where they are preserved, of which ones brokers forget the producer.
    pub(crate) fn transactions(&self) -> Transactions {
        match self {
            Self::ExactlyOnce(exactly) => match exactly.means {
                Means::Sequences(age) => Transactions::OlderThan(age),
                Means::Transactions(_) => Transactions::All,
            },
            Self::AtLeastOnce(_) => Transactions::None,
        }
    }

    /// How it is exact, when it is.
    pub(crate) fn exactly(self) -> Option<Exactly> {
        match self {
            Self::ExactlyOnce(exactly) => Some(exactly),
            Self::AtLeastOnce(_) => None,
        }
    }
}
