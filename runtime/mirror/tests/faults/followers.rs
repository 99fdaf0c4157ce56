//! The replica in the worker's rack misbehaves (KIP-392): the leader is read instead, from where the follower's reading ended.

use towpath_embedded::{Action, ApiKey, ErrorCode, Options, Rule};

use super::{
    mirror::{Mirror, prepare_with},
    pair::{PARTITIONS, Pair, TOPIC, Writer},
    wait::until,
};

const LEADER: i32 = 1;
/// The broker in the worker's rack.
const NEAR: i32 = 2;

/// Three brokers in a rack each, all partitions led by one, and a worker that is in the rack of another; something was read from there.
async fn reading_nearby(seed: u64) -> (Pair, Writer, Mirror) {
    let mut source = Options::brokers(3);
    source.racks = ["a", "b", "c"].map(str::to_owned).to_vec();
    let selector = "org.apache.kafka.common.replica.RackAwareReplicaSelector";
    let source = source.config("replica.selector.class", selector);
    let pair = Pair::with(source, Options::brokers(1), seed).await;
    for partition in 0..PARTITIONS {
        pair.source.move_leader(TOPIC, partition, LEADER).unwrap();
    }
    let mut writer = Writer::new(&pair.source).await;
    writer.write_all(5, 20).await;
    let connector = prepare_with(&pair, &[("source.consumer.client.rack", "b")]).await;
    let mirror = Mirror::run(connector.unwrap());
    all_arrives(&pair, &mirror).await;
    reads_from(&mirror, Some(NEAR)).await;
    (pair, writer, mirror)
}

/// Everything that was written, once each: a worker that was not restarted has no reason to double.
async fn all_arrives(pair: &Pair, mirror: &Mirror) {
    let is_there = || {
        assert_eq!(mirror.failed(), None);
        pair.compare(0).is_ok()
    };
    until(is_there, || {
        format!("{:?}; {:?}", pair.compare(0), mirror.status())
    })
    .await;
    assert_eq!(pair.compare(0), Ok(0));
}

async fn reads_from(mirror: &Mirror, node: Option<i32>) {
    let is_read = || {
        let status = mirror.status();
        let mut partitions = status.tasks.iter().flat_map(|task| &task.partitions);
        partitions.all(|partition| partition.read_from == node)
    };
    until(is_read, || {
        format!("not read from {node:?}: {:?}", mirror.status())
    })
    .await;
}

/// What a follower says of its log's ends is no verdict about the partition.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_refuses_a_partition_sends_its_reader_back_to_the_leader() {
    let (pair, mut writer, mirror) = reading_nearby(1).await;
    for code in [
        ErrorCode::OffsetOutOfRange,
        ErrorCode::NotLeaderOrFollower,
        ErrorCode::OffsetNotAvailable,
        ErrorCode::UnknownLeaderEpoch,
        ErrorCode::KafkaStorageError,
        ErrorCode::ReplicaNotAvailable,
    ] {
        let faults = pair.source.faults();
        let of = |broker: i32| Rule::on(ApiKey::Fetch).broker(broker).partition(TOPIC, 0);
        // It counts, and refuses nothing.
        let asked = faults.inject(of(LEADER).times(0).then(Action::Error(code)));
        let refused = faults.inject(of(NEAR).times(2).then(Action::Error(code)));
        writer.write_all(5, 20).await;
        all_arrives(&pair, &mirror).await;
        until(
            || refused.hits() >= 2,
            || format!("{code:?} was not answered twice"),
        )
        .await;
        reads_from(&mirror, Some(NEAR)).await;
        assert!(
            asked.seen() >= 2,
            "{code:?}: the leader was asked {} times",
            asked.seen()
        );
        writer.write_all(2, 20).await;
        all_arrives(&pair, &mirror).await;
        faults.calm();
    }
    mirror.stop().await;
    assert_eq!(pair.compare(0), Ok(0));
    pair.shutdown().await;
}

/// Nothing can be read then: a leader sends whoever names a rack to the follower, and answers without records.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_always_refuses_is_named_in_the_status_until_it_does_not() {
    let (pair, mut writer, mirror) = reading_nearby(4).await;
    let rule = Rule::on(ApiKey::Fetch).broker(NEAR).partition(TOPIC, 0);
    let fault = rule.then(Action::Error(ErrorCode::OffsetOutOfRange));
    let fault = pair.source.faults().inject(fault);
    writer.write_all(5, 20).await;
    let named =
        format!("fetching {TOPIC}-0 from node {NEAR}, which its leader names as the replica in this rack");
    let is_told = || {
        let status = mirror.status();
        let mut told = status.tasks.iter().filter_map(|task| task.retrying.as_deref());
        told.any(|what| what.contains(&named) && what.contains("OFFSET_OUT_OF_RANGE"))
    };
    until(is_told, || format!("{:?}", mirror.status())).await;
    fault.remove();
    all_arrives(&pair, &mirror).await;
    mirror.stop().await;
    pair.shutdown().await;
}

/// It is gone, is back, and leads everything itself for a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_is_gone_is_left_for_the_leader_and_read_again_when_it_is_back() {
    let (pair, mut writer, mirror) = reading_nearby(2).await;
    pair.source.stop_broker(NEAR).await.unwrap();
    writer.write_all(5, 20).await;
    all_arrives(&pair, &mirror).await;
    reads_from(&mirror, None).await;
    pair.source.start_broker(NEAR).await.unwrap();
    reads_from(&mirror, Some(NEAR)).await;
    for leader in [NEAR, LEADER] {
        for partition in 0..PARTITIONS {
            pair.source.move_leader(TOPIC, partition, leader).unwrap();
        }
        writer.write_all(5, 20).await;
        all_arrives(&pair, &mirror).await;
    }
    mirror.stop().await;
    pair.shutdown().await;
}

/// The log has lost what was to be read next: that is said by the leader, and stops the partition as it would without followers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_gone_from_the_leader_as_well_is_told_with_its_offsets() {
    let (pair, mut writer, mirror) = reading_nearby(3).await;
    mirror.stop().await;
    writer.write_all(5, 20).await;
    pair.source.delete_records(TOPIC, 0, 150).unwrap();
    let connector = prepare_with(&pair, &[("source.consumer.client.rack", "b")]).await;
    let mirror = Mirror::run(connector.unwrap());
    let has_stopped = || {
        let status = mirror.status();
        let mut partitions = status.tasks.iter().flat_map(|task| &task.partitions);
        let other = pair.rows(1);
        partitions.any(|partition| (partition.partition, partition.state) == (0, "data-loss"))
            && other.0 == other.1
    };
    until(has_stopped, || format!("{:?}", mirror.status())).await;
    assert_eq!(pair.rows(0).1.len(), 100, "nothing from behind the gap");
    mirror.stop().await;
    pair.shutdown().await;
}
