use std::ops::RangeInclusive;

use kafka_protocol::{
    messages::{
        BrokerId, DescribeClusterRequest, DescribeClusterResponse,
        describe_cluster_response::DescribeClusterBroker,
    },
    protocol::StrBytes,
};

use super::{Api, metadata::CLUSTER_OPERATIONS};
use crate::{ErrorCode, context::Context, state::Running};

const BROKERS: i8 = 1;

impl Api for DescribeClusterRequest {
    const SERVED: RangeInclusive<i16> = 0..=2;

    async fn handle(self, ctx: &Context, version: i16) -> DescribeClusterResponse {
        if version >= 1 && self.endpoint_type != BROKERS {
            return self.refuse(ctx, ErrorCode::MismatchedEndpointType, version);
        }
        let state = ctx.state();
        let brokers = state
            .brokers
            .iter()
            .filter(|(_, broker)| broker.running == Running::Yes || self.include_fenced_brokers)
            .map(|(id, broker)| {
                let answer = DescribeClusterBroker::default()
                    .with_broker_id(BrokerId(*id))
                    .with_host(StrBytes::from_static_str("127.0.0.1"))
                    .with_port(i32::from(broker.port))
                    .with_rack(broker.rack.clone().map(StrBytes::from_string));
                // A stopped broker is a fenced one.
                if version >= 2 {
                    answer.with_is_fenced(broker.running == Running::No)
                } else {
                    answer
                }
            });
        let operations = if self.include_cluster_authorized_operations {
            CLUSTER_OPERATIONS
        } else {
            i32::MIN
        };
        DescribeClusterResponse::default()
            .with_endpoint_type(BROKERS)
            .with_cluster_id(StrBytes::from_string(state.cluster_id.clone()))
            .with_controller_id(BrokerId(state.controller()))
            .with_brokers(brokers.collect())
            .with_cluster_authorized_operations(operations)
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> DescribeClusterResponse {
        DescribeClusterResponse::default().with_error_code(code.code())
    }

    fn throttle(answer: &mut DescribeClusterResponse, ms: i32) {
        answer.throttle_time_ms = ms;
    }
}
