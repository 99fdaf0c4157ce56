//! DescribeConfigs of topics.

use std::collections::HashMap;

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
use crate::{Error, KafkaError, api::Call, retry::Attempts};

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
