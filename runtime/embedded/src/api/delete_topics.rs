use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{
        DeleteTopicsRequest, DeleteTopicsResponse, TopicName, delete_topics_response::DeletableTopicResult,
    },
    protocol::StrBytes,
};
use uuid::Uuid;

use super::{Api, number};
use crate::{ErrorCode, acls::Operation, context::Context};

impl Api for DeleteTopicsRequest {
    const SERVED: RangeInclusive<i16> = 1..=6;

    async fn handle(self, ctx: &Context, version: i16) -> DeleteTopicsResponse {
        let mut state = ctx.state();
        let results = asked(&self).into_iter().map(|(name, id)| {
            let known = match &name {
                Some(name) => Some(name.clone()),
                None => state.topics.name_of(id).cloned().map(TopicName),
            };
            let access = known.as_ref().or(name.as_ref()).map_or(Ok(()), |name| {
                state.check_topic_access(&ctx.client, Operation::Delete, name)
            });
            if let Err(code) = access {
                return result(known.or(name), id, Some(code), version);
            }
            let deleted = known.as_ref().and_then(|name| state.topics.remove(name));
            if let Some(topic) = &deleted {
                state.coordinators.groups.forget_topic(&topic.name);
            }
            let (code, id) = match (deleted, &name) {
                (Some(topic), _) => (None, topic.id),
                (None, Some(_)) => (Some(ErrorCode::UnknownTopicOrPartition), id),
                (None, None) => (Some(ErrorCode::UnknownTopicId), id),
            };
            result(known.or(name), id, code, version)
        });
        let results = results.collect();
        DeleteTopicsResponse::default().with_responses(results)
    }

    fn refuse(&self, _: &Context, code: ErrorCode, version: i16) -> DeleteTopicsResponse {
        let results = asked(self)
            .into_iter()
            .map(|(name, id)| result(name, id, Some(code), version));
        DeleteTopicsResponse::default().with_responses(results.collect())
    }

    fn throttle(answer: &mut DeleteTopicsResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }

    fn topics(&self, _: &Context) -> Vec<StrBytes> {
        let names = asked(self).into_iter();
        names.filter_map(|(name, _)| name.map(StrBytes::from)).collect()
    }
}

fn asked(request: &DeleteTopicsRequest) -> Vec<(Option<TopicName>, Uuid)> {
    let names = request
        .topic_names
        .iter()
        .map(|name| (Some(name.clone()), Uuid::nil()));
    let topics = request
        .topics
        .iter()
        .map(|topic| (topic.name.clone(), topic.topic_id));
    names.chain(topics).collect()
}

fn result(name: Option<TopicName>, id: Uuid, code: Option<ErrorCode>, version: i16) -> DeletableTopicResult {
    let result = DeletableTopicResult::default().with_error_code(number(code));
    if version >= 6 {
        return result.with_name(name).with_topic_id(id);
    }
    result.with_name(Some(name.unwrap_or_else(|| TopicName(StrBytes::new()))))
}
