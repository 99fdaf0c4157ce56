//! A transaction at the source that hangs, on two real brokers: who has it open is in the status, and when it ends everything is mirrored once.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use towpath_lab::{
    broker::Pair,
    compare::{self, places::assert_identical},
    generate::{Codec, Item, SEQ_HEADER, Sink, Traffic},
    towpath::{Connector, Status, Worker},
};

/// It is told after a minute.
const TOLD: Duration = Duration::from_secs(120);
const MIRRORED: Duration = Duration::from_secs(120);
const BLOCKED: &str = "blocked-by-open-transaction";

/// Leaves a transaction open behind the first records, with committed ones behind it.
fn hang(pair: &Pair, topic: &str) -> Result<Sink> {
    let source = pair.source.bootstrap();
    let traffic = Traffic::orders(topic, 1, 500);
    traffic.produce(source)?;
    let sink = transactional(source, topic)?;
    sink.init_transactions()?;
    sink.begin_transaction()?;
    for seq in 0..7 {
        sink.send(&Item {
            partition: 0,
            timestamp: traffic.timestamp(seq),
            key: Some(b"open"),
            value: Some(b"not committed"),
            headers: &[(SEQ_HEADER, Some(b"77"))],
        })?;
    }
    sink.finish()?;
    traffic.then(500).produce(source)?;
    Ok(sink)
}

fn transactional(source: &str, topic: &str) -> Result<Sink> {
    let properties = [("transactional.id", topic), ("transaction.timeout.ms", "900000")];
    let properties = properties.map(|(key, value)| (key.to_owned(), value.to_owned()));
    Ok(Sink::new(source, topic, Codec::None, &properties)?)
}

fn state(status: &Status, topic: &str) -> Option<String> {
    Some(status.partition(topic, 0)?.state.clone())
}

fn is_told_and_mirrored(mode: &str) -> Result<()> {
    let pair = Pair::shared();
    let topic = &format!("open-{mode}");
    pair.source
        .admin()?
        .create_topic(topic, 1, &[("retention.ms", "-1")])?;
    let hanging = hang(pair, topic)?;
    let mut worker = Worker::new(&[
        ("bootstrap.servers", pair.target.bootstrap()),
        ("offset.storage.topic", &format!("{topic}-positions")),
    ])?;
    worker.connector(
        &Connector::mirror(topic, pair.source.bootstrap())
            .set("topics", topic)
            .set("offsets.mode", mode),
    )?;
    worker.start()?;
    let status = worker.wait_for("the open transaction to be told", TOLD, |status| {
        state(status, topic).as_deref() == Some(BLOCKED)
    })?;
    ensure!(status.failure().is_none(), "nothing has failed: {status:?}");
    let mut open = None;
    for batch in pair.source.log_batches(topic, 0)? {
        let batch = batch?;
        open = open.or(batch.is_transactional().then(|| batch.producer_id()));
    }
    let open = open.context("the transaction is in the log")?;
    let tasks = status.connectors.iter().flat_map(|connector| &connector.tasks);
    let told: String = tasks.filter_map(|task| task.trace.clone()).collect();
    for part in [
        format!("{topic}-0: {BLOCKED}: a transaction of producer {open}, epoch 0,"),
        "at the source's offset 500,".to_owned(),
        format!("kafka-transactions.sh abort --topic {topic} --partition 0 --start-offset 500"),
    ] {
        ensure!(told.contains(&part), "{part:?} is missing in {told}");
    }
    let text = worker.status_text().unwrap_or_default();
    ensure!(text.contains("\"last_timestamp\""), "{text}");

    // Whoever takes the transactional id over has the coordinator abort what is open.
    transactional(pair.source.bootstrap(), topic)?.init_transactions()?;
    drop(hanging);
    worker.wait_until_mirrored(topic, &pair.source, MIRRORED)?;
    worker.wait_for("the report to go away", MIRRORED, |status| {
        let states = ["mirroring", "filling"];
        state(status, topic).is_some_and(|state| states.contains(&&*state))
            && status.connectors[0].tasks.iter().all(|task| task.trace.is_none())
    })?;
    worker.stop()?;
    let (source, target) = (pair.source.bootstrap(), pair.target.bootstrap());
    compare::assert_same((source, topic), (target, topic), 1000)?;
    if mode == "preserve" {
        assert_identical(pair, topic)?;
    }
    Ok(())
}

#[test]
fn who_blocks_a_partition_is_told_until_the_transaction_is_aborted() -> Result<()> {
    is_told_and_mirrored("translate")
}

#[test]
fn with_preserved_offsets_too() -> Result<()> {
    is_told_and_mirrored("preserve")
}
