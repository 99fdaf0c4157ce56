//! `towpath plugin` on components: the shipped ones pass the golden cases that their native tests pass, and what is wrong is told.

use std::{fs, path::Path, process::Output};

use anyhow::{Context, Result, ensure};
use towpath_lab::{environment, plugins, towpath};

fn tool(arguments: &[&str]) -> Result<(Output, String)> {
    let output = towpath::run(&[&["plugin"], arguments].concat(), Path::new("."))?;
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok((output, text))
}

fn component(name: &str) -> Result<String> {
    Ok(plugins::folder()?
        .join(format!("{name}.wasm"))
        .display()
        .to_string())
}

fn sources(name: &str) -> std::path::PathBuf {
    environment::workspace_dir().join("plugins").join(name)
}

#[test]
fn every_shipped_component_does_what_its_cases_say() -> Result<()> {
    for name in plugins::SHIPPED {
        let cases = sources(name).join("cases");
        let count = fs::read_dir(&cases)?.count();
        let (output, text) = tool(&["test", &component(name)?, "--cases", &cases.display().to_string()])?;
        ensure!(output.status.success(), "{name}: {text}");
        ensure!(
            count > 1 && text.contains(&format!("\n{count} passed, 0 failed")),
            "{name}: {text}"
        );
    }
    Ok(())
}

#[test]
fn a_case_that_expects_something_else_fails_with_a_diff_until_it_is_blessed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let case = folder.path().join("tombstones");
    fs::create_dir(&case)?;
    fs::write(case.join("config.json"), "{}")?;
    fs::write(
        case.join("input.json"),
        r#"{"records": [{"key": "a", "value": "b"}, {"key": "a", "value": null}]}"#,
    )?;
    let (plugin, cases) = (component("is-tombstone")?, folder.path().display().to_string());
    let test = ["test", &plugin, "--cases", &cases];
    let (output, text) = tool(&test)?;
    ensure!(output.status.code() == Some(1), "nothing is expected yet: {text}");
    fs::write(case.join("expected.json"), r#"{"matching": [0]}"#)?;
    let (output, text) = tool(&test)?;
    ensure!(output.status.code() == Some(1), "{text}");
    for part in ["FAILED   tombstones", "-    0", "+    1", "0 passed, 1 failed"] {
        ensure!(text.contains(part), "{part:?} is missing in {text}");
    }
    let (output, text) = tool(&[&test[..], &["--bless"]].concat())?;
    ensure!(output.status.success(), "{text}");
    let (output, text) = tool(&test)?;
    ensure!(
        output.status.success() && text.contains("1 passed, 0 failed"),
        "{text}"
    );
    Ok(())
}

#[test]
fn inspect_says_who_a_plugin_is_and_what_it_touches_as_configured() -> Result<()> {
    let plugin = component("insert-header")?;
    let (output, text) = tool(&["inspect", &plugin])?;
    ensure!(output.status.success(), "{text}");
    for part in [
        "insert-header@",
        "transformation",
        "towpath:plugin@0.1.0",
        "sha256 ",
        "header (string, required)",
    ] {
        ensure!(text.contains(part), "{part:?} is missing in {text}");
    }
    let configured = ["--config", "header=a", "--config", "value.literal=b"];
    let (output, text) = tool(&[&["inspect", &plugin, "--output", "json"], &configured[..]].concat())?;
    ensure!(output.status.success(), "{text}");
    let told: serde_json::Value = serde_json::from_str(&text).context(text)?;
    assert_eq!(told["needs"]["effects"]["headers"], true);
    assert_eq!(told["needs"]["reads"]["value"], false);
    assert_eq!(told["grants"], serde_json::json!([]));

    let (output, text) = tool(&["inspect", &plugin, "--config", "heeder=a"])?;
    ensure!(
        output.status.code() == Some(2) && text.contains("did you mean `header`?"),
        "{text}"
    );
    let nothing = sources("insert-header").join("Cargo.toml").display().to_string();
    let (output, text) = tool(&["inspect", &nothing])?;
    ensure!(
        output.status.code() == Some(2) && text.contains("Cargo.toml"),
        "{text}"
    );
    Ok(())
}

#[test]
fn bench_measures_batches_of_each_size() -> Result<()> {
    let case = sources("mask-field").join("cases");
    let case = fs::read_dir(case)?
        .filter_map(|case| Some(case.ok()?.path()))
        .find(|case| case.join("expected.json").exists())
        .context("a case that is no mistake")?;
    let case = case.display().to_string();
    let (output, text) = tool(&[
        "bench",
        &component("mask-field")?,
        "--case",
        &case,
        "--millis",
        "20",
    ])?;
    ensure!(output.status.success(), "{text}");
    for part in [
        "batches of    1:",
        "batches of  100:",
        "batches of 1000:",
        "ns a record",
    ] {
        ensure!(text.contains(part), "{part:?} is missing in {text}");
    }
    Ok(())
}
