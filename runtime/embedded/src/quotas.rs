//! Client quotas (KIP-546): who may move how many bytes a second, and how long a client must be silent that moved more.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use kafka_protocol::ResponseError;

mod entity;
#[cfg(test)]
mod tests;

pub(crate) use self::entity::{Component, Entity, Match};

/// What has a limit here. The other keys of Kafka are kept and not enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rate {
    /// `producer_byte_rate`
    Produce,
    /// `consumer_byte_rate`
    Fetch,
}

#[derive(Debug, Default)]
pub(crate) struct Quotas {
    values: BTreeMap<Entity, BTreeMap<String, f64>>,
    used: HashMap<(Rate, Entity), Bucket>,
}

/// Bytes that may be moved at once; negative when too many were.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Duration,
}

/// One change of AlterClientQuotas.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    Set(String, f64),
    Remove(String),
}

/// The longest that a client is told to be silent: Kafka's window of samples (`quota.window.size.seconds`) bounds it.
const LONGEST: Duration = Duration::from_secs(1);

// === impl Quotas ===

impl Quotas {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Entity, &BTreeMap<String, f64>)> {
        self.values.iter()
    }

    pub(crate) fn alter(&mut self, entity: &Entity, changes: &[Change]) {
        let values = self.values.entry(entity.clone()).or_default();
        for change in changes {
            match change {
                Change::Set(key, value) => values.insert(key.clone(), *value),
                Change::Remove(key) => values.remove(key),
            };
        }
        if values.is_empty() {
            self.values.remove(entity);
        }
        // New limits count from now on.
        self.used.clear();
    }

    /// Counts bytes of a client and says how long it must be silent.
    pub(crate) fn record(
        &mut self,
        now: Duration,
        rate: Rate,
        user: &str,
        client_id: &str,
        bytes: usize,
    ) -> Duration {
        if self.values.is_empty() {
            return Duration::ZERO;
        }
        let Some((entity, limit)) = self.limit(rate, user, client_id) else {
            return Duration::ZERO;
        };
        let bucket = self
            .used
            .entry((rate, entity))
            .or_insert(Bucket { left: limit, at: now });
        let since = now.saturating_sub(bucket.at).as_secs_f64();
        bucket.left = (bucket.left + since * limit).min(limit) - bytes as f64;
        bucket.at = now;
        if bucket.left >= 0.0 {
            return Duration::ZERO;
        }
        let seconds = (-bucket.left / limit).min(LONGEST.as_secs_f64());
        Duration::from_secs_f64(seconds)
    }

    /// The most specific quota of a client, and the entity whose clients share it.
    fn limit(&self, rate: Rate, user: &str, client_id: &str) -> Option<(Entity, f64)> {
        let key = rate.key();
        for entity in Entity::candidates(user, client_id) {
            if let Some(value) = self.values.get(&entity).and_then(|values| values.get(key)) {
                return Some((entity.shared_by(user, client_id), *value));
            }
        }
        None
    }
}

// === impl Rate ===

impl Rate {
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Produce => "producer_byte_rate",
            Self::Fetch => "consumer_byte_rate",
        }
    }
}

/// Kafka's checks of a key and its value.
pub(crate) fn check(entity: &Entity, change: &Change) -> Result<(), (ResponseError, String)> {
    let invalid = |text| Err((ResponseError::InvalidRequest, text));
    let (Change::Set(key, _) | Change::Remove(key)) = change;
    let known = if entity.is_ip() {
        ["connection_creation_rate"].contains(&key.as_str())
    } else {
        let keys = [
            "producer_byte_rate",
            "consumer_byte_rate",
            "request_percentage",
            "controller_mutation_rate",
        ];
        keys.contains(&key.as_str())
    };
    if !known {
        return invalid(format!("Invalid configuration key {key}"));
    }
    match change {
        Change::Set(_, value) if *value <= 0.0 => invalid(format!("Quota {key} must be greater than 0")),
        Change::Set(_, value) if key.ends_with("byte_rate") && value.fract() > 1e-6 => {
            invalid(format!("Configuration {key} must be a Long value"))
        }
        _ => Ok(()),
    }
}
