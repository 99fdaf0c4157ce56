//! The requests this crate makes, and the versions of each that it was written against.

use bytes::Bytes;
use kafka_protocol::{
    messages::{
        AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, ApiVersionsRequest, ApiVersionsResponse,
        ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, CreatePartitionsRequest,
        CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteRecordsRequest,
        DeleteRecordsResponse, DeleteTopicsRequest, DeleteTopicsResponse, DescribeAclsRequest,
        DescribeAclsResponse, DescribeConfigsRequest, DescribeConfigsResponse, DescribeGroupsRequest,
        DescribeGroupsResponse, DescribeProducersRequest, DescribeProducersResponse, EndTxnRequest,
        EndTxnResponse, FetchRequest, FetchResponse, FindCoordinatorRequest, FindCoordinatorResponse,
        IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, InitProducerIdRequest,
        InitProducerIdResponse, ListGroupsRequest, ListGroupsResponse, ListOffsetsRequest,
        ListOffsetsResponse, MetadataRequest, MetadataResponse, OffsetCommitRequest, OffsetCommitResponse,
        OffsetFetchRequest, OffsetFetchResponse, SaslAuthenticateRequest, SaslAuthenticateResponse,
        SaslHandshakeRequest, SaslHandshakeResponse,
    },
    protocol::{Decodable, Encodable, HeaderVersion},
};

use crate::{KafkaError, answer};

/// A request type by its key, and our range of versions. The highest one that the broker has too is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Api {
    pub(crate) key: i16,
    pub(crate) name: &'static str,
    pub(crate) min: i16,
    pub(crate) max: i16,
}

// === impl Api ===

impl Api {
    /// What to grant, when that is what the broker misses. The operations are those of `kafka-acls`.
    pub(crate) fn grant(&self, error: KafkaError) -> Option<&'static str> {
        match error {
            // To find its coordinator, Describe would do.
            KafkaError::TRANSACTIONAL_ID_AUTHORIZATION_FAILED => {
                Some("Write and Describe on the transactional id")
            }
            KafkaError::GROUP_AUTHORIZATION_FAILED if self.name == "OffsetCommit" => {
                Some("Read on the group")
            }
            KafkaError::GROUP_AUTHORIZATION_FAILED => Some("Describe on the group"),
            KafkaError::TOPIC_AUTHORIZATION_FAILED | KafkaError::CLUSTER_AUTHORIZATION_FAILED => {
                Some(self.of_topics())
            }
            _ => None,
        }
    }

    /// What to grant on topics, or on the cluster.
    fn of_topics(&self) -> &'static str {
        match self.name {
            "Produce" | "AddPartitionsToTxn" => "Write on the topic",
            "Fetch" | "DescribeProducers" | "OffsetCommit" => "Read on the topic",
            "CreateTopics" => "Create on the topic, or on the cluster,",
            "CreatePartitions" => "Alter on the topic",
            "DeleteTopics" | "DeleteRecords" => "Delete on the topic",
            "DescribeAcls" => "Describe on the cluster",
            "DescribeConfigs" => "DescribeConfigs on the topic",
            "IncrementalAlterConfigs" => "AlterConfigs on the topic",
            "InitProducerId" => "Write on a topic, or IdempotentWrite on the cluster,",
            _ => "Describe on the topic",
        }
    }
}

/// A request that `kafka-protocol` encodes, with its answer. (The crate's own such trait exists only when brokers are built with it.)
pub(crate) trait Call: Encodable + HeaderVersion {
    const API: Api;
    type Answer: Decodable + HeaderVersion + Send + 'static;

    /// How long the broker wants us to be silent, ms.
    fn throttle(answer: &Self::Answer) -> i32;
}

/// Encoded by [`crate::produce`]: by topic name. 3 is the first with record batches; 9 to 12 only encode otherwise, or are about transactions.
pub(crate) const PRODUCE: Api = Api {
    key: 0,
    name: "Produce",
    min: 3,
    max: 8,
};

/// As [`PRODUCE`], by topic id (KIP-516).
pub(crate) const PRODUCE_BY_ID: Api = Api {
    min: 13,
    max: 13,
    ..PRODUCE
};

macro_rules! calls {
    ($($request:ident -> $answer:ident = $key:literal $name:literal, $min:literal to $max:literal, $why:literal;)*) => {$(
        #[doc = $why]
        impl Call for $request {
            const API: Api = Api { key: $key, name: $name, min: $min, max: $max };
            type Answer = $answer;

            fn throttle(answer: &$answer) -> i32 {
                answer.throttle_time_ms
            }
        }
    )*

        /// Every API of the table with the decoder of its answers, for those that feed them anything.
        pub(crate) const ANSWERS: &[(Api, DecodeAnswer)] = &[$(
            (<$request as Call>::API, |bytes, version| answer::decode::<$answer>(bytes, version).map(drop)),
        )*];
    };
}

