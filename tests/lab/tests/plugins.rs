//! Predicates, validators, the dead letter queue and plugins that break, in pipelines between two real brokers.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use rdkafka::{
    Message,
    message::{BorrowedMessage, Headers},
};
use towpath_lab::{
    broker::Pair,
    compare,
    generate::{Codec, Item, Sink, Traffic},
    plugins,
    read::{self, Isolation},
    towpath::{Connector, Worker},
};

const MIRRORED: Duration = Duration::from_secs(300);
const SOON: Duration = Duration::from_secs(120);

fn pair() -> &'static Pair {
    Pair::shared()
}

fn worker(connectors: &[Connector]) -> Result<Worker> {
    let folders = [plugins::folder()?, plugins::adversaries()?].map(|folder| folder.display().to_string());
    let mut worker = Worker::new(&[
        ("bootstrap.servers", pair().target.bootstrap()),
        ("plugin.path", &folders.join(",")),
        ("plugin.call.timeout.ms", "300"),
        ("offset.storage.topic", "positions"),
    ])?;
    for connector in connectors {
        worker.connector(connector)?;
    }
    Ok(worker)
}

fn mirror(name: &str, topics: &str) -> Connector {
    Connector::mirror(name, pair().source.bootstrap()).set("topics", topics)
}

/// Values of one partition; none is a tombstone.
fn write(topic: &str, values: &[Option<&str>]) -> Result<()> {
    let admin = pair().source.admin()?;
    if admin.partitions(topic)?.is_none() {
        // The timestamps are of 1970.
        admin.create_topic(topic, 1, &[("retention.ms", "-1")])?;
    }
    let sink = Sink::new(pair().source.bootstrap(), topic, Codec::Lz4, &[])?;
    for (seq, value) in (0..).zip(values) {
        sink.send(&Item {
            partition: 0,
            timestamp: 1000 + seq,
            key: Some(format!("k{seq}").as_bytes()),
            value: value.map(str::as_bytes),
            headers: &[],
        })?;
        sink.serve();
    }
    sink.finish()?;
    Ok(())
}

