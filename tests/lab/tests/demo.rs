//! `./demo` on embedded and on real clusters, and what it says when it cannot run.

use anyhow::Result;
use std::process::{Command, Output};
use towpath_lab::{broker::Pair, plugins, towpath};

fn demo(arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(towpath::binary()?);
    command.args(["demo", "--records", "30000", "--rate", "30000", "--plugins"]);
    Ok(command.arg(plugins::folder()?).args(arguments).output()?)
}

fn last_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn the_demo_needs_nothing_but_itself() -> Result<()> {
    let output = demo(&[])?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        last_line(&output),
        "equal on embedded clusters: every record arrived once, in order, with the content it should have"
    );
    Ok(())
}

#[test]
fn the_same_demo_runs_on_real_brokers_and_only_on_topics_of_its_own() -> Result<()> {
    let pair = Pair::start()?;
    let clusters = [
        "--source-bootstrap-servers",
        pair.source.bootstrap(),
        "--target-bootstrap-servers",
        pair.target.bootstrap(),
        "--clusters",
        "two real brokers",
    ];
    let output = demo(&clusters)?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        last_line(&output),
        "equal on two real brokers: every record arrived once, in order, with the content it should have"
    );
    let again = demo(&clusters)?;
    assert_eq!(again.status.code(), Some(2));
    let sentence = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(
        sentence.contains("topic orders is on") && sentence.contains("writes only to topics that it made"),
        "{sentence}"
    );
    Ok(())
}

#[test]
fn a_missing_folder_of_plugins_is_named() -> Result<()> {
    let output = Command::new(towpath::binary()?)
        .args(["demo", "--plugins", "/nowhere"])
        .output()?;
    assert_eq!(output.status.code(), Some(2));
    let sentence = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        sentence.contains("--plugins /nowhere: no such folder"),
        "{sentence}"
    );
    Ok(())
}
