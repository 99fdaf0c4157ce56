//! Asking the cluster what it looks like.

use std::collections::HashSet;

use kafka_protocol::messages::{
    MetadataRequest, MetadataResponse, metadata_request::MetadataRequestTopic,
    metadata_response::MetadataResponseTopic,
};
use towpath_domain::{ClusterId, LeaderEpoch, Partition, TopicId, TopicName};

use super::{Client, NodeId};
use crate::{Connection, Error, KafkaError, api::Call, fetch::topic_name, retry::Attempts};

/// Which topics to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topics {
    All,
    /// None of them is created by asking, whatever the broker's `auto.create.topics.enable`.
    Names(Vec<TopicName>),
}

/// A topic as a broker sees it.
#[derive(Clone, Debug)]
pub struct TopicMetadata {
    pub name: TopicName,
    /// Zero from a broker older than 2.8.
    pub id: TopicId,
    /// Kafka's own, such as `__consumer_offsets`.
    pub internal: bool,
    /// UNKNOWN_TOPIC_OR_PARTITION: there is no such topic, or not yet.
    pub error: Option<KafkaError>,
    /// By partition.
    pub partitions: Vec<PartitionMetadata>,
}

#[derive(Clone, Debug)]
pub struct PartitionMetadata {
    pub partition: Partition,
    pub error: Option<KafkaError>,
    pub leader: Option<NodeId>,
    /// -1 before Kafka 2.2.
    pub leader_epoch: LeaderEpoch,
    pub replicas: Vec<NodeId>,
    pub isr: Vec<NodeId>,
}

// === impl Client ===

impl Client {
    /// Asks any broker, and updates what is cached: brokers, controller, and the leaders of these topics. An error of one topic is in
    /// its [`TopicMetadata`].
    ///
    /// Fails with [`Error::OtherCluster`] when the bootstrap servers lead to another cluster than at first.
    pub async fn metadata(&self, topics: Topics) -> Result<Vec<TopicMetadata>, Error> {
        let mut attempts = Attempts::new(&self.0.options);
        loop {
            match self.metadata_once(&topics).await {
                Ok(answer) => return Ok(answer),
                Err(error) => attempts.wait(error).await?,
            };
        }
    }

    pub(super) async fn metadata_once(&self, topics: &Topics) -> Result<Vec<TopicMetadata>, Error> {
        let answer = loop {
            let (connection, answer) = self.ask_any(topics).await?;
            let found = cluster_id(&answer);
            if found == self.0.cluster_id {
                break answer;
            }
            let (peer, expected) = (connection.peer().clone(), self.0.cluster_id.clone());
            // A broker's old address may be another cluster's by now: the others and the bootstrap servers know its new one.
            match peer.node {
                Some(node) => self.forget(node).await,
                None => {
                    return Err(Error::OtherCluster {
                        peer,
                        expected,
                        found,
                    });
                }
            }
        };
        let metadata: Vec<TopicMetadata> = answer.topics.iter().map(TopicMetadata::of).collect();
        self.update_cluster(|cluster| {
            cluster.update_brokers(&answer);
            if *topics == Topics::All {
                cluster.keep_topics(&metadata);
            }
            for topic in &metadata {
                cluster.update_topic(topic);
            }
        });
        self.prune().await;
        Ok(metadata)
    }

    /// Reads metadata of these topics, in any case of the brokers. A failure is left to the next attempt, whose error says more.
    pub(crate) async fn refresh(&self, topics: impl IntoIterator<Item = TopicName>) {
        let names: HashSet<TopicName> = topics.into_iter().collect();
        let topics = Topics::Names(names.into_iter().collect());
        if let Err(error) = self.metadata_once(&topics).await {
            tracing::debug!(%error, "cannot read metadata");
        }
    }
}

// === impl TopicMetadata ===

impl TopicMetadata {
    pub(super) fn of(topic: &MetadataResponseTopic) -> Self {
        let nodes =
            |nodes: &[kafka_protocol::messages::BrokerId]| nodes.iter().map(|node| NodeId(node.0)).collect();
        let mut partitions: Vec<PartitionMetadata> = topic
            .partitions
            .iter()
            .map(|partition| PartitionMetadata {
                partition: Partition(partition.partition_index),
                error: KafkaError::of(partition.error_code),
                leader: (partition.leader_id.0 >= 0).then_some(NodeId(partition.leader_id.0)),
                leader_epoch: LeaderEpoch(partition.leader_epoch),
                replicas: nodes(&partition.replica_nodes),
                isr: nodes(&partition.isr_nodes),
            })
            .collect();
        partitions.sort_by_key(|partition| partition.partition);
        Self {
            name: TopicName::new(topic.name.as_ref().map_or("", |name| name.as_str())),
            id: TopicId(topic.topic_id),
            internal: topic.is_internal,
            error: KafkaError::of(topic.error_code),
            partitions,
        }
    }
}

pub(crate) async fn ask(connection: &Connection, topics: &Topics) -> Result<MetadataResponse, Error> {
    let topics = match topics {
        Topics::All => None,
        Topics::Names(names) => Some(
            names
                .iter()
                .map(|name| MetadataRequestTopic::default().with_name(Some(topic_name(name))))
                .collect(),
        ),
    };
    let request = MetadataRequest::default()
        .with_topics(topics)
        .with_allow_auto_topic_creation(false);
    connection
        .call(&request, connection.version(MetadataRequest::API, i16::MAX)?)
        .await
}

pub(super) fn cluster_id(answer: &MetadataResponse) -> ClusterId {
    ClusterId(
        answer
            .cluster_id
            .as_ref()
            .map_or_else(String::new, |id| id.to_string()),
    )
}
