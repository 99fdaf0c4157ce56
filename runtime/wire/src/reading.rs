//! One fetch of each leader, for those who read a log up to an end: tables of our own, and the ends of what is mirrored.

use std::{collections::HashMap, time::Duration};

use towpath_domain::{LeaderEpoch, Offset, TopicId, TopicPartition};

use crate::{
    Client, Error, FetchOptions, FetchPartition, FetchedPartition, Isolation, NodeId, append::Connections,
};

/// Of one fetch, bytes.
const FETCH_BYTES: i32 = 4 << 20;
const PARTITION_BYTES: i32 = 1 << 20;
const MAX_WAIT: Duration = Duration::from_millis(500);

/// Fetches once what these partitions have from their offsets on, uncommitted records too. An error that is of a whole fetch is that of each of its partitions,
/// so that those of other leaders go on. Topics go by name: whichever has it now.
pub(crate) async fn fetch(
    client: &Client,
    connections: &mut Connections,
    purpose: &'static str,
    from: impl Iterator<Item = (TopicPartition, Offset)>,
) -> Vec<(TopicPartition, Result<FetchedPartition, Error>)> {
    let mut results = Vec::new();
    let mut by_leader: HashMap<NodeId, Vec<FetchPartition>> = HashMap::new();
    for (partition, fetch_offset) in from {
        let Some(leader) = client.leader(&partition) else {
            let error = Error::NoLeader {
                partition: partition.clone(),
            };
            results.push((partition, Err(error)));
            continue;
        };
        by_leader.entry(leader.node).or_default().push(FetchPartition {
            topic: partition.topic,
            topic_id: TopicId::ZERO,
            partition: partition.partition,
            fetch_offset,
            current_leader_epoch: leader.epoch,
            last_fetched_epoch: LeaderEpoch(-1),
            max_bytes: PARTITION_BYTES,
        });
    }
    for (node, asked) in by_leader {
        match fetch_at(client, connections, (node, purpose), &asked).await {
            Ok(fetched) => {
                let placed = |fetched: FetchedPartition| {
                    let partition = TopicPartition {
                        topic: fetched.topic.clone(),
                        partition: fetched.partition,
                    };
                    (partition, Ok(fetched))
                };
                results.extend(fetched.into_iter().map(placed));
            }
            Err(error) => results.extend(asked.into_iter().map(|asked| {
                let partition = TopicPartition {
                    topic: asked.topic,
                    partition: asked.partition,
                };
                (partition, Err(error.clone()))
            })),
        }
    }
    results
}

async fn fetch_at(
    client: &Client,
    connections: &mut Connections,
    (node, purpose): (NodeId, &'static str),
    asked: &[FetchPartition],
) -> Result<Vec<FetchedPartition>, Error> {
    let options = FetchOptions {
        isolation: Isolation::ReadUncommitted,
        max_wait: MAX_WAIT,
        min_bytes: 1,
        max_bytes: FETCH_BYTES,
        rack: None,
    };
    let connection = connections.get(client, node, purpose).await?;
    Ok(connection.fetch(options, asked).await?.partitions)
}
