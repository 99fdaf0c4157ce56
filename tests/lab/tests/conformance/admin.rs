use kafka_protocol::messages::{
    DescribeClusterRequest, DescribeLogDirsRequest, ElectLeadersRequest, InitProducerIdRequest,
    elect_leaders_request::TopicPartitions,
};

use crate::{batch::batch, connection::topic_name, target::Target};

pub fn the_cluster_is_described(target: &Target) {
    let mut connection = target.connect();
    for version in 0..=2 {
        let answer = connection.call(&DescribeClusterRequest::default().with_endpoint_type(1), version);
        assert_eq!((answer.error_code, answer.brokers.len()), (0, 1));
        assert!(!answer.cluster_id.is_empty());
        let broker = &answer.brokers[0];
        assert_eq!(
            format!("{}:{}", broker.host.as_str(), broker.port),
            target.bootstrap
        );
        assert_eq!((broker.broker_id.0, answer.controller_id.0), (1, 1));
        assert_eq!(answer.cluster_authorized_operations, i32::MIN);
    }
    let controllers = DescribeClusterRequest::default().with_endpoint_type(2);
    assert_eq!(connection.call(&controllers, 1).error_code, 114);
}

pub fn producer_ids_are_new(target: &Target) {
    let mut connection = target.connect();
    let mut ids: Vec<i64> = (0..=4)
        .map(|version| {
            let answer = connection.call(
                &InitProducerIdRequest::default().with_transactional_id(None),
                version,
            );
            assert_eq!((answer.error_code, answer.producer_epoch), (0, 0));
            answer.producer_id.0
        })
        .collect();
    assert!(ids.iter().all(|id| *id >= 0));
    ids.dedup();
    assert_eq!(ids.len(), 5);
}

pub fn log_dirs_have_sizes(target: &Target) {
    let topic = "log-dirs";
    let mut connection = target.connect();
    connection.create_topic(topic, 1, &[]);
    let records = batch(&["a"]).bytes();
    assert_eq!(connection.produce(topic, records.clone()).error_code, 0);
    let answer = connection.call(&DescribeLogDirsRequest::default().with_topics(None), 4);
    assert_eq!((answer.error_code, answer.results.len()), (0, 1));
    let described = &answer.results[0];
    let found = described
        .topics
        .iter()
        .find(|found| found.name.as_str() == topic)
        .unwrap();
    let partition = &found.partitions[0];
    assert_eq!(
        (partition.partition_size, partition.offset_lag),
        (records.len() as i64, 0)
    );
}

pub fn elections_that_are_not_needed_are_told(target: &Target) {
    let topic = "elected";
    let mut connection = target.connect();
    connection.create_topic(topic, 1, &[]);
    let partitions = TopicPartitions::default()
        .with_topic(topic_name(topic))
        .with_partitions(vec![0, 4]);
    let request = ElectLeadersRequest::default()
        .with_timeout_ms(30_000)
        .with_topic_partitions(Some(vec![partitions]));
    let answer = connection.call(&request, 2);
    assert_eq!(answer.error_code, 0);
    let mut told: Vec<_> = answer.replica_election_results[0]
        .partition_result
        .iter()
        .map(|result| (result.partition_id, result.error_code))
        .collect();
    told.sort_unstable();
    assert_eq!(told, [(0, 84), (4, 3)]);
    // Of all partitions at once, only those are told whose leader has changed.
    let all = connection.call(&request.with_topic_partitions(None), 2);
    let told = &all.replica_election_results;
    assert!(told.iter().any(|result| result.topic.as_str() == topic));
    assert!(told.iter().all(|result| result.partition_result.is_empty()));
}
