//! ACL checkers between two real brokers with an authorizer.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use towpath_lab::{
    broker::Pair,
    plugins,
    towpath::{Connector, Worker},
    wait,
};

const SOON: Duration = Duration::from_secs(120);

fn check(worker: &Worker) -> Option<Value> {
    let status: Value = serde_json::from_str(&worker.status_text()?).ok()?;
    status["connectors"][0]["checks"].get(0).cloned()
}

fn wait_for_check(worker: &Worker, state: &str) -> Result<Value> {
    wait::until(&format!("the check is {state}"), SOON, || {
        Ok(check(worker).filter(|check| check["state"] == state))
    })
    .with_context(|| format!("{:?}\n{}", check(worker), worker.log_text()))
}

fn text<'a>(finding: &'a Value, key: &str) -> &'a str {
    finding[key].as_str().unwrap_or_default()
}

#[test]
fn what_readers_lack_on_the_target_is_found_and_the_remedies_mend_it() -> Result<()> {
    let pair = Pair::shared();
    let (source, target) = (pair.source.admin()?, pair.target.admin()?);
    source.create_topic("pay.in", 1, &[])?;
    let grant = |arguments: &[&str]| source.acls(&[&["--add"], arguments].concat());
    grant(&[
        "--allow-principal",
        "User:reader",
        "--operation",
        "Read",
        "--topic",
        "pay.",
        "--resource-pattern-type",
        "prefixed",
    ])?;
    grant(&[
        "--allow-principal",
        "User:writer",
        "--operation",
        "Write",
        "--topic",
        "pay.in",
    ])?;
    grant(&[
        "--allow-principal",
        "User:reader",
        "--operation",
        "Read",
        "--group",
        "readers",
    ])?;
    grant(&[
        "--allow-principal",
        "User:stranger",
        "--operation",
        "Read",
        "--topic",
        "other",
    ])?;
    grant(&[
        "--deny-principal",
        "User:banned",
        "--operation",
        "All",
        "--topic",
        "*",
    ])?;
    target.acls(&[
        "--add",
        "--allow-principal",
        "User:mallory",
        "--operation",
        "Read",
        "--topic",
        "new.pay.in",
    ])?;

    let mut worker = Worker::new(&[
        ("bootstrap.servers", pair.target.bootstrap()),
        ("plugin.path", &plugins::folder()?.display().to_string()),
        ("offset.storage.topic", "positions"),
    ])?;
    worker.connector(
        &Connector::mirror("acls", pair.source.bootstrap())
            .set("topics", r"pay\..*")
            .set("transforms", "rename")
            .set("transforms.rename.type", "route-by-regex")
            .set("transforms.rename.regex", "(.*)")
            .set("transforms.rename.replacement", "new.$1")
            .set("transforms.rename.reverse.regex", r"new\.(.*)")
            .set("transforms.rename.reverse.replacement", "$1")
            .set("acl.checkers", "drift")
            .set("acl.checkers.drift.type", "acl-drift")
            .set("checkers.interval.seconds", "1"),
    )?;
    worker.start()?;
    let found = wait_for_check(&worker, "blocking")?;
    let findings = found["findings"].as_array().cloned().unwrap_or_default();
    let told: Vec<(&str, &str)> = findings
        .iter()
        .map(|finding| (text(finding, "severity"), text(finding, "subject")))
        .collect();
    assert_eq!(
        told,
        [
            ("blocking", "User:reader READ on GROUP readers"),
            ("blocking", "User:banned ALL on TOPIC new.pay.in"),
            ("blocking", "User:reader READ on TOPIC new.pay.in"),
            ("warning", "User:mallory READ on TOPIC new.pay.in"),
        ],
        "{found:#}"
    );
    // Writing comes later: granted already or not, it is no drift.
    target.acls(&[
        "--add",
        "--allow-principal",
        "User:writer",
        "--operation",
        "Write",
        "--topic",
        "new.pay.in",
    ])?;
    for finding in &findings {
        let remedy = text(finding, "remedy");
        let words: Vec<&str> = remedy
            .split(' ')
            .skip(1)
            .map(|word| word.trim_matches('\''))
            .collect();
        ensure!(remedy.starts_with("kafka-acls --"), "{remedy}");
        let forced = [
            &words[..],
            if words[0] == "--remove" { &["--force"] } else { &[] },
        ]
        .concat();
        target.acls(&forced).context(remedy.to_owned())?;
    }
    let clean = wait_for_check(&worker, "clean")?;
    ensure!(clean["checked_at"].as_u64().is_some(), "{clean}");
    target.acls(&[
        "--add",
        "--deny-principal",
        "User:reader",
        "--operation",
        "Read",
        "--topic",
        "new.pay.in",
    ])?;
    let found = wait_for_check(&worker, "blocking")?;
    ensure!(
        text(&found["findings"][0], "message").contains("is denied on the target"),
        "{found}"
    );
    worker.stop()
}
