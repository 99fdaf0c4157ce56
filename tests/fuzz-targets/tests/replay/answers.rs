//! Answers that brokers could give, written by `kafka-protocol`.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        AddPartitionsToTxnResponse, ApiVersionsResponse, BrokerId, ConsumerGroupDescribeResponse,
        CreatePartitionsResponse, CreateTopicsResponse, DeleteRecordsResponse, DeleteTopicsResponse,
        DescribeConfigsResponse, DescribeGroupsResponse, DescribeProducersResponse, EndTxnResponse,
        FetchResponse, FindCoordinatorResponse, GroupId, IncrementalAlterConfigsResponse,
        InitProducerIdResponse, ListGroupsResponse, ListOffsetsResponse, MetadataResponse,
        OffsetCommitResponse, OffsetFetchResponse, ProduceResponse, TopicName,
        add_partitions_to_txn_response::{AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult},
        api_versions_response::ApiVersion,
        consumer_group_describe_response::{self, Assignment, Member, TopicPartitions},
        create_partitions_response::CreatePartitionsTopicResult,
        create_topics_response::{CreatableTopicConfigs, CreatableTopicResult},
        delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult},
        delete_topics_response::DeletableTopicResult,
        describe_configs_response::{
            DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
        },
        describe_groups_response::{self, DescribedGroupMember},
        describe_producers_response::{PartitionResponse, ProducerState, TopicResponse},
        fetch_response::{AbortedTransaction, FetchableTopicResponse, PartitionData},
        find_coordinator_response::Coordinator,
        incremental_alter_configs_response::AlterConfigsResourceResponse,
        list_groups_response::ListedGroup,
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
        metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic},
        offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
        offset_fetch_response::{
            OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
            OffsetFetchResponseTopic, OffsetFetchResponseTopics,
        },
        produce_response::{PartitionProduceResponse, TopicProduceResponse},
    },
    protocol::{Encodable, HeaderVersion, StrBytes},
};
use towpath_wire::fuzzing;

/// Each API in its lowest, a middle and its highest version, behind what chooses it.
pub fn answers() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (index, (key, min, max)) in fuzzing::apis().into_iter().enumerate() {
        let mut versions = vec![min, (min + max) / 2, max];
        versions.dedup();
        for version in versions {
            let mut data = vec![index as u8, (version - min) as u8];
            data.extend(answer(key, version, 1));
            seeds.push((format!("{key}-v{version}"), data));
        }
    }
    seeds
}

/// Negotiation of the lowest and of the highest versions, then an answer for each request.
pub fn conversations() -> Vec<(String, Vec<u8>)> {
    ["lowest", "highest"]
        .map(|name| {
            let version = |wanted: i16| {
                let apis = fuzzing::apis();
                let (_, min, max) = apis.iter().find(|(key, ..)| *key == wanted).unwrap();
                // By name: the topic has no id.
                if name == "lowest" {
                    *min
                } else {
                    (*max).min(if wanted == 1 { 12 } else { *max })
                }
            };
            let offered = fuzzing::apis().into_iter().map(|(key, ..)| {
                ApiVersion::default()
                    .with_api_key(key)
                    .with_max_version(version(key))
            });
            let negotiation = ApiVersionsResponse::default().with_api_keys(offered.collect());
            let first = frame(&encoded(&negotiation, 3, 1));
            let rest = [(3, 2), (1, 3), (0, 4)].map(|(key, id)| frame(&answer(key, version(key), id)));
            let mut data = (first.len() as u16).to_be_bytes().to_vec();
            data.extend(first);
            data.extend(rest.concat());
            (name.to_owned(), data)
        })
        .to_vec()
}

fn frame(answer: &[u8]) -> Vec<u8> {
    [(answer.len() as u32).to_be_bytes().as_slice(), answer].concat()
}

