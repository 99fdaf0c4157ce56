//! Preserved offsets, where requests about markers and about the starts of logs fail again and again, are handled without an answer, or come late.

use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::time::timeout;
use towpath_embedded::{Action, ApiKey, ErrorCode, Rule};

use super::{
    mirror::{Mirror, REQUEST_TIMEOUT, prepare_with},
    pair::{PARTITIONS, PATIENCE, Pair, Writer},
    wait::poll,
};

const PRESERVE: [(&str, &str); 1] = [("offsets.mode", "preserve")];
const AT_A_TIME: usize = 12;
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

/// Each one, so that retries meet it too; or one in three, so that something succeeds between.
const EVERY: [u64; 2] = [1, 3];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn markers_are_taken_once_whatever_becomes_of_the_requests() {
    let cells = APIS.into_iter().flat_map(|api| {
        let actions = actions().into_iter();
        actions.flat_map(move |action| EVERY.map(|every| (api, action, every)))
    });
    let mut results = stream::iter(cells.enumerate())
        .map(|(seed, (api, action, every))| async move {
            let result = timeout(2 * PATIENCE, run((api, action, every), seed as u64)).await;
            let result = result.unwrap_or_else(|_| Err("it hangs".to_owned()));
            result.map_err(|what| format!("{api:?} {action:?}, one in {every}: {what}"))
        })
        .buffer_unordered(AT_A_TIME);
    let mut failed = Vec::new();
    while let Some(result) = results.next().await {
        failed.extend(result.err());
    }
    assert!(
        failed.is_empty(),
        "{} failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

/// Records with offsets without a record between, before and while the fault is there; then the same without it, over a restart.
async fn run((api, action, every): (ApiKey, Action, u64), seed: u64) -> Result<(), String> {
    let pair = Pair::start(1, seed).await;
    let mut writer = Writer::new(&pair.source).await;
    writer.write_all(3, 20).await;
    writer.delete_before(0, 25).await;
    let mut mirror = Mirror::run(prepare_with(&pair, &PRESERVE).await?);
    arrival("not everything arrives at first", &mirror, &pair).await?;
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
    while let Err(what) = arrival("not everything arrives", &mirror, &pair).await {
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
    arrival("after a restart not everything arrives", &mirror, &pair).await?;
    mirror.stop().await;
    pair.compare_places()?;
    pair.shutdown().await;
    Ok(())
}

async fn arrival(what: &str, mirror: &Mirror, pair: &Pair) -> Result<(), String> {
    let end = poll(|| match pair.compare_places() {
        Ok(()) => Some(Ok(())),
        Err(_) => mirror.failed().map(Err),
    });
    match end.await {
        Some(Ok(())) => Ok(()),
        Some(Err(trace)) => Err(format!("{what}: {trace}")),
        None => Err(format!(
            "{what}: {:?}; {:?}",
            pair.compare_places(),
            mirror.status()
        )),
    }
}
