//! Deciding about the partitions of a connector that is not run.

use towpath_domain::TopicName;

use super::Connector;
use crate::resolve::{self, Error, Request, Resolution, Subject};

// === impl Connector ===

impl Connector {
    /// Decides about partitions that have stopped, and stores it in their rows. No worker may run the connector meanwhile.
    pub async fn resolve(self, request: &Request) -> Result<Vec<Resolution>, Error> {
        let subject = Subject {
            connector: self.name,
            topics: self.config.topics,
            delivery: self.config.delivery,
            source: self.source,
            target: self.target,
            routes: self.routes,
            table: (
                TopicName::new(self.worker.positions_topic.as_str()),
                self.worker.positions_replication_factor,
            ),
        };
        resolve::resolve(subject, request).await
    }
}
