//! Where the demo runs: two embedded clusters, or two that were given.

use anyhow::Context;
use towpath_embedded::Cluster;
use towpath_wire::{Client, KafkaError, NewTopic, Options};

use super::{Arguments, Topic};
use crate::failure::Failure;

pub(super) struct Clusters {
    source: String,
    target: String,
    name: String,
    /// they run for as long as this is kept
    _embedded: Vec<Cluster>,
}

// === impl Clusters ===

impl Clusters {
    pub(super) async fn start(arguments: &Arguments) -> anyhow::Result<Self> {
        if let (Some(source), Some(target)) = (
            &arguments.source_bootstrap_servers,
            &arguments.target_bootstrap_servers,
        ) {
            return Ok(Self {
                source: source.clone(),
                target: target.clone(),
                name: arguments.clusters.clone(),
                _embedded: Vec::new(),
            });
        }
        let start = |seed| {
            Cluster::start(towpath_embedded::Options {
                seed,
                ..Default::default()
            })
        };
        let source = start(1).await.context("the source cannot be started")?;
        let target = start(2).await.context("the target cannot be started")?;
        Ok(Self {
            source: source.bootstrap_servers(),
            target: target.bootstrap_servers(),
            name: "embedded clusters".to_owned(),
            _embedded: vec![source, target],
        })
    }

    /// For people.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// On the source. The demo writes to no topic that somebody else made, on neither side.
    pub(super) async fn create_topics(&self, topics: &[Topic]) -> Result<(), Failure> {
        let (source, target) = (client(self.source()).await?, client(self.target()).await?);
        let names = topics.iter().map(|topic| topic.target.into()).collect();
        let mut taken = Vec::new();
        for topic in target
            .metadata(towpath_wire::Topics::Names(names))
            .await
            .context("the target cannot be asked for topics")?
        {
            if topic.error.is_none() {
                taken.push(taken_topic(topic.name.as_str(), self.target()));
            }
        }
        if !taken.is_empty() {
            return Err(Failure::Input(taken));
        }
        let new: Vec<NewTopic> = topics
            .iter()
            .map(|topic| NewTopic {
                name: topic.traffic.topic.into(),
                partitions: topic.traffic.partitions as i32,
                replication_factor: -1,
                configs: vec![("retention.ms".to_owned(), "-1".to_owned())],
            })
            .collect();
        for (name, result) in source
            .create_topics(&new)
            .await
            .context("topics cannot be created")?
        {
            match result {
                Ok(_) => {}
                Err(error) if error.kafka() == Some(KafkaError::TOPIC_ALREADY_EXISTS) => {
                    taken.push(taken_topic(name.as_str(), self.source()));
                }
                Err(error) => return Err(Failure::Failed(error.into())),
            }
        }
        if taken.is_empty() {
            return Ok(());
        }
        Err(Failure::Input(taken))
    }
}

async fn client(servers: &str) -> anyhow::Result<Client> {
    let options = Options {
        bootstrap_servers: servers.split(',').map(str::to_owned).collect(),
        client_id: "towpath-demo".to_owned(),
        ..Options::default()
    };
    Client::connect(options)
        .await
        .with_context(|| format!("{servers} cannot be reached"))
}

fn taken_topic(topic: &str, servers: &str) -> String {
    format!(
        "topic {topic} is on {servers} already: the demo writes only to topics that it made; delete it, or name another cluster"
    )
}
