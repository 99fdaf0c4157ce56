use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{
        ElectLeadersRequest, ElectLeadersResponse, TopicName,
        elect_leaders_response::{PartitionResult, ReplicaElectionResult},
    },
    protocol::StrBytes,
};

use super::{Api, number};
use crate::{ErrorCode, acls::Operation, context::Context, state::State};

const PREFERRED: i8 = 0;

impl Api for ElectLeadersRequest {
    const SERVED: RangeInclusive<i16> = 0..=2;

    async fn handle(self, ctx: &Context, version: i16) -> ElectLeadersResponse {
        let access = ctx.state().check_cluster_access(&ctx.client, Operation::Alter);
        if let Err(code) = access {
            return self.refuse(ctx, code, version);
        }
        let mut state = ctx.state();
        let asked = asked(&self, &state);
        let results = asked.into_iter().map(|(topic, index)| {
            let elected = elect(&mut state, &topic, index, self.election_type);
            (topic, index, elected.err())
        });
        let results: Vec<_> = results.collect();
        let mut answer = answer(results.into_iter());
        if self.topic_partitions.is_none() {
            // Of all partitions at once, those that need no election are not told; their topics are.
            for topic in &mut answer.replica_election_results {
                let needless = ErrorCode::ElectionNotNeeded.code();
                topic
                    .partition_result
                    .retain(|result| result.error_code != needless);
            }
        }
        answer
    }

    fn refuse(&self, ctx: &Context, code: ErrorCode, version: i16) -> ElectLeadersResponse {
        let asked = asked(self, &ctx.state());
        let answer = answer(asked.into_iter().map(|(topic, index)| (topic, index, Some(code))));
        if version >= 1 {
            answer.with_error_code(code.code())
        } else {
            answer
        }
    }

    fn throttle(answer: &mut ElectLeadersResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn asked(request: &ElectLeadersRequest, state: &State) -> Vec<(StrBytes, i32)> {
    let mut asked = Vec::new();
    match &request.topic_partitions {
        Some(topics) => {
            for topic in topics {
                asked.extend(
                    topic
                        .partitions
                        .iter()
                        .map(|index| (topic.topic.0.clone(), *index)),
                );
            }
        }
        None => {
            for topic in state.topics.iter() {
                asked.extend(
                    (0..)
                        .zip(&topic.partitions)
                        .map(|(index, _)| (topic.name.clone(), index)),
                );
            }
        }
    }
    asked
}

fn elect(state: &mut State, topic: &str, index: i32, kind: i8) -> Result<(), ErrorCode> {
    let running: Vec<i32> = state.running().map(|(id, _)| id).collect();
    let partition = state.topics.partition_mut(topic, index);
    let partition = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if kind != PREFERRED {
        // Any replica that runs may lead when none does.
        if partition.leader >= 0 {
            return Err(ErrorCode::ElectionNotNeeded);
        }
        let candidate = partition
            .replicas
            .iter()
            .copied()
            .find(|replica| running.contains(replica));
        let leader = candidate.ok_or(ErrorCode::EligibleLeadersNotAvailable)?;
        partition.lead(leader);
        return Ok(());
    }
    let preferred = partition.replicas.first().copied().unwrap_or(-1);
    if partition.leader == preferred {
        return Err(ErrorCode::ElectionNotNeeded);
    }
    if !running.contains(&preferred) {
        return Err(ErrorCode::PreferredLeaderNotAvailable);
    }
    partition.lead(preferred);
    Ok(())
}

fn answer(results: impl Iterator<Item = (StrBytes, i32, Option<ErrorCode>)>) -> ElectLeadersResponse {
    let mut topics: Vec<ReplicaElectionResult> = Vec::new();
    for (topic, index, code) in results {
        let result = PartitionResult::default()
            .with_partition_id(index)
            .with_error_code(number(code));
        match topics.iter_mut().find(|known| known.topic.0 == topic) {
            Some(known) => known.partition_result.push(result),
            None => topics.push(
                ReplicaElectionResult::default()
                    .with_topic(TopicName(topic))
                    .with_partition_result(vec![result]),
            ),
        }
    }
    ElectLeadersResponse::default().with_replica_election_results(topics)
}
