//! Creating, growing and deleting topics, at the controller.

use futures::future::BoxFuture;
use kafka_protocol::{
    messages::{
        CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
        create_partitions_request::CreatePartitionsTopic,
        create_topics_request::{CreatableTopic, CreatableTopicConfig},
        delete_topics_request::DeleteTopicState,
    },
    protocol::StrBytes,
};
use towpath_domain::{TopicId, TopicName};

use super::Client;
use crate::{
    Connection, Error, KafkaError,
    api::{Api, Call},
    fetch::topic_name,
    produce::millis,
    retry::{Attempts, Retry, is_unknown},
};

/// A topic to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    pub name: TopicName,
    pub partitions: i32,
    /// -1: the target brokers' default (Kafka 2.4).
    pub replication_factor: i16,
    pub configs: Vec<(String, String)>,
}

/// What a broker answered for one topic.
pub(super) type Answered<T> = (TopicName, Result<T, Error>);

// === impl Client ===

impl Client {
    /// Creates topics; answers the id of each, zero from a broker older than 2.8. Every topic of the request has its result, in its order.
    ///
    /// TOPIC_ALREADY_EXISTS may be about this very call: a request whose answer was lost is made again. A created topic has leaders in
    /// [`Client::metadata`] a moment later.
    pub async fn create_topics(
        &self,
        topics: &[NewTopic],
    ) -> Result<Vec<(TopicName, Result<TopicId, Error>)>, Error> {
        let api = CreateTopicsRequest::API;
        let timeout = self.admin_timeout();
        self.each(
            topics,
            |topic| &topic.name,
            move |connection, topics| {
                Box::pin(async move {
                    let request = CreateTopicsRequest::default()
                        .with_timeout_ms(timeout)
                        .with_topics(topics.iter().map(|topic| topic.encode()).collect());
                    let answer = connection
                        .call(&request, connection.version(api, i16::MAX)?)
                        .await?;
                    Ok(answer
                        .topics
                        .into_iter()
                        .map(|topic| {
                            let result = answered(
                                &connection,
                                api,
                                &topic.name,
                                topic.error_code,
                                topic.error_message,
                            );
                            (
                                TopicName::new(topic.name.as_str()),
                                result.map(|()| TopicId(topic.topic_id)),
                            )
                        })
                        .collect())
                })
            },
        )
        .await
    }

    /// Asks whether a topic could be created, and creates nothing.
    pub(super) async fn validate_topic(&self, topic: &NewTopic) -> Result<(), Error> {
        let api = CreateTopicsRequest::API;
        let request = CreateTopicsRequest::default()
            .with_timeout_ms(self.admin_timeout())
            .with_topics(vec![topic.encode()])
            .with_validate_only(true);
        let mut attempts = Attempts::new(&self.0.options);
        loop {
            let once = async {
                let connection = self.controller().await?;
                let version = connection.version(api, i16::MAX)?;
                let answer = connection.call(&request, version).await?;
                answer.topics.into_iter().try_for_each(|topic| {
                    answered(
                        &connection,
                        api,
                        &topic.name,
                        topic.error_code,
                        topic.error_message,
                    )
                })
            };
            match once.await {
                Ok(()) => return Ok(()),
                Err(error) => attempts.wait(error).await?,
            };
        }
    }

    /// Adds partitions until the topic has `total`. Fails with INVALID_PARTITIONS when it has that many or more.
    pub async fn create_partitions(&self, topic: &TopicName, total: i32) -> Result<(), Error> {
        let api = CreatePartitionsRequest::API;
        let timeout = self.admin_timeout();
        let results = self
            .each(
                std::slice::from_ref(topic),
                |topic| topic,
                move |connection, topics| {
                    Box::pin(async move {
                        let topic = |name: &TopicName| {
                            CreatePartitionsTopic::default()
                                .with_name(topic_name(name))
                                .with_count(total)
                                .with_assignments(None)
                        };
                        let request = CreatePartitionsRequest::default()
                            .with_timeout_ms(timeout)
                            .with_topics(topics.iter().map(topic).collect());
                        let answer = connection
                            .call(&request, connection.version(api, i16::MAX)?)
                            .await?;
                        Ok(answer
                            .results
                            .into_iter()
                            .map(|topic| {
                                let result = answered(
                                    &connection,
                                    api,
                                    &topic.name,
                                    topic.error_code,
                                    topic.error_message,
                                );
                                (TopicName::new(topic.name.as_str()), result)
                            })
                            .collect())
                    })
                },
            )
            .await?;
        results.into_iter().try_for_each(|(_, result)| result)
    }

