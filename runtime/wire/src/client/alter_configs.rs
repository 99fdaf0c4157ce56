//! IncrementalAlterConfigs of topics (KIP-339): what is not named stays as it is.

use kafka_protocol::{
    messages::{
        IncrementalAlterConfigsRequest,
        incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
    },
    protocol::StrBytes,
};
use towpath_domain::TopicName;

use super::{Client, configs::TOPIC, topics::answered};
use crate::{Error, api::Call};

/// The keys of one topic to change: `Some` sets a value, `None` takes the topic's own value away, so that the broker's default is in force again.
pub type TopicConfigs = (TopicName, Vec<(String, Option<String>)>);

/// `AlterConfigOp.OpType.SET`
const SET: i8 = 0;
/// `AlterConfigOp.OpType.DELETE`
const DELETE: i8 = 1;

// === impl Client ===

impl Client {
    /// Changes configs of topics. Every topic has its result, in the order of the request: all of its changes were made, or none. A topic must not be
    /// named twice. [`Client::describe_topic_configs`] shows them a moment later.
    ///
    /// INVALID_CONFIG for a key or a value that the broker does not take; needs AlterConfigs on the topics, and Kafka 2.3.
    pub async fn alter_topic_configs(
        &self,
        changes: &[TopicConfigs],
    ) -> Result<Vec<(TopicName, Result<(), Error>)>, Error> {
        let api = IncrementalAlterConfigsRequest::API;
        self.each(
            changes,
            |(topic, _)| topic,
            move |connection, changes| {
                Box::pin(async move {
                    let request = IncrementalAlterConfigsRequest::default()
                        .with_resources(changes.iter().map(encode).collect());
                    let answer = connection
                        .call(&request, connection.version(api, i16::MAX)?)
                        .await?;
                    Ok(answer
                        .responses
                        .into_iter()
                        .map(|resource| {
                            let name = resource.resource_name;
                            let result = answered(
                                &connection,
                                api,
                                &name,
                                resource.error_code,
                                resource.error_message,
                            );
                            (TopicName::new(name.as_str()), result)
                        })
                        .collect())
                })
            },
        )
        .await
    }
}

fn encode((topic, configs): &TopicConfigs) -> AlterConfigsResource {
    let config = |(name, value): &(String, Option<String>)| {
        AlterableConfig::default()
            .with_name(StrBytes::from_string(name.clone()))
            .with_config_operation(if value.is_some() { SET } else { DELETE })
            .with_value(value.clone().map(StrBytes::from_string))
    };
    AlterConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(StrBytes::from_string(topic.to_string()))
        .with_configs(configs.iter().map(config).collect())
}
