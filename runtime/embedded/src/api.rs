//! The APIs, one file each. To add one: a file that implements [`Api`] for its request, and a row below.

use std::ops::RangeInclusive;

use bytes::{BufMut, Bytes, BytesMut};
use futures::future::BoxFuture;
use kafka_protocol::{
    messages::ApiKey,
    protocol::{HeaderVersion, Request, StrBytes},
};

use crate::{ErrorCode, context::Context};

mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod alter_client_quotas;
mod alter_configs;
mod alter_user_scram_credentials;
mod altering;
mod api_versions;
mod committing;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod create_acls;
mod create_partitions;
mod create_topics;
mod delete_acls;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_acls;
mod describe_client_quotas;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_topic_partitions;
mod describe_transactions;
mod describe_user_scram_credentials;
mod elect_leaders;
mod end_txn;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod list_transactions;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod sasl_authenticate;
mod sasl_handshake;
mod sync_group;
mod txn_offset_commit;
mod write_txn_markers;

pub(crate) use api_versions::versions;
pub(crate) use fetch::Sessions;

/// A request that brokers answer.
pub(crate) trait Api: Request + Send + Sync + 'static
where
    Self::Response: Send,
{
    /// The versions that are served: those of Kafka 4.3.1 that `kafka-protocol` knows.
    const SERVED: RangeInclusive<i16>;

    /// Does it. Holds no lock over an await.
    fn handle(self, ctx: &Context, version: i16) -> impl Future<Output = Self::Response> + Send;

    /// The answer that says this error wherever the answer can say one: for a fault, and for a request that may not be handled.
    fn refuse(&self, ctx: &Context, code: ErrorCode, version: i16) -> Self::Response;

    /// Writes the throttle time into an answer.
    fn throttle(answer: &mut Self::Response, ms: i32);

    /// The topics that it is about, for faults that are for a topic. Asked only where there are such.
    fn topics(&self, _: &Context) -> Vec<StrBytes> {
        Vec::new()
    }
}

/// A row of the table.
pub(crate) struct Row {
    pub(crate) key: ApiKey,
    pub(crate) min: i16,
    pub(crate) max: i16,
    decode: Decode,
}

type Decode = fn(&Context, Bytes, i16) -> Result<Box<dyn Decoded>, Malformed>;

/// A request whose type is forgotten.
pub(crate) trait Decoded: Send + Sync {
    /// See [`Api::topics`].
    fn topics(&self, ctx: &Context) -> Vec<StrBytes>;

    /// The answer as a frame behind its correlation id: header and body.
    fn serve<'a>(
        self: Box<Self>,
        ctx: &'a Context,
        version: i16,
        refusal: Refusal,
    ) -> BoxFuture<'a, Result<BytesMut, Malformed>>;
}

/// Whether a fault wants an error for the whole request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    No,
    /// Instead of handling it.
    Before(ErrorCode),
    /// After it was handled: what it has done stays done.
    After(ErrorCode),
}

/// A body that cannot be read, or an answer that cannot be written in this version: the connection is closed, as Kafka does.
#[derive(Debug, thiserror::Error)]
#[error("{api:?} version {version}: {reason}")]
pub(crate) struct Malformed {
    api: ApiKey,
    version: i16,
    reason: String,
}

