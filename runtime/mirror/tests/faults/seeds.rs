//! Random faults of every kind on both clusters, brokers that restart, leaders that move, and a worker that is stopped, killed and started again:
//! all of it follows from a seed. `TOWPATH_SEED=7 cargo test --release -p towpath-mirror --test faults seeds` runs one.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::sleep;
use towpath_embedded::{Cluster, Random};

use super::{
    many,
    mirror::{Mirror, POSITIONS, prepare_with, started_with},
    pair::{PARTITIONS, Pair, TOPIC, Writer},
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
pub enum Mode {
    Translate,
    /// and records are so old that brokers forget their producer at once
    Old,
    Preserve,
    /// both
    PreserveOld,
    /// whatever is chosen, over every start
    Auto,
}

const SEEDS: u64 = 50;
/// Of preserved offsets: each takes longer, for the sake of the markers.
const PRESERVING_SEEDS: u64 = 30;
/// Of those that brokers forget: what may come late is waited for at each start.
const WAITING_SEEDS: u64 = 10;
const CHOOSING_SEEDS: u64 = 10;
const BROKERS: i32 = 3;
const EVENTS: usize = 24;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_seeds_of_random_faults_lose_nothing_and_double_nothing() {
    many::seeds(SEEDS, |seed| run(seed, Mode::Translate)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_seeds_of_random_faults_lose_and_double_nothing_of_what_brokers_forget() {
    many::seeds(SEEDS, |seed| run(seed, Mode::Old)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_seeds_of_random_faults_change_no_offset() {
    many::seeds(PRESERVING_SEEDS, |seed| run(seed, Mode::Preserve)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_seeds_of_random_faults_change_no_offset_of_what_brokers_forget() {
    let run = |seed| run(seed, Mode::PreserveOld);
    many::seeds(WAITING_SEEDS, |seed| many::once_more_if_late(seed, run)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_seeds_of_random_faults_lose_nothing_and_double_nothing_whatever_is_chosen() {
    many::seeds(CHOOSING_SEEDS, |seed| run(seed, Mode::Auto)).await;
}

async fn run(seed: u64, mode: Mode) -> Result<String, String> {
    let mut random = StdRng::seed_from_u64(seed);
    let pair = mode.pair(BROKERS, seed).await;
    let mut writer = mode.writer(&pair).await;
    writer.write_all(3, 20).await;
    if mode.preserves() {
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
    if mode.preserves() {
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
    pub fn preserves(self) -> bool {
        matches!(self, Self::Preserve | Self::PreserveOld)
    }

    fn is_old(self) -> bool {
        matches!(self, Self::Old | Self::PreserveOld)
    }

    pub async fn pair(self, brokers: i32, seed: u64) -> Pair {
        match self.is_old() {
            true => Pair::forgetful(brokers as usize, seed).await,
            false => Pair::start(brokers as usize, seed).await,
        }
    }

    pub async fn writer(self, pair: &Pair) -> Writer {
        let mut writer = Writer::new(&pair.source).await;
        if self.is_old() {
            writer.write_old();
        }
        writer
    }

    pub fn keys(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Translate | Self::Old => &[("exactly.once.support", "required")],
            Self::Preserve | Self::PreserveOld => &[("offsets.mode", "preserve")],
            Self::Auto => &[("offsets.mode", "auto"), ("exactly.once.support", "required")],
        }
    }

    /// Whether it has stopped before anything could be wrong, and somebody starts it again: where offsets are preserved a cluster without coordinators is no
    /// reason to go on without them, and who may have lost its place to another owner writes nothing more.
    fn is_safe(self, trace: &str) -> bool {
        let is_without = trace.contains("COORDINATOR_NOT_AVAILABLE") || trace.contains("fenced");
        match self {
            Self::Translate => false,
            Self::Old => trace.contains("fenced"),
            Self::Preserve | Self::PreserveOld | Self::Auto => is_without,
        }
    }

    pub fn compare(self, pair: &Pair) -> Result<(), String> {
        match self {
            Self::Translate | Self::Old | Self::Auto => pair.compare(0).map(drop),
            Self::Preserve | Self::PreserveOld => pair.compare_places(),
        }
    }
}

fn event(random: &mut StdRng, mode: Mode) -> Event {
    let of_source = random.random_bool(0.5);
    let broker = random.random_range(1..=BROKERS);
    let partition = random.random_range(0..PARTITIONS);
    let kinds = match mode {
        Mode::Translate | Mode::Old => 20,
        Mode::Preserve | Mode::PreserveOld | Mode::Auto => 25,
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
