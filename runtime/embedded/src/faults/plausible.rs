use kafka_protocol::messages::ApiKey;

use crate::ErrorCode::{self, *};

/// Errors that a real broker answers to this API and that pass: a client has to live with each of them. Empty for APIs without one.
pub fn plausible_errors(api: ApiKey) -> &'static [ErrorCode] {
    match api {
        ApiKey::Produce => &[
            NotLeaderOrFollower,
            UnknownTopicOrPartition,
            NotEnoughReplicas,
            NotEnoughReplicasAfterAppend,
            RequestTimedOut,
            KafkaStorageError,
            CorruptMessage,
        ],
        ApiKey::Fetch => &[
            NotLeaderOrFollower,
            UnknownTopicOrPartition,
            UnknownTopicId,
            FencedLeaderEpoch,
            UnknownLeaderEpoch,
            OffsetNotAvailable,
            ReplicaNotAvailable,
            KafkaStorageError,
            UnknownServerError,
            FetchSessionIdNotFound,
            InvalidFetchSessionEpoch,
        ],
        ApiKey::ListOffsets | ApiKey::OffsetForLeaderEpoch => &[
            NotLeaderOrFollower,
            UnknownTopicOrPartition,
            FencedLeaderEpoch,
            UnknownLeaderEpoch,
            LeaderNotAvailable,
            OffsetNotAvailable,
            KafkaStorageError,
        ],
        ApiKey::Metadata => &[LeaderNotAvailable, UnknownTopicOrPartition],
        ApiKey::CreateTopics | ApiKey::DeleteTopics | ApiKey::CreatePartitions => {
            &[NotController, RequestTimedOut, ThrottlingQuotaExceeded]
        }
        ApiKey::DescribeConfigs
        | ApiKey::AlterConfigs
        | ApiKey::IncrementalAlterConfigs
        | ApiKey::DescribeCluster => &[RequestTimedOut],
        ApiKey::DeleteRecords => &[NotLeaderOrFollower, UnknownTopicOrPartition, RequestTimedOut],
        ApiKey::InitProducerId | ApiKey::AddPartitionsToTxn | ApiKey::AddOffsetsToTxn | ApiKey::EndTxn => &[
            CoordinatorLoadInProgress,
            CoordinatorNotAvailable,
            NotCoordinator,
            ConcurrentTransactions,
        ],
        ApiKey::FindCoordinator => &[CoordinatorNotAvailable],
        ApiKey::JoinGroup
        | ApiKey::SyncGroup
        | ApiKey::Heartbeat
        | ApiKey::LeaveGroup
        | ApiKey::OffsetCommit
        | ApiKey::OffsetFetch
        | ApiKey::TxnOffsetCommit
        | ApiKey::ConsumerGroupHeartbeat
        | ApiKey::ConsumerGroupDescribe
        | ApiKey::DescribeGroups
        | ApiKey::ListGroups
        | ApiKey::DeleteGroups
        | ApiKey::OffsetDelete => &[CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator],
        _ => &[],
    }
}
