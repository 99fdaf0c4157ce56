//! Groups by the data plane's own client: listed, described, their offsets read and set, wherever their coordinators are.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod support;

use support::{connect, partition};
use towpath_domain::{GroupId, Offset, TopicPartition};
use towpath_embedded::{Cluster, CoordinatorKind, Options};
use towpath_wire::{GroupType, KafkaError};

/// More than one request can be about, and on each of three brokers.
const GROUPS: usize = 350;

#[tokio::test]
async fn the_offsets_of_many_groups_come_from_all_their_coordinators() {
    let cluster = Cluster::start(Options::brokers(3).topic("orders", 2))
        .await
        .unwrap();
    let client = connect(&cluster).await;
    let groups: Vec<_> = (0..GROUPS)
        .map(|number| GroupId(format!("group-{number}")))
        .collect();
    for (group, offset) in groups.iter().zip(0..) {
        let offsets = [(partition(), Offset(offset), format!("of {group}"))];
        let results = client.commit_group_offsets(group, &offsets).await;
        assert!(results.into_values().all(|result| result.is_ok()));
    }
    // What is known of coordinators is no longer true of all.
    for group in &groups[..100] {
        let moved = 1 + cluster.coordinator(CoordinatorKind::Group, &group.0).unwrap() % 3;
        cluster
            .move_coordinator(CoordinatorKind::Group, &group.0, moved)
            .unwrap();
    }
    let found = client.group_offsets(&groups).await;
    assert_eq!(found.len(), GROUPS);
    for (group, offset) in groups.iter().zip(0..) {
        let offsets = found[group].as_ref().unwrap();
        let committed = &offsets[&partition()];
        assert_eq!((offsets.len(), committed.offset), (1, Offset(offset)));
        assert_eq!(committed.metadata, format!("of {group}"));
    }
    let listed = client.list_groups().await.unwrap();
    assert_eq!(listed.len(), GROUPS);
    assert!(listed.iter().all(|group| group.is_active() == Some(false)));
    assert_eq!(listed[0].group_type, Some(GroupType::Classic));
    let described = client.describe_groups(&groups).await;
    let is_empty = |group: &GroupId| {
        let group = described[group].as_ref().unwrap();
        group.state == "Empty" && group.members.is_empty()
    };
    assert!(groups.iter().all(is_empty));
}

#[tokio::test]
async fn a_group_that_is_not_there_has_no_offsets_and_no_description() {
    let cluster = Cluster::start(Options::default().topic("orders", 1))
        .await
        .unwrap();
    let client = connect(&cluster).await;
    let absent = GroupId("absent".to_owned());
    let groups = std::slice::from_ref(&absent);
    assert!(client.list_groups().await.unwrap().is_empty());
    let error = client.describe_groups(groups).await.remove(&absent).unwrap();
    assert_eq!(error.unwrap_err().kafka(), Some(KafkaError::GROUP_ID_NOT_FOUND));
    let offsets = client.group_offsets(groups).await.remove(&absent).unwrap();
    assert!(offsets.unwrap().is_empty());
    // With the first offset it is there; a topic that is not keeps its own error.
    let nowhere = TopicPartition::new("nowhere", 0);
    let offsets = [partition(), nowhere.clone()].map(|partition| (partition, Offset(7), String::new()));
    let results = client.commit_group_offsets(&absent, &offsets).await;
    assert!(results[&partition()].is_ok());
    let error = results[&nowhere].as_ref().unwrap_err();
    assert_eq!(error.kafka(), Some(KafkaError::UNKNOWN_TOPIC_OR_PARTITION));
    assert_eq!(client.list_groups().await.unwrap().len(), 1);
}
