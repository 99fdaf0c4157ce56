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
