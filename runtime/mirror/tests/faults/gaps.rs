//! Preserved offsets, where requests about markers and about the starts of logs fail again and again, are handled without an answer, or come late.

use std::time::Duration;

use towpath_embedded::{Action, ApiKey, ErrorCode, Rule};

use super::{
    many::{self, Cell},
    mirror::{Mirror, REQUEST_TIMEOUT, prepare_with},
    pair::{PARTITIONS, Pair, Writer},
};

const PRESERVE: [(&str, &str); 1] = [("offsets.mode", "preserve")];
const BATCHES: usize = 12;

const APIS: [ApiKey; 6] = [
    ApiKey::AddPartitionsToTxn,
    ApiKey::EndTxn,
    ApiKey::InitProducerId,
    ApiKey::ListOffsets,
    ApiKey::Fetch,
    ApiKey::DeleteRecords,
];

fn actions() -> [Action; 7] {
    [
        Action::DropBefore,
        Action::DropAfter,
        Action::ErrorAfter(ErrorCode::RequestTimedOut),
        Action::Error(ErrorCode::NotCoordinator),
        Action::Hang,
        Action::Garbage,
        // It is handled when nobody waits for it any more.
        Action::Delay(REQUEST_TIMEOUT.saturating_add(Duration::from_millis(300))),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn markers_are_taken_once_whatever_becomes_of_the_requests() {
    many::cells(&APIS, &actions(), run).await;
}

/// Records with offsets without a record between, before and while the fault is there; then the same without it, over a restart.
async fn run((api, action, every): Cell, seed: u64) -> Result<(), String> {
    let pair = Pair::start(1, seed).await;
    let mut writer = Writer::new(&pair.source).await;
    writer.write_all(3, 20).await;
    writer.delete_before(0, 25).await;
    let mut mirror = Mirror::run(prepare_with(&pair, &PRESERVE).await?);
    many::arrival(
        "not everything arrives at first",
        &mirror,
        &pair,
        Pair::compare_places,
    )
    .await?;
    let rule = Rule::on(api).every(every).times(6);
    let fault = pair.target.faults().inject(rule.then(action));
    if api == ApiKey::InitProducerId {
        // It is asked for when something has failed.
        pair.target
            .faults()
            .inject(Rule::on(ApiKey::EndTxn).nth(2).then(Action::Hang));
    }
    for _ in 0..BATCHES {
        for partition in 0..PARTITIONS {
            writer
                .try_mark(partition)
                .await
                .map_err(|error| error.to_string())?;
        }
        writer.write_all(1, 5).await;
    }
    // A log's start moves, too.
    writer.delete_before(1, 30).await;
    while let Err(what) = many::arrival("not everything arrives", &mirror, &pair, Pair::compare_places).await
    {
        // A request that begins a transaction comes late, between the end of the one before and the next epoch: nothing is written any more, and that is safe.
        if !what.contains("fenced") {
            return Err(what);
        }
        mirror.stop().await;
        pair.target.faults().calm();
        mirror = Mirror::run(prepare_with(&pair, &PRESERVE).await?);
    }
    if fault.hits() == 0 {
        return Err("the fault does not happen".to_owned());
    }
    mirror.stop().await;
    pair.target.faults().calm();
    fault.remove();
    let mirror = Mirror::run(prepare_with(&pair, &PRESERVE).await?);
    for partition in 0..PARTITIONS {
        writer
            .try_mark(partition)
            .await
            .map_err(|error| error.to_string())?;
    }
    writer.write_all(1, 5).await;
    many::arrival(
        "after a restart not everything arrives",
        &mirror,
        &pair,
        Pair::compare_places,
    )
    .await?;
    mirror.stop().await;
    pair.compare_places()?;
    pair.shutdown().await;
    Ok(())
}
