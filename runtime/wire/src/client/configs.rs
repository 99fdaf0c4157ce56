//! DescribeConfigs of topics.

use std::{collections::HashMap, time::Duration};

use futures::future::join_all;
use kafka_protocol::{
    messages::{
        DescribeConfigsRequest,
        describe_configs_request::DescribeConfigsResource,
        describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult},
    },
    protocol::StrBytes,
};
use towpath_domain::TopicName;

use super::Client;
use crate::{Error, KafkaError, NodeId, api::Call, retry::Attempts};

/// One config of a topic, with the value that is in force.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    pub name: String,
    /// `None` when the broker does not tell, as for sensitive ones.
    pub value: Option<String>,
    pub source: ConfigSource,
    pub sensitive: bool,
}

/// Where a value comes from (`DescribeConfigsResponse.ConfigSource`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// Set on the topic itself: what a copy of the topic must have too.
    DynamicTopic,
    DynamicBroker,
    DynamicDefaultBroker,
    StaticBroker,
    Default,
    /// A source newer than this list, by its code.
    Other(i8),
}

/// `ConfigResource.Type.TOPIC`
pub(super) const TOPIC: i8 = 2;
/// `ConfigResource.Type.BROKER`
const BROKER: i8 = 4;
/// The newer one first: it is what counts where there are both.
const EXPIRATIONS: [&str; 2] = ["producer.id.expiration.ms", "transactional.id.expiration.ms"];

// === impl Client ===

impl Client {
    /// All configs of each topic, explicit or not. An error of one topic is the error of the whole.
    pub async fn describe_topic_configs(
        &self,
        topics: &[TopicName],
    ) -> Result<HashMap<TopicName, Vec<ConfigEntry>>, Error> {
        let mut attempts = Attempts::new(&self.0.options);
        loop {
            match self.describe_topic_configs_once(topics).await {
                Ok(answer) => return Ok(answer),
                Err(error) => attempts.wait(error).await?,
            };
        }
    }

    /// How long brokers remember a producer behind the timestamp of its last record: the least of `producer.id.expiration.ms` of the brokers that are known and answer, or of
    /// what was that before KIP-854, `transactional.id.expiration.ms`. `None` when they tell neither. Asked once, without retries. Needs DescribeConfigs on the cluster.
    pub async fn producer_expiration(&self) -> Result<Option<Duration>, Error> {
        let nodes = self.cluster().nodes();
        let asked = nodes.into_iter().map(|node| self.producer_expiration_of(node));
        let (mut least, mut failed): (Option<Duration>, _) = (None, None);
        for result in join_all(asked).await {
            match result {
                Ok(Some(found)) => least = Some(least.map_or(found, |least| least.min(found))),
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) if least.is_none() => Err(error),
            _ => Ok(least),
        }
    }

    async fn producer_expiration_of(&self, node: NodeId) -> Result<Option<Duration>, Error> {
        let api = DescribeConfigsRequest::API;
        let resource = DescribeConfigsResource::default()
            .with_resource_type(BROKER)
            .with_resource_name(StrBytes::from_string(node.0.to_string()))
            .with_configuration_keys(Some(
                EXPIRATIONS.map(StrBytes::from_static_str).into_iter().collect(),
            ));
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        let connection = self.open(node, "configs").await?;
        let version = connection.version(api, i16::MAX)?;
        let answer = connection.call(&request, version).await?;
        let mut found = Vec::new();
        for result in answer.results {
            if let Some(error) = KafkaError::of(result.error_code) {
                let message = result.error_message.map(|message| message.to_string());
                return Err(connection.refusal(api, Some(format!("broker {node}")), error, message));
            }
            found.extend(result.configs);
        }
        let of = |name: &str| {
            let value = found.iter().find(|entry| entry.name.as_str() == name)?;
            let millis = value.value.as_ref()?.parse().ok()?;
            Some(Duration::from_millis(millis))
        };
        Ok(EXPIRATIONS.into_iter().find_map(of))
    }

    async fn describe_topic_configs_once(
        &self,
        topics: &[TopicName],
    ) -> Result<HashMap<TopicName, Vec<ConfigEntry>>, Error> {
        let api = DescribeConfigsRequest::API;
        let resource = |topic: &TopicName| {
            DescribeConfigsResource::default()
                .with_resource_type(TOPIC)
                .with_resource_name(StrBytes::from_string(topic.to_string()))
                .with_configuration_keys(None)
        };
        let request = DescribeConfigsRequest::default().with_resources(topics.iter().map(resource).collect());
        let connection = self.any().await?;
        let answer = connection
            .call(&request, connection.version(api, i16::MAX)?)
            .await?;
        let entries = |result: DescribeConfigsResult| match KafkaError::of(result.error_code) {
            None => {
                let name = TopicName::new(result.resource_name.as_str());
                Ok((name, result.configs.iter().map(ConfigEntry::of).collect()))
            }
            Some(error) => {
                let message = result
                    .error_message
                    .map(|message| message.to_string())
                    .filter(|message| !message.is_empty());
                Err(connection.refusal(api, Some(result.resource_name.to_string()), error, message))
            }
        };
        answer.results.into_iter().map(entries).collect()
    }
}

// === impl ConfigEntry ===

impl ConfigEntry {
    /// Whether it was set on the topic itself.
    pub fn is_explicit(&self) -> bool {
        self.source == ConfigSource::DynamicTopic
    }

    fn of(config: &DescribeConfigsResourceResult) -> Self {
        Self {
            name: config.name.to_string(),
            value: config.value.as_ref().map(|value| value.to_string()),
            source: ConfigSource::of(config.config_source),
            sensitive: config.is_sensitive,
        }
    }
}

impl std::fmt::Debug for ConfigEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.value, self.sensitive) {
            (_, true) => write!(f, "{}=[redacted]", self.name),
            (Some(value), _) => write!(f, "{}={value:?} ({:?})", self.name, self.source),
            (None, _) => write!(f, "{} unset ({:?})", self.name, self.source),
        }
    }
}

// === impl ConfigSource ===

impl ConfigSource {
    fn of(code: i8) -> Self {
        match code {
            1 => Self::DynamicTopic,
            2 => Self::DynamicBroker,
            3 => Self::DynamicDefaultBroker,
            4 => Self::StaticBroker,
            5 => Self::Default,
            other => Self::Other(other),
        }
    }
}