fn answer(key: i16, version: i16, correlation: i32) -> Vec<u8> {
    let name = || TopicName(text("orders"));
    let group = || GroupId(text("billing"));
    let id = uuid::Uuid::from_u128(42);
    match key {
        0 => {
            let mut partition = PartitionProduceResponse::default().with_base_offset(17);
            if version >= 8 {
                partition.error_code = 10;
                partition.error_message = Some(text("too large"));
            }
            let topic = TopicProduceResponse::default()
                .with_name(name())
                .with_topic_id(id)
                .with_partition_responses(vec![partition.clone(), partition.with_index(1)]);
            encoded(
                &ProduceResponse::default().with_responses(vec![topic]),
                version,
                correlation,
            )
        }
        1 => {
            let partition = PartitionData::default()
                .with_high_watermark(9)
                .with_aborted_transactions(Some(vec![AbortedTransaction::default()]))
                .with_records(Some(Bytes::from_static(&[7; 300])));
            let topic = FetchableTopicResponse::default().with_partitions(vec![partition]);
            let topic = if version >= 13 {
                topic.with_topic_id(id)
            } else {
                topic.with_topic(name())
            };
            encoded(
                &FetchResponse::default().with_responses(vec![topic]),
                version,
                correlation,
            )
        }
        2 => {
            let partition = ListOffsetsPartitionResponse::default()
                .with_offset(5)
                .with_timestamp(6);
            let topic = ListOffsetsTopicResponse::default()
                .with_name(name())
                .with_partitions(vec![partition]);
            encoded(
                &ListOffsetsResponse::default().with_topics(vec![topic]),
                version,
                correlation,
            )
        }
        3 => {
            let broker = MetadataResponseBroker::default()
                .with_host(text("127.0.0.1"))
                .with_port(9092)
                .with_rack(Some(text("r")));
            let partition = MetadataResponsePartition::default()
                .with_replica_nodes(vec![BrokerId(1), BrokerId(2)])
                .with_isr_nodes(vec![BrokerId(1)]);
            let topic = MetadataResponseTopic::default()
                .with_name(Some(name()))
                .with_partitions(vec![partition; 3]);
            let answer = MetadataResponse::default()
                .with_brokers(vec![broker; 2])
                .with_cluster_id(Some(text("4L6g3nShT")))
                .with_topics(vec![topic; 2]);
            encoded(&answer, version, correlation)
        }
        8 => {
            let partition = OffsetCommitResponsePartition::default().with_error_code(25);
            let topic = OffsetCommitResponseTopic::default()
                .with_name(name())
                .with_partitions(vec![partition; 2]);
            encoded(
                &OffsetCommitResponse::default().with_topics(vec![topic]),
                version,
                correlation,
            )
        }
        9 => {
            let answer = match version {
                ..8 => {
                    let partition = OffsetFetchResponsePartition::default()
                        .with_committed_offset(7)
                        .with_metadata(Some(text("m")));
                    let topic = OffsetFetchResponseTopic::default()
                        .with_name(name())
                        .with_partitions(vec![partition; 2]);
                    OffsetFetchResponse::default().with_topics(vec![topic])
                }
                _ => {
                    let partition = OffsetFetchResponsePartitions::default()
                        .with_committed_offset(7)
                        .with_metadata(Some(text("m")));
                    let topic = OffsetFetchResponseTopics::default()
                        .with_name(name())
                        .with_partitions(vec![partition; 2]);
                    let group = OffsetFetchResponseGroup::default()
                        .with_group_id(group())
                        .with_topics(vec![topic]);
                    OffsetFetchResponse::default().with_groups(vec![group; 2])
                }
            };
            encoded(&answer, version, correlation)
        }
        10 => {
            let answer = match version {
                ..4 => FindCoordinatorResponse::default()
                    .with_host(text("127.0.0.1"))
                    .with_port(9092),
                _ => {
                    let found = Coordinator::default().with_key(text("mirror-7"));
                    FindCoordinatorResponse::default()
                        .with_coordinators(vec![found.with_host(text("127.0.0.1")).with_port(9092)])
                }
            };
            encoded(&answer, version, correlation)
        }
        15 => {
            let member = DescribedGroupMember::default()
                .with_member_id(text("m-1"))
                .with_client_id(text("reader"))
                .with_member_metadata(Bytes::from_static(&[0; 9]));
            let described = describe_groups_response::DescribedGroup::default()
                .with_group_id(group())
                .with_group_state(text("Stable"))
                .with_members(vec![member; 2]);
            encoded(
                &DescribeGroupsResponse::default().with_groups(vec![described]),
                version,
                correlation,
            )
        }
        16 => {
            let mut listed = ListedGroup::default()
                .with_group_id(group())
                .with_protocol_type(text("consumer"));
            if version >= 4 {
                listed.group_state = text("Empty");
            }
            if version >= 5 {
                listed.group_type = text("Classic");
            }
            encoded(
                &ListGroupsResponse::default().with_groups(vec![listed; 2]),
                version,
                correlation,
            )
        }
        18 => {
            let api = ApiVersion::default().with_api_key(3).with_max_version(12);
            encoded(
                &ApiVersionsResponse::default().with_api_keys(vec![api; 4]),
                version,
                correlation,
            )
        }
        19 => {
            let mut topic = CreatableTopicResult::default().with_name(name());
            if version >= 5 {
                let config = CreatableTopicConfigs::default().with_name(text("retention.ms"));
                topic.configs = Some(vec![config.with_value(Some(text("5")))]);
            }
            encoded(
                &CreateTopicsResponse::default().with_topics(vec![topic]),
                version,
                correlation,
            )
        }
        20 => {
            let topic = DeletableTopicResult::default()
                .with_name(Some(name()))
                .with_error_code(3);
            encoded(
                &DeleteTopicsResponse::default().with_responses(vec![topic]),
                version,
                correlation,
            )
        }
        21 => {
            let partition = DeleteRecordsPartitionResult::default().with_low_watermark(7);
            let topic = DeleteRecordsTopicResult::default()
                .with_name(name())
                .with_partitions(vec![partition.clone(), partition.with_partition_index(1)]);
            encoded(
                &DeleteRecordsResponse::default().with_topics(vec![topic]),
                version,
                correlation,
            )
        }
        22 => encoded(&InitProducerIdResponse::default(), version, correlation),
        24 => {
            let partition = AddPartitionsToTxnPartitionResult::default().with_partition_error_code(55);
            let topic = AddPartitionsToTxnTopicResult::default()
                .with_name(name())
                .with_results_by_partition(vec![partition.clone(), partition.with_partition_index(1)]);
            let answer =
                AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(vec![topic]);
            encoded(&answer, version, correlation)
        }
        26 => encoded(
            &EndTxnResponse::default().with_error_code(90),
            version,
            correlation,
        ),
        32 => {
            let synonym = DescribeConfigsSynonym::default().with_name(text("log.retention.ms"));
            let config = DescribeConfigsResourceResult::default()
                .with_name(text("retention.ms"))
                .with_value(Some(text("604800000")))
                .with_synonyms(vec![synonym]);
            let result = DescribeConfigsResult::default()
                .with_resource_name(text("orders"))
                .with_configs(vec![config; 2]);
            encoded(
                &DescribeConfigsResponse::default().with_results(vec![result]),
                version,
                correlation,
            )
        }
        37 => {
            let result = CreatePartitionsTopicResult::default().with_name(name());
            encoded(
                &CreatePartitionsResponse::default().with_results(vec![result]),
                version,
                correlation,
            )
        }
        44 => {
            let result = AlterConfigsResourceResponse::default()
                .with_error_code(40)
                .with_error_message(Some(text("no such value")))
                .with_resource_type(2)
                .with_resource_name(text("orders"));
            encoded(
                &IncrementalAlterConfigsResponse::default().with_responses(vec![result; 2]),
                version,
                correlation,
            )
        }
        61 => {
            let producer = ProducerState::default()
                .with_producer_id(4000.into())
                .with_last_sequence(17);
            let partition = PartitionResponse::default().with_active_producers(vec![producer; 2]);
            let topic = TopicResponse::default()
                .with_name(name())
                .with_partitions(vec![partition]);
            encoded(
                &DescribeProducersResponse::default().with_topics(vec![topic]),
                version,
                correlation,
            )
        }
        69 => {
            let partitions = TopicPartitions::default()
                .with_topic_id(id)
                .with_topic_name(name())
                .with_partitions(vec![0, 1]);
            let member = Member::default()
                .with_member_id(text("m-1"))
                .with_subscribed_topic_names(vec![name()])
                .with_assignment(Assignment::default().with_topic_partitions(vec![partitions]));
            let described = consumer_group_describe_response::DescribedGroup::default()
                .with_group_id(group())
                .with_group_state(text("Stable"))
                .with_members(vec![member; 2]);
            let answer = ConsumerGroupDescribeResponse::default().with_groups(vec![described]);
            encoded(&answer, version, correlation)
        }
        // Whatever there is: nothing in it.
        _ => [correlation.to_be_bytes().as_slice(), &[0; 40]].concat(),
    }
}

fn encoded<A: Encodable + HeaderVersion>(answer: &A, version: i16, correlation: i32) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    bytes.put_i32(correlation);
    if A::header_version(version) > 0 {
        bytes.put_u8(0);
    }
    answer.encode(&mut bytes, version).unwrap();
    bytes.to_vec()
}

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}
