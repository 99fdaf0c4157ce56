//! Random faults of every kind on both clusters, brokers that restart, leaders that move, and a worker that is stopped, killed and started again:
//! all of it follows from a seed. `TOWPATH_SEED=7 cargo test --release -p towpath-mirror --test faults seeds` runs one.

use std::time::Duration;

use futures::{StreamExt, stream};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::{sleep, timeout};
use towpath_embedded::{Cluster, Random};

use super::{
    mirror::{Mirror, POSITIONS, prepare_with, started_with},
    pair::{PARTITIONS, PATIENCE, Pair, TOPIC, Writer},
    wait::poll,
};

/// One thing that happens beside the random faults.
#[derive(Clone, Copy, Debug)]
enum Event {
    Write {
        partition: i32,
        records: usize,
    },
    RestartBroker {
        of_source: bool,
        broker: i32,
    },
    StopBroker {
        of_source: bool,
        broker: i32,
    },
    MoveLeader {
        of_source: bool,
        partition: i32,
        to: i32,
    },
    StopWorker,
    KillWorker,
    /// an offset without a record
    Mark {
        partition: i32,
    },
}

/// Which offsets records have on the target.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Translate,
    Preserve,
}

const SEEDS: u64 = 50;
/// Of preserved offsets: each takes longer, for the sake of the markers.
const PRESERVING_SEEDS: u64 = 30;
const AT_A_TIME: usize = 10;
const BROKERS: i32 = 3;
const EVENTS: usize = 24;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_seeds_of_random_faults_lose_nothing_and_double_nothing() {
    run_all(SEEDS, Mode::Translate).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_seeds_of_random_faults_change_no_offset() {
    run_all(PRESERVING_SEEDS, Mode::Preserve).await;
}

async fn run_all(seeds: u64, mode: Mode) {
    let seeds = match seed_of_environment() {
        Some(seed) => seed..seed + 1,
        None => 0..seeds,
    };
    let mut results = stream::iter(seeds)
        .map(|seed| async move {
            let result = timeout(4 * PATIENCE, run(seed, mode)).await;
            (seed, result.unwrap_or_else(|_| Err("it hangs".to_owned())))
        })
        .buffer_unordered(AT_A_TIME);
    let mut failed = Vec::new();
    while let Some((seed, result)) = results.next().await {
        match result {
            Ok(what) => println!("seed {seed}: {what}"),
            Err(what) => failed.push(format!("TOWPATH_SEED={seed}: {what}")),
        }
    }
    assert!(
        failed.is_empty(),
        "{} seeds failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

async fn run(seed: u64, mode: Mode) -> Result<String, String> {
    let mut random = StdRng::seed_from_u64(seed);
    let pair = Pair::start(BROKERS as usize, seed).await;
    let mut writer = Writer::new(&pair.source).await;
    writer.write_all(3, 20).await;
    if mode == Mode::Preserve {
        // Amid a batch.
        writer.delete_before(0, 25).await;
    }
    let mut mirror = Mirror::run(prepare_with(&pair, mode.keys()).await?);
    // Odd seeds have the worse days.
    let faults = if seed.is_multiple_of(2) {
        Random::gentle
    } else {
        Random::harsh
    };
    pair.source.faults().randomize(faults(seed));
    pair.target.faults().randomize(faults(!seed));

    let mut happened = Vec::new();
    let mut restarts = 0;
    for _ in 0..EVENTS {
        let event = event(&mut random, mode);
        happened.push(event);
        match event {
            // It is there or not: the source's log says.
            Event::Write { partition, records } => drop(writer.try_write(partition, records).await),
            Event::Mark { partition } => drop(writer.try_mark(partition).await),
            Event::RestartBroker { of_source, broker } => {
                cluster(&pair, of_source).restart_broker(broker).await.unwrap()
            }
            Event::StopBroker { of_source, broker } => {
                let cluster = cluster(&pair, of_source);
                cluster.stop_broker(broker).await.unwrap();
                sleep(Duration::from_millis(random.random_range(10..400))).await;
                cluster.start_broker(broker).await.unwrap();
            }
            Event::MoveLeader {
                of_source,
                partition,
                to,
            } => {
                let cluster = cluster(&pair, of_source);
                for topic in [TOPIC, POSITIONS] {
                    // It may not be there yet.
                    let _ = cluster.move_leader(topic, partition, to);
                }
            }
            Event::StopWorker | Event::KillWorker => {
                if matches!(event, Event::StopWorker) {
                    mirror.stop().await;
                } else {
                    mirror.kill().await;
                }
                restarts += 1;
                mirror = Mirror::run(started_with(&pair, mode.keys(), || true).await?);
            }
        }
        sleep(Duration::from_millis(random.random_range(1..60))).await;
    }
    let faults = pair.source.faults().random_hits() + pair.target.faults().random_hits();
    pair.source.faults().calm();
    pair.target.faults().calm();
    writer.write_all(1, 20).await;
    if mode == Mode::Preserve {
        // Ends what a fault has left open, too.
        while writer.try_mark(1).await.is_err() {}
    }

    let mut end = arrival(mode, &pair, &mirror).await;
    if let Some(Err(trace)) = &end
        && mode.is_safe(trace)
    {
        mirror.stop().await;
        restarts += 1;
        mirror = Mirror::run(started_with(&pair, mode.keys(), || true).await?);
        end = arrival(mode, &pair, &mirror).await;
    }
    match end {
        Some(Ok(())) => {}
        Some(Err(trace)) => return Err(format!("it gave up: {trace}; after {happened:?}")),
        None => {
            let missing = mode.compare(&pair);
            return Err(format!("{missing:?}; {:?}; after {happened:?}", mirror.status()));
        }
    }
    mirror.stop().await;
    // Nothing comes behind what is whole.
    mode.compare(&pair)
        .map_err(|what| format!("{what}; after {happened:?}"))?;
    let records: usize = (0..PARTITIONS)
        .map(|partition| pair.rows(partition).0.len())
        .sum();
    pair.shutdown().await;
    Ok(format!("{records} records, {faults} faults, {restarts} restarts"))
}

/// Everything is there, or the mirror has given up.
async fn arrival(mode: Mode, pair: &Pair, mirror: &Mirror) -> Option<Result<(), String>> {
    poll(|| match mode.compare(pair) {
        Ok(_) => Some(Ok(())),
        Err(_) => mirror.failed().map(Err),
    })
    .await
}

// === impl Mode ===

impl Mode {
    fn keys(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Translate => &[("exactly.once.support", "required")],
            Self::Preserve => &[("offsets.mode", "preserve")],
        }
    }

    /// Whether it has stopped before anything could be wrong, and somebody starts it again: where offsets are preserved a cluster without coordinators is no
    /// reason to go on without them, and who may have lost its place to another owner writes nothing more.
    fn is_safe(self, trace: &str) -> bool {
        let is_without = trace.contains("COORDINATOR_NOT_AVAILABLE") || trace.contains("fenced");
        self == Self::Preserve && is_without
    }

    fn compare(self, pair: &Pair) -> Result<(), String> {
        match self {
            Self::Translate => pair.compare(0).map(drop),
            Self::Preserve => pair.compare_places(),
        }
    }
}

fn event(random: &mut StdRng, mode: Mode) -> Event {
    let of_source = random.random_bool(0.5);
    let broker = random.random_range(1..=BROKERS);
    let partition = random.random_range(0..PARTITIONS);
    let kinds = match mode {
        Mode::Translate => 20,
        Mode::Preserve => 25,
    };
    match random.random_range(0..kinds) {
        0..10 => Event::Write {
            partition,
            records: random.random_range(1..40),
        },
        10..12 => Event::RestartBroker { of_source, broker },
        12..14 => Event::StopBroker { of_source, broker },
        14..18 => Event::MoveLeader {
            of_source,
            partition,
            to: broker,
        },
        18 => Event::StopWorker,
        19 => Event::KillWorker,
        _ => Event::Mark { partition },
    }
}

fn cluster(pair: &Pair, of_source: bool) -> &Cluster {
    if of_source { &pair.source } else { &pair.target }
}

#[expect(
    clippy::disallowed_methods,
    reason = "which seed to run is asked of whoever runs the test"
)]
fn seed_of_environment() -> Option<u64> {
    std::env::var("TOWPATH_SEED").ok()?.parse().ok()
}