#[derive(Debug, PartialEq)]
struct Found {
    key: Option<String>,
    value: Option<String>,
    headers: BTreeMap<String, String>,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn found(message: &BorrowedMessage<'_>) -> Found {
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    Found {
        key: message.key().map(text),
        value: message.payload().map(text),
        headers: headers
            .map(|header| (header.key.to_owned(), header.value.map(text).unwrap_or_default()))
            .collect(),
    }
}

/// Every record of a topic of the target.
fn on_target(topic: &str) -> Result<Vec<Found>> {
    let mut all = Vec::new();
    read::topic(
        pair().target.bootstrap(),
        topic,
        Isolation::ReadCommitted,
        |message| {
            all.push(found(message));
            Ok(())
        },
    )?;
    Ok(all)
}

fn values(records: &[Found]) -> Vec<Option<&str>> {
    records.iter().map(|record| record.value.as_deref()).collect()
}

#[test]
fn a_predicate_of_topics_leaves_other_topics_as_they_are_byte_for_byte() -> Result<()> {
    for topic in ["pii-a", "open-a"] {
        pair().source.admin()?.create_topic(topic, 2, &[])?;
        Traffic::orders(topic, 2, 5_000).produce(pair().source.bootstrap())?;
    }
    let mut worker = worker(&[mirror("by-topic", "pii-a,open-a")
        .set("predicates", "pii")
        .set("predicates.pii.type", "topic-name-matches")
        .set("predicates.pii.pattern", "pii-.*")
        .set("transforms", "mark")
        .set("transforms.mark.type", "insert-header")
        .set("transforms.mark.header", "class")
        .set("transforms.mark.value.literal", "secret")
        .set("transforms.mark.predicate", "pii")])?;
    worker.start()?;
    worker.wait_until_mirrored("open-a", &pair().source, MIRRORED)?;
    let status = worker.wait_until_mirrored("pii-a", &pair().source, MIRRORED)?;
    worker.stop()?;
    ensure!(
        status.mirrored().copied > 0 && status.mirrored().decoded > 0,
        "{status:?}"
    );
    let copied = compare::assert_passed_through((&pair().source, "open-a"), (&pair().target, "open-a"), 2)?;
    ensure!(copied > 0);
    let marked = on_target("pii-a")?;
    ensure!(marked.len() == 5_000);
    ensure!(
        marked
            .iter()
            .all(|record| record.headers.get("class").is_some_and(|class| class == "secret"))
    );
    Ok(())
}

#[test]
fn a_transformation_is_given_what_matches_and_the_rest_passes_in_order() -> Result<()> {
    for (topic, negate, marked) in [
        ("gaps-not", "true", [true, false, true, false, false, true]),
        ("gaps-are", "false", [false, true, false, true, true, false]),
    ] {
        write(topic, &[Some("a"), None, Some("b"), None, None, Some("c")])?;
        let mut worker = worker(&[mirror(topic, topic)
            .set("predicates", "gone")
            .set("predicates.gone.type", "is-tombstone")
            .set("transforms", "mark")
            .set("transforms.mark.type", "insert-header")
            .set("transforms.mark.header", "marked")
            .set("transforms.mark.value.literal", "yes")
            .set("transforms.mark.predicate", "gone")
            .set("transforms.mark.negate", negate)])?;
        worker.start()?;
        worker.wait_until_mirrored(topic, &pair().source, MIRRORED)?;
        worker.stop()?;
        let records = on_target(topic)?;
        assert_eq!(
            values(&records),
            [Some("a"), None, Some("b"), None, None, Some("c")]
        );
        let has: Vec<bool> = records
            .iter()
            .map(|record| record.headers.contains_key("marked"))
            .collect();
        assert_eq!(has, marked);
    }
    Ok(())
}

#[test]
fn what_a_plugin_rejects_is_in_the_dead_letter_queue_and_everything_else_is_mirrored() -> Result<()> {
    write(
        "letters",
        &[
            Some(r#"{"a":1}"#),
            Some("not json"),
            None,
            Some(r#"{"a":2}"#),
            Some("nor this"),
        ],
    )?;
    let connector = mirror("letters", "letters")
        .set("transforms", "mask")
        .set("transforms.mask.type", "mask-field")
        .set("transforms.mask.fields", "$.a")
        .set("errors.tolerance", "all")
        .set("errors.log.enable", "true")
        .set("errors.deadletterqueue.topic.name", "letters-dead");
    let mut worker = worker(&[connector])?;
    worker.start()?;
    let status = worker.wait_until_mirrored("letters", &pair().source, MIRRORED)?;
    let mirrored = status.mirrored();
    assert_eq!(
        (mirrored.records, mirrored.skipped, mirrored.dead_lettered),
        (3, 2, 2)
    );
    // Killed, not stopped: what is behind the stored position comes again, and under the same keys.
    worker.kill()?;
    worker.start()?;
    write("letters", &[Some(r#"{"b":3}"#)])?;
    worker.wait_until_mirrored("letters", &pair().source, MIRRORED)?;
    worker.stop()?;
    ensure!(worker.log_text().contains("a record is not written"));

    let mut kept: Vec<Found> = Vec::new();
    for record in on_target("letters")? {
        if !kept.contains(&record) {
            kept.push(record);
        }
    }
    let masked = [
        Some(r#"{"a":"***"}"#),
        None,
        Some(r#"{"a":"***"}"#),
        Some(r#"{"b":3}"#),
    ];
    assert_eq!(values(&kept), masked);

    let mut dead = on_target("letters-dead")?;
    ensure!(dead.iter().all(|letter| letter.key.is_some()));
    dead.sort_by(|a, b| a.key.cmp(&b.key));
    dead.dedup();
    let [first, second] = &dead[..] else {
        anyhow::bail!("{dead:?}")
    };
    for (letter, offset, value, key, timestamp) in [
        (first, "1", "not json", "k1", "1001"),
        (second, "4", "nor this", "k4", "1004"),
    ] {
        assert_eq!(letter.value.as_deref(), Some(value), "as it was read");
        let coordinates = letter.key.as_deref().context("a letter has a key")?;
        ensure!(
            coordinates.ends_with(&format!("/letters/0/{offset}")),
            "{coordinates}"
        );
        for (header, expected) in [
            ("__connect.errors.topic", "letters"),
            ("__connect.errors.partition", "0"),
            ("__connect.errors.offset", offset),
            ("__connect.errors.connector.name", "letters"),
            ("__connect.errors.task.id", "0"),
            ("__connect.errors.stage", "TRANSFORMATION"),
            ("__connect.errors.exception.class.name", "rejected"),
            ("__towpath.errors.stage", "transforms.mask"),
            ("__towpath.errors.key", key),
            ("__towpath.errors.timestamp", timestamp),
        ] {
            assert_eq!(
                letter.headers.get(header).map(String::as_str),
                Some(expected),
                "{header}"
            );
        }
        let said = &letter.headers["__connect.errors.exception.message"];
        ensure!(said.contains("the value is not JSON"), "{said}");
        ensure!(letter.headers["__connect.errors.class.name"].starts_with("mask-field@"));
    }
    Ok(())
}

#[test]
fn a_plugin_that_breaks_costs_the_records_it_breaks_on_and_no_other() -> Result<()> {
    let lines: Vec<String> = (0..200)
        .map(|seq| {
            if seq % 50 == 30 {
                "bad".to_owned()
            } else {
                format!("v{seq}")
            }
        })
        .collect();
    let good: Vec<Option<&str>> = lines
        .iter()
        .filter(|line| *line != "bad")
        .map(|line| Some(line.as_str()))
        .collect();
    let all: Vec<Option<&str>> = lines.iter().map(|line| Some(line.as_str())).collect();
    for act in ["trap-on-bad", "loop-on-bad"] {
        write(act, &all)?;
        let dead = format!("{act}-dead");
        let mut worker = worker(&[mirror(act, act)
            .set("transforms", "odd")
            .set("transforms.odd.type", "hostile")
            .set("transforms.odd.act", act)
            .set("errors.tolerance", "all")
            .set("errors.deadletterqueue.topic.name", &dead)])?;
        worker.start()?;
        let status = worker.wait_until_mirrored(act, &pair().source, MIRRORED)?;
        worker.stop()?;
        assert_eq!(status.mirrored().dead_lettered, 4);
        assert_eq!(
            values(&on_target(act)?),
            good,
            "{act}: the others, once, in order"
        );
        let letters = on_target(&dead)?;
        let offsets: Vec<&str> = letters
            .iter()
            .map(|letter| letter.headers["__connect.errors.offset"].as_str())
            .collect();
        assert_eq!(offsets, ["30", "80", "130", "180"]);
        let why = &letters[0].headers["__connect.errors.exception.message"];
        for part in ["plugin hostile@0.1.0 (sha256 ", "broke in `transform`"] {
            ensure!(why.contains(part), "{part:?} is missing in {why:?}");
        }
    }
    Ok(())
}

#[test]
fn a_partition_stops_at_the_record_a_plugin_breaks_on_and_other_connectors_go_on() -> Result<()> {
    write("stuck", &[Some("a"), Some("b"), Some("bad"), Some("c")])?;
    write("beside", &[Some("a"), Some("b")])?;
    let mut worker = worker(&[
        mirror("stuck", "stuck")
            .set("transforms", "odd")
            .set("transforms.odd.type", "hostile")
            .set("transforms.odd.act", "trap-on-bad"),
        mirror("beside", "beside"),
    ])?;
    worker.start()?;
    let status = worker.wait_for("one to stop and the other to go on", SOON, |status| {
        status
            .partition("stuck", 0)
            .is_some_and(|partition| partition.state == "plugin-failed" && partition.position == Some(2))
            && status.position("beside", 0) == Some(2)
    })?;
    let failure = status.failure().unwrap_or_default();
    for part in [
        "source offset 2",
        "transforms.odd",
        "plugin hostile@0.1.0 (sha256 ",
        "broke in `transform`",
    ] {
        ensure!(failure.contains(part), "{part:?} is missing in {failure:?}");
    }
    worker.stop()?;
    assert_eq!(
        values(&on_target("stuck")?),
        [Some("a"), Some("b")],
        "all before the record"
    );
    Ok(())
}

#[test]
fn a_validators_rejections_do_what_on_reject_says() -> Result<()> {
    let judged = |topic: &str, on_reject: &str| {
        mirror(topic, topic)
            .set("predicates", "marked")
            .set("predicates.marked.type", "is-tombstone")
            .set("transforms", "mask")
            .set("transforms.mask.type", "mask-field")
            .set("transforms.mask.fields", "$.a")
            .set("transforms.mask.predicate", "marked")
            .set("transforms.mask.negate", "true")
            .set("validators", "same")
            .set("validators.same.type", "example-same-value")
            .set("validators.same.on.reject", on_reject)
    };
    // The mask changes the second value, and the validator wants values unchanged.
    let input = [Some(r#"{"b":1}"#), Some(r#"{"a":1}"#), None, Some(r#"{"b":2}"#)];
    for topic in ["judge-fail", "judge-skip", "judge-dead", "judge-tag"] {
        write(topic, &input)?;
    }
    let mut worker = worker(&[
        judged("judge-fail", "fail"),
        judged("judge-skip", "skip"),
        judged("judge-dead", "dead-letter").set("errors.deadletterqueue.topic.name", "judge-dead-letters"),
        judged("judge-tag", "tag"),
    ])?;
    worker.start()?;
    worker.wait_for("three to be mirrored, and one to stop", SOON, |status| {
        let stopped = status.partition("judge-fail", 0);
        stopped.is_some_and(|partition| partition.state == "plugin-failed" && partition.position == Some(1))
            && ["judge-skip", "judge-dead", "judge-tag"]
                .iter()
                .all(|topic| status.position(topic, 0) == Some(4))
    })?;
    worker.stop()?;
    let unmasked = [Some(r#"{"b":1}"#), None, Some(r#"{"b":2}"#)];
    assert_eq!(values(&on_target("judge-fail")?), [Some(r#"{"b":1}"#)]);
    assert_eq!(values(&on_target("judge-skip")?), unmasked);
    assert_eq!(values(&on_target("judge-dead")?), unmasked);
    let letters = on_target("judge-dead-letters")?;
    assert_eq!(
        values(&letters),
        [Some(r#"{"a":1}"#)],
        "as it was read, not as it was to be written"
    );
    assert_eq!(letters[0].headers["__connect.errors.stage"], "VALIDATION");
    assert_eq!(letters[0].headers["__towpath.errors.stage"], "validators.same");
    let tagged = on_target("judge-tag")?;
    assert_eq!(
        values(&tagged),
        [
            Some(r#"{"b":1}"#),
            Some(r#"{"a":"***"}"#),
            None,
            Some(r#"{"b":2}"#)
        ]
    );
    let tags: Vec<Option<&str>> = tagged
        .iter()
        .map(|record| record.headers.get("towpath.rejected.same").map(String::as_str))
        .collect();
    assert_eq!(tags, [None, Some("values differ"), None, None]);
    Ok(())
}
