//! Administration: through librdkafka where it can, through Kafka's own console tools where it cannot.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures::executor::block_on;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::RDKafkaErrorCode,
};

use crate::{kafka::Kafka, wait};

mod leaders;
mod quotas;
mod raw;

pub use quotas::Quota;

/// The administration of one cluster. Every call blocks until the cluster has done it.
pub struct Admin<'a> {
    kafka: &'a Kafka,
    bootstrap: String,
    /// Of topics that it creates.
    replicas: i32,
    client: AdminClient<DefaultClientContext>,
    consumer: BaseConsumer,
}

const TIMEOUT: Duration = Duration::from_secs(60);

// === impl Admin ===

impl<'a> Admin<'a> {
    pub(crate) fn new(kafka: &'a Kafka, bootstrap: &str, replicas: i32) -> Result<Self> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", bootstrap);
        Ok(Self {
            kafka,
            bootstrap: bootstrap.to_owned(),
            replicas,
            client: config.create()?,
            consumer: config.create()?,
        })
    }

    /// The addresses by which the cluster is found.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Topics are created with so many replicas instead of as many as there are brokers, three at most.
    #[must_use]
    pub fn with_replicas(self, replicas: i32) -> Self {
        Self { replicas, ..self }
    }

    /// Creates a topic and waits until every partition has a leader.
    pub fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Result<()> {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(self.replicas));
        let topic = configs
            .iter()
            .fold(topic, |topic, (key, value)| topic.set(key, value));
        settle(block_on(self.client.create_topics([&topic], &options()))?)?;
        self.wait_for_leaders(name, partitions)
    }

    /// Gives a topic more partitions, `count` in all, and waits until each has a leader.
    pub fn add_partitions(&self, name: &str, count: i32) -> Result<()> {
        let partitions = NewPartitions::new(name, usize::try_from(count)?);
        settle(block_on(
            self.client.create_partitions([&partitions], &options()),
        )?)?;
        self.wait_for_leaders(name, count)
    }

    fn wait_for_leaders(&self, name: &str, partitions: i32) -> Result<()> {
        wait::until(&format!("leaders of {name}"), TIMEOUT, || {
            let metadata = self.consumer.fetch_metadata(Some(name), Duration::from_secs(5))?;
            let found = metadata.topics().first().context("a topic was asked for")?;
            let led = found
                .partitions()
                .iter()
                .filter(|partition| partition.leader() >= 0)
                .count();
            Ok((led == usize::try_from(partitions)?).then_some(()))
        })
    }

    pub fn delete_topic(&self, name: &str) -> Result<()> {
        settle(block_on(self.client.delete_topics(&[name], &options()))?)
    }

    /// Names of all topics, internal ones included.
    pub fn topics(&self) -> Result<Vec<String>> {
        let metadata = self.consumer.fetch_metadata(None, TIMEOUT)?;
        Ok(metadata
            .topics()
            .iter()
            .map(|topic| topic.name().to_owned())
            .collect())
    }

    /// The partition count, or `None` where there is no such topic.
    pub fn partitions(&self, topic: &str) -> Result<Option<usize>> {
        let metadata = self.consumer.fetch_metadata(None, TIMEOUT)?;
        Ok(metadata
            .topics()
            .iter()
            .find(|found| found.name() == topic)
            .map(|found| found.partitions().len()))
    }

    /// First retained offset and end offset (read_uncommitted) of every partition.
    pub fn offsets(&self, topic: &str) -> Result<Vec<(i64, i64)>> {
        let partitions = self
            .partitions(topic)?
            .with_context(|| format!("no topic {topic}"))?;
        (0..i32::try_from(partitions)?)
            .map(|partition| {
                // A broker that has just come back does not lead yet, and librdkafka tells at once.
                wait::until(&format!("the bounds of {topic}-{partition}"), TIMEOUT, || {
                    Ok(Some(self.consumer.fetch_watermarks(topic, partition, TIMEOUT)?))
                })
            })
            .collect()
    }

    /// Moves the start of a partition's log up to `before` (DeleteRecords).
    pub fn delete_records(&self, topic: &str, partition: i32, before: i64) -> Result<()> {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic, partition, Offset::Offset(before))?;
        let answer = block_on(self.client.delete_records(&offsets, &options()))?;
        answer
            .elements()
            .iter()
            .try_for_each(|element| element.error().map_err(Into::into))
    }

    /// A topic's explicit configs (not the broker's defaults), by key.
    pub fn topic_configs(&self, topic: &str) -> Result<Vec<(String, String)>> {
        use rdkafka::admin::{ConfigSource, ResourceSpecifier};
        let answers = block_on(
            self.client
                .describe_configs([&ResourceSpecifier::Topic(topic)], &options()),
        )?;
        let answer = answers
            .into_iter()
            .next()
            .context("one resource was asked for")?
            .map_err(|code| anyhow!("{topic}: {code}"))?;
        let explicit = answer
            .entries
            .into_iter()
            .filter(|entry| matches!(entry.source, ConfigSource::DynamicTopic));
        let mut configs: Vec<_> = explicit
            .map(|entry| (entry.name, entry.value.unwrap_or_default()))
            .collect();
        configs.sort();
        Ok(configs)
    }

    /// Sets configs of a topic, the others stay (IncrementalAlterConfigs; starts a JVM, about 2 s).
    pub fn alter_topic(&self, topic: &str, configs: &[(&str, &str)]) -> Result<()> {
        self.configs(&["--entity-type", "topics", "--entity-name", topic], configs)
    }

    /// Creates a SCRAM-SHA-256 user or changes its password (starts a JVM).
    pub fn create_user(&self, name: &str, password: &str) -> Result<()> {
        self.set_password(name, "SCRAM-SHA-256", password)
    }

    /// As [`Admin::create_user`] for either mechanism of SCRAM.
    pub fn set_password(&self, name: &str, mechanism: &str, password: &str) -> Result<()> {
        self.configs(
            &["--entity-type", "users", "--entity-name", name],
            &[(mechanism, &format!("[password={password}]"))],
        )
    }

    /// Runs `kafka-acls` with these arguments (starts a JVM), like `["--add", "--allow-principal", "User:alice", "--operation", "Read", "--topic", "t"]`.
    pub fn acls(&self, arguments: &[&str]) -> Result<String> {
        self.kafka.tool(
            "org.apache.kafka.tools.AclCommand",
            &[&["--bootstrap-server", &self.bootstrap], arguments].concat(),
        )
    }

    fn configs(&self, entity: &[&str], configs: &[(&str, &str)]) -> Result<()> {
        let added: Vec<String> = configs
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let added = added.join(",");
        let common = [
            "--bootstrap-server",
            &self.bootstrap,
            "--alter",
            "--add-config",
            &added,
        ];
        self.kafka
            .tool("kafka.admin.ConfigCommand", &[&common[..], entity].concat())?;
        Ok(())
    }
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(TIMEOUT))
        .operation_timeout(Some(TIMEOUT))
}

fn settle(results: Vec<Result<String, (String, RDKafkaErrorCode)>>) -> Result<()> {
    for result in results {
        if let Err((topic, code)) = result {
            bail!("{topic}: {code}");
        }
    }
    Ok(())
}
