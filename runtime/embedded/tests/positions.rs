//! The table of positions, kept up to date: what is new is read, and a topic that was created again from its start.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod support;

use support::connect;
use towpath_domain::{
    ClusterId, GroupId, Offset, Partition, TopicId,
    offset_map::{Run, Runs},
};
use towpath_embedded::{Cluster, Options};
use towpath_wire::{
    Client, Topics,
    positions::{Checkpoint, CheckpointKey, Followed, PositionKey, Positions},
};

fn row(group: &str, target: i64) -> (CheckpointKey, Checkpoint) {
    let key = CheckpointKey {
        connector: "groups".to_owned(),
        group: GroupId(group.to_owned()),
        topic: "orders".into(),
        partition: Partition(0),
    };
    let checkpoint = Checkpoint {
        source: Offset(target + 1),
        target: Offset(target),
        before: None,
        late: None,
    };
    (key, checkpoint)
}

/// Opened by somebody else than the one who reads.
async fn table(cluster: &Cluster) -> (Client, Positions) {
    let client = connect(cluster).await;
    let positions = Positions::open(client.clone(), "positions", 1).await.unwrap();
    (client, positions)
}

fn offsets(followed: &Followed) -> Vec<(String, i64)> {
    let rows = followed.table.checkpoints.iter();
    let mut offsets: Vec<_> = rows
        .map(|(key, checkpoint)| (key.group.0.clone(), checkpoint.target.0))
        .collect();
    offsets.sort();
    offsets
}

#[tokio::test]
async fn a_table_that_is_followed_has_each_row_that_was_written_before() {
    let cluster = Cluster::start(Options::default()).await.unwrap();
    let (_, written) = table(&cluster).await;
    let (_, read) = table(&cluster).await;
    let mut followed = Followed::default();
    followed.refresh(&read).await.unwrap();
    assert_eq!(offsets(&followed), []);

    written.checkpoint(&[row("a", 5), row("b", 6)]).await.unwrap();
    followed.refresh(&read).await.unwrap();
    let first = [("a".to_owned(), 5), ("b".to_owned(), 6)];
    assert_eq!(offsets(&followed), first);
    followed.refresh(&read).await.unwrap();
    assert_eq!(offsets(&followed), first);

    // The last row counts, and what was read before stays.
    written.checkpoint(&[row("b", 7)]).await.unwrap();
    written.checkpoint(&[row("b", 9), row("c", 1)]).await.unwrap();
    followed.refresh(&read).await.unwrap();
    let all = [("a".to_owned(), 5), ("b".to_owned(), 9), ("c".to_owned(), 1)];
    assert_eq!(offsets(&followed), all);
    // As reading all of it says.
    assert_eq!(read.load().await.unwrap().checkpoints, followed.table.checkpoints);
    cluster.shutdown().await;
}

#[tokio::test]
async fn a_table_that_was_created_again_is_read_from_its_start() {
    let cluster = Cluster::start(Options::default()).await.unwrap();
    let (_, written) = table(&cluster).await;
    let (client, read) = table(&cluster).await;
    let mut followed = Followed::default();
    written.checkpoint(&[row("a", 5)]).await.unwrap();
    followed.refresh(&read).await.unwrap();
    assert_eq!(offsets(&followed).len(), 1);

    cluster.delete_topic("positions").unwrap();
    let (_, anew) = table(&cluster).await;
    // As many as there were, and others.
    anew.checkpoint(&[row("b", 6)]).await.unwrap();
    client
        .metadata(Topics::Names(vec!["positions".into()]))
        .await
        .unwrap();
    followed.refresh(&read).await.unwrap();
    assert_eq!(offsets(&followed), [("b".to_owned(), 6)]);
    cluster.shutdown().await;
}

#[tokio::test]
async fn chunks_that_hold_no_more_are_taken_away_and_those_of_others_stay() {
    let cluster = Cluster::start(Options::default()).await.unwrap();
    let (client, positions) = table(&cluster).await;
    assert!(positions.sealed().await.unwrap().is_none());
    let topics = client.metadata(Topics::All).await.unwrap();
    let is_there = topics.iter().any(|topic| topic.name.as_str() == "positions-runs");
    assert!(!is_there, "looking creates no topic");

    let key = |partition| PositionKey {
        connector: "orders".to_owned(),
        source: ClusterId("west".to_owned()),
        topic: TopicId::ZERO,
        partition: Partition(partition),
    };
    let runs = |all: &[(i64, i64)]| -> Runs {
        let run = |&(source, target): &(i64, i64)| Run {
            source: Offset(source),
            target: Offset(target),
        };
        all.iter().map(run).collect()
    };
    let chunks = [
        (key(0), runs(&[(0, 0), (20, 10)])),
        (key(0), runs(&[(20, 10), (40, 20)])),
        (key(1), runs(&[(0, 0), (30, 10)])),
    ];
    positions.seal(chunks.to_vec()).await.unwrap();
    let mut sealed = positions.sealed().await.unwrap().unwrap();
    assert!(sealed.of(&key(0), Offset(25)).await.unwrap().is_some());
    positions.unseal(&sealed, &[key(0)]).await.unwrap();
    sealed.refresh().await.unwrap();
    assert_eq!(sealed.oldest(&key(0)), None);
    assert_eq!(
        sealed.of(&key(1), Offset(5)).await.unwrap(),
        Some(chunks[2].1.clone())
    );
    cluster.shutdown().await;
}
