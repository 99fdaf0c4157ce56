//! Plugins that do everything wrong, each in a pipeline of its own beside the others: every record is accounted for, memory is bounded, and other
//! connectors of the worker go on. On embedded clusters; some of it on two real brokers.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, ensure};
use rdkafka::{Message, message::Headers};
use tokio::runtime::Runtime;
use towpath_embedded::{Cluster, Options};
use towpath_lab::{
    broker::Pair,
    generate::{Codec, Item, Sink},
    plugins,
    read::{self, Isolation},
    towpath::{Connector, Status, Worker},
};

const SOON: Duration = Duration::from_secs(240);
/// Two of them are what the plugins do their worst to; what they hold must not be in any log.
const BAD: &str = "bad-c0ffee-content";
const VALUES: [&str; 8] = ["a", "b", BAD, "c", "d", BAD, "e", "f"];
/// The worker with some forty connectors, each with two instances that may take 64 MiB and that die when they do.
const MEMORY: u64 = 700 << 20;

/// A plugin, where it is attached, and what it does.
#[derive(Clone, Copy)]
struct Act {
    group: &'static str,
    plugin: &'static str,
    act: &'static str,
}

const fn act(group: &'static str, plugin: &'static str, act: &'static str) -> Act {
    Act { group, plugin, act }
}

/// What breaks on the bad records alone, whatever stands beside them.
const ON_BAD: [Act; 29] = [
    act("transforms", "hostile", "trap-on-bad"),
    act("transforms", "hostile", "mid-batch-on-bad"),
    act("transforms", "hostile", "loop-on-bad"),
    act("transforms", "hostile", "memory-on-bad"),
    act("transforms", "hostile", "recursion-on-bad"),
    act("transforms", "hostile", "output-on-bad"),
    act("transforms", "hostile", "wrong-index-on-bad"),
    act("transforms", "hostile", "out-of-range-on-bad"),
    act("transforms", "hostile", "descending-on-bad"),
    act("transforms", "hostile", "contradiction-on-bad"),
    act("transforms", "hostile", "undeclared-read-on-bad"),
    act("transforms", "hostile", "undeclared-edit-on-bad"),
    act("transforms", "hostile", "utf8-topic-on-bad"),
    act("transforms", "hostile", "utf8-reason-on-bad"),
    act("predicates", "hostile-predicate", "trap"),
    act("predicates", "hostile-predicate", "loop"),
    act("predicates", "hostile-predicate", "out-of-range"),
    act("predicates", "hostile-predicate", "twice"),
    act("predicates", "hostile-predicate", "output"),
    act("predicates", "hostile-predicate", "undeclared"),
    act("predicates", "hostile-predicate", "random"),
    act("validators", "hostile-validator", "trap"),
    act("validators", "hostile-validator", "loop"),
    act("validators", "hostile-validator", "out-of-range"),
    act("validators", "hostile-validator", "twice"),
    act("validators", "hostile-validator", "output"),
    act("validators", "hostile-validator", "undeclared"),
    act("validators", "hostile-validator", "utf8"),
    act("validators", "hostile-validator", "random"),
];

// === impl Act ===

impl Act {
    fn topic(self) -> String {
        format!("{}-{}", self.group, self.act)
    }

    fn connector(self, source: &str) -> Connector {
        let topic = self.topic();
        let connector = Connector::mirror(&topic, source).set("topics", &topic);
        let connector = match self.group {
            "predicates" => connector
                .set("transforms", "mark")
                .set("transforms.mark.type", "insert-header")
                .set("transforms.mark.header", "marked")
                .set("transforms.mark.value.literal", "yes")
                .set("transforms.mark.predicate", "odd"),
            _ => connector,
        };
        let key = |key: &str| format!("{}.odd.{key}", self.group);
        connector
            .set(self.group, "odd")
            .set(&key("type"), self.plugin)
            .set(&key("act"), self.act)
    }
}

/// Two embedded clusters, and the threads they run on.
struct Embedded {
    source: Cluster,
    target: Cluster,
    _runtime: Runtime,
}

