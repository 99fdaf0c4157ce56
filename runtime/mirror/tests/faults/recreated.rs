//! Topics of the target that are deleted, and created again under their names, while they are mirrored to.

use towpath_embedded::{Cluster, NewTopic};

use super::{
    content,
    mirror::{Mirror, POSITIONS, prepare, prepare_as},
    pair::{PARTITIONS, Pair, TOPIC, Writer},
    wait,
};

const STOPPED: [&str; PARTITIONS as usize] = ["target-recreated"; PARTITIONS as usize];
const MIRRORING: [&str; PARTITIONS as usize] = ["mirroring"; PARTITIONS as usize];

/// Two clusters, and a mirror that has mirrored everything there is.
async fn mirrored(seed: u64) -> (Pair, Writer, Mirror) {
    let pair = Pair::start(1, seed).await;
    let mut writer = Writer::new(&pair.source).await;
    writer.write_all(3, 20).await;
    let mirror = Mirror::run(prepare(&pair).await.unwrap());
    until("everything to be mirrored", || pair.compare(0).is_ok()).await;
    (pair, writer, mirror)
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    wait::until(is_so, || what.to_owned()).await;
}

fn create_again(target: &Cluster) {
    target.delete_topic(TOPIC).unwrap();
    target.create_topic(&NewTopic::new(TOPIC, PARTITIONS)).unwrap();
}

fn is_empty(pair: &Pair) -> bool {
    (0..PARTITIONS).all(|partition| pair.rows(partition).1.is_empty())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_gets_into_a_topic_that_was_created_again_until_it_is_mirrored_anew() {
    let (pair, mut writer, mirror) = mirrored(100).await;
    create_again(&pair.target);
    // One partition has nothing to write: it stops all the same.
    writer.write(0, 20).await;
    until("both partitions to stop", || mirror.states() == STOPPED).await;
    let trace = mirror.failed().unwrap();
    assert!(
        trace.contains("lacks them; stop the worker and decide by"),
        "{trace}"
    );
    mirror.stop().await;

    let mirror = Mirror::run(prepare(&pair).await.unwrap());
    until("both to be stopped from the start", || mirror.states() == STOPPED).await;
    mirror.stop().await;
    assert!(is_empty(&pair));

    let mirror = Mirror::run(prepare_as(&pair, "anew", &[]).await.unwrap());
    until("everything to be there", || pair.compare(0) == Ok(0)).await;
    mirror.stop().await;
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_was_deleted_before_a_start_is_not_gone_on_with() {
    let (pair, mut writer, mirror) = mirrored(101).await;
    mirror.stop().await;
    pair.target.delete_topic(TOPIC).unwrap();
    writer.write_all(1, 20).await;
    let mirror = Mirror::run(prepare(&pair).await.unwrap());
    until("both partitions to stop", || mirror.states() == STOPPED).await;
    mirror.stop().await;
    assert!(is_empty(&pair));
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_had_nothing_is_as_good_when_it_was_created_again() {
    let pair = Pair::start(1, 102).await;
    let mut writer = Writer::new(&pair.source).await;
    let mirror = Mirror::run(prepare(&pair).await.unwrap());
    until("the partitions to be taken up", || mirror.states() == MIRRORING).await;
    create_again(&pair.target);
    writer.write_all(2, 20).await;
    let in_vain = || format!("everything to be mirrored: {:?}", mirror.failed());
    wait::until(|| pair.compare(0) == Ok(0), in_vain).await;
    mirror.stop().await;

    // Nor does the next start find anything wrong.
    let mirror = Mirror::run(prepare(&pair).await.unwrap());
    writer.write_all(1, 20).await;
    until("the rest to be mirrored", || pair.compare(0) == Ok(0)).await;
    mirror.stop().await;
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_has_lost_what_was_acknowledged_stops_its_partition_alone() {
    let (pair, mut writer, mirror) = mirrored(103).await;
    mirror.stop().await;
    pair.target.truncate(TOPIC, 0, 7).unwrap();
    let mirror = Mirror::run(prepare(&pair).await.unwrap());
    until("partition 0 to stop", || {
        mirror.states() == ["target-diverged", "mirroring"]
    })
    .await;
    writer.write_all(1, 20).await;
    until("partition 1 to go on", || {
        let (source, target) = pair.rows(1);
        source == target
    })
    .await;
    let trace = mirror.failed().unwrap();
    assert!(trace.contains("its log ends at"), "{trace}");
    mirror.stop().await;
    assert!(pair.rows(0).1.len() <= 7);
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_positions_that_was_created_again_gets_all_of_them() {
    let (pair, mut writer, mirror) = mirrored(104).await;
    let keys = |target: &Cluster| {
        let rows = (0..16).flat_map(|bucket| content::rows(target, POSITIONS, bucket));
        let keys: std::collections::HashSet<_> = rows.map(|row| row.key).collect();
        // Beside them is who has claimed them.
        let of_partitions = |key: &&Option<Vec<u8>>| {
            let key = key.as_deref().map(String::from_utf8_lossy);
            key.is_some_and(|key| key.contains("partition"))
        };
        keys.iter().filter(of_partitions).count()
    };
    until("both positions to be stored", || keys(&pair.target) == 2).await;
    pair.target.delete_topic(POSITIONS).unwrap();
    let table = NewTopic::new(POSITIONS, 16).config("cleanup.policy", "compact");
    pair.target.create_topic(&table).unwrap();
    // The other partition has nothing new to store.
    writer.write(0, 20).await;
    until("both positions to be stored again", || keys(&pair.target) == 2).await;
    mirror.stop().await;
    let mirror = Mirror::run(prepare(&pair).await.unwrap());
    writer.write_all(1, 20).await;
    until("everything to be there, once", || pair.compare(0) == Ok(0)).await;
    mirror.stop().await;
    pair.shutdown().await;
}
