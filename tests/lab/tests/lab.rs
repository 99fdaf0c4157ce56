//! The lab proves itself before anything is proved with it: brokers, generators, and comparisons that do find what is planted.

use std::{process::Command, time::Duration};

use anyhow::{Result, ensure};
use rdkafka::{Message, message::Headers};
use towpath_kafka::verify::What;
use towpath_lab::{
    broker::{Broker, BrokerOptions, Listener, Pair},
    compare,
    generate::{self, Codec, EDGE_KINDS, Generated, Item, Sink, Traffic, Transactions},
    mask::Masker,
    process::Process,
    read::{self, Isolation},
    sequence, wait,
};

fn create(topic: &str, partitions: i32) -> Result<()> {
    let pair = Pair::shared();
    pair.source.admin()?.create_topic(topic, partitions, &[])?;
    pair.target.admin()?.create_topic(topic, partitions, &[])
}

fn both(topic: &str) -> (compare::Topic<'_>, compare::Topic<'_>) {
    let pair = Pair::shared();
    ((pair.source.bootstrap(), topic), (pair.target.bootstrap(), topic))
}

#[test]
fn generated_records_are_counted_compared_and_numbered() -> Result<()> {
    create("counted", 4)?;
    let traffic = Traffic::orders("counted", 4, 10_001);
    let (source, target) = both("counted");
    let generated = traffic.produce(source.0)?;
    traffic.produce(target.0)?;

    assert_eq!(generated.records, traffic.records_by_partition());
    assert_eq!(
        read::count(source.0, "counted", Isolation::ReadCommitted)?,
        generated.records
    );
    let report = compare::assert_same(source, target, 10_001)?;
    for side in report.partitions.iter() {
        assert_eq!(side.source, side.target, "counts, bytes and checksums");
    }
    let audit = sequence::audit(target.0, "counted", &traffic)?;
    audit.assert_exactly_once()?;

    let masked = compare::assert_masked(source, target, &Masker::orders("***"), 10_001);
    ensure!(masked.is_err(), "unmasked values must not pass as masked ones");
    Ok(())
}

#[test]
fn odd_records_keep_their_nulls_and_header_order() -> Result<()> {
    create("odd", 2)?;
    let (source, target) = both("odd");
    let records = 2 * EDGE_KINDS * 5;
    for bootstrap in [source.0, target.0] {
        let generated = generate::edges(bootstrap, "odd", 2, 2)?;
        assert_eq!(generated.total(), records);
    }
    // Two runs have base timestamps of their own.
    let mut options = compare::options(source, target);
    options.timestamps = towpath_kafka::verify::Timestamps::Ignored;
    let report = towpath_kafka::verify::compare(&options, None, |_, _| {})?;
    assert_eq!((report.first_difference(), report.compared()), (None, records));

    let (mut nulls, mut empties, mut repeated, mut tombstones, mut codecs) = (0, 0, 0, 0, Vec::new());
    read::topic(source.0, "odd", Isolation::ReadCommitted, |message| {
        tombstones += u64::from(message.payload().is_none());
        for header in message.headers().into_iter().flat_map(Headers::iter) {
            nulls += u64::from(header.key == "null" && header.value.is_none());
            empties += u64::from(header.key == "empty" && header.value == Some(b""));
            repeated += u64::from(header.key == "h");
        }
        Ok(())
    })?;
    assert_eq!((nulls, empties, repeated, tombstones), (20, 10, 30, 20));
    for partition in 0..2 {
        for batch in Pair::shared().source.log_batches("odd", partition)? {
            codecs.push(batch?.codec());
        }
    }
    for codec in Codec::ALL {
        assert!(codecs.contains(&codec.name()), "{} in {codecs:?}", codec.name());
    }
    Ok(())
}

type Case<'a> = (Vec<Item<'a>>, Option<(u64, What)>);