impl Embedded {
    fn start(topics: &[String]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let source = topics
            .iter()
            .fold(Options::default(), |options, topic| options.topic(topic, 1));
        // Another seed: another cluster id.
        let target = Options {
            seed: 7,
            ..Options::default()
        };
        let source = runtime.block_on(Cluster::start(source)).unwrap();
        let target = runtime.block_on(Cluster::start(target)).unwrap();
        Self {
            source,
            target,
            _runtime: runtime,
        }
    }
}

fn write(source: &str, topic: &str, values: &[&str]) -> Result<()> {
    let sink = Sink::new(source, topic, Codec::None, &[])?;
    for (seq, value) in (0..).zip(values) {
        sink.send(&Item {
            partition: 0,
            timestamp: 1_700_000_000_000 + seq,
            key: Some(format!("k-{value}").as_bytes()),
            value: Some(value.as_bytes()),
            headers: &[],
        })?;
        sink.serve();
    }
    sink.finish()?;
    Ok(())
}

/// Each record's key, or for a dead letter where it was, and its value.
fn read_all(bootstrap: &str, topic: &str) -> Result<Vec<(String, String)>> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut all = Vec::new();
    read::topic(bootstrap, topic, Isolation::ReadCommitted, |message| {
        let offset = message.headers().and_then(|headers| {
            let header = headers
                .iter()
                .find(|header| header.key == "__connect.errors.offset");
            header?.value.map(text)
        });
        let key = offset.or_else(|| message.key().map(text)).unwrap_or_default();
        all.push((key, message.payload().map(text).unwrap_or_default()));
        Ok(())
    })?;
    Ok(all)
}

fn values(records: &[(String, String)]) -> Vec<&str> {
    records.iter().map(|(_, value)| value.as_str()).collect()
}

fn worker(target: &str, connectors: impl IntoIterator<Item = Connector>) -> Result<Worker> {
    worker_with(target, &[], connectors)
}

fn worker_with(
    target: &str,
    more: &[(&str, &str)],
    connectors: impl IntoIterator<Item = Connector>,
) -> Result<Worker> {
    let folders = [plugins::folder()?, plugins::adversaries()?].map(|folder| folder.display().to_string());
    let folders = folders.join(",");
    let mut properties = vec![("bootstrap.servers", target), ("plugin.path", folders.as_str())];
    properties.extend_from_slice(more);
    let mut worker = Worker::new(&properties)?;
    for connector in connectors {
        worker.connector(&connector)?;
    }
    Ok(worker)
}

fn tolerant(connector: Connector) -> Connector {
    let dead = format!("{}-dead", connector.name);
    connector
        .set("errors.tolerance", "all")
        .set("errors.deadletterqueue.topic.name", &dead)
}

fn is_through(status: &Status, topic: &str, records: usize) -> bool {
    status.position(topic, 0) == Some(records as i64)
}

