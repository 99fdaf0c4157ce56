//! A worker that is managed by its REST API, on two real brokers: what is asked for is done, outlives a kill, and is done by one worker at a time.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use towpath_lab::{
    broker::{Broker, BrokerOptions, Pair},
    compare,
    generate::Traffic,
    read::{self, Isolation},
    rest::Rest,
    towpath::{Connector, Worker},
    wait,
};

const SOON: Duration = Duration::from_secs(60);
const MIRRORED: Duration = Duration::from_secs(120);

fn pair() -> &'static Pair {
    Pair::shared()
}

fn mirror(name: &str) -> Connector {
    Connector::mirror(name, pair().source.bootstrap())
        .set("topics", name)
        .set("offsets.mode", "translate")
}

fn topic(name: &str, records: u64) -> Result<()> {
    pair().source.admin()?.create_topic(name, 2, &[])?;
    more(name, 0, records)
}

fn more(name: &str, first: u64, records: u64) -> Result<()> {
    let traffic = Traffic {
        first,
        ..Traffic::orders(name, 2, records)
    };
    traffic.produce(pair().source.bootstrap())?;
    Ok(())
}

fn on_target(name: &str) -> Result<u64> {
    let counts = read::count(pair().target.bootstrap(), name, Isolation::ReadUncommitted)?;
    Ok(counts.iter().sum())
}

fn assert_same(name: &str, records: u64) -> Result<()> {
    let (source, target) = (pair().source.bootstrap(), pair().target.bootstrap());
    compare::assert_same((source, name), (target, name), records)?;
    ensure!(on_target(name)? == records, "{name}: something is there twice");
    Ok(())
}

/// Until the lag is known and nothing.
fn wait_until_mirrored(rest: &Rest, name: &str, records: u64) -> Result<()> {
    wait::until(&format!("{name} to be mirrored"), MIRRORED, || {
        let lag = rest.get(&format!("/connectors/{name}/lag"))?;
        let partitions = lag.body["partitions"].as_array().into_iter().flatten();
        let positions: i64 = partitions
            .filter_map(|partition| partition["position"].as_i64())
            .sum();
        Ok((lag.status == 200 && positions == records as i64).then_some(()))
    })
}

