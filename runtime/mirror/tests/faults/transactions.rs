//! Records that are so old that brokers forget their producer at once: requests about their transactions fail again and again, are handled without an answer, or come
//! late; and batches of a former owner come when another one has gone on.

use std::time::Duration;

use towpath_embedded::{Action, ApiKey, ErrorCode, Rule};

use super::{
    many::{self, Cell},
    mirror::{Mirror, REQUEST_TIMEOUT, prepare_with},
    pair::{Pair, TOPIC, Writer},
    wait,
};

const REQUIRED: [(&str, &str); 1] = [("exactly.once.support", "required")];
const BATCHES: usize = 12;
/// Of a request that is late: nobody waits for it any more.
const LATE: Duration = REQUEST_TIMEOUT.saturating_add(Duration::from_millis(300));

const APIS: [ApiKey; 6] = [
    ApiKey::AddPartitionsToTxn,
    ApiKey::EndTxn,
    ApiKey::InitProducerId,
    ApiKey::Produce,
    ApiKey::ListOffsets,
    ApiKey::Fetch,
];

fn actions() -> [Action; 9] {
    [
        Action::DropBefore,
        Action::DropAfter,
        Action::ErrorAfter(ErrorCode::RequestTimedOut),
        Action::Error(ErrorCode::NotCoordinator),
        Action::Error(ErrorCode::NotLeaderOrFollower),
        Action::Error(ErrorCode::InvalidTxnState),
        Action::Hang,
        Action::Garbage,
        Action::Delay(LATE),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_records_are_there_once_whatever_becomes_of_the_requests() {
    many::cells(&APIS, &actions(), run).await;
}

/// Records before and while the fault is there; then young ones without it, over a restart, and old ones again.
async fn run((api, action, every): Cell, seed: u64) -> Result<(), String> {
    let pair = Pair::forgetful(1, seed).await;
    let mut writer = Writer::new(&pair.source).await;
    writer.write_old();
    writer.write_all(3, 20).await;
    let mut mirror = Mirror::run(prepare_with(&pair, &REQUIRED).await?);
    many::arrival("not everything arrives at first", &mirror, &pair, once).await?;
    let rule = Rule::on(api).every(every).times(6);
    let rule = match api {
        ApiKey::Produce => rule.topic(TOPIC),
        _ => rule,
    };
    let fault = pair.target.faults().inject(rule.then(action));
    if matches!(api, ApiKey::InitProducerId | ApiKey::ListOffsets | ApiKey::Fetch) {
        // They are asked for when something has failed.
        let lost = Rule::on(ApiKey::Produce).topic(TOPIC).every(2).times(6);
        pair.target.faults().inject(lost.then(Action::DropAfter));
    }
    for _ in 0..BATCHES {
        writer.write_all(1, 5).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    while let Err(what) = many::arrival("not everything arrives", &mirror, &pair, once).await {
        // A request that begins a transaction comes late, between the end of the one before and the next epoch: nothing is written any more, and that is safe.
        if !what.contains("fenced") {
            return Err(what);
        }
        mirror.stop().await;
        pair.target.faults().calm();
        mirror = Mirror::run(prepare_with(&pair, &REQUIRED).await?);
    }
    if fault.hits() == 0 {
        return Err("the fault does not happen".to_owned());
    }
    mirror.stop().await;
    pair.target.faults().calm();
    fault.remove();
    let mirror = Mirror::run(prepare_with(&pair, &REQUIRED).await?);
    let mut writer = writer.write_now();
    writer.write_all(2, 5).await;
    many::arrival("after a restart not everything arrives", &mirror, &pair, once).await?;
    writer.write_old();
    writer.write_all(2, 5).await;
    many::arrival(
        "of old ones behind young ones not all arrive",
        &mirror,
        &pair,
        once,
    )
    .await?;
    mirror.stop().await;
    pair.compare(0)?;
    pair.shutdown().await;
    Ok(())
}

fn once(pair: &Pair) -> Result<(), String> {
    pair.compare(0).map(drop)
}

/// A worker's batches are on their way when it is frozen; another one takes over and goes on; then they come. The broker has forgotten both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_batches_of_a_former_owner_are_refused_though_the_broker_has_forgotten_it() {
    for seed in 0..4 {
        let pair = Pair::forgetful(1, 300 + seed).await;
        let mut writer = Writer::new(&pair.source).await;
        writer.write_old();
        writer.write_all(2, 20).await;
        let former = Mirror::run(prepare_with(&pair, &REQUIRED).await.unwrap());
        wait::until(|| pair.compare(0) == Ok(0), || "the first records".to_owned()).await;
        // Some of the four batches are written before the one that is held up.
        let late = Rule::on(ApiKey::Produce).topic(TOPIC).nth(1 + seed % 2).times(1);
        let late = pair
            .target
            .faults()
            .inject(late.then(Action::Delay(Duration::from_secs(3))));
        writer.write_all(2, 20).await;
        wait::until(|| late.hits() > 0, || "no batch is late".to_owned()).await;
        former.kill().await;
        let next = Mirror::run(prepare_with(&pair, &REQUIRED).await.unwrap());
        writer.write_all(1, 20).await;
        wait::until(
            || pair.compare(0) == Ok(0),
            || format!("{:?}; {:?}", pair.compare(0), next.status()),
        )
        .await;
        let is_said = || {
            let delivery = next.status().delivery.unwrap();
            let says = |reason: String| reason.contains("producer.id.expiration.ms");
            delivery.guarantee == "exact for read_committed readers" && delivery.reason.is_some_and(says)
        };
        wait::until(is_said, || format!("{:?}", next.status())).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        writer.write_all(1, 20).await;
        wait::until(
            || pair.compare(0) == Ok(0),
            || format!("{:?}; {:?}", pair.compare(0), next.status()),
        )
        .await;
        next.stop().await;
        pair.shutdown().await;
    }
}
