//! Connectors of either class.

use tokio_util::sync::CancellationToken;
use towpath_domain::config::Problem;
use towpath_mirror::{
    checkpoint,
    config::Class,
    connector::{self, Worker},
    status::ConnectorStatus,
    throttle::Limits,
};

/// A connector that was checked.
pub enum Connector {
    MirrorSource(Box<connector::Connector>),
    MirrorCheckpoint(Box<checkpoint::Connector>),
}

/// Asks a running connector how it is.
#[derive(Clone)]
pub enum Handle {
    MirrorSource(connector::Handle),
    MirrorCheckpoint(checkpoint::Handle),
}

// === impl Connector ===

impl Connector {
    /// Checks everything that can be wrong; all mistakes at once. Changes nothing on either cluster.
    pub async fn prepare(name: String, config: Class, worker: Worker) -> Result<Self, Vec<Problem>> {
        Ok(match config {
            Class::MirrorSource(config) => {
                let connector = connector::Connector::prepare(name, *config, worker).await?;
                Self::MirrorSource(Box::new(connector))
            }
            Class::MirrorCheckpoint(config) => {
                let connector = checkpoint::Connector::prepare(name, *config, worker).await?;
                Self::MirrorCheckpoint(Box::new(connector))
            }
        })
    }

    pub fn handle(&self) -> Handle {
        match self {
            Self::MirrorSource(connector) => Handle::MirrorSource(connector.handle()),
            Self::MirrorCheckpoint(connector) => Handle::MirrorCheckpoint(connector.handle()),
        }
    }

    /// Works until cancelled.
    pub async fn run(self, token: CancellationToken) {
        match self {
            Self::MirrorSource(connector) => connector.run(token).await,
            Self::MirrorCheckpoint(connector) => connector.run(token).await,
        }
    }
}

// === impl Handle ===

impl Handle {
    /// Other limits, from now on. Only a `MirrorSource` has any.
    pub fn limit(&self, limits: Limits) {
        if let Self::MirrorSource(handle) = self {
            handle.limit(limits);
        }
    }

    pub fn status(&self) -> ConnectorStatus {
        match self {
            Self::MirrorSource(handle) => handle.status(),
            Self::MirrorCheckpoint(handle) => handle.status(),
        }
    }
}
