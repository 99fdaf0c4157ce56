//! Buckets that come to this worker, and those that leave it.

use std::collections::{BTreeMap, HashMap};

use towpath_domain::{Bucket, Buckets};
use towpath_wire::{
    ProducerId,
    positions::{Position, PositionKey},
};

use super::{Discovery, own};

// === impl Discovery ===

impl Discovery {
    /// What this worker has of the connector.
    pub(crate) fn owned(&self) -> Buckets {
        self.owned
    }

    pub(crate) fn is_exact(&self) -> bool {
        self.exact.is_some()
    }

    /// The next round finds the partitions of these buckets, too. `producers` are those that they were claimed with, exactly once; `rows` were read after that.
    pub(crate) fn acquire(
        &mut self,
        buckets: Buckets,
        producers: BTreeMap<Bucket, ProducerId>,
        rows: HashMap<PositionKey, Position>,
    ) {
        self.owned = self.owned | buckets;
        if let Some(exact) = &mut self.exact {
            exact.buckets.extend(producers);
        }
        self.stored
            .retain(|(topic, partition), _| !buckets.contains(Bucket::of(*topic, *partition)));
        let rows = own(rows, &self.connector, &self.source);
        let names = rows
            .iter()
            .map(|((id, _), position)| (position.topic.clone(), *id));
        self.stored_ids.extend(names);
        self.stored.extend(rows);
    }

    /// The partitions of these buckets are somebody else's: no task has them any more.
    pub(crate) fn release(&mut self, buckets: Buckets) {
        self.owned = self.owned - buckets;
        self.known.retain(|_, bucket| !buckets.contains(*bucket));
    }
}
