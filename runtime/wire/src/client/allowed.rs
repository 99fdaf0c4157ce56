//! What the cluster lets this client do with topics (KIP-430), and what to grant where it does not.

use std::{collections::HashMap, fmt};

use kafka_protocol::messages::{MetadataRequest, metadata_request::MetadataRequestTopic};
use towpath_domain::TopicName;

use super::{Client, NewTopic};
use crate::{Error, KafkaError, api::Call, fetch::topic_name, retry::Attempts};

/// An operation of Kafka's ACLs on a topic, by its code (`AclOperation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    Read = 3,
    Write = 4,
    Create = 5,
    Delete = 6,
    Alter = 7,
    Describe = 8,
    DescribeConfigs = 10,
    AlterConfigs = 11,
}

/// What is allowed with a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// The broker is older than Kafka 2.3 and does not tell.
    Unknown,
    /// Not even to know whether it exists.
    Nothing,
    Operations {
        bits: i32,
        exists: bool,
    },
}

/// From this version on Metadata tells what is allowed.
const WITH_OPERATIONS: i16 = 8;

// === impl Client ===

impl Client {
    /// What is allowed with each topic, whether it exists or not.
    pub async fn allowed(&self, topics: &[TopicName]) -> Result<HashMap<TopicName, Allowed>, Error> {
        let mut attempts = Attempts::new(&self.0.options);
        loop {
            match self.allowed_once(topics).await {
                Ok(answer) => return Ok(answer),
                Err(error) => attempts.wait(error).await?,
            };
        }
    }

    async fn allowed_once(&self, topics: &[TopicName]) -> Result<HashMap<TopicName, Allowed>, Error> {
        let connection = self.any().await?;
        let version = connection.version(MetadataRequest::API, i16::MAX)?;
        let topics = topics
            .iter()
            .map(|topic| MetadataRequestTopic::default().with_name(Some(topic_name(topic))));
        let mut request = MetadataRequest::default()
            .with_topics(Some(topics.collect()))
            .with_allow_auto_topic_creation(false);
        if version >= WITH_OPERATIONS {
            request = request.with_include_topic_authorized_operations(true);
        }
        let answer = connection.call(&request, version).await?;
        Ok(answer
            .topics
            .into_iter()
            .filter_map(|topic| {
                let error = KafkaError::of(topic.error_code);
                let allowed = match topic.topic_authorized_operations {
                    _ if error == Some(KafkaError::TOPIC_AUTHORIZATION_FAILED) => Allowed::Nothing,
                    i32::MIN => Allowed::Unknown,
                    bits => Allowed::Operations {
                        bits,
                        exists: error != Some(KafkaError::UNKNOWN_TOPIC_OR_PARTITION),
                    },
                };
                Some((TopicName::new(topic.name?.as_str()), allowed))
            })
            .collect())
    }

    /// Whether the cluster would let this client create the topic: by an ACL on the topic or on the cluster. Creates nothing.
    pub async fn may_create(&self, topic: &NewTopic) -> Result<bool, Error> {
        match self.validate_topic(topic).await {
            Ok(()) => Ok(true),
            Err(error) => match error.kafka() {
                Some(KafkaError::TOPIC_AUTHORIZATION_FAILED | KafkaError::CLUSTER_AUTHORIZATION_FAILED) => {
                    Ok(false)
                }
                // Something else is wrong with it, which was looked at after the permission.
                Some(_) => Ok(true),
                None => Err(error),
            },
        }
    }

    /// The error of an operation that an ACL is missing for.
    pub fn not_allowed(&self, operation: Operation, topic: &TopicName) -> Error {
        Error::NotAllowed {
            who: self.principal(),
            operation,
            topic: topic.clone(),
        }
    }
}

// === impl Operation ===

impl fmt::Display for Operation {
    /// As `kafka-acls --operation` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

// === impl Allowed ===

impl Allowed {
    pub fn allows(&self, operation: Operation) -> bool {
        match self {
            Self::Unknown => true,
            Self::Nothing => false,
            Self::Operations { bits, .. } => bits & (1 << operation as i32) != 0,
        }
    }
}
