use std::ops::RangeInclusive;

use kafka_protocol::messages::{
    WriteTxnMarkersRequest, WriteTxnMarkersResponse,
    write_txn_markers_request::WritableTxnMarker,
    write_txn_markers_response::{
        WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
    },
};

use super::{Api, number};
use crate::{
    ErrorCode,
    acls::Operation,
    context::Context,
    log::{Marker, Outcome},
    state::State,
};

/// What a coordinator sends to the leaders of a transaction's partitions; operators end hanging transactions with it.
impl Api for WriteTxnMarkersRequest {
    const SERVED: RangeInclusive<i16> = 1..=1;

    async fn handle(self, ctx: &Context, version: i16) -> WriteTxnMarkersResponse {
        let access = ctx
            .state()
            .check_cluster_access(&ctx.client, Operation::ClusterAction);
        if let Err(code) = access {
            return self.refuse(ctx, code, version);
        }
        let now = ctx.now_ms();
        let mut state = ctx.state();
        answer(&self, |marker, topic, index| {
            write(&mut state, marker, topic, index, now)
        })
    }

    fn refuse(&self, _: &Context, code: ErrorCode, _: i16) -> WriteTxnMarkersResponse {
        answer(self, |_, _, _| Some(code))
    }

    /// The answer has no place for it.
    fn throttle(_: &mut WriteTxnMarkersResponse, _: i32) {}
}

fn write(
    state: &mut State,
    marker: &WritableTxnMarker,
    topic: &str,
    index: i32,
    now_ms: i64,
) -> Option<ErrorCode> {
    let Some(partition) = state.topics.partition_mut(topic, index) else {
        return Some(ErrorCode::UnknownTopicOrPartition);
    };
    let marker = Marker {
        producer_id: marker.producer_id.0,
        producer_epoch: marker.producer_epoch,
        coordinator_epoch: marker.coordinator_epoch,
        outcome: if marker.transaction_result {
            Outcome::Commit
        } else {
            Outcome::Abort
        },
    };
    partition
        .log
        .append_marker(&marker, partition.leader_epoch, now_ms);
    None
}

fn answer(
    request: &WriteTxnMarkersRequest,
    mut of: impl FnMut(&WritableTxnMarker, &str, i32) -> Option<ErrorCode>,
) -> WriteTxnMarkersResponse {
    let mut markers = Vec::new();
    for marker in &request.markers {
        let mut topics = Vec::new();
        for topic in &marker.topics {
            let partitions = topic.partition_indexes.iter().map(|index| {
                WritableTxnMarkerPartitionResult::default()
                    .with_partition_index(*index)
                    .with_error_code(number(of(marker, &topic.name, *index)))
            });
            let partitions = partitions.collect();
            topics.push(
                WritableTxnMarkerTopicResult::default()
                    .with_name(topic.name.clone())
                    .with_partitions(partitions),
            );
        }
        markers.push(
            WritableTxnMarkerResult::default()
                .with_producer_id(marker.producer_id)
                .with_topics(topics),
        );
    }
    WriteTxnMarkersResponse::default().with_markers(markers)
}
