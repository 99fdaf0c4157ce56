//! One member of a classic group, and what a consumer says about itself.

use std::time::Duration;

use bytes::{Buf, Bytes};
use kafka_protocol::{
    messages::ConsumerProtocolSubscription,
    protocol::{Decodable, Message},
};

use super::{JoinReply, SyncReply};

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: String,
    /// `group.instance.id` of a static member.
    pub(crate) instance: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    /// Name and metadata, by preference.
    pub(crate) protocols: Vec<(String, Bytes)>,
    pub(crate) assignment: Bytes,
    pub(super) arrival: u64,
    pub(super) session_end: Duration,
    /// Knows its generation and has not asked for its assignment yet.
    pub(super) owes_sync: bool,
    pub(super) joining: Option<JoinReply>,
    pub(super) syncing: Option<SyncReply>,
}

// === impl Member ===

impl Member {
    pub(crate) fn metadata(&self, protocol: &str) -> Option<&Bytes> {
        let (_, metadata) = self.protocols.iter().find(|(name, _)| name == protocol)?;
        Some(metadata)
    }

    pub(super) fn keep(&mut self, now: Duration) {
        self.session_end = now + self.session_timeout;
    }

    /// A member whose request waits at the coordinator is alive: it cannot send heartbeats on that connection.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let waits = self.joining.is_some() || self.syncing.is_some();
        (!waits).then_some(self.session_end)
    }

    pub(super) fn is_expired(&self, now: Duration) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now)
    }
}

/// Topics of a consumer's subscription: a version, then that version of `ConsumerProtocolSubscription`.
pub(super) fn subscription(mut metadata: Bytes) -> Option<Vec<String>> {
    let version = metadata.try_get_i16().ok()?;
    // A newer version has what an older one has, first.
    let version = version.clamp(0, ConsumerProtocolSubscription::VERSIONS.max);
    let subscription = ConsumerProtocolSubscription::decode(&mut metadata, version).ok()?;
    Some(
        subscription
            .topics
            .iter()
            .map(|topic| topic.to_string())
            .collect(),
    )
}
