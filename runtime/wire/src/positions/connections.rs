//! Connections of the table's own, by broker.

use std::collections::HashMap;

use crate::{Client, Connection, Error, NodeId};

#[derive(Debug, Default)]
pub(super) struct Connections(HashMap<NodeId, Connection>);

// === impl Connections ===

impl Connections {
    /// The one there is while it lives, else a new one.
    pub(super) async fn get(&mut self, client: &Client, node: NodeId) -> Result<Connection, Error> {
        if let Some(connection) = self.0.get(&node).filter(|connection| connection.is_alive()) {
            return Ok(connection.clone());
        }
        let connection = client.open(node, "positions").await?;
        self.0.insert(node, connection.clone());
        Ok(connection)
    }
}
