//! The environment of a lab: where things are cached and found. A test has no `main` that could pass this in.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// A variable of the environment; empty counts as not set.
#[expect(
    clippy::disallowed_methods,
    reason = "tests have no main that reads the environment: this is the lab's one place"
)]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// `$XDG_CACHE_HOME/towpath`, by default `~/.cache/towpath`.
pub fn cache_dir() -> Result<PathBuf> {
    let base = match variable("XDG_CACHE_HOME") {
        Some(dir) => PathBuf::from(dir),
        None => {
            Path::new(&variable("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?).join(".cache")
        }
    };
    Ok(base.join("towpath"))
}

/// Where a program is in `PATH`.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path: OsString = variable("PATH")?.into();
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// The root of this workspace, as it was when the lab was built.
pub fn workspace_dir() -> &'static Path {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR"));
    lab.ancestors()
        .nth(2)
        .expect("the lab is at tests/lab of its workspace")
}

/// The folder that cargo put executables in: beside a program, or above `deps` where a test runs.
pub fn profile_dir() -> Result<PathBuf> {
    let executable = std::env::current_exe().context("cannot tell where this program is")?;
    let dir = executable.parent().context("a program is in a folder")?;
    Ok(if dir.ends_with("deps") {
        dir.parent().context("deps is in a folder")?.to_owned()
    } else {
        dir.to_owned()
    })
}