#[test]
fn a_connector_that_is_posted_mirrors_pauses_stops_and_is_deleted() -> Result<()> {
    let name = "rest-life";
    topic(name, 1000)?;
    let (mut worker, rest) = Worker::managed(pair().target.bootstrap(), "rest-life-configs")?;
    worker.start_managed(&rest)?;
    let path = |rest: &str| format!("/connectors/{name}{rest}");
    rest.create(&mirror(name))?;
    rest.wait_for_state(name, "RUNNING", SOON)?;
    wait_until_mirrored(&rest, name, 1000)?;
    let again = rest.post("/connectors", Some(&mirror(name).body()))?.is(409)?;
    ensure!(
        again.message() == "Connector rest-life already exists",
        "{again:?}"
    );
    let topics = rest.get(&path("/topics"))?.is(200)?;
    ensure!(topics.body == json!({ name: { "topics": [name] } }), "{topics:?}");

    // Paused: nothing moves, its tasks are there.
    rest.put(&path("/pause"), None)?.is(202)?;
    let paused = rest.wait_for_state(name, "PAUSED", SOON)?;
    ensure!(
        paused["tasks"].as_array().is_some_and(|tasks| tasks.len() == 1),
        "{paused}"
    );
    more(name, 1000, 500)?;
    let other = "rest-life-other";
    topic(other, 100)?;
    rest.create(&mirror(other))?;
    wait_until_mirrored(&rest, other, 100)?;
    ensure!(on_target(name)? == 1000, "a paused connector has mirrored");
    rest.put(&path("/resume"), None)?.is(202)?;
    wait_until_mirrored(&rest, name, 1500)?;

    // Other limits are applied to what runs, another selection by beginning anew.
    let mut config = mirror(name)
        .set("source.max.bytes.per.second", "100000000")
        .config;
    rest.put(&path("/config"), Some(&json!(config)))?.is(200)?;
    config.insert("topics".to_owned(), "rest-life-nothing".into());
    let wrong = rest.put(&path("/config"), Some(&json!(config)))?.is(400)?;
    ensure!(
        wrong.message().contains("no such topic on the source cluster"),
        "{wrong:?}"
    );
    let patched = rest.patch(
        &path("/config"),
        &json!({ "tasks.max": "2", "source.max.bytes.per.second": null }),
    )?;
    ensure!(patched.is(200)?.body["config"]["tasks.max"] == "2");
    rest.wait_for_state(name, "RUNNING", SOON)?;
    wait_until_mirrored(&rest, name, 1500)?;

    // Offsets are changed where it is stopped.
    let offset = |partition: i32, offset: i64| json!({ "partition": { "cluster": "source", "topic": name, "partition": partition }, "offset": { "offset": offset } });
    let change = json!({ "offsets": [offset(0, 10)] });
    let refused = rest.patch(&path("/offsets"), &change)?.is(400)?;
    ensure!(
        refused.message().contains("must be in the STOPPED state"),
        "{refused:?}"
    );
    rest.put(&path("/stop"), None)?.is(204)?;
    let stopped = rest.wait_for_state(name, "STOPPED", SOON)?;
    ensure!(stopped["tasks"] == json!([]), "{stopped}");
    let offsets = rest.get(&path("/offsets"))?.is(200)?;
    let before: Vec<i64> = (0..2)
        .filter_map(|partition| offsets.body["offsets"][partition]["offset"]["offset"].as_i64())
        .collect();
    ensure!(
        before.len() == 2 && before.iter().sum::<i64>() == 1500,
        "{offsets:?}"
    );
    rest.patch(&path("/offsets"), &change)?.is(200)?;
    let offsets = rest.get(&path("/offsets"))?.is(200)?;
    ensure!(
        offsets.body["offsets"] == json!([offset(0, 10), offset(1, before[1])]),
        "{offsets:?}"
    );
    rest.put(&path("/resume"), None)?.is(202)?;
    let doubled = 1500 + before[0] as u64 - 10;
    wait::until("what was asked for again", MIRRORED, || {
        Ok((on_target(name)? == doubled).then_some(()))
    })?;

    rest.delete(&path(""))?.is(204)?;
    rest.get(&path(""))?.is(404)?;
    rest.get(&path("/status"))?.is(404)?;
    ensure!(rest.get("/connectors")?.body == json!([other]));
    more(name, 1500, 10)?;
    more(other, 100, 10)?;
    wait_until_mirrored(&rest, other, 110)?;
    ensure!(on_target(name)? == doubled, "a deleted connector has mirrored");
    worker.stop()
}

#[test]
fn what_was_asked_for_outlives_a_kill_and_nothing_is_lost_or_doubled() -> Result<()> {
    let (running, paused, stopped, gone) = (
        "rest-kill",
        "rest-kill-paused",
        "rest-kill-stopped",
        "rest-kill-gone",
    );
    for name in [running, paused, stopped, gone] {
        topic(name, 2000)?;
    }
    let (mut worker, rest) = Worker::managed(pair().target.bootstrap(), "rest-kill-configs")?;
    worker.start_managed(&rest)?;
    for name in [running, paused, stopped, gone] {
        rest.create(&mirror(name))?;
        wait_until_mirrored(&rest, name, 2000)?;
    }
    rest.put(&format!("/connectors/{paused}/pause"), None)?.is(202)?;
    rest.put(&format!("/connectors/{stopped}/stop"), None)?.is(204)?;
    rest.delete(&format!("/connectors/{gone}"))?.is(204)?;
    let mut records = 2000;
    for _ in 0..3 {
        // Killed amid its work.
        more(running, records, 20_000)?;
        records += 20_000;
        worker.kill()?;
        more(running, records, 1000)?;
        records += 1000;
        worker.start_managed(&rest)?;
        wait_until_mirrored(&rest, running, records)?;
    }
    rest.wait_for_state(paused, "PAUSED", SOON)?;
    rest.wait_for_state(stopped, "STOPPED", SOON)?;
    ensure!(rest.get("/connectors")?.body == json!([running, paused, stopped]));
    for name in [paused, stopped] {
        more(name, 2000, 10)?;
        rest.put(&format!("/connectors/{name}/resume"), None)?.is(202)?;
        wait_until_mirrored(&rest, name, 2010)?;
        assert_same(name, 2010)?;
    }
    assert_same(running, records)?;
    worker.stop()
}

