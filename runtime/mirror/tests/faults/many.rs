//! Many runs of one test, some at a time; all that fail are told.

use futures::{StreamExt, stream};
use tokio::time::timeout;
use towpath_embedded::{Action, ApiKey};

use super::{mirror::Mirror, pair::PATIENCE, pair::Pair, wait::poll};

/// A request and what becomes of it: of each one, so that retries meet it too, or of one in three, so that something succeeds between.
pub type Cell = (ApiKey, Action, u64);

const SEEDS_AT_A_TIME: usize = 10;
const CELLS_AT_A_TIME: usize = 12;
const EVERY: [u64; 2] = [1, 3];

/// `TOWPATH_SEED` names the one that is to be run.
pub async fn seeds<F: Future<Output = Result<String, String>>>(seeds: u64, run: impl Fn(u64) -> F) {
    let seeds = match seed_of_environment() {
        Some(seed) => seed..seed + 1,
        None => 0..seeds,
    };
    let runs = seeds.map(|seed| {
        let run = run(seed);
        async move {
            let what = within(4, run)
                .await
                .map_err(|what| format!("TOWPATH_SEED={seed}: {what}"))?;
            println!("seed {seed}: {what}");
            Ok(())
        }
    });
    all(runs, SEEDS_AT_A_TIME).await;
}

/// Runs a seed of records that brokers forget, where offsets are preserved. What protects these is a time (ARCHITECTURE.md, "What remains"): where the machine stands still for longer,
/// their partition stops as `target-diverged`. The seed is run once more then: what follows from it shows again.
pub async fn once_more_if_late<F: Future<Output = Result<String, String>>>(
    seed: u64,
    run: impl Fn(u64) -> F,
) -> Result<String, String> {
    match run(seed).await {
        Err(what) if what.contains("target-diverged") => {
            println!("seed {seed} is run once more: {what}");
            run(seed).await
        }
        result => result,
    }
}

/// Each request and each fault; a run is given a seed, too.
pub async fn cells<F: Future<Output = Result<(), String>>>(
    apis: &[ApiKey],
    actions: &[Action],
    run: impl Fn(Cell, u64) -> F,
) {
    let cells = apis.iter().flat_map(|api| {
        let actions = actions.iter();
        actions.flat_map(move |action| EVERY.map(|every| (*api, *action, every)))
    });
    let runs = (0..).zip(cells).map(|(seed, (api, action, every))| {
        let name = format!("{api:?} {action:?}, one in {every}");
        let run = run((api, action, every), seed);
        async move { within(2, run).await.map_err(|what| format!("{name}: {what}")) }
    });
    all(runs, CELLS_AT_A_TIME).await;
}

/// Waits until all is as `compare` wants it, or the mirror has given up; the error says why, behind what it means.
pub async fn arrival(
    what: &str,
    mirror: &Mirror,
    pair: &Pair,
    compare: fn(&Pair) -> Result<(), String>,
) -> Result<(), String> {
    let end = poll(|| match compare(pair) {
        Ok(()) => Some(Ok(())),
        Err(_) => mirror.failed().map(Err),
    });
    match end.await {
        Some(Ok(())) => Ok(()),
        Some(Err(trace)) => Err(format!("{what}: {trace}")),
        None => Err(format!("{what}: {:?}; {:?}", compare(pair), mirror.status())),
    }
}

async fn within<T>(patience: u32, run: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let result = timeout(patience * PATIENCE, run).await;
    result.unwrap_or_else(|_| Err("it hangs".to_owned()))
}

async fn all(runs: impl Iterator<Item = impl Future<Output = Result<(), String>>>, at_a_time: usize) {
    let mut results = stream::iter(runs).buffer_unordered(at_a_time);
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

#[expect(
    clippy::disallowed_methods,
    reason = "which seed to run is asked of whoever runs the test"
)]
fn seed_of_environment() -> Option<u64> {
    std::env::var("TOWPATH_SEED").ok()?.parse().ok()
}
