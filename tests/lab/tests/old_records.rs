//! Records so old that the target's broker forgets their producer at once: exactly once for readers of committed records, over kills of workers and brokers and with
//! two owners at a time; and nothing lost for those who read uncommitted ones.

use std::{
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use towpath_lab::{
    broker::{BrokerOptions, Pair},
    compare::places::{assert_identical, wait_for_bounds},
    generate::Traffic,
    kafka::Release,
    read::{self, Isolation},
    sequence,
    towpath::{Connector, Worker},
    wait,
};

const MIRRORED: Duration = Duration::from_secs(300);
const SOON: Duration = Duration::from_secs(60);
const YEAR: i64 = 365 * 24 * 3600 * 1000;
/// How long the target's brokers remember a producer.
const EXPIRATION: Duration = Duration::from_secs(2);

/// They look ten times as often as they could forget anybody.
fn forgetful(release: Release, expiration: Duration) -> Result<Pair> {
    let millis = |duration: Duration| duration.as_millis().to_string();
    let target = BrokerOptions::named("target")
        .release(release)
        .property("producer.id.expiration.ms", &millis(expiration))
        .property(
            "producer.id.expiration.check.interval.ms",
            &millis(EXPIRATION / 10),
        );
    Pair::start_with(BrokerOptions::named("source"), target)
}

/// For tests that leave the brokers alone.
fn pair() -> &'static Pair {
    static PAIR: OnceLock<Pair> = OnceLock::new();
    PAIR.get_or_init(|| forgetful(Release::Current, EXPIRATION).expect("the brokers start"))
}

fn worker(pair: &Pair, topic: &str, vary: impl FnOnce(Connector) -> Connector) -> Result<Worker> {
    let mut worker = Worker::new(&[
        ("bootstrap.servers", pair.target.bootstrap()),
        ("offset.storage.topic", "positions"),
    ])?;
    worker.connector(&vary(
        Connector::mirror(topic, pair.source.bootstrap())
            .set("topics", topic)
            .set("offsets.mode", "translate")
            .set("exactly.once.support", "required"),
    ))?;
    Ok(worker)
}

/// Records of a year ago, all of them there.
fn old(pair: &Pair, topic: &str, partitions: i32, records: u64) -> Result<Traffic> {
    pair.source
        .admin()?
        .create_topic(topic, partitions, &[("retention.ms", "-1")])?;
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let traffic = Traffic {
        base_timestamp: now - YEAR,
        ..Traffic::text(topic, partitions, records, 200)
    };
    traffic.produce(pair.source.bootstrap())?;
    Ok(traffic)
}

fn end(pair: &Pair, topic: &str) -> Result<i64> {
    if pair.target.admin()?.partitions(topic)?.is_none() {
        return Ok(0);
    }
    let offsets = pair.target.admin()?.offsets(topic)?;
    Ok(offsets.iter().map(|(_, end)| end).sum())
}

/// Once and in order for readers of committed records, and at least once for the others.
fn audit(pair: &Pair, topic: &str, traffic: &Traffic) -> Result<()> {
    let target = pair.target.bootstrap();
    sequence::audit_as((target, topic), traffic, Isolation::ReadCommitted)?.assert_exactly_once()?;
    let all = sequence::audit(target, topic, traffic)?;
    ensure!(all.missing() == 0, "{all}");
    println!("{topic}: {} copies of aborted transactions", all.duplicates());
    Ok(())
}

fn says_for_whom_it_is_exact(worker: &Worker) -> Result<()> {
    let text = worker.status_text().context("there is a status")?;
    ensure!(
        text.contains("exact for read_committed readers") && text.contains("producer.id.expiration.ms"),
        "{text}"
    );
    Ok(())
}

fn kills_and_broker_kills(release: Release) -> Result<()> {
    let mut pair = forgetful(release, EXPIRATION)?;
    let topic = "old-kills";
    let traffic = old(&pair, topic, 4, 1_500_000)?;
    let mut worker = worker(&pair, topic, |connector| connector.set("tasks.max", "2"))?;
    let mut random = StdRng::seed_from_u64(7);
    let mut before = 0;
    for round in 0..6 {
        worker.start()?;
        wait::until("records to flow", SOON, || {
            Ok((end(&pair, topic)? > before).then_some(()))
        })?;
        wait::pause(Duration::from_millis(random.random_range(0..300)));
        if round % 3 == 2 {
            pair.target.kill()?;
            pair.target.start_again()?;
        }
        worker.kill()?;
        // A broker that has just come back does not lead yet.
        before = wait::until("the broker to lead again", SOON, || Ok(end(&pair, topic).ok()))?;
    }
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    says_for_whom_it_is_exact(&worker)?;
    worker.stop()?;
    audit(&pair, topic, &traffic)
}

#[test]
fn they_come_once_over_kills_and_broker_kills() -> Result<()> {
    kills_and_broker_kills(Release::Current)
}

#[test]
fn they_come_once_over_kills_and_broker_kills_of_the_last_release_before_4() -> Result<()> {
    kills_and_broker_kills(Release::Bridge)
}

