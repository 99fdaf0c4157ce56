use kafka_protocol::messages::{
    CreatePartitionsRequest, DeleteTopicsRequest, DescribeTopicPartitionsRequest, MetadataRequest,
    create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic},
    create_topics_request::CreatableReplicaAssignment,
    delete_topics_request::DeleteTopicState,
    describe_topic_partitions_request::TopicRequest,
    metadata_request::MetadataRequestTopic,
};
use uuid::Uuid;

use crate::{
    connection::{Connection, create, eventually, new_topic, topic_name},
    target::Target,
};

fn metadata(topics: &[MetadataRequestTopic]) -> MetadataRequest {
    MetadataRequest::default()
        .with_allow_auto_topic_creation(false)
        .with_topics(Some(topics.to_vec()))
}

fn by_name(name: &str) -> MetadataRequestTopic {
    MetadataRequestTopic::default().with_name(Some(topic_name(name)))
}

/// 0 when the topic is there.
fn error_of(connection: &mut Connection, name: &str) -> i16 {
    connection.call(&metadata(&[by_name(name)]), 12).topics[0].error_code
}

fn eventually_has(connection: &mut Connection, topic: &str, partitions: usize) {
    eventually("so many partitions", || {
        let answer = connection.call(&metadata(&[by_name(topic)]), 12);
        answer.topics[0].partitions.len() == partitions
    });
}

pub fn topics_are_created_as_asked(target: &Target) {
    let mut connection = target.connect();
    for version in 2..=7 {
        let name = format!("created-{version}");
        let topic = new_topic(&name, 3, &[("retention.ms", "1000")]);
        let answer = connection.call(&create(&[topic]), version);
        let result = &answer.topics[0];
        assert_eq!((result.error_code, result.name.as_str()), (0, name.as_str()));
        if version >= 5 {
            assert_eq!((result.num_partitions, result.replication_factor), (3, 1));
            let configs = result.configs.as_ref().unwrap();
            let value = |key: &str| {
                let config = configs.iter().find(|config| *config.name == *key).unwrap();
                (config.value.as_ref().unwrap().to_string(), config.config_source)
            };
            assert_eq!(value("retention.ms"), ("1000".to_owned(), 1));
            assert_eq!(value("cleanup.policy"), ("delete".to_owned(), 5));
        }
        assert_eq!(result.topic_id.is_nil(), version < 7);
    }
    // -1: the broker's defaults.
    let default = new_topic("created-default", -1, &[]).with_replication_factor(-1);
    let answer = connection.call(&create(&[default]), 7);
    let result = &answer.topics[0];
    assert_eq!(
        (
            result.error_code,
            result.num_partitions,
            result.replication_factor
        ),
        (0, 1, 1)
    );
}

pub fn impossible_topics_are_refused(target: &Target) {
    let mut connection = target.connect();
    connection.create_topic("taken.name", 1, &[]);
    let cases = [
        (new_topic("taken.name", 1, &[]), 36),
        (new_topic("taken_name", 1, &[]), 17),
        (new_topic("", 1, &[]), 17),
        (new_topic("..", 1, &[]), 17),
        (new_topic("a b", 1, &[]), 17),
        (new_topic(&"x".repeat(250), 1, &[]), 17),
        (new_topic("no-partitions", 0, &[]), 37),
        (new_topic("minus-partitions", -2, &[]), 37),
        (new_topic("too-replicated", 1, &[]).with_replication_factor(5), 38),
        (new_topic("not-replicated", 1, &[]).with_replication_factor(0), 38),
        (new_topic("odd-config", 1, &[("no.such.key", "1")]), 40),
        (new_topic("odd-value", 1, &[("retention.ms", "a week")]), 40),
        (new_topic("odd-policy", 1, &[("cleanup.policy", "shred")]), 40),
        (new_topic("low-value", 1, &[("max.message.bytes", "-5")]), 40),
    ];
    for (topic, code) in cases {
        let name = topic.name.to_string();
        let answer = connection.call(&create(&[topic]), 7);
        let result = &answer.topics[0];
        assert_eq!(result.error_code, code, "{name}: {:?}", result.error_message);
        assert!(result.error_message.is_some());
        if code != 36 && !name.is_empty() {
            assert_ne!(error_of(&mut connection, &name), 0, "{name} is not there");
        }
    }
    let twice = [
        new_topic("twice", 1, &[]),
        new_topic("once", 1, &[]),
        new_topic("twice", 2, &[]),
    ];
    let answer = connection.call(&create(&twice), 7);
    let mut codes: Vec<_> = answer
        .topics
        .iter()
        .map(|topic| (topic.name.to_string(), topic.error_code))
        .collect();
    codes.sort_unstable();
    assert_eq!(codes, [("once".to_owned(), 0), ("twice".to_owned(), 42)]);
}