#[test]
fn a_worker_that_comes_later_takes_over_and_the_first_one_stops() -> Result<()> {
    let name = "rest-fence";
    topic(name, 1000)?;
    let (mut first, rest) = Worker::managed(pair().target.bootstrap(), "rest-fence-configs")?;
    first.start_managed(&rest)?;
    rest.create(&mirror(name))?;
    wait_until_mirrored(&rest, name, 1000)?;
    let (mut second, rest) = Worker::managed(pair().target.bootstrap(), "rest-fence-configs")?;
    second.start_managed(&rest)?;
    assert_ends(&mut first, &rest)?;
    more(name, 1000, 1000)?;
    wait_until_mirrored(&rest, name, 2000)?;

    // One that was frozen amid its work, and wakes up late.
    more(name, 2000, 20_000)?;
    second.process()?.signal("STOP")?;
    let (mut third, rest) = Worker::managed(pair().target.bootstrap(), "rest-fence-configs")?;
    third.start_managed(&rest)?;
    wait_until_mirrored(&rest, name, 22_000)?;
    second.process()?.signal("CONT")?;
    assert_ends(&mut second, &rest)?;
    more(name, 22_000, 1000)?;
    wait_until_mirrored(&rest, name, 23_000)?;
    assert_same(name, 23_000)?;
    third.stop()
}

/// By itself, and it says who has taken its place.
fn assert_ends(worker: &mut Worker, by: &Rest) -> Result<()> {
    let status = worker.process()?.wait(SOON)?;
    ensure!(status.code() == Some(1), "{status}");
    let log = worker.log_text();
    let told = format!("worker {} has taken over topic rest-fence-configs", by.address());
    ensure!(log.contains(&told), "{told:?} is not in {log}");
    Ok(())
}

#[test]
fn a_source_that_cannot_be_reached_keeps_its_connector_from_running_and_nothing_else() -> Result<()> {
    let mut away = Broker::start(BrokerOptions::named("away"))?;
    let (lost, here) = ("rest-lost", "rest-here");
    away.admin()?.create_topic(lost, 2, &[])?;
    Traffic::orders(lost, 2, 500).produce(away.bootstrap())?;
    topic(here, 500)?;
    let (mut worker, rest) = Worker::managed(pair().target.bootstrap(), "rest-away-configs")?;
    worker.start_managed(&rest)?;
    rest.create(
        &Connector::mirror(lost, away.bootstrap())
            .set("topics", lost)
            .set("offsets.mode", "translate"),
    )?;
    wait_until_mirrored(&rest, lost, 500)?;
    worker.stop()?;
    away.kill()?;

    worker.start_managed(&rest)?;
    let failed = rest.wait_for_state(lost, "FAILED", SOON)?;
    let trace = failed["connector"]["trace"].as_str().unwrap_or_default();
    ensure!(trace.contains("source.cluster.bootstrap.servers"), "{failed}");
    rest.create(&mirror(here))?;
    wait_until_mirrored(&rest, here, 500)?;
    let refused = rest.post(
        "/connectors",
        Some(
            &Connector::mirror("rest-new", away.bootstrap())
                .set("topics", "x")
                .body(),
        ),
    )?;
    ensure!(
        refused
            .is(400)?
            .message()
            .contains("source.cluster.bootstrap.servers")
    );

    away.start_again()?;
    rest.wait_for_state(lost, "RUNNING", SOON)?;
    Traffic {
        first: 500,
        ..Traffic::orders(lost, 2, 500)
    }
    .produce(away.bootstrap())?;
    wait_until_mirrored(&rest, lost, 1000)?;
    compare::assert_same((away.bootstrap(), lost), (pair().target.bootstrap(), lost), 1000)?;
    worker.stop()
}

