//! Two workers that share a connector: buckets go to and fro between them, to both at once and to none, under random faults; workers are killed and come back. All of
//! it follows from a seed. `TOWPATH_SEED=7 cargo test --release -p towpath-mirror --test faults owners` runs one.

use std::{collections::HashMap, sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use towpath_domain::{Buckets, state::Run};
use towpath_embedded::Random;
use towpath_mirror::ownership::{Assigned, Ownership};

use super::{
    many,
    mirror::{Mirror, POSITIONS, prepare_owning},
    pair::{PARTITIONS, PATIENCE, Pair, TOPIC, Writer},
    seeds::Mode,
    wait::{poll, until},
};

const NAME: &str = "faults";
const SEEDS: u64 = 20;
const WAITING_SEEDS: u64 = 10;
const BROKERS: i32 = 3;
const EVENTS: usize = 24;

/// A worker, and what it is told to have.
struct Owner {
    assign: watch::Sender<Assigned>,
    mirror: Option<Mirror>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buckets_that_change_their_owner_lose_nothing_and_double_nothing() {
    many::seeds(SEEDS, |seed| run(seed, Mode::Translate)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buckets_that_change_their_owner_change_no_offset() {
    many::seeds(SEEDS, |seed| run(seed, Mode::Preserve)).await;
}

/// Of records that brokers forget at once: late batches of former owners are waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buckets_that_change_their_owner_change_no_offset_of_what_brokers_forget() {
    let run = |seed| run(seed, Mode::PreserveOld);
    many::seeds(WAITING_SEEDS, |seed| many::once_more_if_late(seed, run)).await;
}

/// What is given up is at rest: nothing is open, and the next owner begins where it ended, without the one before having to be shut out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_gives_up_one_bucket_and_goes_on_with_the_others() {
    let pair = Pair::start(1, 300).await;
    let mut writer = Writer::new(&pair.source).await;
    writer.write_all(2, 20).await;
    let mut first = Owner::new();
    first.start(&pair, Mode::Translate).await.unwrap();
    first.give(Buckets::ALL);
    until(|| pair.compare(0) == Ok(0), || format!("{:?}", pair.compare(0))).await;
    let bucket = writer.bucket(0);
    let mut second = Owner::new();
    second.start(&pair, Mode::Translate).await.unwrap();
    first.give(Buckets::ALL - bucket.into());
    until(
        || first.partitions() == [1],
        || format!("{:?}", first.partitions()),
    )
    .await;
    writer.write_all(1, 20).await;
    until(
        || pair.rows(1).0 == pair.rows(1).1,
        || "the partition that stays to go on".to_owned(),
    )
    .await;
    assert_eq!(pair.rows(0).1.len(), 40, "nobody has the other one");
    second.give(bucket.into());
    until(|| pair.compare(0) == Ok(0), || format!("{:?}", pair.compare(0))).await;
    until(
        || second.partitions() == [0],
        || format!("{:?}", second.partitions()),
    )
    .await;
    assert_eq!(first.partitions(), [1]);
    // And back, into the place that it had.
    second.give(Buckets::NONE);
    until(
        || second.partitions().is_empty(),
        || "it to be given up".to_owned(),
    )
    .await;
    first.give(Buckets::ALL);
    writer.write_all(1, 20).await;
    until(|| pair.compare(0) == Ok(0), || format!("{:?}", pair.compare(0))).await;
    until(
        || first.partitions() == [0, 1],
        || format!("{:?}", first.partitions()),
    )
    .await;
    let mirrored = || first.mirror.as_ref().unwrap().status().mirrored.records;
    // What others have mirrored does not count.
    until(
        || mirrored() == 80 + 20 + 40,
        || format!("{} records", mirrored()),
    )
    .await;
    for owner in [first, second] {
        owner.mirror.unwrap().stop().await;
    }
    pair.shutdown().await;
}

/// Of two that are told the same, the one that claims last has it; the other one writes nothing more there, and goes on with what is its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_owners_of_a_bucket_the_last_has_it_and_the_others_buckets_go_on() {
    let pair = Pair::start(1, 301).await;
    let mut writer = Writer::new(&pair.source).await;
    writer.write_all(2, 20).await;
    let mut first = Owner::new();
    first.give(Buckets::ALL);
    first.start(&pair, Mode::Translate).await.unwrap();
    until(|| pair.compare(0) == Ok(0), || format!("{:?}", pair.compare(0))).await;
    let bucket = writer.bucket(0);
    let mut second = Owner::new();
    second.give(bucket.into());
    second.start(&pair, Mode::Translate).await.unwrap();
    until(
        || second.partitions() == [0],
        || "the second to take it over".to_owned(),
    )
    .await;
    for _ in 0..5 {
        writer.write_all(1, 20).await;
        sleep(Duration::from_millis(50)).await;
    }
    until(|| pair.compare(0) == Ok(0), || format!("{:?}", pair.compare(0))).await;
    let states = || first.mirror.as_ref().unwrap().states();
    until(
        || states() == ["fenced", "mirroring"],
        || format!("{:?}", states()),
    )
    .await;
    for owner in [first, second] {
        owner.mirror.unwrap().stop().await;
    }
    assert_eq!(pair.compare(0), Ok(0));
    pair.shutdown().await;
}

async fn run(seed: u64, mode: Mode) -> Result<String, String> {
    let mut random = StdRng::seed_from_u64(seed);
    let pair = mode.pair(BROKERS, seed).await;
    let mut writer = mode.writer(&pair).await;
    writer.write_all(3, 20).await;
    let mut owners = [Owner::new(), Owner::new()];
    for owner in &mut owners {
        owner.start(&pair, mode).await?;
    }
    share(&mut random, &owners);
    let faults = if seed.is_multiple_of(2) {
        Random::gentle
    } else {
        Random::harsh
    };
    pair.source.faults().randomize(faults(seed));
    pair.target.faults().randomize(faults(!seed));
    let mut happened = Vec::new();
    for _ in 0..EVENTS {
        let partition = random.random_range(0..PARTITIONS);
        let what = random.random_range(0..20);
        happened.push(what);
        match what {
            0..9 => drop(writer.try_write(partition, random.random_range(1..40)).await),
            9..15 => share(&mut random, &owners),
            15 => {
                for topic in [TOPIC, POSITIONS] {
                    // It may not be there yet.
                    let _ = pair
                        .target
                        .move_leader(topic, partition, random.random_range(1..=BROKERS));
                }
            }
            16 => pair
                .target
                .restart_broker(random.random_range(1..=BROKERS))
                .await
                .unwrap(),
            17 if mode.preserves() => drop(writer.try_mark(partition).await),
            _ => {
                let owner = &mut owners[random.random_range(0..2)];
                if let Some(mirror) = owner.mirror.take() {
                    mirror.kill().await;
                }
                owner.start(&pair, mode).await?;
            }
        }
        sleep(Duration::from_millis(random.random_range(1..120))).await;
    }
    pair.source.faults().calm();
    pair.target.faults().calm();
    writer.write_all(1, 20).await;
    if mode.preserves() {
        while writer.try_mark(1).await.is_err() {}
    }
    // Who has lost a bucket to another one gets it back when it has given it up.
    for owner in &mut owners {
        owner.give(Buckets::NONE);
        if owner.has_ended() {
            owner.start(&pair, mode).await?;
        }
        until(
            || owner.owned() == Some(Vec::new()),
            || format!("seed {seed}: buckets are kept"),
        )
        .await;
    }
    let last = &owners[seed as usize % 2];
    // A claim that was given up may be carried out late, and shuts the last owner out, too: nothing is written then, and it takes the buckets over again.
    let mut claims = 0;
    loop {
        last.give(Buckets::ALL);
        claims += 1;
        let mirror = last.mirror.as_ref().unwrap();
        let end = poll(|| match mode.compare(&pair) {
            Ok(()) => Some(Ok(())),
            Err(_) => mirror.failed().map(Err),
        })
        .await;
        match end {
            Some(Ok(())) => break,
            Some(Err(trace)) if claims < 4 && trace.contains("fenced") => {
                last.give(Buckets::NONE);
                until(
                    || last.owned() == Some(Vec::new()),
                    || "buckets are kept".to_owned(),
                )
                .await;
            }
            Some(Err(trace)) => return Err(format!("it gave up: {trace}; after {happened:?}")),
            None => {
                return Err(format!(
                    "{:?}; {:?}; after {happened:?}",
                    mode.compare(&pair),
                    mirror.status()
                ));
            }
        }
    }
    for owner in owners {
        if let Some(mirror) = owner.mirror {
            mirror.stop().await;
        }
    }
    // Nothing comes behind what is whole.
    mode.compare(&pair)
        .map_err(|what| format!("{what}; after {happened:?}"))?;
    let records: usize = (0..PARTITIONS)
        .map(|partition| pair.rows(partition).0.len())
        .sum();
    pair.shutdown().await;
    Ok(format!("{records} records"))
}

/// Each bucket gets one owner mostly, sometimes two or none.
fn share(random: &mut StdRng, owners: &[Owner; 2]) {
    let mut given = [Buckets::NONE; 2];
    for bucket in Buckets::ALL.iter() {
        let who: &[usize] = match random.random_range(0..8) {
            0..3 => &[0],
            3..6 => &[1],
            6 => &[0, 1],
            _ => &[],
        };
        for owner in who {
            given[*owner] = given[*owner] | bucket.into();
        }
    }
    for (owner, buckets) in owners.iter().zip(given) {
        owner.give(buckets);
    }
}

// === impl Owner ===

impl Owner {
    fn new() -> Self {
        Self {
            assign: watch::Sender::default(),
            mirror: None,
        }
    }

    fn give(&self, buckets: Buckets) {
        let assigned = Arc::new(HashMap::from([(NAME.to_owned(), buckets)]));
        self.assign.send_replace(assigned);
    }

    /// What is refused because brokers do not answer is tried again.
    async fn start(&mut self, pair: &Pair, mode: Mode) -> Result<(), String> {
        let start = async {
            loop {
                let ownership = Ownership::assigned(self.assign.subscribe());
                if let Ok(connector) = prepare_owning(pair, NAME, mode.keys(), ownership).await {
                    return connector;
                }
            }
        };
        let connector = timeout(PATIENCE, start).await;
        self.mirror = Some(Mirror::run(
            connector.map_err(|_| "it does not start".to_owned())?,
        ));
        Ok(())
    }

    fn owned(&self) -> Option<Vec<u32>> {
        self.mirror.as_ref()?.status().buckets
    }

    /// The connector as a whole has failed: without coordinators there is no preserving.
    fn has_ended(&self) -> bool {
        let mirror = self.mirror.as_ref();
        mirror.is_some_and(|mirror| mirror.status().connector.state == Run::Failed)
    }

    fn partitions(&self) -> Vec<i32> {
        let status = self.mirror.as_ref().unwrap().status();
        let shown = status.tasks.iter().flat_map(|task| &task.partitions);
        let mut partitions: Vec<i32> = shown.map(|partition| partition.partition).collect();
        partitions.sort_unstable();
        partitions
    }
}
