//! Buckets that come and go while a connector runs.

use std::collections::BTreeMap;

use tokio::sync::oneshot;
use towpath_domain::Buckets;
use towpath_wire::{Error, positions::Positions};

use super::{Connector, lock};
use crate::{discovery::Discovery, task::Order};

// === impl Connector ===

impl Connector {
    /// Gives up what is somebody else's, once what was sent is answered and the positions are stored, and takes over what is this worker's now: its rows are
    /// claimed first, and read after that.
    pub(super) async fn follow_ownership(
        &self,
        discovery: &mut Discovery,
        positions: &Positions,
    ) -> Result<(), Error> {
        let wanted = self.worker.ownership.of(&self.name);
        let lost = discovery.owned() - wanted;
        if !lost.is_empty() {
            self.release(lost).await;
            positions.release(lost).await;
            discovery.release(lost);
            self.tell("buckets are released", lost);
        }
        let gained = wanted - discovery.owned();
        if !gained.is_empty() {
            let producers = match discovery.is_exact() {
                true => positions.claim(&self.name, gained).await?,
                false => BTreeMap::new(),
            };
            let table = positions.load_buckets(gained).await?;
            discovery.acquire(gained, producers, table.positions);
            self.tell("buckets are taken over", gained);
        }
        *lock(&self.shared.owned) = discovery.owned();
        Ok(())
    }

    fn tell(&self, what: &str, buckets: Buckets) {
        let buckets: Vec<u32> = buckets.iter().map(|bucket| bucket.0).collect();
        tracing::info!(connector = self.name, ?buckets, "{what}");
    }

    /// Returns when no task has anything of these buckets any more.
    async fn release(&self, buckets: Buckets) {
        let answers: Vec<(usize, oneshot::Receiver<usize>)> = lock(&self.shared.tasks)
            .iter()
            .enumerate()
            .filter_map(|(id, task)| {
                let (done, released) = oneshot::channel();
                let order = Order::Release(buckets, done);
                task.orders.send(order).is_ok().then_some((id, released))
            })
            .collect();
        for (id, released) in answers {
            // A task that has ended has nothing, either.
            let released = released.await.unwrap_or_default();
            if let Some(task) = lock(&self.shared.tasks).get_mut(id) {
                task.partitions -= released;
            }
        }
    }
}
