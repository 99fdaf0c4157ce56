//! Who leads what, and moving it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kafka_protocol::{
    messages::{
        AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ApiKey, ElectLeadersRequest,
        ElectLeadersResponse, TopicName,
        alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic},
        elect_leaders_request::TopicPartitions,
    },
    protocol::StrBytes,
};
use rdkafka::{consumer::Consumer, metadata::MetadataPartition};

use super::{Admin, TIMEOUT, raw};
use crate::wait;

/// `ELECTION_NOT_NEEDED`: it leads already.
const NOT_NEEDED: i16 = 84;

// === impl Admin ===

impl Admin<'_> {
    /// The leader of each partition; -1 where nobody leads.
    pub fn leaders(&self, topic: &str) -> Result<Vec<i32>> {
        self.each_partition(topic, MetadataPartition::leader)
    }

    /// The replicas of each partition, the preferred leader first.
    pub fn replicas(&self, topic: &str) -> Result<Vec<Vec<i32>>> {
        self.each_partition(topic, |partition| partition.replicas().to_vec())
    }

    /// Those of its replicas that are in sync, for each partition.
    pub fn in_sync(&self, topic: &str) -> Result<Vec<Vec<i32>>> {
        self.each_partition(topic, |partition| partition.isr().to_vec())
    }

    /// Waits until every replica of every partition of these topics is in sync: until then another broker may not go.
    pub fn wait_until_in_sync(&self, topics: &[&str], deadline: Duration) -> Result<()> {
        wait::until(&format!("every replica of {topics:?} in sync"), deadline, || {
            for topic in topics {
                let in_sync = |partition: &MetadataPartition| {
                    partition.leader() >= 0 && partition.isr().len() == partition.replicas().len()
                };
                if !self.each_partition(topic, in_sync)?.into_iter().all(|yes| yes) {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
    }

    /// Makes a replica the leader of a partition: its replicas are put into another order, and the first of them elected.
    pub fn move_leader(&self, topic: &str, partition: i32, to: i32) -> Result<()> {
        let replicas = self.replicas(topic)?;
        let index = usize::try_from(partition)?;
        let replicas = replicas.get(index).context("there is such a partition")?;
        ensure!(
            replicas.contains(&to),
            "{topic}-{partition} is on {replicas:?}, not on {to}"
        );
        let mut order = vec![to];
        order.extend(replicas.iter().filter(|node| **node != to));
        let name = TopicName(StrBytes::from_string(topic.to_owned()));
        let request = AlterPartitionReassignmentsRequest::default()
            .with_timeout_ms(30_000)
            .with_topics(vec![
                ReassignableTopic::default()
                    .with_name(name.clone())
                    .with_partitions(vec![
                        ReassignablePartition::default()
                            .with_partition_index(partition)
                            .with_replicas(Some(order.into_iter().map(Into::into).collect())),
                    ]),
            ]);
        let answer: AlterPartitionReassignmentsResponse =
            raw::call(&self.bootstrap, ApiKey::AlterPartitionReassignments, &request, 0)?;
        let failed = answer
            .responses
            .iter()
            .flat_map(|topic| &topic.partitions)
            .any(|partition| partition.error_code != 0);
        ensure!(answer.error_code == 0 && !failed, "{answer:?}");
        let request = ElectLeadersRequest::default()
            .with_timeout_ms(30_000)
            .with_topic_partitions(Some(vec![
                TopicPartitions::default()
                    .with_topic(name)
                    .with_partitions(vec![partition]),
            ]));
        wait::until(&format!("node {to} to lead {topic}-{partition}"), TIMEOUT, || {
            let answer: ElectLeadersResponse = raw::call(&self.bootstrap, ApiKey::ElectLeaders, &request, 2)?;
            let failed = answer
                .replica_election_results
                .iter()
                .flat_map(|topic| &topic.partition_result)
                .any(|partition| ![0, NOT_NEEDED].contains(&partition.error_code));
            ensure!(answer.error_code == 0 && !failed, "{answer:?}");
            Ok((self.leaders(topic)?.get(index) == Some(&to)).then_some(()))
        })
    }

    fn each_partition<T>(&self, topic: &str, of: impl Fn(&MetadataPartition) -> T) -> Result<Vec<T>> {
        let metadata = self.consumer.fetch_metadata(Some(topic), TIMEOUT)?;
        let found = metadata.topics().first().context("a topic was asked for")?;
        let mut partitions: Vec<_> = found.partitions().iter().collect();
        partitions.sort_by_key(|partition| partition.id());
        Ok(partitions.into_iter().map(of).collect())
    }
}