pub fn partitions_are_assigned_by_hand(target: &Target) {
    let mut connection = target.connect();
    let assigned = |name: &str, partitions: &[(i32, &[i32])]| {
        let assignment = |(index, brokers): &(i32, &[i32])| {
            CreatableReplicaAssignment::default()
                .with_partition_index(*index)
                .with_broker_ids(brokers.iter().map(|id| (*id).into()).collect())
        };
        new_topic(name, -1, &[])
            .with_replication_factor(-1)
            .with_assignments(partitions.iter().map(assignment).collect())
    };
    let cases = [
        (assigned("assigned", &[(0, &[1]), (1, &[1])]), 0),
        (assigned("assigned-gap", &[(0, &[1]), (2, &[1])]), 39),
        (assigned("assigned-nowhere", &[(0, &[])]), 39),
        (assigned("assigned-unknown", &[(0, &[77])]), 39),
        (assigned("assigned-twice", &[(0, &[1, 1])]), 39),
        (
            assigned("assigned-counted", &[(0, &[1])]).with_num_partitions(1),
            42,
        ),
    ];
    for (topic, code) in cases {
        let name = topic.name.to_string();
        let answer = connection.call(&create(&[topic]), 7);
        assert_eq!(
            answer.topics[0].error_code, code,
            "{name}: {:?}",
            answer.topics[0].error_message
        );
    }
    eventually_has(&mut connection, "assigned", 2);
}

pub fn validation_creates_nothing(target: &Target) {
    let mut connection = target.connect();
    let request = create(&[new_topic("validated", 2, &[])]).with_validate_only(true);
    let answer = connection.call(&request, 7);
    assert_eq!(
        (answer.topics[0].error_code, answer.topics[0].num_partitions),
        (0, 2)
    );
    assert_eq!(error_of(&mut connection, "validated"), 3);
}

pub fn topics_are_deleted_by_name_and_id(target: &Target) {
    let mut connection = target.connect();
    connection.create_topic("gone", 1, &[]);
    let names = |names: &[&str]| {
        DeleteTopicsRequest::default()
            .with_timeout_ms(30_000)
            .with_topic_names(names.iter().map(|name| topic_name(name)).collect())
    };
    for version in 1..=5 {
        if version > 1 {
            connection.create_topic("gone", 1, &[]);
        }
        let answer = connection.call(&names(&["gone", "never-was"]), version);
        let mut codes: Vec<_> = answer
            .responses
            .iter()
            .map(|result| (result.name.as_ref().unwrap().to_string(), result.error_code))
            .collect();
        codes.sort_unstable();
        assert_eq!(codes, [("gone".to_owned(), 0), ("never-was".to_owned(), 3)]);
        eventually("a topic to be gone", || error_of(&mut connection, "gone") == 3);
    }
    let id = connection.create_topic("gone", 1, &[]);
    let state = |id, name: Option<&str>| {
        DeleteTopicState::default()
            .with_topic_id(id)
            .with_name(name.map(topic_name))
    };
    for (topic, code) in [
        (state(id, None), 0),
        (state(id, None), 100),
        (state(Uuid::nil(), Some("gone")), 3),
    ] {
        let request = DeleteTopicsRequest::default()
            .with_timeout_ms(30_000)
            .with_topics(vec![topic]);
        let answer = connection.call(&request, 6);
        assert_eq!(answer.responses[0].error_code, code);
    }
    eventually("the topic to be gone", || error_of(&mut connection, "gone") == 3);
    // The same name again is another topic.
    assert_ne!(connection.create_topic("gone", 1, &[]), id);
}

pub fn partitions_are_added(target: &Target) {
    let mut connection = target.connect();
    connection.create_topic("grows", 2, &[]);
    let more = |name: &str, count, assigned: Option<&[&[i32]]>| {
        let assignment = |brokers: &&[i32]| {
            CreatePartitionsAssignment::default()
                .with_broker_ids(brokers.iter().map(|id| (*id).into()).collect())
        };
        CreatePartitionsTopic::default()
            .with_name(topic_name(name))
            .with_count(count)
            .with_assignments(assigned.map(|assigned| assigned.iter().map(assignment).collect()))
    };
    for (topic, validate_only, code) in [
        (more("grows", 4, None), true, 0),
        (more("grows", 4, None), false, 0),
        (more("grows", 4, None), false, 37),
        (more("grows", 3, None), false, 37),
        (more("grows", -1, None), false, 37),
        (more("grows-not", 3, None), false, 3),
        (more("grows", 5, Some(&[&[1]])), false, 0),
        (more("grows", 7, Some(&[&[1]])), false, 39),
        (more("grows", 6, Some(&[&[77]])), false, 39),
    ] {
        let request = CreatePartitionsRequest::default()
            .with_timeout_ms(30_000)
            .with_validate_only(validate_only)
            .with_topics(vec![topic.clone()]);
        let answer = connection.call(&request, 3);
        assert_eq!(
            answer.results[0].error_code, code,
            "{topic:?}: {:?}",
            answer.results[0].error_message
        );
    }
    eventually_has(&mut connection, "grows", 5);
}

