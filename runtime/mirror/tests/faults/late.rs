//! Preserved offsets of records so old that brokers forget their producer at once: batches of a former owner, or of a connection that was lost, come when nobody knows of them
//! any more.

use std::time::Duration;

use futures::future::join_all;
use towpath_embedded::{Action, ApiKey, Rule};

use super::{
    mirror::{Mirror, prepare_with},
    pair::{PARTITIONS, Pair, TOPIC, Writer},
    wait,
};

const PRESERVE: [(&str, &str); 1] = [("offsets.mode", "preserve")];

async fn arrival(pair: &Pair, mirror: &Mirror) {
    wait::until(
        || pair.compare_places() == Ok(()),
        || format!("{:?}; {:?}", pair.compare_places(), mirror.status()),
    )
    .await;
}

/// The batches of a worker that is gone are on their way when another one takes over, and come while that one is at it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_batches_of_a_former_owner_are_there_once() {
    join_all((0..6).map(|seed| async move {
        let pair = Pair::forgetful(1, 500 + seed).await;
        let mut writer = Writer::new(&pair.source).await;
        writer.write_old();
        writer.write_all(2, 20).await;
        writer.delete_before(0, 15).await;
        let former = Mirror::run(prepare_with(&pair, &PRESERVE).await.unwrap());
        arrival(&pair, &former).await;
        // Some of the four batches are written before the one that is held up.
        let late = Rule::on(ApiKey::Produce).topic(TOPIC).nth(1 + seed % 2).times(1);
        let time = Duration::from_millis(1000 + 1300 * (seed % 3));
        let late = pair.target.faults().inject(late.then(Action::Delay(time)));
        writer.write_all(2, 20).await;
        wait::until(|| late.hits() > 0, || "no batch is late".to_owned()).await;
        former.kill().await;
        let next = Mirror::run(prepare_with(&pair, &PRESERVE).await.unwrap());
        writer.write_all(1, 20).await;
        arrival(&pair, &next).await;
        for partition in 0..PARTITIONS {
            writer.try_mark(partition).await.unwrap();
        }
        let mut writer = writer.write_now();
        writer.write_all(1, 20).await;
        writer.write_old();
        writer.write_all(1, 20).await;
        arrival(&pair, &next).await;
        next.stop().await;
        assert_eq!(pair.compare_places(), Ok(()));
        pair.shutdown().await;
    }))
    .await;
}

/// Of a worker's own, on a connection that was cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_batches_of_lost_connections_are_there_once() {
    join_all((0..4).map(|seed| async move {
        let pair = Pair::forgetful(1, 520 + seed).await;
        let mut writer = Writer::new(&pair.source).await;
        writer.write_old();
        writer.write_all(2, 20).await;
        let mirror = Mirror::run(prepare_with(&pair, &PRESERVE).await.unwrap());
        arrival(&pair, &mirror).await;
        // Nobody waits for an answer any more when it is written, and those behind it.
        let late = Rule::on(ApiKey::Produce).topic(TOPIC).nth(1 + seed % 2).times(1);
        let time = Duration::from_millis(1500);
        let late = pair.target.faults().inject(late.then(Action::Delay(time)));
        for _ in 0..4 {
            writer.write_all(2, 20).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        arrival(&pair, &mirror).await;
        assert!(late.hits() > 0);
        tokio::time::sleep(2 * time).await;
        assert_eq!(pair.compare_places(), Ok(()));
        mirror.stop().await;
        pair.shutdown().await;
    }))
    .await;
}

/// Where a partition is at rest, nobody would look: what is there is found all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_else_writes_to_a_partition_at_rest_stops_it() {
    let pair = Pair::start(1, 540).await;
    let mut writer = Writer::new(&pair.source).await;
    writer.write_all(2, 20).await;
    let mirror = Mirror::run(prepare_with(&pair, &PRESERVE).await.unwrap());
    arrival(&pair, &mirror).await;
    Writer::new(&pair.target).await.write(1, 1).await;
    wait::until(
        || mirror.states() == ["mirroring", "target-diverged"],
        || format!("{:?}", mirror.states()),
    )
    .await;
    mirror.stop().await;
    pair.shutdown().await;
}
