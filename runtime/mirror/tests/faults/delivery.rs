//! Targets that do not give what exact delivery needs, and late batches.

use towpath_embedded::{Action, ApiKey, ErrorCode, Rule};

use super::{
    mirror::{Mirror, prepare, prepare_with},
    pair::{Pair, Writer},
    wait,
};

async fn until(what: &str, is_so: impl Fn() -> bool) {
    wait::until(is_so, || what.to_owned()).await;
}

/// As on a small cluster with Kafka's default transaction.state.log.replication.factor: nobody coordinates transactions, ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_transaction_coordinator_records_are_mirrored_at_least_once_and_it_says_so() {
    let pair = Pair::start(1, 200).await;
    let mut writer = Writer::new(&pair.source).await;
    writer.write_all(2, 20).await;
    let unavailable = Action::Error(ErrorCode::CoordinatorNotAvailable);
    pair.target
        .faults()
        .inject(Rule::on(ApiKey::FindCoordinator).then(unavailable));
    let mirror = Mirror::run(prepare(&pair).await.unwrap());
    until("everything to be mirrored", || pair.compare(0) == Ok(0)).await;
    let delivery = mirror.status().delivery.unwrap();
    assert_eq!(delivery.guarantee, "at-least-once");
    let reason = delivery.reason.unwrap();
    assert!(
        reason.contains("COORDINATOR_NOT_AVAILABLE")
            && reason.contains("transaction.state.log.replication.factor"),
        "{reason}"
    );
    mirror.stop().await;

    let required = [("exactly.once.support", "required")];
    let mirror = Mirror::run(prepare_with(&pair, &required).await.unwrap());
    until("it to be refused", || mirror.failed().is_some()).await;
    let trace = mirror.failed().unwrap();
    assert!(trace.contains("exactly.once.support is required"), "{trace}");
    mirror.stop().await;
    pair.shutdown().await;
}

/// A target that does not take a producer's batch at any sequence: what is there cannot be known by sequences alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_sequences_are_no_proof_records_go_in_transactions_and_required_is_content() {
    let pair = Pair::start(1, 201).await;
    let mut writer = Writer::new(&pair.source).await;
    writer.write_all(2, 20).await;
    // The first of four batches that a probe writes.
    let refused = Rule::on(ApiKey::Produce).topic("towpath-offsets-probe").every(4);
    pair.target
        .faults()
        .inject(refused.then(Action::Error(ErrorCode::OutOfOrderSequenceNumber)));
    let required = [("exactly.once.support", "required")];
    let mut before = 0;
    for _ in 0..2 {
        let mirror = Mirror::run(prepare_with(&pair, &required).await.unwrap());
        writer.write_all(2, 20).await;
        until("everything to be mirrored", || pair.compare(0) == Ok(0)).await;
        let delivery = mirror.status().delivery.unwrap();
        assert_eq!(delivery.guarantee, "exact for read_committed readers");
        let reason = delivery.reason.unwrap();
        assert!(reason.contains("begins at any sequence"), "{reason}");
        mirror.kill().await;
        let end = pair.target.log("orders", 0).unwrap().end;
        assert!(end > before + 40, "each transaction has a marker: {end}");
        before = end;
    }
    let preserve = [("offsets.mode", "preserve")];
    let mirror = Mirror::run(prepare_with(&pair, &preserve).await.unwrap());
    until("it to be refused", || mirror.failed().is_some()).await;
    mirror.stop().await;
    pair.shutdown().await;
}

/// As a broker answers whose disk is full. What it never takes stops the partition in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_refused_without_a_reason_is_tried_again_for_a_while() {
    for old in [false, true] {
        let pair = Pair::start(1, 203).await;
        let mut writer = Writer::new(&pair.source).await;
        if old {
            // They go in transactions.
            writer.write_old();
        }
        writer.write_all(3, 20).await;
        let refuse = |times| {
            let rule = Rule::on(ApiKey::Produce).topic("orders").times(times);
            let faults = pair.target.faults();
            faults.inject(rule.then(Action::Error(ErrorCode::UnknownServerError)))
        };
        let refused = refuse(4);
        let mirror = Mirror::run(prepare(&pair).await.unwrap());
        until("everything to be mirrored", || pair.compare(0) == Ok(0)).await;
        assert_eq!((refused.hits(), mirror.states()), (4, vec!["mirroring"; 2]));
        refuse(u64::MAX);
        writer.write_all(1, 20).await;
        until("the partitions to stop", || {
            mirror.states() == ["target-refuses"; 2]
        })
        .await;
        mirror.stop().await;
        pair.shutdown().await;
    }
}

/// As brokers answer while replicas are gone: for as long as that takes. Where the log ends says nothing then of who else may have written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_few_replicas_are_waited_for_and_are_nobody_elses_records() {
    let pair = Pair::start(1, 204).await;
    let mut writer = Writer::new(&pair.source).await;
    let rule = Rule::on(ApiKey::Produce).partition("orders", 0).times(TOO_FEW);
    let refused = pair
        .target
        .faults()
        .inject(rule.then(Action::Error(ErrorCode::NotEnoughReplicas)));
    writer.write_all(3, 20).await;
    let mirror = Mirror::run(prepare(&pair).await.unwrap());
    until("half of the answers", || refused.hits() >= TOO_FEW / 2).await;
    until("all of them, or the partition to stop", || {
        refused.hits() == TOO_FEW || mirror.failed().is_some()
    })
    .await;
    assert_eq!(mirror.failed(), None);
    until("everything to be mirrored", || pair.compare(0) == Ok(0)).await;
    mirror.stop().await;
    pair.shutdown().await;
}

/// More than the looks at a log that takes nothing before it is said that somebody else writes.
const TOO_FEW: u64 = 24;