/// Each case is a partition: what the target has of the source's 100 records, and what the comparison must say.
#[test]
fn planted_differences_are_found_and_named() -> Result<()> {
    const HEADERS: &[(&str, Option<&[u8]>)] = &[("a", Some(b"1")), ("b", Some(b"2")), ("n", None)];
    const SWAPPED: &[(&str, Option<&[u8]>)] = &[("b", Some(b"2")), ("a", Some(b"1")), ("n", None)];
    const EMPTIED: &[(&str, Option<&[u8]>)] = &[("a", Some(b"1")), ("b", Some(b"2")), ("n", Some(b""))];
    let keys: Vec<String> = (0..100).map(|number| format!("key {number}")).collect();
    let timestamp = Traffic::orders("t", 1, 0).base_timestamp;
    let item = |key| Item {
        partition: 0,
        timestamp,
        key: Some(key),
        value: Some(b"value"),
        headers: HEADERS,
    };
    let good: Vec<Item<'_>> = keys.iter().map(|key| item(key.as_bytes())).collect();
    let changed = |number: usize, change: &dyn Fn(&mut Item<'_>)| {
        let mut bad = good.clone();
        change(&mut bad[number]);
        bad
    };
    let duplicate = |of: i64| What::Duplicate {
        of: towpath_domain::Offset(of),
    };

    let cases: Vec<Case<'_>> = vec![
        (good.clone(), None),
        (
            changed(41, &|item| item.value = Some(b"valuE")),
            Some((41, What::Value)),
        ),
        (changed(41, &|item| item.value = None), Some((41, What::Value))),
        (
            changed(41, &|item| item.key = Some(b"other")),
            Some((41, What::Key)),
        ),
        (
            changed(41, &|item| item.timestamp += 1),
            Some((41, What::Timestamp)),
        ),
        (
            changed(0, &|item| item.headers = SWAPPED),
            Some((0, What::Headers)),
        ),
        (
            changed(0, &|item| item.headers = EMPTIED),
            Some((0, What::Headers)),
        ),
        (changed(99, &|item| item.headers = &[]), Some((99, What::Headers))),
        (good[..99].to_vec(), Some((99, What::Missing { records: 1 }))),
        (
            [&good[..20], &good[27..]].concat(),
            Some((20, What::Missing { records: 7 })),
        ),
        (Vec::new(), Some((0, What::Missing { records: 100 }))),
        ([&good[..], &good[99..]].concat(), Some((100, duplicate(99)))),
        ([&good[..50], &good[40..]].concat(), Some((50, duplicate(40)))),
        (
            [&good[..50], &[item(b"foreign"); 3], &good[50..]].concat(),
            Some((50, What::Extra { records: 3 })),
        ),
        (
            [&good[..50], &good[51..52], &good[50..51], &good[52..]].concat(),
            Some((50, What::Order)),
        ),
    ];

    create("planted", i32::try_from(cases.len())?)?;
    let (source, target) = both("planted");
    let (left, right) = (
        Sink::new(source.0, "planted", Codec::Lz4, &[])?,
        Sink::new(target.0, "planted", Codec::Lz4, &[])?,
    );
    for (partition, (bad, _)) in (0..).zip(&cases) {
        good.iter()
            .try_for_each(|item| left.send(&Item { partition, ..*item }))?;
        bad.iter()
            .try_for_each(|item| right.send(&Item { partition, ..*item }))?;
    }
    left.finish()?;
    right.finish()?;

    let report = compare::same(source, target)?;
    assert!(compare::assert_same(source, target, report.compared()).is_err());
    for (found, (bad, expected)) in report.partitions.iter().zip(&cases) {
        assert_eq!(
            (found.source.records, found.target.records),
            (good.len() as u64, bad.len() as u64)
        );
        let text = found
            .difference
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        println!("{text}");
        let difference = found
            .difference
            .as_ref()
            .map(|difference| (difference.index, difference.what.clone()));
        ensure!(
            difference == *expected,
            "{difference:?} instead of {expected:?}: {text}"
        );
    }
    Ok(())
}

#[test]
fn a_copy_with_rewinds_is_audited() -> Result<()> {
    create("rewound", 2)?;
    let (_, target) = both("rewound");
    let traffic = Traffic::text("rewound", 2, 1000, 100);
    traffic.produce(target.0)?;
    let again = Traffic {
        first: 900,
        records: 150,
        ..traffic.clone()
    };
    again.produce(target.0)?;
    let skipped = Traffic {
        first: 1060,
        records: 40,
        ..traffic.clone()
    };
    skipped.produce(target.0)?;

    let audit = sequence::audit(
        target.0,
        "rewound",
        &Traffic {
            records: 1100,
            ..traffic
        },
    )?;
    assert_eq!(
        (audit.duplicates(), audit.missing(), audit.longest_rewind()),
        (100, 10, 50)
    );
    assert_eq!(audit.partitions[1].missing, vec![525..530]);
    assert_eq!(audit.partitions[0].rewinds.len(), 1);
    assert!(audit.assert_at_least_once().is_err());
    Ok(())
}

#[test]
fn transactions_abort_where_they_are_said_to() -> Result<()> {
    create("transactions", 2)?;
    let (source, _) = both("transactions");
    let what = Transactions {
        topic: "transactions".to_owned(),
        partitions: 2,
        producers: 3,
        rounds: 4,
        records: 50,
        codec: Codec::Zstd,
    };
    let (committed, aborted): (Generated, Generated) = generate::transactional(source.0, &what)?;
    assert_eq!((committed.total(), aborted.total()), (400, 200));
    assert_eq!(
        read::count(source.0, "transactions", Isolation::ReadCommitted)?,
        committed.records
    );
    let all: u64 = read::count(source.0, "transactions", Isolation::ReadUncommitted)?
        .iter()
        .sum();
    assert_eq!(all, 600);
    let mut markers = 0;
    for batch in Pair::shared().source.log_batches("transactions", 0)? {
        let batch = batch?;
        assert!(batch.is_transactional());
        markers += u64::from(batch.is_control());
    }
    assert_eq!(markers, 12);
    Ok(())
}