/// Everything that is served. ApiVersions answers this table.
pub(crate) static TABLE: &[Row] = {
    use kafka_protocol::messages::*;
    &[
        row::<ProduceRequest>(ApiKey::Produce),
        row::<FetchRequest>(ApiKey::Fetch),
        row::<ListOffsetsRequest>(ApiKey::ListOffsets),
        row::<MetadataRequest>(ApiKey::Metadata),
        row::<OffsetCommitRequest>(ApiKey::OffsetCommit),
        row::<OffsetFetchRequest>(ApiKey::OffsetFetch),
        row::<FindCoordinatorRequest>(ApiKey::FindCoordinator),
        row::<JoinGroupRequest>(ApiKey::JoinGroup),
        row::<HeartbeatRequest>(ApiKey::Heartbeat),
        row::<LeaveGroupRequest>(ApiKey::LeaveGroup),
        row::<SyncGroupRequest>(ApiKey::SyncGroup),
        row::<DescribeGroupsRequest>(ApiKey::DescribeGroups),
        row::<ListGroupsRequest>(ApiKey::ListGroups),
        row::<SaslHandshakeRequest>(ApiKey::SaslHandshake),
        row::<ApiVersionsRequest>(ApiKey::ApiVersions),
        row::<CreateTopicsRequest>(ApiKey::CreateTopics),
        row::<DeleteTopicsRequest>(ApiKey::DeleteTopics),
        row::<DeleteRecordsRequest>(ApiKey::DeleteRecords),
        row::<InitProducerIdRequest>(ApiKey::InitProducerId),
        row::<OffsetForLeaderEpochRequest>(ApiKey::OffsetForLeaderEpoch),
        row::<AddPartitionsToTxnRequest>(ApiKey::AddPartitionsToTxn),
        row::<AddOffsetsToTxnRequest>(ApiKey::AddOffsetsToTxn),
        row::<EndTxnRequest>(ApiKey::EndTxn),
        row::<WriteTxnMarkersRequest>(ApiKey::WriteTxnMarkers),
        row::<TxnOffsetCommitRequest>(ApiKey::TxnOffsetCommit),
        row::<DescribeAclsRequest>(ApiKey::DescribeAcls),
        row::<CreateAclsRequest>(ApiKey::CreateAcls),
        row::<DeleteAclsRequest>(ApiKey::DeleteAcls),
        row::<DescribeConfigsRequest>(ApiKey::DescribeConfigs),
        row::<AlterConfigsRequest>(ApiKey::AlterConfigs),
        row::<DescribeLogDirsRequest>(ApiKey::DescribeLogDirs),
        row::<SaslAuthenticateRequest>(ApiKey::SaslAuthenticate),
        row::<CreatePartitionsRequest>(ApiKey::CreatePartitions),
        row::<DeleteGroupsRequest>(ApiKey::DeleteGroups),
        row::<ElectLeadersRequest>(ApiKey::ElectLeaders),
        row::<IncrementalAlterConfigsRequest>(ApiKey::IncrementalAlterConfigs),
        row::<OffsetDeleteRequest>(ApiKey::OffsetDelete),
        row::<DescribeClientQuotasRequest>(ApiKey::DescribeClientQuotas),
        row::<AlterClientQuotasRequest>(ApiKey::AlterClientQuotas),
        row::<DescribeUserScramCredentialsRequest>(ApiKey::DescribeUserScramCredentials),
        row::<AlterUserScramCredentialsRequest>(ApiKey::AlterUserScramCredentials),
        row::<DescribeClusterRequest>(ApiKey::DescribeCluster),
        row::<DescribeProducersRequest>(ApiKey::DescribeProducers),
        row::<DescribeTransactionsRequest>(ApiKey::DescribeTransactions),
        row::<ListTransactionsRequest>(ApiKey::ListTransactions),
        row::<ConsumerGroupHeartbeatRequest>(ApiKey::ConsumerGroupHeartbeat),
        row::<ConsumerGroupDescribeRequest>(ApiKey::ConsumerGroupDescribe),
        row::<DescribeTopicPartitionsRequest>(ApiKey::DescribeTopicPartitions),
    ]
};

// === impl Row ===

impl Row {
    pub(crate) fn of(key: i16) -> Option<&'static Self> {
        TABLE.iter().find(|row| row.key as i16 == key)
    }

    pub(crate) fn decode(
        &self,
        ctx: &Context,
        body: Bytes,
        version: i16,
    ) -> Result<Box<dyn Decoded>, Malformed> {
        (self.decode)(ctx, body, version)
    }
}

const fn row<A: Api>(key: ApiKey) -> Row
where
    A::Response: Send,
{
    Row {
        key,
        min: *A::SERVED.start(),
        max: *A::SERVED.end(),
        decode: decode::<A>,
    }
}

fn decode<A: Api>(ctx: &Context, mut body: Bytes, version: i16) -> Result<Box<dyn Decoded>, Malformed>
where
    A::Response: Send,
{
    match A::decode(&mut body, version) {
        Ok(request) => Ok(Box::new(request)),
        Err(error) => Err(Malformed::new(ctx, version, &error)),
    }
}

// === impl Decoded ===

impl<A: Api> Decoded for A
where
    A::Response: Send,
{
    fn topics(&self, ctx: &Context) -> Vec<StrBytes> {
        Api::topics(self, ctx)
    }

    fn serve<'a>(
        self: Box<Self>,
        ctx: &'a Context,
        version: i16,
        refusal: Refusal,
    ) -> BoxFuture<'a, Result<BytesMut, Malformed>> {
        Box::pin(async move {
            let mut answer = match refusal {
                Refusal::No => self.handle(ctx, version).await,
                Refusal::Before(code) => self.refuse(ctx, code, version),
                Refusal::After(code) => {
                    let refused = self.refuse(ctx, code, version);
                    self.handle(ctx, version).await;
                    refused
                }
            };
            if ctx.throttled_ms() > 0 {
                A::throttle(&mut answer, ctx.throttled_ms());
            }
            encode(&answer, version).map_err(|error| Malformed::new(ctx, version, &error))
        })
    }
}

// === impl Malformed ===

impl Malformed {
    fn new(ctx: &Context, version: i16, reason: &dyn std::fmt::Display) -> Self {
        Self {
            api: ctx.api,
            version,
            reason: reason.to_string(),
        }
    }
}

/// A code as answers have it: 0 is no error.
pub(crate) fn number(code: Option<ErrorCode>) -> i16 {
    code.map_or(0, |code| code.code())
}

/// Header (but for the correlation id) and body.
pub(crate) fn encode<R>(answer: &R, version: i16) -> Result<BytesMut, impl std::fmt::Display + use<R>>
where
    R: kafka_protocol::protocol::Encodable + HeaderVersion,
{
    let flexible = R::header_version(version) >= 1;
    let size = answer.compute_size(version).unwrap_or(0) + usize::from(flexible);
    let mut out = BytesMut::with_capacity(size);
    if flexible {
        // No tagged fields.
        out.put_u8(0);
    }
    answer.encode(&mut out, version).map(|()| out)
}
