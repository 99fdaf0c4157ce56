use std::{collections::BTreeSet, ops::RangeInclusive, time::Duration};

use kafka_protocol::{
    messages::{
        ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
        consumer_group_heartbeat_response as answer,
    },
    protocol::StrBytes,
};

use super::Api;
use crate::{
    ErrorCode,
    acls::{Operation, Resource},
    context::Context,
    coordinators::Kind,
    groups::consumer::{Assignment, Beat, Beaten},
};

impl Api for ConsumerGroupHeartbeatRequest {
    const SERVED: RangeInclusive<i16> = 0..=1;

    async fn handle(self, ctx: &Context, version: i16) -> ConsumerGroupHeartbeatResponse {
        let group = self.group_id.to_string();
        let mut beat = into_beat(self, ctx);
        if group.is_empty() {
            return refused(ErrorCode::InvalidRequest, "GroupId can't be empty.");
        }
        // From version 1 on members choose their ids.
        if beat.member.is_empty() && version >= 1 {
            return refused(ErrorCode::InvalidRequest, "MemberId can't be empty.");
        }
        if let Err((code, message)) = beat.check() {
            return refused(code, message);
        }
        let result = ctx.coordinate(|state, now| {
            if !state.may(&ctx.client, Operation::Read, Resource::Group, &group) {
                return Err(ErrorCode::GroupAuthorizationFailed);
            }
            let subscribed = beat.topics.iter().flatten();
            let mut hidden = subscribed
                .filter(|topic| !state.may(&ctx.client, Operation::Describe, Resource::Topic, topic));
            if hidden.next().is_some() {
                return Err(ErrorCode::TopicAuthorizationFailed);
            }
            state.check_coordinator(ctx.broker, Kind::Group, &group)?;
            if beat.member.is_empty() {
                beat.member = state.new_uuid().to_string();
            }
            let options = state.group_options();
            let (groups, topics) = (&mut state.coordinators.groups, &state.topics);
            groups.consumer_heartbeat(now, &group, beat, &options, topics)
        });
        match result {
            Ok(beaten) => into_answer(beaten),
            Err(code) => refused(code, &code.to_string()),
        }
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> ConsumerGroupHeartbeatResponse {
        refused(code, &code.to_string())
    }

    fn throttle(answer: &mut ConsumerGroupHeartbeatResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn into_beat(request: ConsumerGroupHeartbeatRequest, ctx: &Context) -> Beat {
    let string = |text: StrBytes| text.to_string();
    let topics = request.subscribed_topic_names;
    let owned = request.topic_partitions;
    Beat {
        member: request.member_id.to_string(),
        epoch: request.member_epoch,
        instance: request.instance_id.map(string),
        rack: request.rack_id.map(string),
        client_id: ctx.client.id.clone(),
        client_host: format!("/{}", ctx.client.host),
        rebalance_timeout: u64::try_from(request.rebalance_timeout_ms)
            .ok()
            .map(Duration::from_millis),
        topics: topics.map(|topics| topics.iter().map(|topic| topic.to_string()).collect()),
        pattern: request.subscribed_topic_regex.map(string),
        assignor: request.server_assignor.map(string),
        owned: owned.map(|owned| {
            let topic = |one: kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions| {
                (one.topic_id, one.partitions.into_iter().collect::<BTreeSet<_>>())
            };
            owned.into_iter().map(topic).collect::<Assignment>()
        }),
    }
}

fn into_answer(beaten: Beaten) -> ConsumerGroupHeartbeatResponse {
    let assignment = beaten.assignment.map(|assignment| {
        let topic = |(topic, partitions): (_, BTreeSet<i32>)| {
            answer::TopicPartitions::default()
                .with_topic_id(topic)
                .with_partitions(partitions.into_iter().collect())
        };
        answer::Assignment::default().with_topic_partitions(assignment.into_iter().map(topic).collect())
    });
    ConsumerGroupHeartbeatResponse::default()
        .with_member_id(Some(StrBytes::from_string(beaten.member)))
        .with_member_epoch(beaten.epoch)
        .with_heartbeat_interval_ms(i32::try_from(beaten.interval.as_millis()).unwrap_or(i32::MAX))
        .with_assignment(assignment)
}

fn refused(code: ErrorCode, message: &str) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse::default()
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(message.to_owned())))
}
