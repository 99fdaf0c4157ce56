//! Shared connections for admin requests: one for a broker, made when it is needed, made again when it died.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::Mutex;

use super::{Client, NodeId};
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

    /// The shared connections that are open now.
    pub(super) async fn open_connections(&self) -> Vec<Connection> {
        let slots = self.0.pool.lock().await;
        let alive = |slot: &Slot| slot.try_lock().ok()?.clone().filter(Connection::is_alive);
        slots.0.values().filter_map(alive).collect()
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
