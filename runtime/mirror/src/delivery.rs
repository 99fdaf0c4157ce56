//! Exactly once, or why not: decided when a connector starts.

mod probe;

use towpath_wire::{Client, Error, KafkaError, ProducerId, positions::Positions};

use crate::{
    config::{Delivery, Offsets},
    status::DeliveryStatus,
};

/// What holds for a connector's records.
#[derive(Debug)]
pub(crate) enum Delivered {
    /// with the producer of each bucket
    ExactlyOnce(Vec<ProducerId>, Offsets),
    /// the reason, when more was asked for
    AtLeastOnce(Option<String>),
}

/// Probes the target and claims the connector's rows, when it is to be exact. Fails where that is required and not possible.
pub(crate) async fn begin(
    client: &Client,
    positions: &Positions,
    connector: &str,
    (wanted, offsets): (Delivery, Offsets),
) -> Result<Delivered, Error> {
    let needed_by = match wanted {
        Delivery::AtLeastOnce => return Ok(Delivered::AtLeastOnce(None)),
        Delivery::ExactlyOnce { .. } if offsets == Offsets::Preserve => Some("offsets.mode is preserve"),
        Delivery::ExactlyOnce { required: true } => Some("exactly.once.support is required"),
        Delivery::ExactlyOnce { required: false } => None,
    };
    let reason = match probe::probe(client, positions.topic(), offsets).await? {
        Ok(()) => match positions.claim(connector).await {
            Ok(buckets) => return Ok(Delivered::ExactlyOnce(buckets, offsets)),
            // To go on at least once would double what the other one writes.
            Err(error) if error.is_fenced() => {
                let what = "another worker has started this connector at the same time: stop one of them, and restart";
                return Err(refused(positions, what.to_owned()));
            }
            Err(error) if may_pass(&error) => return Err(error),
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
            Self::ExactlyOnce(_, offsets) => DeliveryStatus {
                guarantee: "exactly-once",
                offsets: offsets.name(),
                reason: None,
            },
            Self::AtLeastOnce(reason) => DeliveryStatus {
                guarantee: "at-least-once",
                offsets: Offsets::Translate.name(),
                reason: reason.clone(),
            },
        }
    }

    /// The producer of each bucket, when it is exact.
    pub(crate) fn claimed(self) -> Option<Vec<ProducerId>> {
        match self {
            Self::ExactlyOnce(buckets, _) => Some(buckets),
            Self::AtLeastOnce(_) => None,
        }
    }
}
