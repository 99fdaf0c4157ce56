//! Every request that a connector makes, with everything that can happen to it. `TOWPATH_CELLS="Target Produce Hang" cargo test --release
//! -p towpath-mirror --test faults matrix` runs those whose name contains it.

use futures::{StreamExt, stream};
use tokio::time::Instant;
use towpath_embedded::{ApiKey, ErrorCode};

use super::{
    mirror::{Mirror, prepare, started},
    pair::{PATIENCE, Pair, TOPIC, Writer},
    wait::poll,
};
use cells::{Cell, Expected, Moment, Side, cells};

mod cells;

/// Cells at work at a time: most of their time is waiting.
const AT_A_TIME: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(
    clippy::disallowed_methods,
    reason = "which cells to run is asked of whoever runs the test"
)]
async fn every_request_survives_every_fault() {
    let only = std::env::var("TOWPATH_CELLS").unwrap_or_default();
    let cells = cells()
        .into_iter()
        .enumerate()
        .filter(|(_, cell)| cell.to_string().contains(&only));
    let cells: Vec<_> = cells.collect();
    println!("{} cells", cells.len());
    assert!(!cells.is_empty(), "no cell's name contains {only}");
    let mut results = stream::iter(cells)
        .map(|(seed, cell)| async move {
            let started = Instant::now();
            let result = tokio::time::timeout(2 * PATIENCE, run(cell, seed as u64)).await;
            (
                cell,
                started.elapsed(),
                result.unwrap_or_else(|_| Err("it hangs".to_owned())),
            )
        })
        .buffer_unordered(AT_A_TIME);
    let mut failed = Vec::new();
    while let Some((cell, took, result)) = results.next().await {
        match result {
            Ok(()) => println!("{cell}: ok after {} ms", took.as_millis()),
            Err(what) => failed.push(format!("{cell}: {what}")),
        }
    }
    assert!(
        failed.is_empty(),
        "{} cells failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

/// Two batches a partition are there before the fault, two come after it; then a restart without faults, and two more.
async fn run(cell: Cell, seed: u64) -> Result<(), String> {
    let pair = Pair::start_for(cell.place.api, seed).await;
    if cell.place.api == ApiKey::CreatePartitions {
        pair.target
            .create_topic(&towpath_embedded::NewTopic::new(TOPIC, 1))
            .unwrap();
    }
    let mut writer = Writer::new(&pair.source).await;
    writer.write_all(2, 20).await;
    if (cell.place.side, cell.place.api) == (Side::Target, ApiKey::Fetch) {
        // Positions are read where there are any.
        let mirror = Mirror::run(prepare(&pair).await?);
        arrival("not everything arrives at first", &mirror, &pair).await?;
        mirror.stop().await;
        writer.write_all(1, 20).await;
    }
    let faults = match cell.place.side {
        Side::Source => pair.source.faults(),
        Side::Target => pair.target.faults(),
    };
    let (connector, fault) = match cell.place.moment {
        Moment::Running => {
            let connector = prepare(&pair).await?;
            (connector, faults.inject(cell.rule()))
        }
        Moment::Starting => {
            let fault = faults.inject(cell.rule());
            (started(&pair, || fault.hits() > 0).await?, fault)
        }
    };
    let mirror = Mirror::run(connector);

    until("the fault does not happen", &mirror, || fault.hits() > 0).await?;
    writer.write_all(2, 20).await;
    match cell.expected {
        Expected::Recovers => arrival("not everything arrives", &mirror, &pair).await?,
        Expected::Waits(permission) => {
            let shown = |mirror: &Mirror| format!("{:?}", mirror.status()).contains(permission);
            until("it does not say what is missing", &mirror, || shown(&mirror)).await?;
            faults.calm();
            arrival("granted, and not everything arrives", &mirror, &pair).await?;
        }
        Expected::Stops(code) => match arrival("not everything arrives", &mirror, &pair).await {
            Ok(()) => return Err("nobody is told".to_owned()),
            Err(what) if !what.contains(&name(code)) => {
                return Err(format!("it does not say {}: {what}", name(code)));
            }
            Err(_) => {}
        },
    }
    mirror.stop().await;
    faults.calm();

    let mirror = Mirror::run(prepare(&pair).await?);
    writer.write_all(2, 20).await;
    arrival("after a restart not everything arrives", &mirror, &pair).await?;
    mirror.stop().await;
    pair.compare(0)?;
    pair.shutdown().await;
    Ok(())
}

/// Waits until everything is on the target, once and in order.
async fn arrival(what: &str, mirror: &Mirror, pair: &Pair) -> Result<(), String> {
    until(what, mirror, || pair.compare(0) == Ok(0))
        .await
        .map_err(|what| format!("{what}; {:?}", pair.compare(0)))
}

/// Waits; the error says what the mirror says of itself, at once when it has given up.
async fn until(what: &str, mirror: &Mirror, condition: impl Fn() -> bool) -> Result<(), String> {
    let end = poll(|| match condition() {
        true => Some(Ok(())),
        false => mirror.failed().map(Err),
    });
    match end.await {
        Some(Ok(())) => Ok(()),
        Some(Err(trace)) => Err(format!("{what}: {trace}")),
        None => Err(format!("{what}: {:?}", mirror.status())),
    }
}

/// Kafka's name of an error.
fn name(code: ErrorCode) -> String {
    towpath_wire::KafkaError::of(code.code())
        .unwrap()
        .name()
        .to_owned()
}
