//! Whether a log is still the one that was read: its leader says it by the epochs (KIP-595).

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use towpath_domain::{LeaderEpoch, Offset, TopicId, TopicPartition};
use towpath_wire::{Client, Error, FetchOptions, FetchPartition, Isolation, NodeId};

/// Up to where a log was read.
pub(super) struct Read {
    pub partition: TopicPartition,
    pub topic_id: TopicId,
    /// the next one to read
    pub offset: Offset,
    /// of the record before it
    pub epoch: LeaderEpoch,
}

/// Where each log parts from what was read; those that do not, or whose leader does not say, are left out.
pub(super) async fn parted(
    client: &Client,
    reads: &[Read],
) -> Result<HashMap<TopicPartition, Offset>, Error> {
    let mut by_leader: BTreeMap<NodeId, Vec<FetchPartition>> = BTreeMap::new();
    for read in reads {
        let Some(leader) = client.leader(&read.partition) else {
            continue;
        };
        by_leader.entry(leader.node).or_default().push(FetchPartition {
            topic: read.partition.topic.clone(),
            topic_id: read.topic_id,
            partition: read.partition.partition,
            fetch_offset: read.offset,
            current_leader_epoch: LeaderEpoch(-1),
            last_fetched_epoch: read.epoch,
            max_bytes: 1,
        });
    }
    let options = FetchOptions {
        isolation: Isolation::ReadUncommitted,
        max_wait: Duration::ZERO,
        min_bytes: 0,
        max_bytes: 1,
        rack: None,
    };
    let mut parted = HashMap::new();
    for (node, partitions) in by_leader {
        let connection = client.open(node, "resolve").await?;
        let answer = connection.fetch(options.clone(), &partitions).await?;
        for fetched in answer.partitions {
            if let Some(diverging) = fetched.diverging {
                let place = TopicPartition {
                    topic: fetched.topic,
                    partition: fetched.partition,
                };
                parted.insert(place, diverging.end_offset);
            }
        }
    }
    Ok(parted)
}
