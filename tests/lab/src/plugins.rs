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
pub const SHIPPED: [&str; 2] = ["route-by-regex", "mask-field"];

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

/// Builds the shipped plugins and writes `<name>.wasm` into a folder.
pub fn build(out: &Path) -> Result<()> {
    let cargo = environment::variable("CARGO").unwrap_or_else(|| "cargo".to_owned());
    add_target()?;
    let target_dir = target_dir()?;
    let mut command = Command::new(cargo);
    command.args([
        "build",
        "--quiet",
        "--locked",
        "--target",
        TARGET,
        "--profile",
        "plugin",
    ]);
    for name in SHIPPED {
        command.args(["-p", name]);
    }
    // Beside what is built already; cargo's variables of this test are not for that build.
    command
        .arg("--target-dir")
        .arg(&target_dir)
        .current_dir(environment::workspace_dir());
    let status = command
        .stdin(Stdio::null())
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "cargo could not build the plugins ({status})");

    fs::create_dir_all(out)?;
    let componentize = towpath::program("TOWPATH_COMPONENTIZE", "towpath-componentize")?;
    for name in SHIPPED {
        let core = target_dir
            .join(TARGET)
            .join("plugin")
            .join(format!("{}.wasm", name.replace('-', "_")));
        let output = Command::new(&componentize)
            .arg(&core)
            .arg(out.join(format!("{name}.wasm")))
            .output()?;
        ensure!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
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
