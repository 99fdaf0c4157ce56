//! The requests this crate makes, and the versions of each that it was written against.

use kafka_protocol::{
    messages::{
        ApiVersionsRequest, ApiVersionsResponse, CreatePartitionsRequest, CreatePartitionsResponse,
        CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
        DescribeConfigsRequest, DescribeConfigsResponse, FetchRequest, FetchResponse, InitProducerIdRequest,
        InitProducerIdResponse, ListOffsetsRequest, ListOffsetsResponse, MetadataRequest, MetadataResponse,
    },
    protocol::{Decodable, Encodable, HeaderVersion},
};

/// A request type by its key, and our range of versions. The highest one that the broker has too is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Api {
    pub(crate) key: i16,
    pub(crate) name: &'static str,
    pub(crate) min: i16,
    pub(crate) max: i16,
}

/// A request that `kafka-protocol` encodes, with its answer. (The crate's own such trait exists only when brokers are built with it.)
pub(crate) trait Call: Encodable + HeaderVersion {
    const API: Api;
    type Answer: Decodable + HeaderVersion + Send + 'static;

    /// How long the broker wants us to be silent, ms.
    fn throttle(answer: &Self::Answer) -> i32;
}

/// Encoded by [`crate::produce`]. From version 9 on requests are "flexible", which buys nothing here; 3 is the first with record batches.
pub(crate) const PRODUCE: Api = Api {
    key: 0,
    name: "Produce",
    min: 3,
    max: 8,
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
    )*};
}

calls! {
    FetchRequest -> FetchResponse = 1 "Fetch", 4 to 16, "From 13 on topics go by id. 17 and 18 are for followers.";
    ListOffsetsRequest -> ListOffsetsResponse = 2 "ListOffsets", 2 to 7, "2 has the isolation level, 7 the largest timestamp. Later ones are about tiered storage.";
    MetadataRequest -> MetadataResponse = 3 "Metadata", 4 to 12, "4 does not create topics by asking, 7 has leader epochs, 10 topic ids.";
    ApiVersionsRequest -> ApiVersionsResponse = 18 "ApiVersions", 0 to 3, "A broker without 3 answers in version 0 (KIP-511).";
    CreateTopicsRequest -> CreateTopicsResponse = 19 "CreateTopics", 2 to 7, "4 takes the broker's default replication factor, 7 answers the topic id.";
    DeleteTopicsRequest -> DeleteTopicsResponse = 20 "DeleteTopics", 1 to 6, "6 has another shape of request.";
    InitProducerIdRequest -> InitProducerIdResponse = 22 "InitProducerId", 0 to 4, "5 is about transactions only.";
    DescribeConfigsRequest -> DescribeConfigsResponse = 32 "DescribeConfigs", 1 to 4, "1 tells where a value comes from.";
    CreatePartitionsRequest -> CreatePartitionsResponse = 37 "CreatePartitions", 0 to 3, "2 and 3 only encode otherwise.";
}
