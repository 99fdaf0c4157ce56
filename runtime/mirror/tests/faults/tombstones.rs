//! Compacted topics whose tombstones are gone before they were mirrored: the partition stops, and what an operator decides deletes on the target what the source has
//! deleted, or leaves it.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::sleep;
use towpath_domain::{Decision, Partition};
use towpath_embedded::{Action, ApiKey, Cluster, Options, Rule};
use towpath_mirror::resolve::{Error, Existing, Mode, Request, Resolution};

use super::{
    content,
    mirror::{Mirror, prepare_with},
    pair::{Pair, TOPIC, Writer},
    wait,
};

/// How long the source keeps tombstones.
const KEPT: Duration = Duration::from_millis(1000);
const EXACT: &[(&str, &str)] = &[];
const AT_LEAST_ONCE: &[(&str, &str)] = &[("delivery.guarantee", "at-least-once")];
const PRESERVE: &[(&str, &str)] = &[("offsets.mode", "preserve")];
const MISSED: &str = "tombstones-missed";

async fn start(seed: u64) -> (Pair, Writer) {
    let source = Options::brokers(1)
        .config("log.cleanup.policy", "compact")
        .config("log.cleaner.delete.retention.ms", &KEPT.as_millis().to_string());
    let pair = Pair::with(source, Options::brokers(1), seed).await;
    let writer = Writer::new(&pair.source).await.write_now();
    (pair, writer)
}

/// The keys that have a value, as a reader of the whole log finds them.
fn live(cluster: &Cluster) -> BTreeMap<String, String> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let mut live = BTreeMap::new();
    for (_, row) in content::places(cluster, TOPIC, 0).rows {
        let key = text(row.key.unwrap());
        match row.value {
            Some(value) => drop(live.insert(key, text(value))),
            None => drop(live.remove(&key)),
        }
    }
    live
}

async fn run(pair: &Pair, more: &[(&str, &str)]) -> Mirror {
    Mirror::run(prepare_with(pair, more).await.unwrap())
}

async fn mirrored_to(mirror: &Mirror, offset: i64) {
    let position = || {
        let status = mirror.status();
        let mut partitions = status.tasks.iter().flat_map(|task| &task.partitions);
        partitions.find(|found| found.partition == 0)?.position
    };
    wait::until(
        || position() == Some(offset),
        || format!("{offset} is not reached: {:?}", mirror.status()),
    )
    .await;
}

async fn stops(mirror: Mirror, state: &'static str) -> String {
    wait::until(
        || mirror.states().first() == Some(&state),
        || format!("it does not stop: {:?}", mirror.status()),
    )
    .await;
    let trace = mirror.failed().unwrap();
    mirror.stop().await;
    trace
}

fn request(decision: Decision, mode: Mode) -> Request {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    Request {
        decision,
        topic: Some(TOPIC.into()),
        partition: Some(Partition(0)),
        existing: Existing::Refused,
        mode,
        at: now.as_millis() as i64,
    }
}

async fn resolve(pair: &Pair, more: &[(&str, &str)], request: Request) -> Result<Vec<Resolution>, Error> {
    prepare_with(pair, more).await.unwrap().resolve(&request).await
}

/// Of five keys the target has, the source has deleted two since, and nothing says so any more.
async fn missed(seed: u64, more: &[(&str, &str)]) -> (Pair, Writer) {
    let (pair, mut writer) = start(seed).await;
    let keys = ["a", "b", "c", "d", "e"].map(|key| (key, Some("1")));
    writer.write_keys(0, &keys).await;
    let mirror = run(&pair, more).await;
    mirrored_to(&mirror, 5).await;
    mirror.stop().await;
    writer.write_keys(0, &[("b", None), ("c", Some("2"))]).await;
    writer.write_keys(0, &[("d", None), ("f", Some("2"))]).await;
    pair.source.forget_tombstones(TOPIC).unwrap();
    // Time is what it is about.
    sleep(KEPT + Duration::from_millis(100)).await;
    let trace = stops(run(&pair, more).await, MISSED).await;
    assert!(
        trace.contains("mirrored up to offset 5, and compaction has taken what was at 5"),
        "{trace}"
    );
    (pair, writer)
}