#[test]
fn the_cleaner_leaves_holes() -> Result<()> {
    let source = &Pair::shared().source;
    let written = generate::compacted(source, "holes", 2, 20_000)?;
    let left = read::count(source.bootstrap(), "holes", Isolation::ReadCommitted)?;
    for (left, written) in left.iter().zip(&written.records) {
        assert!(
            *left > 0 && left * 3 <= written * 2,
            "{left} of {written} are left"
        );
    }
    let ends: Vec<u64> = source
        .admin()?
        .offsets("holes")?
        .iter()
        .map(|(_, end)| end.unsigned_abs())
        .collect();
    assert_eq!(ends, written.records);
    Ok(())
}

#[test]
fn administration_does_what_it_says() -> Result<()> {
    let admin = Pair::shared().source.admin()?;
    admin.create_topic("administered", 2, &[("retention.ms", "-1")])?;
    admin.alter_topic("administered", &[("max.message.bytes", "2000000")])?;
    let configs = [("max.message.bytes", "2000000"), ("retention.ms", "-1")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(admin.topic_configs("administered")?, configs);
    Traffic::text("administered", 2, 100, 100).produce(Pair::shared().source.bootstrap())?;
    admin.delete_records("administered", 1, 20)?;
    assert_eq!(admin.offsets("administered")?, [(0, 50), (20, 50)]);
    admin.delete_topic("administered")?;
    wait::until("the deletion", Duration::from_secs(30), || {
        Ok(admin.partitions("administered")?.is_none().then_some(()))
    })
}

#[test]
fn a_broker_keeps_its_data_over_kills_and_has_tls_and_scram() -> Result<()> {
    let alice = ("alice".to_owned(), "wonderland".to_owned());
    let options = BrokerOptions::named("secured")
        .listener(Listener::Tls)
        .listener(Listener::Scram { users: vec![alice] })
        .property("num.network.threads", "2");
    let mut broker = Broker::start(options)?;
    broker.admin()?.create_topic("kept", 1, &[])?;
    let traffic = Traffic::text("kept", 1, 500, 100);
    traffic.produce(broker.bootstrap())?;

    let topics = |broker: &Broker, listener: &str| -> Result<String> {
        let config = broker
            .client_properties(listener)?
            .to_str()
            .expect("a plain name")
            .to_owned();
        broker.kafka().tool(
            "org.apache.kafka.tools.TopicCommand",
            &[
                "--bootstrap-server",
                broker.bootstrap_of(listener)?,
                "--command-config",
                &config,
                "--list",
            ],
        )
    };
    assert!(topics(&broker, "TLS")?.contains("kept"));
    assert!(broker.ca_pem().is_file());
    // The authorizer is on: a user without an ACL sees nothing, and with one what it was given.
    assert!(!topics(&broker, "SCRAM")?.contains("kept"));
    broker.admin()?.acls(&[
        "--add",
        "--allow-principal",
        "User:alice",
        "--operation",
        "Describe",
        "--topic",
        "kept",
    ])?;
    assert!(topics(&broker, "SCRAM")?.contains("kept"));

    broker.kill()?;
    broker.start_again()?;
    assert_eq!(
        read::count(broker.bootstrap(), "kept", Isolation::ReadCommitted)?,
        [500]
    );
    traffic.then(100).produce(broker.bootstrap())?;
    broker.restart()?;
    sequence::audit(broker.bootstrap(), "kept", &traffic.then(100))?.assert_exactly_once()?;
    assert!(broker.process()?.peak_resident_bytes()? > 100 << 20);
    assert!(broker.process()?.cpu_time()? > Duration::from_millis(500));
    Ok(())
}

#[test]
fn programs_do_not_outlive_the_lab() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let log = dir.path().join("log");
    let mut command = Command::new("sh");
    command.args(["-c", "echo started; exec sleep 600"]);
    let mut sleeper = Process::spawn("sleeper", &command, &log, None)?;
    wait::until("the start", Duration::from_secs(10), || {
        Ok(sleeper.log_tail(1).contains("started").then_some(()))
    })?;
    assert!(sleeper.ended()?.is_none());
    let proc = std::path::PathBuf::from(format!("/proc/{}", sleeper.pid()));
    sleeper.stop(Duration::from_secs(10))?;
    assert!(sleeper.ended()?.is_some() && !proc.exists());

    // What the watchdog does when the lab is killed: its pipe ends. Here a shell stands for the lab.
    let folder = dir.path().join("data");
    std::fs::create_dir(&folder)?;
    let sleeper = Process::spawn("sleeper", &command, &log, Some(&folder))?;
    let proc = std::path::PathBuf::from(format!("/proc/{}", sleeper.pid()));
    sleeper.abandon();
    wait::until("the watchdog", Duration::from_secs(10), || {
        let gone = std::fs::read_to_string(proc.join("stat")).map_or(true, |stat| stat.contains(") Z "));
        Ok((gone && !folder.exists()).then_some(()))
    })
}
