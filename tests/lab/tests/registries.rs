//! Schema registries on real ones: ids that differ are remapped, schemas are compared, and a registry that is down is waited for.

use std::{sync::OnceLock, time::Duration};

use anyhow::{Context, Result, ensure};
use rdkafka::Message;
use schema_registry_converter::async_impl::{avro::AvroDecoder, schema_registry::SrSettings};
use serde_json::{Value, json};
use towpath_lab::{
    broker::Pair,
    generate::{Codec, Item, Sink},
    plugins,
    read::{self, Isolation},
    registry::Registry,
    towpath::{Connector, Status, Worker},
    wait::{self, Hopeless},
};

const SOON: Duration = Duration::from_secs(120);

fn pair() -> &'static Pair {
    Pair::shared()
}

/// Both start at once: each takes a while.
fn registries() -> Result<(Registry, Registry)> {
    let (source, target) = (Registry::start("source")?, Registry::start("target")?);
    source.wait_until_ready()?;
    target.wait_until_ready()?;
    Ok((source, target))
}

fn worker(granted: &str, connector: &Connector) -> Result<Worker> {
    let mut properties = vec![
        ("bootstrap.servers", pair().target.bootstrap()),
        ("offset.storage.topic", "positions"),
    ];
    let folder = plugins::folder()?.display().to_string();
    properties.push(("plugin.path", &folder));
    if !granted.is_empty() {
        properties.push(("plugin.grants.schema-registry", granted));
    }
    let mut worker = Worker::new(&properties)?;
    worker.connector(connector)?;
    Ok(worker)
}

fn remapping(name: &str, topic: &str, source: &Registry, target: &Registry) -> Connector {
    Connector::mirror(name, pair().source.bootstrap())
        .set("topics", topic)
        .set("transforms", "rename,ids")
        .set("transforms.rename.type", "route-by-regex")
        .set("transforms.rename.regex", "(.*)")
        .set("transforms.rename.replacement", "new.$1")
        .set("transforms.rename.reverse.regex", r"new\.(.*)")
        .set("transforms.rename.reverse.replacement", "$1")
        .set("transforms.ids.type", "schema-id-remap")
        .set("source.cluster.schema.registry.url", &source.url())
        .set("target.cluster.schema.registry.url", &target.url())
}

fn payment(fields: &[&str]) -> Value {
    let fields: Vec<Value> = fields
        .iter()
        .map(|name| json!({"name": name, "type": "string"}))
        .collect();
    json!({"type": "record", "name": "Payment", "fields": fields})
}

/// A zero byte, the schema's id, and strings as Avro writes them.
fn framed(id: u32, values: &[&str]) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(id.to_be_bytes());
    for value in values {
        bytes.push(u8::try_from(value.len() * 2).expect("short"));
        bytes.extend(value.as_bytes());
    }
    bytes
}

fn write(topic: &str, values: &[Vec<u8>]) -> Result<()> {
    let admin = pair().source.admin()?;
    if admin.partitions(topic)?.is_none() {
        admin.create_topic(topic, 1, &[("retention.ms", "-1")])?;
    }
    let sink = Sink::new(pair().source.bootstrap(), topic, Codec::Lz4, &[])?;
    for (seq, value) in (0..).zip(values) {
        sink.send(&Item {
            partition: 0,
            timestamp: 1000 + seq,
            key: None,
            value: Some(value),
            headers: &[],
        })?;
    }
    sink.finish()?;
    Ok(())
}

fn on_target(topic: &str) -> Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    read::topic(
        pair().target.bootstrap(),
        topic,
        Isolation::ReadCommitted,
        |message| {
            all.push(message.payload().unwrap_or_default().to_vec());
            Ok(())
        },
    )?;
    Ok(all)
}

/// What an independent client makes of it, by the target's registry.
fn decoded(registry: &Registry, values: &[Vec<u8>]) -> Result<Vec<String>> {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| tokio::runtime::Runtime::new().expect("a runtime"));
    let decoder = AvroDecoder::new(SrSettings::new(registry.url()));
    let decode = |value: &Vec<u8>| {
        let decoded = runtime.block_on(decoder.decode(Some(value)));
        let decoded = decoded.map_err(|error| anyhow::anyhow!("{error:?}"))?;
        Ok(format!("{:?}", decoded.value))
    };
    values.iter().map(decode).collect()
}

fn is_stopped(status: &Status) -> bool {
    status
        .partition("pay", 0)
        .is_some_and(|partition| partition.state == "plugin-failed")
}

/// The first check of the connector, as the status file has it.
fn check(worker: &Worker) -> Option<Value> {
    let status: Value = serde_json::from_str(&worker.status_text()?).ok()?;
    status["connectors"][0]["checks"].get(0).cloned()
}

fn wait_for_check(worker: &mut Worker, state: &str) -> Result<Value> {
    let found = wait::until(&format!("the check is {state}"), SOON, || {
        if let Some(status) = worker.process()?.ended()? {
            return Err(Hopeless(format!("the worker ended: {status}")).into());
        }
        Ok(check(worker).filter(|check| check["state"] == state))
    });
    found.with_context(|| format!("{:?}\n{}", check(worker), worker.log_text()))
}

