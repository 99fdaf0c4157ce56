//! Wrong input: one sentence for each mistake with field, value and remedy, all of them at once, exit code 2, and nothing changed.

use std::{
    fs,
    path::Path,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result};
use tempfile::TempDir;
use towpath_lab::{
    broker::Pair,
    plugins,
    towpath::{Connector, Worker},
};

/// A worker that must refuse to start.
struct Case {
    worker: Worker,
    topics_before: Vec<String>,
}

impl Case {
    fn new(properties: &[(&str, &str)]) -> Result<Self> {
        Ok(Self {
            worker: Worker::new(properties)?,
            topics_before: Pair::shared().target.admin()?.topics()?,
        })
    }

    fn connector(mut self, connector: &Connector) -> Result<Self> {
        self.worker.connector(connector)?;
        Ok(self)
    }

    /// See [`Worker::refuses`]; and nothing was changed.
    fn refuses(self, lines: &[&[&str]]) -> Result<()> {
        self.worker.refuses(lines)?;
        assert_eq!(
            Pair::shared().target.admin()?.topics()?,
            self.topics_before,
            "nothing may have been changed"
        );
        Ok(())
    }
}

fn mirror() -> Connector {
    let pair = Pair::shared();
    Connector::mirror("bad", pair.source.bootstrap())
        .set("target.cluster.bootstrap.servers", pair.target.bootstrap())
}

fn existing(topic: &str) -> Result<Connector> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let admin = Pair::shared().source.admin()?;
    if admin.partitions(topic)?.is_none() {
        admin.create_topic(topic, 1, &[])?;
    }
    drop(guard);
    Ok(mirror().set("topics", topic))
}

#[test]
fn mistakes_of_a_connector_come_all_at_once() -> Result<()> {
    let connector = mirror()
        .set("topics", "orders,(")
        .set("task.max", "2")
        .set("replication.factor", "many");
    Case::new(&[])?.connector(&connector)?.refuses(&[
        &["task.max", "\"2\"", "unknown key", "did you mean \"tasks.max\"?"],
        &[
            "replication.factor",
            "\"many\"",
            "not a whole number",
            "write a whole number from -1 to 32767",
        ],
        &["topics", "\"(\"", "not a regular expression", "correct it"],
    ])
}

#[test]
fn mistakes_of_a_worker_come_all_at_once() -> Result<()> {
    let properties = [
        ("plugin.pth", "/x"),
        ("plugin.path", "/no/such/folder"),
        ("offset.storage.topic", "a b"),
        ("bootstrap.servers", "kafka"),
    ];
    Case::new(&properties)?
        .connector(&mirror().set("topics", "orders"))?
        .refuses(&[
            &[
                "worker.properties",
                "plugin.pth",
                "\"/x\"",
                "unknown key",
                "did you mean \"plugin.path\"?",
            ],
            &[
                "bootstrap.servers",
                "\"kafka\"",
                "not host:port",
                "write host:port",
            ],
            &[
                "offset.storage.topic",
                "\"a b\"",
                "not a topic's name",
                "use 1 to 249 of",
            ],
            &["plugin.path", "/no/such/folder", "no such folder", "create it"],
        ])
}

#[test]
fn a_topic_that_is_not_there_is_named() -> Result<()> {
    let connector = existing("there")?.set("topics", "there,oders");
    Case::new(&[])?.connector(&connector)?.refuses(&[&[
        "topics",
        "\"oders\"",
        "no such topic on the source cluster",
        "create the topic first",
    ]])
}

#[test]
fn guarantees_that_contradict_each_other_are_refused() -> Result<()> {
    let connector = existing("there")?
        .set("exactly.once.support", "required")
        .set("delivery.guarantee", "at-least-once");
    let parts: &[&str] = &[
        "delivery.guarantee = \"at-least-once\"",
        "exactly.once.support is required",
        "leave one of both out",
    ];
    Case::new(&[])?.connector(&connector)?.refuses(&[parts])?;
    Ok(())
}

#[test]
fn starts_that_are_none_are_named_one_by_one() -> Result<()> {
    let spec = "orders, there=newest, there=2026-11-28T03:00:00, there=offset:-1, (=latest";
    let connector = existing("there")?.set("mirror.start.offset.spec", spec);
    let key = "mirror.start.offset.spec";
    Case::new(&[])?.connector(&connector)?.refuses(&[
        &[key, "\"orders\"", "names no topic", "write topic=start"],
        &[key, "\"there=newest\"", "is no start", "a time such as"],
        &[
            key,
            "\"there=2026-11-28T03:00:00\"",
            "a time needs its zone",
            "write topic=start",
        ],
        &[key, "\"there=offset:-1\"", "\"-1\" is no offset", "offset:1234"],
        &[key, "\"(\"", "not a regular expression", "correct it"],
    ])?;
    let connector = existing("there")?.set(key, "oders=latest");
    Case::new(&[])?.connector(&connector)?.refuses(&[&[
        key,
        "\"oders\"",
        "no topic of this name is mirrored",
        "take the topic into `topics`",
    ]])
}

#[test]
fn two_connectors_that_write_one_topic_are_refused() -> Result<()> {
    let one = existing("shared")?;
    let other = Connector::mirror("other", Pair::shared().source.bootstrap())
        .set(
            "target.cluster.bootstrap.servers",
            Pair::shared().target.bootstrap(),
        )
        .set("topics", "shared");
    Case::new(&[])?.connector(&one)?.connector(&other)?.refuses(&[&[
        "topics",
        "\"shared\"",
        "connector bad already mirrors to topic shared of the target",
        "route them apart",
    ]])
}

