use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{
        DescribeLogDirsRequest, DescribeLogDirsResponse, TopicName,
        describe_log_dirs_response::{DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic},
    },
    protocol::StrBytes,
};

use super::Api;
use crate::{ErrorCode, acls::Operation, context::Context, topic::Topic};

/// One folder, which is not there.
const DIR: &str = "/embedded";

impl Api for DescribeLogDirsRequest {
    const SERVED: RangeInclusive<i16> = 1..=4;

    async fn handle(self, ctx: &Context, version: i16) -> DescribeLogDirsResponse {
        let access = ctx.state().check_cluster_access(&ctx.client, Operation::Describe);
        if let Err(code) = access {
            return self.refuse(ctx, code, version);
        }
        let state = ctx.state();
        let partition_size = |topic: &Topic| {
            let here = (0..)
                .zip(&topic.partitions)
                .filter(|(_, partition)| partition.replicas.contains(&ctx.broker))
                .filter(|(index, _)| wants(&self, &topic.name, *index))
                .map(|(index, partition)| {
                    DescribeLogDirsPartition::default()
                        .with_partition_index(index)
                        .with_partition_size(partition.log.size() as i64)
                });
            DescribeLogDirsTopic::default()
                .with_name(TopicName(topic.name.clone()))
                .with_partitions(here.collect())
        };
        let topics = state.topics.iter().map(partition_size);
        let mut dir = DescribeLogDirsResult::default()
            .with_log_dir(StrBytes::from_static_str(DIR))
            .with_topics(topics.filter(|topic| !topic.partitions.is_empty()).collect());
        if version >= 4 {
            dir = dir.with_total_bytes(-1).with_usable_bytes(-1);
        }
        DescribeLogDirsResponse::default().with_results(vec![dir])
    }

    fn refuse(&self, _: &Context, code: ErrorCode, version: i16) -> DescribeLogDirsResponse {
        let answer = DescribeLogDirsResponse::default();
        if version >= 3 {
            return answer.with_error_code(code.code());
        }
        let dir = DescribeLogDirsResult::default()
            .with_error_code(code.code())
            .with_log_dir(StrBytes::from_static_str(DIR));
        answer.with_results(vec![dir])
    }

    fn throttle(answer: &mut DescribeLogDirsResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}

fn wants(request: &DescribeLogDirsRequest, topic: &StrBytes, partition: i32) -> bool {
    request.topics.as_ref().is_none_or(|topics| {
        let mut named = topics.iter().filter(|asked| asked.topic.0 == *topic);
        named.any(|asked| asked.partitions.contains(&partition))
    })
}