/// The worker goes on meanwhile, with whatever else it runs.
#[test]
fn a_partition_that_has_stopped_is_decided_by_what_the_api_says_of_its_connector() -> Result<()> {
    let name = "rest-decide";
    topic(name, 1000)?;
    let (mut worker, rest) = Worker::managed(pair().target.bootstrap(), "rest-decide-configs")?;
    worker.start_managed(&rest)?;
    let path = |rest: &str| format!("/connectors/{name}{rest}");
    rest.create(&mirror(name))?;
    wait_until_mirrored(&rest, name, 1000)?;
    rest.put(&path("/stop"), None)?.is(204)?;
    rest.wait_for_state(name, "STOPPED", SOON)?;
    more(name, 1000, 500)?;
    let source = pair().source.admin()?;
    for partition in 0..2 {
        let (_, end) = source.offsets(name)?[partition as usize];
        source.delete_records(name, partition, end - 100)?;
    }
    rest.put(&path("/resume"), None)?.is(202)?;
    wait::until("both partitions to stop", SOON, || {
        let details = rest.get(&format!("/towpath{}", path("")))?;
        let partitions = details.body["tasks"][0]["partitions"].as_array();
        let lost = partitions.into_iter().flatten();
        let lost = lost.filter(|partition| partition["state"] == "data-loss").count();
        Ok((lost == 2).then_some(()))
    })?;
    rest.put(&path("/stop"), None)?.is(204)?;
    rest.wait_for_state(name, "STOPPED", SOON)?;
    let written = rest.get(&path(""))?.is(200)?.body;
    worker.connector_text(name, &written.to_string())?;
    worker.resolve(&["accept"])?;
    rest.put(&path("/resume"), None)?.is(202)?;
    wait::until("what is left", MIRRORED, || {
        Ok((on_target(name)? == 1200).then_some(()))
    })?;
    rest.wait_for_state(name, "RUNNING", SOON)?;
    worker.stop()
}

#[test]
fn a_topic_that_cannot_hold_connectors_is_refused_by_name() -> Result<()> {
    let target = &pair().target;
    let admin = target.admin()?;
    admin.create_topic("rest-unfit-many", 2, &[("cleanup.policy", "compact")])?;
    admin.create_topic("rest-unfit-deleted", 1, &[])?;
    for (topic, what) in [
        ("rest-unfit-many", "it has 2 partitions, one is needed"),
        ("rest-unfit-deleted", "its cleanup.policy is delete"),
    ] {
        let (mut worker, _) = Worker::managed(target.bootstrap(), topic)?;
        worker.start()?;
        let status = worker.process()?.wait(SOON)?;
        let log = worker.log_text();
        ensure!(
            status.code() == Some(1) && log.contains(what) && log.contains(topic),
            "{status}: {log}"
        );
    }
    Ok(())
}

#[test]
fn files_of_connectors_beside_the_rest_api_are_refused_and_so_is_nothing_to_run() -> Result<()> {
    let (mut worker, _) = Worker::managed(pair().target.bootstrap(), "rest-files-configs")?;
    worker.connector(&mirror("rest-files"))?;
    worker.refuses(&[&[
        "--connector",
        "worker.properties has listeners",
        "post it to /connectors",
    ]])?;
    let worker = Worker::new(&[("bootstrap.servers", pair().target.bootstrap())])?;
    worker.refuses(&[&["there is nothing to run", "listeners=http://127.0.0.1:8083"]])?;
    Ok(())
}

/// The README's commands, as they are written there but for addresses.
#[test]
fn the_walk_through_of_the_readme_works_as_it_is_written() -> Result<()> {
    let name = "payments";
    topic(name, 1000)?;
    let (mut worker, rest) = Worker::managed(pair().target.bootstrap(), "rest-readme-configs")?;
    worker.start_managed(&rest)?;
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let readme = std::fs::read_to_string(format!("{root}/README.md"))?;
    let section = readme
        .split_once("### Managed by the REST API")
        .context("the section is gone")?
        .1;
    let blocks: Vec<&str> = section
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```"))
        .map(|(block, _)| block)
        .take_while(|block| block.contains("localhost:8083"))
        .collect();
    ensure!(blocks.len() == 1, "{} blocks of commands", blocks.len());
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("mirror.json"), mirror(name).body().to_string())?;
    let commands: Vec<&str> = blocks[0]
        .lines()
        .filter(|line| line.starts_with("curl "))
        .collect();
    ensure!(commands.len() >= 8, "{commands:?}");
    for command in &commands {
        let here = command.replace("localhost:8083", rest.address());
        let output = Command::new("sh")
            .arg("-c")
            .arg(format!(
                "curl() {{ command curl --fail-with-body -sS \"$@\"; }}\n{here}"
            ))
            .current_dir(dir.path())
            .output()?;
        ensure!(
            output.status.success(),
            "{command}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        if command.contains("-X POST") && command.contains("mirror.json") {
            wait_until_mirrored(&rest, name, 1000)?;
        }
    }
    rest.get(&format!("/connectors/{name}"))?.is(404)?;
    assert_same(name, 1000)?;
    worker.stop()
}
