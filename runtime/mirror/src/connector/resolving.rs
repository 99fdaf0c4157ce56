//! Deciding about the partitions and the positions of a connector that is not run.

use towpath_domain::TopicName;

use super::Connector;
use crate::resolve::{
    self, Error, Mode, Request, Resolution, Subject,
    offsets::{self, Changes, Offsets},
    reseed,
};

// === impl Connector ===

impl Connector {
    /// Decides about partitions that have stopped, and stores it in their rows. No worker may run the connector meanwhile.
    pub async fn resolve(self, request: &Request) -> Result<Vec<Resolution>, Error> {
        resolve::resolve(self.subject(), request).await
    }

    /// The positions as they are stored; of exact ones the target's log may be further.
    pub async fn offsets(self) -> Result<Offsets, Error> {
        offsets::list(&self.subject()).await
    }

    /// Sets positions to other places, or takes them away. No worker may run the connector meanwhile.
    pub async fn change_offsets(self, changes: &Changes, mode: Mode) -> Result<Vec<Resolution>, Error> {
        offsets::change(&self.subject(), changes, mode).await
    }

    /// Deletes a topic on the target, and forgets what was mirrored of it: it begins anew. No worker may run the connector meanwhile.
    pub async fn reseed(self, request: &reseed::Request) -> Result<Vec<Resolution>, Error> {
        reseed::reseed(&self.subject(), request).await
    }

    fn subject(self) -> Subject {
        Subject {
            connector: self.name,
            topics: self.config.topics,
            delivery: self.config.delivery,
            isolation: self.config.isolation,
            has_plugins: !self.pipeline.is_empty(),
            source: self.source,
            target: self.target,
            routes: self.routes,
            table: (
                TopicName::new(self.worker.positions_topic.as_str()),
                self.worker.positions_replication_factor,
            ),
        }
    }
}