    /// Deletes topics by name. Every topic of the request has its result, in its order.
    pub async fn delete_topics(
        &self,
        topics: &[TopicName],
    ) -> Result<Vec<(TopicName, Result<(), Error>)>, Error> {
        let api = DeleteTopicsRequest::API;
        let timeout = self.admin_timeout();
        self.each(
            topics,
            |topic| topic,
            move |connection, topics| {
                Box::pin(async move {
                    let version = connection.version(api, i16::MAX)?;
                    let names = topics.iter().map(topic_name);
                    let request = DeleteTopicsRequest::default().with_timeout_ms(timeout);
                    let request = match version {
                        6.. => request.with_topics(
                            names
                                .map(|name| DeleteTopicState::default().with_name(Some(name)))
                                .collect(),
                        ),
                        _ => request.with_topic_names(names.collect()),
                    };
                    let answer = connection.call(&request, version).await?;
                    Ok(answer
                        .responses
                        .into_iter()
                        .map(|topic| {
                            let name = topic.name.unwrap_or_default();
                            let result =
                                answered(&connection, api, &name, topic.error_code, topic.error_message);
                            (TopicName::new(name.as_str()), result)
                        })
                        .collect())
                })
            },
        )
        .await
    }

    /// Asks the controller about topics until each has an answer that stays: quotas and a moving controller concern single topics.
    pub(super) async fn each<T: Clone, A>(
        &self,
        topics: &[T],
        name: impl Fn(&T) -> &TopicName,
        ask: impl Fn(Connection, Vec<T>) -> BoxFuture<'static, Result<Vec<Answered<A>>, Error>>,
    ) -> Result<Vec<Answered<A>>, Error> {
        let mut attempts = Attempts::new(&self.0.options);
        let mut open: Vec<T> = topics.to_vec();
        let mut results: Vec<Answered<A>> = Vec::with_capacity(topics.len());
        while !open.is_empty() {
            let asked = match self.controller().await {
                Ok(connection) => ask(connection, open.clone()).await,
                Err(error) => Err(error),
            };
            let mut again = None;
            match asked {
                Ok(answers) => {
                    for (topic, result) in answers {
                        match result {
                            // To delete or to grow a topic that is unknown: that is the answer.
                            Err(error)
                                if error.retry().is_soon() && !error.kafka().is_some_and(is_unknown) =>
                            {
                                again = Some(error)
                            }
                            result => {
                                open.retain(|open| *name(open) != topic);
                                results.push((topic, result));
                            }
                        }
                    }
                }
                Err(error) => again = Some(error),
            }
            let Some(error) = again.filter(|_| !open.is_empty()) else {
                break;
            };
            match attempts.wait(error).await {
                Ok(Retry::AfterMetadata) => self.refresh([]).await,
                Ok(_) => {}
                Err(error) if results.is_empty() => return Err(error),
                Err(error) => {
                    results.extend(
                        open.drain(..)
                            .map(|topic| (name(&topic).clone(), Err(error.clone()))),
                    );
                }
            }
        }
        let place = |topic: &TopicName| topics.iter().position(|asked| name(asked) == topic);
        results.sort_by_key(|(topic, _)| place(topic));
        Ok(results)
    }

    /// How long a broker may take to carry it out before it answers REQUEST_TIMED_OUT: a little less than we wait.
    pub(super) fn admin_timeout(&self) -> i32 {
        millis(self.0.options.request_timeout / 10 * 9)
    }
}

// === impl NewTopic ===

impl NewTopic {
    fn encode(&self) -> CreatableTopic {
        let config = |(name, value): &(String, String)| {
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_string(name.clone()))
                .with_value(Some(StrBytes::from_string(value.clone())))
        };
        CreatableTopic::default()
            .with_name(topic_name(&self.name))
            .with_num_partitions(self.partitions)
            .with_replication_factor(self.replication_factor)
            .with_configs(self.configs.iter().map(config).collect())
    }
}

pub(super) fn answered(
    connection: &Connection,
    api: Api,
    topic: &str,
    code: i16,
    message: Option<StrBytes>,
) -> Result<(), Error> {
    match KafkaError::of(code) {
        None => Ok(()),
        Some(error) => {
            let message = message
                .map(|message| message.to_string())
                .filter(|message| !message.is_empty());
            Err(connection.refusal(api, Some(topic.to_owned()), error, message))
        }
    }
}