/// Everything is there from where it was stopped, and what comes then.
async fn goes_on(pair: &Pair, writer: &mut Writer, more: &[(&str, &str)]) {
    writer.keep_tombstones("86400000").await;
    writer.write_keys(0, &[("g", Some("3")), ("a", None)]).await;
    let mirror = run(pair, more).await;
    mirrored_to(&mirror, 11).await;
    mirror.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_source_has_deleted_is_deleted_on_the_target_by_a_restart() {
    let (pair, mut writer) = missed(1, EXACT).await;
    let told = resolve(&pair, EXACT, request(Decision::Restart, Mode::DryRun))
        .await
        .unwrap();
    assert!(told[0].told.contains("2 keys would be deleted"), "{told:?}");
    assert_eq!(live(&pair.target).len(), 5);
    let told = resolve(&pair, EXACT, request(Decision::Restart, Mode::Write))
        .await
        .unwrap();
    assert!(
        told[0].told.contains("2 keys are deleted on the target"),
        "{told:?}"
    );
    // Otherwise what has become too old meanwhile is missed again, and nothing is left to be deleted.
    writer.keep_tombstones("86400000").await;
    let told = resolve(&pair, EXACT, request(Decision::Restart, Mode::Write))
        .await
        .unwrap();
    assert!(told[0].told.contains("was decided already"), "{told:?}");
    let left: Vec<String> = live(&pair.target).into_keys().collect();
    assert_eq!(left, ["a", "c", "e"]);
    goes_on(&pair, &mut writer, EXACT).await;
    assert_eq!(live(&pair.target), live(&pair.source));
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_least_once_too_when_all_of_the_target_is_said_to_be_the_mirrors() {
    let (pair, mut writer) = missed(2, AT_LEAST_ONCE).await;
    let mut restart = request(Decision::Restart, Mode::Write);
    let refused = resolve(&pair, AT_LEAST_ONCE, restart.clone()).await.unwrap_err();
    assert!(refused.to_string().contains("add --onto-existing"), "{refused}");
    restart.existing = Existing::Doubled;
    resolve(&pair, AT_LEAST_ONCE, restart).await.unwrap();
    goes_on(&pair, &mut writer, AT_LEAST_ONCE).await;
    assert_eq!(live(&pair.target), live(&pair.source));
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_linger_where_that_is_accepted() {
    let (pair, mut writer) = missed(3, EXACT).await;
    resolve(&pair, EXACT, request(Decision::Accept, Mode::Write))
        .await
        .unwrap();
    goes_on(&pair, &mut writer, EXACT).await;
    let mut expected = live(&pair.source);
    expected.extend(["b", "d"].map(|key| (key.to_owned(), "1".to_owned())));
    assert_eq!(live(&pair.target), expected);
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_preserved_offsets_it_can_be_accepted_and_no_tombstone_takes_an_offset() {
    let (pair, mut writer) = missed(4, PRESERVE).await;
    let refused = resolve(&pair, PRESERVE, request(Decision::Restart, Mode::Write))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("towpath topic reseed"), "{refused}");
    resolve(&pair, PRESERVE, request(Decision::Accept, Mode::Write))
        .await
        .unwrap();
    goes_on(&pair, &mut writer, PRESERVE).await;
    let places = |cluster: &Cluster| -> Vec<i64> {
        let rows = content::places(cluster, TOPIC, 0).rows.into_iter();
        rows.map(|(offset, _)| offset)
            .filter(|offset| *offset >= 5)
            .collect()
    };
    assert_eq!(places(&pair.target), places(&pair.source));
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_killed_while_deleting_leaves_it_to_be_done_again() {
    for (seed, action) in [(5, Action::Hang), (6, Action::DropAfter), (7, Action::DropBefore)] {
        let (pair, mut writer) = missed(seed, EXACT).await;
        let rule = Rule::on(ApiKey::Produce).topic(TOPIC);
        let fault = pair.target.faults().inject(rule.then(action));
        tokio::select! {
            done = resolve(&pair, EXACT, request(Decision::Restart, Mode::Write)) => panic!("it is not interrupted: {done:?}"),
            () = wait::until(|| fault.hits() > 0, || "nothing is deleted".to_owned()) => {}
        }
        pair.target.faults().calm();
        fault.remove();
        // Nobody takes the tombstones for somebody else's records.
        stops(run(&pair, EXACT).await, MISSED).await;
        // And the map still says what is the mirror's.
        resolve(&pair, EXACT, request(Decision::Restart, Mode::Write))
            .await
            .unwrap();
        goes_on(&pair, &mut writer, EXACT).await;
        assert_eq!(live(&pair.target), live(&pair.source));
        pair.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_ends_with_what_is_gone_is_noticed_though_nothing_comes_behind_it() {
    let (pair, mut writer) = start(8).await;
    writer.write_keys(0, &[("a", Some("1")), ("b", Some("1"))]).await;
    let mirror = run(&pair, EXACT).await;
    mirrored_to(&mirror, 2).await;
    mirror.stop().await;
    writer.write_keys(0, &[("b", None)]).await;
    pair.source.forget_tombstones(TOPIC).unwrap();
    sleep(KEPT + Duration::from_millis(100)).await;
    let trace = stops(run(&pair, EXACT).await, MISSED).await;
    assert!(trace.contains("compaction has taken what was at 2"), "{trace}");
    let told = resolve(&pair, EXACT, request(Decision::Restart, Mode::Write))
        .await
        .unwrap();
    assert!(told[0].told.contains("1 keys are deleted"), "{told:?}");
    assert_eq!(live(&pair.target), live(&pair.source));
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_is_missing_nothing_is_told_however_long_it_stood() {
    let (pair, mut writer) = start(9).await;
    writer.write_keys(0, &[("a", Some("1"))]).await;
    let mirror = run(&pair, EXACT).await;
    mirrored_to(&mirror, 1).await;
    mirror.stop().await;
    writer.write_keys(0, &[("a", None), ("b", Some("1"))]).await;
    sleep(KEPT + Duration::from_millis(100)).await;
    let refused = resolve(&pair, EXACT, request(Decision::Accept, Mode::Write))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("has not stopped"), "{refused}");
    let mirror = run(&pair, EXACT).await;
    mirrored_to(&mirror, 3).await;
    assert_eq!(mirror.failed(), None);
    mirror.stop().await;
    assert_eq!(live(&pair.target), live(&pair.source));
    pair.shutdown().await;
}
