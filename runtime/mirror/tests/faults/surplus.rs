//! Preserved offsets, and a marker too many: a coordinator that is killed after it has written a marker, and before it has noted that, writes it once more. No record of the
//! source is passed over for it, whoever goes on, and however often.

use towpath_domain::TopicName;
use towpath_wire::{Topics, positions::transactional_id};

use super::{
    mirror::{Mirror, POSITIONS, prepare_with},
    pair::{PARTITIONS, Pair, TOPIC, Writer},
    wait,
};

const PRESERVE: [(&str, &str); 1] = [("offsets.mode", "preserve")];
/// The one with the marker, and the other.
const STATES: [&str; 2] = ["mirroring", "target-diverged"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_marker_where_the_source_has_a_record_stops_the_partition_at_every_start() {
    let pair = Pair::start(1, 580).await;
    let mut writer = Writer::new(&pair.source).await;
    writer.write_all(2, 20).await;
    writer.try_mark(1).await.unwrap();
    writer.write_all(1, 20).await;
    let mirror = Mirror::run(prepare_with(&pair, &PRESERVE).await.unwrap());
    let arrived = || pair.compare_places() == Ok(());
    wait::until(arrived, || format!("{:?}", pair.compare_places())).await;
    mirror.stop().await;
    // As the bucket's own producer leaves it.
    let id = transactional_id(POSITIONS, "faults", writer.bucket(1));
    Writer::new(&pair.target).await.mark_as(&id, 1).await.unwrap();
    let end = pair.rows(1).1.len();
    // The source has nothing there yet; then it has a record.
    for _ in 0..3 {
        let mirror = Mirror::run(prepare_with(&pair, &PRESERVE).await.unwrap());
        wait::until(|| mirror.states() == STATES, || format!("{:?}", mirror.states())).await;
        writer.write_all(1, 20).await;
        let here = || pair.rows(0).0 == pair.rows(0).1;
        wait::until(here, || "the other partition does not go on".to_owned()).await;
        mirror.kill().await;
        assert_eq!(pair.rows(1).1.len(), end, "nothing is written behind it");
    }
    pair.shutdown().await;
}

/// A topic that is being filled: its logs begin behind offset 0, and nobody may read them yet.
async fn filled(seed: u64) -> (Pair, Writer) {
    let pair = Pair::start(1, seed).await;
    let mut writer = Writer::new(&pair.source).await;
    writer.write_all(3, 20).await;
    for partition in 0..PARTITIONS {
        writer.delete_before(partition, 25).await;
    }
    go_on(&pair).await;
    (pair, writer)
}

/// Runs until all is there, and the topic is still `filling`.
async fn go_on(pair: &Pair) {
    let mirror = Mirror::run(prepare_with(pair, &PRESERVE).await.unwrap());
    let arrived = || pair.compare_places() == Ok(()) && mirror.states() == ["filling"; 2];
    wait::until(arrived, || {
        format!("{:?} {:?}", pair.compare_places(), mirror.status())
    })
    .await;
    mirror.stop().await;
}

async fn mark_on_target(pair: &Pair, writer: &Writer) {
    let id = transactional_id(POSITIONS, "faults", writer.bucket(1));
    Writer::new(&pair.target).await.mark_as(&id, 1).await.unwrap();
}

async fn target_id(target: &Writer) -> towpath_domain::TopicId {
    let topics = Topics::Names(vec![TopicName::new(TOPIC)]);
    target.client.metadata(topics).await.unwrap()[0].id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_nobody_may_read_yet_is_deleted_and_filled_again() {
    let (pair, mut writer) = filled(581).await;
    let target = Writer::new(&pair.target).await;
    let mut ids = vec![target_id(&target).await];
    for _ in 0..2 {
        mark_on_target(&pair, &writer).await;
        writer.write_all(1, 20).await;
        go_on(&pair).await;
        ids.push(target_id(&target).await);
    }
    // Whoever has deleted it, a worker that was killed then or an operator.
    let deleted = target
        .client
        .delete_topics(&[TopicName::new(TOPIC)])
        .await
        .unwrap();
    deleted.into_iter().for_each(|(_, result)| result.unwrap());
    writer.write_all(1, 20).await;
    go_on(&pair).await;
    ids.push(target_id(&target).await);
    ids.dedup();
    assert_eq!(ids.len(), 4, "it is another topic each time");
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_somebody_else_has_written_to_is_not_deleted() {
    let (pair, writer) = filled(582).await;
    let mut target = Writer::new(&pair.target).await;
    let id = target_id(&target).await;
    target.write(1, 3).await;
    mark_on_target(&pair, &writer).await;
    let mirror = Mirror::run(prepare_with(&pair, &PRESERVE).await.unwrap());
    let stopped = ["filling", "target-diverged"];
    wait::until(|| mirror.states() == stopped, || format!("{:?}", mirror.status())).await;
    mirror.stop().await;
    assert_eq!(target_id(&target).await, id);
    pair.shutdown().await;
}