/// Decodes the answer of a version, which begins with its correlation id, and forgets it.
pub(crate) type DecodeAnswer = fn(Bytes, i16) -> Result<(), String>;

calls! {
    FetchRequest -> FetchResponse = 1 "Fetch", 4 to 16, "From 13 on topics go by id. 17 and 18 are for followers.";
    ListOffsetsRequest -> ListOffsetsResponse = 2 "ListOffsets", 2 to 7, "2 has the isolation level, 7 the largest timestamp. Later ones are about tiered storage.";
    MetadataRequest -> MetadataResponse = 3 "Metadata", 4 to 12, "4 does not create topics by asking, 7 has leader epochs, 10 topic ids.";
    OffsetCommitRequest -> OffsetCommitResponse = 8 "OffsetCommit", 2 to 9, "6 has leader epochs, 9 tells a group that is not there from an old generation. 10 goes by topic id.";
    OffsetFetchRequest -> OffsetFetchResponse = 9 "OffsetFetch", 2 to 9, "2 has all partitions of a group, 7 waits for transactions (KIP-447), 8 has many groups. 10 goes by topic id.";
    FindCoordinatorRequest -> FindCoordinatorResponse = 10 "FindCoordinator", 1 to 6, "1 has transactional ids, 4 takes many keys at once. 5 and 6 change nothing for groups and transactions.";
    DescribeGroupsRequest -> DescribeGroupsResponse = 15 "DescribeGroups", 0 to 6, "6 says that a group is not there, or of another type (KIP-1043).";
    ListGroupsRequest -> ListGroupsResponse = 16 "ListGroups", 0 to 5, "4 has the state (KIP-518), 5 the type (KIP-848).";
    ApiVersionsRequest -> ApiVersionsResponse = 18 "ApiVersions", 0 to 3, "A broker without 3 answers in version 0 (KIP-511).";
    CreateTopicsRequest -> CreateTopicsResponse = 19 "CreateTopics", 2 to 7, "4 takes the broker's default replication factor, 7 answers the topic id.";
    DeleteTopicsRequest -> DeleteTopicsResponse = 20 "DeleteTopics", 1 to 6, "6 has another shape of request.";
    DeleteRecordsRequest -> DeleteRecordsResponse = 21 "DeleteRecords", 0 to 2, "1 and 2 only encode otherwise.";
    InitProducerIdRequest -> InitProducerIdResponse = 22 "InitProducerId", 0 to 4, "4 answers PRODUCER_FENCED. Later ones are about errors of a transaction that can be aborted, and about two-phase commit.";
    AddPartitionsToTxnRequest -> AddPartitionsToTxnResponse = 24 "AddPartitionsToTxn", 0 to 3, "2 answers PRODUCER_FENCED. Later ones are between brokers.";
    EndTxnRequest -> EndTxnResponse = 26 "EndTxn", 0 to 3, "2 answers PRODUCER_FENCED. 5 raises the epoch (KIP-890), and is no use to a broker that has transaction.version 0.";
    DescribeAclsRequest -> DescribeAclsResponse = 29 "DescribeAcls", 1 to 3, "1 has prefixed patterns (KIP-290), 3 the resource type USER.";
    DescribeConfigsRequest -> DescribeConfigsResponse = 32 "DescribeConfigs", 1 to 4, "1 tells where a value comes from.";
    CreatePartitionsRequest -> CreatePartitionsResponse = 37 "CreatePartitions", 0 to 3, "2 and 3 only encode otherwise.";
    IncrementalAlterConfigsRequest -> IncrementalAlterConfigsResponse = 44 "IncrementalAlterConfigs", 0 to 1, "KIP-339, of Kafka 2.3. 1 only encodes otherwise.";
    DescribeProducersRequest -> DescribeProducersResponse = 61 "DescribeProducers", 0 to 0, "KIP-664, of Kafka 2.8.";
    ConsumerGroupDescribeRequest -> ConsumerGroupDescribeResponse = 69 "ConsumerGroupDescribe", 0 to 1, "KIP-848. 1 has the type of a member.";
}

macro_rules! calls_without_throttle {
    ($($request:ident -> $answer:ident = $key:literal $name:literal, $min:literal to $max:literal, $why:literal;)*) => {$(
        #[doc = $why]
        impl Call for $request {
            const API: Api = Api { key: $key, name: $name, min: $min, max: $max };
            type Answer = $answer;

            fn throttle(_: &$answer) -> i32 {
                0
            }
        }
    )*};
}

// Quotas go by who asks, and that is what these find out.
calls_without_throttle! {
    SaslHandshakeRequest -> SaslHandshakeResponse = 17 "SaslHandshake", 1 to 1, "With 0 the mechanism's messages would come without frames.";
    SaslAuthenticateRequest -> SaslAuthenticateResponse = 36 "SaslAuthenticate", 0 to 2, "1 tells how long the session lives.";
}