#[test]
fn a_mirror_onto_itself_is_refused_by_cluster_id() -> Result<()> {
    let source = Pair::shared().source.bootstrap();
    // Another address of the same cluster.
    let alias = source.replace("127.0.0.1", "localhost");
    let connector = existing("there")?.set("target.cluster.bootstrap.servers", &alias);
    Case::new(&[])?.connector(&connector)?.refuses(&[&[
        "target.cluster.bootstrap.servers",
        &alias,
        "is the cluster of source.cluster.bootstrap.servers",
        "name another cluster",
    ]])
}

#[test]
fn brokers_that_cannot_be_reached_are_named_both_at_once() -> Result<()> {
    // Port 1 of the loopback address refuses at once.
    let connector = mirror()
        .set("topics", "orders")
        .set("source.cluster.bootstrap.servers", "127.0.0.1:1")
        .set("target.cluster.bootstrap.servers", "[::1]:1");
    Case::new(&[])?.connector(&connector)?.refuses(&[
        &[
            "source.cluster.bootstrap.servers",
            "127.0.0.1:1",
            "cannot connect",
            "check the address",
        ],
        &[
            "target.cluster.bootstrap.servers",
            "[::1]:1",
            "cannot connect",
            "check the address",
        ],
    ])
}

#[test]
fn files_that_are_no_connectors_are_named() -> Result<()> {
    let mut case = Case::new(&[])?;
    case.worker.connector_text("broken", "{\"name\": ")?;
    case.worker
        .connector_text("unknown", r#"{"name": "a", "configs": {}}"#)?;
    case.refuses(&[
        &["broken.json", "not a connector", "write {\"name\""],
        &["unknown.json", "unknown field `configs`", "write {\"name\""],
    ])
}

// === plugins ===

fn with_plugins(folder: &Path, connector: &Connector) -> Result<Case> {
    Case::new(&[("plugin.path", folder.to_str().context("a plain name")?)])?.connector(connector)
}

#[test]
fn a_plugin_that_is_missing_of_another_kind_or_wrongly_configured_is_named() -> Result<()> {
    let connector = existing("there")?
        .set("transforms", "a,b,c,d")
        .set("transforms.a.type", "mask-feld")
        .set("transforms.b.type", "route-by-regex@9.9.9")
        .set("transforms.c.type", "route-by-regex")
        .set("transforms.c.regex", "(")
        .set("transforms.c.replacement", "x")
        .set("transforms.c.reverse.regex", "x")
        .set("transforms.c.reverse.replacement", "y")
        .set("transforms.d.type", "mask-field")
        .set("transforms.d.field", "$.a");
    with_plugins(&plugins::folder()?, &connector)?.refuses(&[
        &["transforms.a.type", "\"mask-feld\"", "mask-field", "plugin.path"],
        &["transforms.b.type", "route-by-regex@9.9.9", "0.1.0"],
        &[
            "transforms.c.regex",
            "\"(\"",
            "not a regular expression",
            "see the keys of route-by-regex",
        ],
        &[
            "transforms.d.field",
            "\"$.a\"",
            "is not a key of mask-field",
            "did you mean `fields`?",
        ],
        &[
            "transforms.d.fields",
            "must be given",
            "see the keys of mask-field",
        ],
    ])
}

#[test]
fn topics_that_have_no_way_back_are_refused() -> Result<()> {
    existing("legacy.one")?;
    existing("legacy.two")?;
    let connector = mirror()
        .set("topics", r"legacy\..*,there")
        .set("transforms", "remap")
        .set("transforms.remap.type", "route-by-regex")
        .set("transforms.remap.regex", r"legacy\..*")
        .set("transforms.remap.replacement", "all")
        .set("transforms.remap.reverse.regex", "all")
        .set("transforms.remap.reverse.replacement", "legacy.one");
    existing("there")?;
    with_plugins(&plugins::folder()?, &connector)?.refuses(&[
        &[
            "transforms.remap",
            "maps legacy.two to all",
            "back to legacy.one",
            "exact inverse",
        ],
        &["transforms.remap", "there is not routed", "topics.exclude"],
    ])
}

#[test]
fn files_in_plugin_path_that_are_no_components_are_named() -> Result<()> {
    let folder = TempDir::new()?;
    let whole = fs::read(plugins::folder()?.join("mask-field.wasm"))?;
    fs::write(folder.path().join("core.wasm"), b"\0asm\x01\0\0\0")?;
    fs::write(folder.path().join("text.wasm"), "not wasm at all")?;
    fs::write(folder.path().join("truncated.wasm"), &whole[..whole.len() / 2])?;
    with_plugins(folder.path(), &existing("there")?)?.refuses(&[
        &["plugin.path", "core.wasm", "core module", "towpath-componentize"],
        &["plugin.path", "text.wasm"],
        &["plugin.path", "truncated.wasm"],
    ])
}

#[test]
fn a_component_of_another_kind_and_one_that_misbehaves_in_init_are_named() -> Result<()> {
    let folder = TempDir::new()?;
    plugins::build_adversaries(folder.path())?;
    let mut connector = existing("there")?
        .set("transforms", "kind,trap,loop,memory")
        .set("transforms.kind.type", "example-has-header");
    for act in ["trap", "loop", "memory"] {
        connector = connector
            .set(&format!("transforms.{act}.type"), "hostile")
            .set(&format!("transforms.{act}.act"), &format!("init-{act}"));
    }
    with_plugins(folder.path(), &connector)?.refuses(&[
        &[
            "transforms.kind.type",
            "example-has-header",
            "is a predicate",
            "takes transformations and routers",
        ],
        &["transforms.trap.type", "\"hostile\"", "init", "trap"],
        &[
            "transforms.loop.type",
            "\"hostile\"",
            "init",
            "ran for more than 5s",
        ],
        &["transforms.memory.type", "\"hostile\"", "init", "memory"],
    ])
}