/// Every act with everything tolerated.
fn each_bad_record_is_a_dead_letter(source: &str, target: &str, acts: &[Act]) -> Result<()> {
    for act in acts {
        write(source, &act.topic(), &VALUES)?;
    }
    write(source, "beside", &VALUES)?;
    let connectors = acts.iter().map(|act| tolerant(act.connector(source)));
    let beside = Connector::mirror("beside", source).set("topics", "beside");
    let mut worker = worker(target, connectors.chain([beside]))?;
    worker.start()?;
    let status = worker.wait_for("every record to be through", SOON, |status| {
        is_through(status, "beside", VALUES.len())
            && acts
                .iter()
                .all(|act| is_through(status, &act.topic(), VALUES.len()))
    })?;
    let memory = worker.process()?.peak_resident_bytes()?;
    worker.stop()?;
    println!("{} connectors: {} MiB at most", acts.len() + 1, memory >> 20);
    ensure!(memory < MEMORY, "{memory} bytes");
    assert_eq!(values(&read_all(target, "beside")?), VALUES);
    let good: Vec<&str> = VALUES.into_iter().filter(|value| *value != BAD).collect();
    for act in acts {
        let topic = act.topic();
        let written = read_all(target, &topic)?;
        assert_eq!(values(&written), good, "{topic}: the others, once, in order");
        let dead = read_all(target, &format!("{topic}-dead"))?;
        let expected = [2, 5].map(|offset: i32| (offset.to_string(), BAD.to_owned()));
        assert_eq!(dead, expected, "{topic}");
        let connector = status.connector(&topic).context("a status")?;
        let plugin = connector
            .plugins
            .iter()
            .find(|plugin| plugin.alias == "odd")
            .context("a plugin")?;
        assert_eq!(plugin.name, act.plugin);
        let broken: u64 = plugin.broken.values().sum();
        ensure!(
            broken >= 4,
            "{topic}: each bad record breaks it twice: {plugin:?}"
        );
        assert_eq!(
            (plugin.records["in"], plugin.records["unanswered"]),
            (8, 2),
            "{topic}"
        );
        ensure!(
            plugin.calls > broken && plugin.memory_bytes_max <= 64 << 20 && plugin.digest.len() == 12,
            "{plugin:?}"
        );
    }
    let log = worker.log_text();
    ensure!(!log.contains("c0ffee"), "a record's content is in the log");
    let told = log.lines().filter(|line| line.contains("a plugin broke"));
    ensure!(
        told.filter(|line| line.contains("towpath_plugin::guest::"))
            .count()
            >= acts.len(),
        "{log}"
    );
    Ok(())
}

#[test]
fn whatever_a_plugin_does_costs_the_records_it_does_it_to() -> Result<()> {
    let topics: Vec<String> = ON_BAD.iter().map(|act| act.topic()).collect();
    let topics = [&topics[..], &["beside".to_owned()]].concat();
    let clusters = Embedded::start(&topics);
    let (source, target) = (
        clusters.source.bootstrap_servers(),
        clusters.target.bootstrap_servers(),
    );
    each_bad_record_is_a_dead_letter(&source, &target, &ON_BAD)
}

#[test]
fn whatever_a_plugin_does_between_real_brokers_costs_no_other_record() -> Result<()> {
    let pair = Pair::shared();
    let some = ["mid-batch-on-bad", "memory-on-bad", "loop", "random", "utf8"];
    let acts: Vec<Act> = ON_BAD.into_iter().filter(|act| some.contains(&act.act)).collect();
    let topics: Vec<String> = acts.iter().map(|act| act.topic()).collect();
    for topic in topics.iter().map(String::as_str).chain(["beside"]) {
        pair.source
            .admin()?
            .create_topic(topic, 1, &[("retention.ms", "-1")])?;
    }
    each_bad_record_is_a_dead_letter(pair.source.bootstrap(), pair.target.bootstrap(), &acts)
}

#[test]
fn without_tolerance_each_partition_stops_at_its_bad_record_and_no_other_does() -> Result<()> {
    let topics: Vec<String> = ON_BAD.iter().map(|act| act.topic()).collect();
    let topics = [&topics[..], &["beside".to_owned()]].concat();
    let clusters = Embedded::start(&topics);
    let (source, target) = (
        clusters.source.bootstrap_servers(),
        clusters.target.bootstrap_servers(),
    );
    for topic in &topics {
        write(&source, topic, &VALUES)?;
    }
    let beside = Connector::mirror("beside", &source).set("topics", "beside");
    let connectors = ON_BAD.iter().map(|act| act.connector(&source));
    let mut worker = worker(&target, connectors.chain([beside]))?;
    worker.start()?;
    let status = worker.wait_for("one to be mirrored and all others to stop", SOON, |status| {
        is_through(status, "beside", VALUES.len())
            && ON_BAD.iter().all(|act| {
                let partition = status.partition(&act.topic(), 0);
                partition.is_some_and(|it| it.state == "plugin-failed" && it.position == Some(2))
            })
    })?;
    ensure!(worker.process()?.peak_resident_bytes()? < MEMORY);
    worker.stop()?;
    for act in ON_BAD {
        let written = read_all(&target, &act.topic())?;
        assert_eq!(values(&written), VALUES[..2], "{}: all before it", act.topic());
        let trace = status.connector(&act.topic()).and_then(|connector| {
            let mut tasks = connector.tasks.iter();
            tasks.find_map(|task| task.trace.clone())
        });
        let trace = trace.unwrap_or_default();
        let expected = format!("plugin {}@0.1.0 (sha256 ", act.plugin);
        ensure!(
            trace.contains(&expected) && trace.contains("source offset 2"),
            "{}: {trace}",
            act.topic()
        );
    }
    ensure!(
        !worker.log_text().contains("c0ffee"),
        "a record's content is in the log"
    );
    Ok(())
}

