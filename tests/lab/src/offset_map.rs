//! The offset maps as workers have stored them. They are read with the product's own client: the format is its own. What they are held against is not.

use anyhow::{Context, Result};
use towpath_domain::{
    Offset,
    offset_map::{Run, Runs},
};
use towpath_wire::{
    Client, Options,
    positions::{Position, PositionKey, Positions},
};

/// The map of a partition as it is stored.
pub struct Stored {
    pub key: PositionKey,
    pub row: Position,
    /// the runs that the row does not have any more, and the first that it has
    sealed: Vec<Run>,
}

/// What a connector has stored of a source topic's partitions, in their order.
pub fn stored(bootstrap: &str, positions: &str, connector: &str, topic: &str) -> Result<Vec<Stored>> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let client = Client::connect(Options {
            bootstrap_servers: bootstrap.split(',').map(str::to_owned).collect(),
            ..Options::default()
        })
        .await?;
        let positions = Positions::open(client, positions, -1).await?;
        let table = positions.load().await?;
        let chunks = positions.chunks().await?;
        let wanted = table
            .positions
            .into_iter()
            .filter(|(key, position)| key.connector == connector && position.topic.as_str() == topic);
        let mut rows: Vec<(PositionKey, Position)> = wanted.collect();
        rows.sort_by_key(|(key, _)| key.partition);
        let mut stored = Vec::new();
        for (key, row) in rows {
            // Backwards, chunk by chunk, as each says where the one before it ends.
            let mut sealed: Vec<Run> = Vec::new();
            let mut first = row.runs.first().context("a row has runs")?.source;
            while let Some(chunk) = chunks.of(&key, Offset(first.0 - 1)).await? {
                first = chunk.first().context("a chunk has runs")?.source;
                sealed.splice(0..0, chunk.iter());
            }
            stored.push(Stored { key, row, sealed });
        }
        Ok(stored)
    })
}

// === impl Stored ===

impl Stored {
    /// All of it, from the first run on.
    pub fn runs(&self) -> Runs {
        self.sealed.iter().copied().chain(self.row.runs.iter()).collect()
    }
}
