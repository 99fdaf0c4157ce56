//! `towpath plugin build`: a project's component, looked at as a worker would before it takes the place of an older one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use towpath_componentize::Component;

use super::{language::Language, open};
use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The project's folder
    #[arg(default_value = ".", value_name = "DIR")]
    project: PathBuf,
    /// Where the component goes; by default into the project's folder, under the plugin's name
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let project = &arguments.project;
    let language = Language::of(project)?;
    // Everything that a build makes is in one folder, whatever the language.
    let work = project.join("target").join("plugin");
    fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    // Two builds of a project at once would link each other's files.
    let lock = fs::File::create(work.join("lock")).context("cannot lock the project")?;
    lock.lock().context("cannot lock the project")?;
    let bytes = language.toolchain().build(project, &work)?;
    let component = Component::read(bytes).context("the toolchain made no component")?;
    let made = work.join("plugin.wasm");
    write(&made, &component.bytes)?;
    let plugin = open(&made).map_err(of_the_project)?;
    let out = match &arguments.out {
        Some(out) => out.clone(),
        None => project.join(format!("{}.wasm", plugin.name())),
    };
    place(&made, &out)?;

    let line = |name: &str, value: &str| println!("{name:<14} {value}");
    line("plugin", &plugin.reference());
    line("kind", plugin.kind().as_str());
    line("size", &format!("{} bytes", component.bytes.len()));
    line("exports", &component.exports.join(", "));
    line("imports", &component.imports.join(", "));
    line("digest", &format!("sha256 {}", plugin.digest()));
    line("written to", &out.display().to_string());
    Ok(ExitCode::SUCCESS)
}

/// What was built is no plugin: the project is wrong, not the command.
fn of_the_project(failure: Failure) -> Failure {
    match failure {
        Failure::Input(sentences) => Failure::Failed(anyhow::anyhow!(sentences.join("\n"))),
        failed => failed,
    }
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// Whole or not at all: a worker may be reading the folder.
fn place(made: &Path, out: &Path) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", out.display());
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    let unfinished = out.with_extension("wasm.new");
    fs::copy(made, &unfinished).with_context(failed)?;
    fs::rename(&unfinished, out).with_context(failed)
}