#[test]
fn ids_are_those_of_the_target_and_what_it_lacks_stops_the_partition_until_it_is_there() -> Result<()> {
    let (source, mut target) = registries()?;
    let (first, second) = (payment(&["id"]), payment(&["id", "amount"]));
    let ids = (
        source.register("pay-value", &first)?,
        source.register("pay-value", &second)?,
    );
    for other in ["a", "b", "c"] {
        target.register(other, &json!({"type": "fixed", "name": other, "size": 4}))?;
    }
    let remapped = target.register("new.pay-value", &first)?;
    ensure!(
        remapped != ids.0 && remapped != ids.1,
        "the ids differ: {ids:?}, {remapped}"
    );
    write(
        "pay",
        &[
            framed(ids.0, &["p1"]),
            framed(ids.0, &["p2"]),
            framed(ids.1, &["p3", "17"]),
            framed(ids.0, &["p4"]),
        ],
    )?;

    let connector = remapping("remap", "pay", &source, &target);
    let mut ungranted = worker("", &connector)?;
    ungranted.start()?;
    let refused = wait::until("the worker refuses", SOON, || ungranted.process()?.ended())?;
    ensure!(refused.code() == Some(2), "{}", ungranted.log_text());
    ensure!(
        ungranted
            .log_text()
            .contains("add it to plugin.grants.schema-registry"),
        "{}",
        ungranted.log_text()
    );

    let mut worker = worker("schema-id-remap", &connector)?;
    worker.start()?;
    // What is before the record is written all the same, a moment after the partition has stopped.
    let at_the_record = |status: &Status| is_stopped(status) && status.position("pay", 0) == Some(2);
    worker.wait_for("the partition stops at the record", SOON, at_the_record)?;
    let text = worker.status_text().unwrap_or_default();
    ensure!(text.contains("is not on the target"), "{text}");
    worker.stop()?;
    let added = target.register("new.pay-value", &second)?;
    worker.start()?;
    worker.wait_until_mirrored("pay", &pair().source, SOON)?;
    let expected = [
        framed(remapped, &["p1"]),
        framed(remapped, &["p2"]),
        framed(added, &["p3", "17"]),
        framed(remapped, &["p4"]),
    ];
    let found = on_target("new.pay")?;
    assert_eq!(found, expected);
    let read = decoded(&target, &found)?;
    ensure!(read[2].contains("p3") && read[2].contains("17"), "{read:?}");

    // What was answered once is stored: nobody is asked again, after a kill -9 either.
    worker.kill()?;
    target.kill()?;
    worker.start()?;
    write("pay", &[framed(ids.1, &["p5", "18"])])?;
    worker.wait_until_mirrored("pay", &pair().source, SOON)?;
    let found = on_target("new.pay")?;
    ensure!(found.last() == Some(&framed(added, &["p5", "18"])), "{found:?}");

    // What was not is waited for, and nothing is passed over.
    let third = source.register("pay-value", &payment(&["id", "amount", "note"]))?;
    write("pay", &[framed(third, &["p6", "19", "n"])])?;
    wait::until("the worker says what it waits for", SOON, || {
        let text = worker.status_text().unwrap_or_default();
        Ok(text.contains("the schema registry at").then_some(()))
    })?;
    ensure!(on_target("new.pay")?.len() == found.len());
    target.start_again()?;
    target.wait_until_ready()?;
    // It was in memory, so it is empty now: the schema is not there, and that is no reason to wait.
    worker.wait_for("the partition stops", SOON, is_stopped)?;
    worker.stop()
}

#[test]
fn a_schema_checker_finds_what_differs_until_nothing_does() -> Result<()> {
    let (source, mut target) = registries()?;
    let money = json!({"type": "record", "name": "Money", "fields": [{"name": "cents", "type": "long"}]});
    let order = json!({"type": "record", "name": "Order", "fields": [{"name": "price", "type": "Money"}]});
    let with_reference = json!({
        "schema": order.to_string(),
        "references": [{"name": "Money", "subject": "money", "version": 1}],
    });
    source.register("money", &money)?;
    source.register_as("orders-value", &with_reference)?;
    source.set_compatibility("orders-value", "FULL")?;
    write("orders", &[b"plain".to_vec()])?;
    let connector = Connector::mirror("checked", pair().source.bootstrap())
        .set("topics", "orders")
        .set("schema.checkers", "schemas")
        .set("schema.checkers.schemas.type", "schema-compatibility")
        .set("schema.subjects", "money")
        .set("checkers.interval.seconds", "1")
        .set("source.cluster.schema.registry.url", &source.url())
        .set("target.cluster.schema.registry.url", &target.url());
    let mut worker = worker("", &connector)?;
    worker.start()?;
    let found = wait_for_check(&mut worker, "blocking")?;
    let subjects: Vec<&str> = found["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|finding| finding["subject"].as_str())
        .collect();
    assert_eq!(subjects, ["money", "orders-value"], "{found}");
    assert_eq!(found["plugin"], "schema-compatibility@0.1.0");

    target.register("money", &money)?;
    target.register_as("orders-value", &with_reference)?;
    let found = wait::until("only the level differs", SOON, || {
        let found = check(&worker).unwrap_or_default();
        Ok((found["findings"][0]["expected"] == "FULL").then_some(found))
    })?;
    ensure!(
        found["findings"].as_array().is_some_and(|all| all.len() == 1),
        "{found}"
    );
    target.set_compatibility("orders-value", "FULL")?;
    wait_for_check(&mut worker, "clean")?;

    // What cannot be looked at is not clean.
    target.kill()?;
    let unknown = wait_for_check(&mut worker, "unknown")?;
    ensure!(
        unknown["trouble"]
            .as_str()
            .is_some_and(|text| text.contains("the schema registry at")),
        "{unknown}"
    );
    ensure!(
        unknown.get("findings").is_none() && unknown.get("checked_at").is_none(),
        "{unknown}"
    );
    // Mirroring does not wait for checks.
    worker.wait_until_mirrored("orders", &pair().source, SOON)?;
    worker.stop()
}
