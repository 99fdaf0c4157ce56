//! A new user's way, as `examples/custom-validator` tells it: its commands are run as they are written, between two real brokers.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use towpath_lab::{broker::Pair, environment, process::Process, read, towpath, wait};

const SOON: Duration = Duration::from_secs(120);

/// The commands of a README: the lines of its only block of shell.
fn commands(text: &str) -> Result<Vec<&str>> {
    let (_, block) = text.split_once("```sh\n").context("there is no block of shell")?;
    let (block, rest) = block.split_once("```").context("the block does not end")?;
    ensure!(!rest.contains("```sh"), "there is more than one block of shell");
    Ok(block.lines().collect())
}

/// A shell that finds `towpath` as a user's would.
fn shell(line: &str, folder: &Path) -> Result<Command> {
    let programs = towpath::binary()?;
    let programs = programs.parent().context("a program is in a folder")?.to_owned();
    let path = environment::variable("PATH").context("PATH is not set")?;
    let path = std::env::join_paths([programs].into_iter().chain(std::env::split_paths(&path)))?;
    // Dependencies are compiled once for all such tests.
    let target = environment::profile_dir()?.with_file_name("wasm-projects");
    let mut command = Command::new("bash");
    command
        .args(["-c", line])
        .current_dir(folder)
        .env("PATH", path)
        .env("CARGO_TARGET_DIR", target);
    Ok(command)
}

fn run(line: &str, folder: &Path) -> Result<Output> {
    let output = shell(line, folder)?.output()?;
    ensure!(
        output.status.success(),
        "{line}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output)
}

/// A copy of the example with these brokers in it, in a folder that lies as the repository's does: the SDK is found above it.
fn example(root: &Path, brokers: impl Fn(&str) -> String) -> Result<PathBuf> {
    let repository = environment::workspace_dir();
    let folder = root.join("examples").join("custom-validator");
    fs::create_dir_all(&folder)?;
    symlink(repository.join("sdk"), root.join("sdk"))?;
    for name in ["README.md", "worker.properties", "orders.json"] {
        let text = fs::read_to_string(repository.join("examples/custom-validator").join(name))?;
        fs::write(folder.join(name), brokers(&text))?;
    }
    Ok(folder)
}

#[test]
fn five_commands_lead_from_nothing_to_a_record_in_the_dead_letter_queue() -> Result<()> {
    let pair = Pair::start()?;
    pair.source.admin()?.create_topic("orders", 1, &[])?;
    let root = tempfile::tempdir()?;
    let folder = example(root.path(), |text| {
        text.replace("old-kafka-1:9092", pair.source.bootstrap())
            .replace("new-kafka-1:9092", pair.target.bootstrap())
    })?;
    let readme = fs::read_to_string(folder.join("README.md"))?;
    let commands = commands(&readme)?;
    let [new, build, write, worker, read_letters] = commands[..] else {
        anyhow::bail!("five commands are promised: {commands:?}");
    };
    for line in [new, build, write] {
        run(line, &folder)?;
    }
    let background = worker.strip_suffix(" &").context("the worker is left running")?;
    let log = root.path().join("worker.log");
    let mut process = Process::spawn(
        "towpath worker",
        &shell(&format!("exec {background}"), &folder)?,
        &log,
        None,
    )?;
    // A person tries again until the topic is there.
    let letters = wait::until("a dead letter", SOON, || {
        if let Some(status) = process.ended()? {
            anyhow::bail!("the worker ended with {status}");
        }
        let output = run(read_letters, &folder)?;
        let text = String::from_utf8(output.stdout)?;
        Ok((!text.is_empty()).then_some(text))
    })
    .with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
    let [headers, value] = letters.lines().collect::<Vec<_>>()[..] else {
        anyhow::bail!("one letter, of two lines: {letters}");
    };
    assert_eq!(value, r#"{"name": "no id"}"#);
    let told = "__connect.errors.exception.message=rejected: the value has no field id";
    ensure!(readme.contains(told), "the README quotes {told}");
    ensure!(headers.split(',').any(|header| header == told), "{headers}");
    ensure!(
        headers.contains("__connect.errors.class.name=has-id@0.1.0"),
        "{headers}"
    );

    // The other record is mirrored, and alone.
    let counts = wait::until("the record that is right", SOON, || {
        let counts = read::count(pair.target.bootstrap(), "orders", read::Isolation::ReadCommitted)?;
        Ok((counts.iter().sum::<u64>() > 0).then_some(counts))
    })?;
    assert_eq!(counts, [1]);
    process.stop(SOON)?;
    Ok(())
}