/// Two workers have the connector in turn: the one that has it is frozen amid its work, and thawed when the other one has gone on and brokers have forgotten what it wrote.
#[test]
fn late_batches_of_frozen_workers_do_not_come_twice() -> Result<()> {
    let topic = "old-frozen";
    let traffic = old(pair(), topic, 4, 3_000_000)?;
    let rates = ["6000000", "6000000", "6000000", "6000000", "0"];
    let mut random = StdRng::seed_from_u64(11);
    let limited = |rate: &str| {
        worker(pair(), topic, |connector| {
            connector.set("target.max.bytes.per.second", rate)
        })
    };
    let mut owner = limited(rates[0])?;
    owner.start()?;
    for rate in &rates[1..] {
        let before = end(pair(), topic)?;
        wait::until("records to flow", SOON, || {
            Ok((end(pair(), topic)? > before + 1000).then_some(()))
        })?;
        wait::pause(Duration::from_millis(random.random_range(0..200)));
        owner.process()?.signal("STOP")?;
        let before = end(pair(), topic)?;
        let mut next = limited(rate)?;
        next.start()?;
        wait::until("the next one to mirror", SOON, || {
            Ok((end(pair(), topic)? > before + 1000).then_some(()))
        })?;
        wait::pause(EXPIRATION * 2);
        owner.process()?.signal("CONT")?;
        owner.wait_for("the former owner to notice", SOON, |status| {
            (0..4).any(|partition| {
                status
                    .partition(topic, partition)
                    .is_some_and(|partition| partition.state == "fenced")
            })
        })?;
        owner.kill()?;
        owner = next;
    }
    owner.wait_until_mirrored(topic, &pair().source, MIRRORED)?;
    owner.stop()?;
    audit(pair(), topic, &traffic)
}

/// Old ones, then ones of now, then old ones again: each as it may, and none twice.
#[test]
fn old_and_young_records_of_one_partition_follow_each_other() -> Result<()> {
    let topic = "old-and-young";
    let mut traffic = old(pair(), topic, 2, 20_000)?;
    let mut worker = worker(pair(), topic, |connector| connector)?;
    worker.start()?;
    worker.wait_until_mirrored(topic, &pair().source, MIRRORED)?;
    for is_young in [true, false, true] {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        traffic = Traffic {
            base_timestamp: if is_young { now + 60_000 } else { now - YEAR },
            ..traffic.then(20_000)
        };
        traffic.produce(pair().source.bootstrap())?;
        worker.wait_until_mirrored(topic, &pair().source, MIRRORED)?;
        worker.kill()?;
        worker.start()?;
    }
    worker.wait_until_mirrored(topic, &pair().source, MIRRORED)?;
    worker.stop()?;
    audit(pair(), topic, &traffic)?;
    let counts = read::count(pair().target.bootstrap(), topic, Isolation::ReadCommitted)?;
    ensure!(counts.iter().sum::<u64>() == 80_000);
    Ok(())
}

const PRESERVED: u64 = 1_200_000;

/// As above where offsets are preserved: by a lease, since a marker would cost an offset that the source does not have.
#[test]
fn late_batches_of_frozen_workers_change_no_offset() -> Result<()> {
    let topic = "old-preserved";
    // Brokers forget who wrote old records whenever they look, and who claimed a bucket not while a worker is slow.
    let mut pair = forgetful(Release::Current, Duration::from_secs(40))?;
    old(&pair, topic, 4, PRESERVED)?;
    let start = |pair: &Pair, rate: &str| -> Result<Worker> {
        let mut worker = Worker::new(&[
            ("bootstrap.servers", pair.target.bootstrap()),
            ("offset.storage.topic", "positions"),
            ("request.timeout.ms", "5000"),
        ])?;
        worker.connector(
            &Connector::mirror(topic, pair.source.bootstrap())
                .set("topics", topic)
                .set("offsets.mode", "preserve")
                .set("target.max.bytes.per.second", rate),
        )?;
        worker.start()?;
        Ok(worker)
    };
    let mut random = StdRng::seed_from_u64(13);
    let mut owner = start(&pair, "3000000")?;
    for rate in ["3000000", "3000000", "0"] {
        let before = end(&pair, topic)?;
        wait::until("records to flow", SOON, || {
            Ok((end(&pair, topic)? > before + 1000).then_some(()))
        })?;
        wait::pause(Duration::from_millis(random.random_range(0..200)));
        owner.process()?.signal("STOP")?;
        let before = end(&pair, topic)?;
        let next = start(&pair, rate)?;
        wait::until("the next one to mirror", SOON, || {
            Ok((end(&pair, topic)? > before + 1000).then_some(()))
        })?;
        wait::pause(EXPIRATION / 2);
        owner.process()?.signal("CONT")?;
        owner.wait_for("the former owner to notice", SOON, |status| {
            (0..4).any(|partition| {
                status
                    .partition(topic, partition)
                    .is_some_and(|partition| partition.state == "fenced")
            })
        })?;
        owner.kill()?;
        owner = next;
    }
    // And a broker that is killed amid all this.
    pair.target.kill()?;
    pair.target.start_again()?;
    owner.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    wait_for_bounds(&pair, topic)?;
    owner.stop()?;
    ensure!(assert_identical(&pair, topic)? == PRESERVED);
    Ok(())
}
