//! The shipped plugins, built from their crates into components.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, Result, ensure};

use crate::{environment, towpath};

/// Crates under `plugins/` that the lab uses.
pub const SHIPPED: [&str; 15] = [
    "route-by-regex",
    "mask-field",
    "insert-header",
    "drop-header",
    "has-header",
    "is-tombstone",
    "topic-name-matches",
    "route-by-table",
    "filter",
    "record-equal",
    "json-schema",
    "avro-decodes",
    "acl-drift",
    "schema-compatibility",
    "schema-id-remap",
];

const TARGET: &str = "wasm32-unknown-unknown";

/// A folder with the shipped components, for `plugin.path`: the one `TOWPATH_PLUGINS` names, or built once for this process.
pub fn folder() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    if let Some(folder) = environment::variable("TOWPATH_PLUGINS") {
        return Ok(PathBuf::from(folder));
    }
    let built = BUILT.get_or_init(|| {
        let folder = || -> Result<PathBuf> {
            let folder = target_dir()?.join("plugins");
            build(&folder)?;
            Ok(folder)
        };
        folder().map_err(|error| format!("{error:#}"))
    });
    built.clone().map_err(anyhow::Error::msg)
}

/// A folder with what [`build_adversaries`] builds, once for this process.
pub fn adversaries() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let folder = || -> Result<PathBuf> {
            let folder = target_dir()?.join("adversaries");
            build_adversaries(&folder)?;
            Ok(folder)
        };
        folder().map_err(|error| format!("{error:#}"))
    });
    built.clone().map_err(anyhow::Error::msg)
}

/// Builds the shipped plugins and writes `<name>.wasm` into a folder.
pub fn build(out: &Path) -> Result<()> {
    let mut arguments = Vec::new();
    for name in SHIPPED {
        arguments.extend(["-p", name]);
    }
    let modules = cargo(&arguments)?;
    fs::create_dir_all(out)?;
    for name in SHIPPED {
        componentize(
            &modules.join(format!("{}.wasm", name.replace('-', "_"))),
            &out.join(format!("{name}.wasm")),
        )?;
    }
    Ok(())
}

/// Writes components for tests into a folder: `hostile` of four kinds, which misbehave as their key `act` says, and the SDK's examples of a predicate and a validator.
pub fn build_adversaries(out: &Path) -> Result<()> {
    fs::create_dir_all(out)?;
    componentize(
        &cargo(&["-p", "hostile"])?.join("hostile.wasm"),
        &out.join("hostile.wasm"),
    )?;
    let hostile = cargo(&["-p", "hostile", "--examples"])?.join("examples");
    for name in [
        "hostile_router.wasm",
        "hostile_predicate.wasm",
        "hostile_validator.wasm",
    ] {
        componentize(&hostile.join(name), &out.join(name))?;
    }
    let examples = cargo(&[
        "-p",
        "towpath-plugin",
        "--example",
        "predicate",
        "--example",
        "validator",
    ])?
    .join("examples");
    for name in ["predicate.wasm", "validator.wasm"] {
        componentize(&examples.join(name), &out.join(name))?;
    }
    Ok(())
}

/// Builds guests, beside what is built for this machine, and answers where their modules are.
fn cargo(packages: &[&str]) -> Result<PathBuf> {
    add_target()?;
    let cargo = environment::variable("CARGO").unwrap_or_else(|| "cargo".to_owned());
    let target_dir = target_dir()?.join("wasm-plugins");
    let mut command = Command::new(cargo);
    command.args([
        "build",
        "--quiet",
        "--locked",
        "--target",
        TARGET,
        "--profile",
        "plugin",
        "--target-dir",
    ]);
    command
        .arg(&target_dir)
        .args(packages)
        .current_dir(environment::workspace_dir());
    let status = command
        .stdin(Stdio::null())
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "cargo could not build the plugins ({status})");
    Ok(target_dir.join(TARGET).join("plugin"))
}

fn componentize(core: &Path, out: &Path) -> Result<()> {
    let program = towpath::program("TOWPATH_COMPONENTIZE", "towpath-componentize")?;
    let output = Command::new(program).arg(core).arg(out).output()?;
    ensure!(
        output.status.success(),
        "{}: {}",
        core.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// Adds the target of plugins to the toolchain when it is missing.
fn add_target() -> Result<()> {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .context("cannot run rustc")?;
    if Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir() {
        return Ok(());
    }
    eprintln!("adding the target {TARGET} to the Rust toolchain: plugins are built for it");
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    ensure!(
        added.is_ok_and(|status| status.success()),
        "plugins are built for {TARGET}, which this Rust toolchain lacks: run rustup target add {TARGET}"
    );
    Ok(())
}

fn target_dir() -> Result<PathBuf> {
    Ok(environment::profile_dir()?
        .parent()
        .context("a profile's folder is in the target folder")?
        .to_owned())
}