#[test]
fn random_answers_leave_every_record_written_dropped_or_a_dead_letter() -> Result<()> {
    const RECORDS: usize = 60;
    let seeds: Vec<String> = (1..=8).map(|seed| format!("seed-{seed}")).collect();
    let some = act("predicates", "hostile-predicate", "some");
    let clusters = Embedded::start(&[&seeds[..], &[some.topic()]].concat());
    let (source, target) = (
        clusters.source.bootstrap_servers(),
        clusters.target.bootstrap_servers(),
    );
    let lines: Vec<String> = (0..RECORDS).map(|seq| format!("v{seq}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut connectors = Vec::new();
    for (seed, topic) in (1..).zip(&seeds) {
        // Several batches: an answer hangs on the first value of what is asked about.
        for lines in lines.chunks(7) {
            write(&source, topic, lines)?;
        }
        let seed: u64 = seed;
        connectors.push(tolerant(
            Connector::mirror(topic, &source)
                .set("topics", topic)
                .set("transforms", "odd")
                .set("transforms.odd.type", "hostile")
                .set("transforms.odd.act", "random")
                .set("transforms.odd.size", &(seed * 0x9E37).to_string()),
        ));
    }
    // A predicate that says it looks at no record, and tells two without content apart: nothing can be said of any record of the topic.
    write(&source, &some.topic(), &lines)?;
    connectors.push(tolerant(some.connector(&source)));
    let mut worker = worker(&target, connectors)?;
    worker.start()?;
    let status = worker.wait_for("every record to be through", SOON, |status| {
        status.connectors.iter().all(|connector| {
            let mut partitions = connector.tasks.iter().flat_map(|task| &task.partitions);
            partitions
                .next()
                .is_some_and(|partition| partition.position == Some(RECORDS as i64))
        })
    })?;
    worker.stop()?;
    let mut broken = 0;
    for topic in &seeds {
        let plugin = &status.connector(topic).context("a status")?.plugins[0];
        broken += plugin.broken.values().sum::<u64>();
        let written: Vec<String> = read_all(&target, topic)?
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        let dead = match plugin.records["rejected"] + plugin.records["unanswered"] {
            0 => Vec::new(),
            _ => read_all(&target, &format!("{topic}-dead"))?,
        };
        let seen: BTreeSet<&String> = written.iter().collect();
        assert_eq!(seen.len(), written.len(), "{topic}: none is written twice");
        assert_eq!(
            written.len() + dead.len() + plugin.records["dropped"] as usize,
            RECORDS,
            "{topic}: {plugin:?}"
        );
        assert_eq!(plugin.records["in"], RECORDS as u64);
        assert_eq!(plugin.records["out"], written.len() as u64);
    }
    ensure!(broken > 20, "random answers are seldom right: {broken}");
    let dead = read_all(&target, "predicates-some-dead")?;
    assert_eq!(values(&dead), lines, "nothing is passed on a guess");
    Ok(())
}

#[test]
fn what_breaks_before_the_first_record_keeps_the_worker_from_starting() -> Result<()> {
    let clusters = Embedded::start(&["one".to_owned(), "two".to_owned()]);
    let (source, target) = (
        clusters.source.bootstrap_servers(),
        clusters.target.bootstrap_servers(),
    );
    write(&source, "one", &VALUES)?;
    let inits = [
        ("init-trap", "broke in `init`: it trapped: "),
        ("init-loop", "broke in `init`: it ran for more than 700ms"),
        (
            "init-memory",
            "broke in `init`: it wanted more memory than 67108864 bytes",
        ),
        (
            "init-recursion",
            "broke in `init`: it trapped: call stack exhausted",
        ),
    ];
    let routers = [
        ("trap", "broke in `map-topic`: it trapped: "),
        ("loop", "broke in `map-topic`: it ran for more than 300ms"),
        (
            "output",
            "broke in `map-topic`: its answer is larger than 16777216 bytes",
        ),
        ("utf8", "broke in `map-topic`: its answer could not be read: "),
        ("random", "maps one to "),
        ("lost", "but maps one back to another"),
        ("collide", "maps two to one, but maps one back to one"),
    ];
    let (mut connectors, mut lines) = (Vec::new(), Vec::new());
    for (act, expected) in inits {
        let connector = Connector::mirror(act, &source)
            .set("topics", "one")
            .set("transforms", "odd")
            .set("transforms.odd.type", "hostile")
            .set("transforms.odd.act", act);
        connectors.push(connector);
        lines.push([
            "transforms.odd.type = \"hostile\": plugin hostile@0.1.0 (sha256 ",
            expected,
        ]);
    }
    for (act, expected) in routers {
        let connector = Connector::mirror(act, &source)
            .set("topics", if act == "collide" { "one,two" } else { "one" })
            .set("transforms", "odd")
            .set("transforms.odd.type", "hostile-router")
            .set("transforms.odd.act", act);
        connectors.push(connector);
        lines.push(["", expected]);
    }
    for (kind, group) in [("hostile-predicate", "transforms"), ("hostile", "validators")] {
        let connector = Connector::mirror(kind, &source)
            .set("topics", "one")
            .set(group, "odd")
            .set(&format!("{group}.odd.type"), kind)
            .set(&format!("{group}.odd.act"), "x");
        connectors.push(connector);
        lines.push(["is a ", "takes "]);
    }
    let limits = [
        ("plugin.call.timeout.ms", "300"),
        ("plugin.init.timeout.ms", "700"),
    ];
    let worker = worker_with(&target, &limits, connectors)?;
    let lines: Vec<&[&str]> = lines.iter().map(|line| &line[..]).collect();
    let said = worker.refuses(&lines)?;
    ensure!(
        said.contains("a plugin broke") && said.contains("hostile::recurse"),
        "where, in the log: {said}"
    );
    ensure!(
        clusters.target.log("one", 0).is_err(),
        "nothing is made on the target"
    );
    Ok(())
}

#[test]
fn limits_of_one_plugin_are_its_own_and_names_that_are_not_there_are_told() -> Result<()> {
    let clusters = Embedded::start(&["limits".to_owned()]);
    let (source, target) = (
        clusters.source.bootstrap_servers(),
        clusters.target.bootstrap_servers(),
    );
    write(&source, "limits", &VALUES)?;
    let connector = tolerant(
        Connector::mirror("limits", &source)
            .set("topics", "limits")
            .set("transforms", "odd")
            .set("transforms.odd.type", "hostile")
            .set("transforms.odd.act", "loop-on-bad"),
    );
    let wrong = [
        ("plugin.hostil.call.timeout.ms", "60"),
        ("plugin.mask-field.output.bytes", "2048"),
    ];
    worker_with(&target, &wrong, [connector.clone()])?.refuses(&[&[
        "plugin.hostil.call.timeout.ms = \"60\": there is no plugin hostil in plugin.path; did you mean hostile?",
    ]])?;
    let wrong = [
        ("plugin.hostile.memory.bytes", "1"),
        ("plugin.hostile.log.lines", "few"),
    ];
    worker_with(&target, &wrong, [connector.clone()])?.refuses(&[
        &["plugin.hostile.memory.bytes = \"1\": "],
        &["plugin.hostile.log.lines = \"few\": "],
    ])?;
    let own = [
        ("plugin.call.timeout.ms", "10000"),
        ("plugin.hostile.call.timeout.ms", "60"),
    ];
    let mut worker = worker_with(&target, &own, [connector])?;
    worker.start()?;
    let status = worker.wait_for("every record to be through", SOON, |status| {
        is_through(status, "limits", VALUES.len())
    })?;
    worker.stop()?;
    let plugin = &status.connectors[0].plugins[0];
    ensure!(
        plugin.broken["deadline"] >= 4 && plugin.call_ms_max < 5_000.0,
        "{plugin:?}"
    );
    ensure!(
        plugin.call_ms_total >= plugin.call_ms_max && plugin.call_ms_max >= 50.0,
        "{plugin:?}"
    );
    Ok(())
}

#[test]
fn a_million_lines_and_a_flood_of_breaks_are_few_lines_in_the_log() -> Result<()> {
    let clusters = Embedded::start(&["lines".to_owned()]);
    let (source, target) = (
        clusters.source.bootstrap_servers(),
        clusters.target.bootstrap_servers(),
    );
    write(&source, "lines", &VALUES)?;
    let connector = |name: &str, act: &str| {
        tolerant(
            Connector::mirror(name, &source)
                .set("topics", "lines")
                .set("transforms", "odd")
                .set("transforms.odd.type", "hostile")
                .set("transforms.odd.act", act),
        )
    };
    let mut worker = worker(&target, [connector("lines", "million-lines-on-bad")])?;
    worker.start()?;
    let started = std::time::Instant::now();
    worker.wait_for("every record to be through", SOON, |status| {
        is_through(status, "lines", VALUES.len())
    })?;
    worker.stop()?;
    // 100 lines a second of the plugin's, and some of the worker's own.
    let (lines, seconds) = (
        worker.log_text().lines().count(),
        started.elapsed().as_secs() as usize + 2,
    );
    ensure!(lines < 150 * seconds, "{lines} lines in {seconds} s");
    let written = read_all(&target, "lines")?.len();
    let dead = read_all(&target, "lines-dead").map_or(0, |dead| dead.len());
    assert_eq!(
        written + dead,
        VALUES.len(),
        "done in time or not, each record is one of both"
    );
    Ok(())
}

#[test]
fn two_hundred_instances_of_a_plugin_share_its_code() -> Result<()> {
    let clusters = Embedded::start(&["many".to_owned()]);
    let (source, target) = (
        clusters.source.bootstrap_servers(),
        clusters.target.bootstrap_servers(),
    );
    let resident = |plugin: &str, keys: &[(&str, &str)], instances: u64| -> Result<u64> {
        let name = format!("{plugin}-{instances}");
        let mut connector = Connector::mirror(&name, &source)
            .set("topics", "many")
            .set("plugin.instances", &instances.to_string())
            .set("transforms", "one")
            .set("transforms.one.type", plugin);
        for (key, value) in keys {
            connector = connector.set(&format!("transforms.one.{key}"), value);
        }
        let mut worker = worker(&target, [connector])?;
        worker.start()?;
        worker.wait_for("its task to have the partition", SOON, |status| {
            status
                .partition("many", 0)
                .is_some_and(|partition| partition.state == "mirroring")
        })?;
        let resident = worker.process()?.resident_bytes()?;
        worker.stop()?;
        Ok(resident)
    };
    for (plugin, keys) in [
        ("insert-header", &[("header", "h"), ("value.literal", "v")][..]),
        ("mask-field", &[("fields", "$.a")]),
    ] {
        let few = resident(plugin, keys, 1)?;
        let many = resident(plugin, keys, 201)?;
        let each = many.saturating_sub(few) / 200;
        println!(
            "{plugin}: {} KiB an idle instance, {} MiB with one",
            each >> 10,
            few >> 20
        );
        ensure!(each < 256 << 10, "{each} bytes an idle instance of {plugin}");
    }
    Ok(())
}