pub fn metadata_tells_of_topics_by_name_and_id(target: &Target) {
    let mut connection = target.connect();
    let id = connection.create_topic("metadata", 2, &[]);
    for version in 1..=13 {
        let answer = connection.call(
            &metadata(&[by_name("metadata")]).with_allow_auto_topic_creation(version < 4),
            version,
        );
        assert_eq!(answer.brokers.len(), 1);
        let broker = &answer.brokers[0];
        assert_eq!(
            format!("{}:{}", broker.host.as_str(), broker.port),
            target.bootstrap
        );
        assert_eq!((broker.node_id.0, broker.rack.is_none()), (1, true));
        assert_eq!(answer.cluster_id.is_some(), version >= 2);
        let topic = &answer.topics[0];
        assert_eq!((topic.error_code, topic.is_internal), (0, false));
        assert_eq!(topic.topic_id, if version >= 10 { id } else { Uuid::nil() });
        let mut partitions = topic.partitions.clone();
        partitions.sort_unstable_by_key(|partition| partition.partition_index);
        for (index, partition) in (0..).zip(&partitions) {
            assert_eq!(
                (
                    partition.error_code,
                    partition.partition_index,
                    partition.leader_id.0
                ),
                (0, index, 1)
            );
            assert_eq!(partition.leader_epoch, if version >= 7 { 0 } else { -1 });
            assert!(partition.replica_nodes.iter().eq(&partition.isr_nodes));
            assert!(partition.offline_replicas.is_empty());
        }
        assert_eq!(partitions.len(), 2);
    }
    let by_id = |id| MetadataRequestTopic::default().with_name(None).with_topic_id(id);
    let answer = connection.call(&metadata(&[by_id(id), by_id(Uuid::from_u128(5))]), 12);
    let known = answer.topics.iter().find(|topic| topic.topic_id == id).unwrap();
    assert_eq!(
        (known.error_code, known.name.as_ref().unwrap().as_str()),
        (0, "metadata")
    );
    let unknown = answer.topics.iter().find(|topic| topic.topic_id != id).unwrap();
    assert_eq!((unknown.error_code, unknown.name.is_none()), (100, true));
    assert_eq!(error_of(&mut connection, "metadata-unknown"), 3);
    assert_eq!(error_of(&mut connection, "a b"), 17);
    // Null is all, an empty list is none.
    let all = connection.call(&MetadataRequest::default().with_topics(None), 12);
    assert!(all.topics.iter().any(|topic| topic.topic_id == id));
    assert!(connection.call(&metadata(&[]), 12).topics.is_empty());
    let operations = metadata(&[by_name("metadata")]).with_include_topic_authorized_operations(true);
    let answer = connection.call(&operations, 12);
    assert_eq!(answer.topics[0].topic_authorized_operations, 0b1101_1111_1000);
    let answer = connection.call(&metadata(&[by_name("metadata")]), 12);
    assert_eq!(answer.topics[0].topic_authorized_operations, i32::MIN);
}

pub fn topics_are_described_in_pages(target: &Target) {
    let mut connection = target.connect();
    for name in ["page-a", "page-b"] {
        connection.create_topic(name, 3, &[]);
    }
    let topic = |name: &str| TopicRequest::default().with_name(topic_name(name));
    let mut request = DescribeTopicPartitionsRequest::default()
        .with_topics(vec![topic("page-b"), topic("page-a"), topic("page-none")])
        .with_response_partition_limit(2)
        .with_cursor(None);
    let mut pages = Vec::new();
    loop {
        let answer = connection.call(&request, 0);
        for topic in &answer.topics {
            let partitions = topic
                .partitions
                .iter()
                .map(|partition| partition.partition_index)
                .collect::<Vec<_>>();
            pages.push((
                topic.name.as_ref().unwrap().to_string(),
                topic.error_code,
                partitions,
            ));
        }
        let Some(next) = answer.next_cursor else { break };
        let cursor = kafka_protocol::messages::describe_topic_partitions_request::Cursor::default()
            .with_topic_name(next.topic_name)
            .with_partition_index(next.partition_index);
        request.cursor = Some(cursor);
    }
    let of = |name: &str| -> Vec<i32> {
        pages
            .iter()
            .filter(|(topic, ..)| topic == name)
            .flat_map(|(_, _, partitions)| partitions.clone())
            .collect()
    };
    assert_eq!((of("page-a"), of("page-b")), (vec![0, 1, 2], vec![0, 1, 2]));
    assert!(pages.len() > 2, "in pages: {pages:?}");
    assert!(
        pages
            .iter()
            .any(|(name, code, _)| name == "page-none" && *code == 3)
    );
}
