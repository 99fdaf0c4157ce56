//! Shared connections for admin requests: one for a broker, made when it is needed, made again when it died.

use std::{collections::HashMap, sync::Arc};

use rand::seq::SliceRandom;
use tokio::sync::Mutex;

use super::{Client, NodeId, bootstrap_connection};
use crate::{Connection, Error};

/// A slot a broker: two callers do not connect twice, and a broker that does not answer holds up nobody who wants another.
#[derive(Debug, Default)]
pub(super) struct Pool(HashMap<NodeId, Slot>);

type Slot = Arc<Mutex<Option<Connection>>>;

// === impl Client ===

impl Client {
    /// The shared connection to a broker.
    pub(crate) async fn shared(&self, node: NodeId) -> Result<Connection, Error> {
        let slot = self.0.pool.lock().await.0.entry(node).or_default().clone();
        let mut slot = slot.lock().await;
        let address = self.cluster().address(node).ok_or(Error::UnknownNode { node })?;
        if let Some(connection) = &*slot
            && connection.is_alive()
            && connection.peer().address == address
        {
            return Ok(connection.clone());
        }
        let connection = self.open(node, "admin").await?;
        *slot = Some(connection.clone());
        Ok(connection)
    }

    /// A connection to any broker: one that is there, else to one that is known, else by the bootstrap servers.
    pub(super) async fn any(&self) -> Result<Connection, Error> {
        for slot in self.0.pool.lock().await.0.values() {
            if let Ok(slot) = slot.try_lock()
                && let Some(connection) = &*slot
                && connection.is_alive()
            {
                return Ok(connection.clone());
            }
        }
        let mut nodes = self.cluster().nodes();
        nodes.shuffle(&mut rand::rng());
        let mut causes = Vec::new();
        for node in nodes {
            match self.shared(node).await {
                Ok(connection) => return Ok(connection),
                Err(Error::Closed) => return Err(Error::Closed),
                Err(cause) => causes.push(cause),
            }
        }
        match bootstrap_connection(&self.0.bootstrap, &self.0.options, &self.0.closed).await {
            Err(Error::Bootstrap { causes: more }) => {
                causes.extend(more);
                Err(Error::Bootstrap { causes })
            }
            other => other,
        }
    }

    /// Where topics are created: the controller. With KRaft any broker passes the request on, and metadata names one at random.
    pub(super) async fn controller(&self) -> Result<Connection, Error> {
        let controller = self.cluster().controller();
        match controller {
            Some(node) => self.shared(node).await,
            None => self.any().await,
        }
    }

    /// Forgets connections to brokers that are no longer in the cluster, and those that died.
    pub(super) async fn prune(&self) {
        let nodes = self.cluster().nodes();
        self.0.pool.lock().await.0.retain(|node, _| nodes.contains(node));
    }
}
