//! `towpath plugin`: what the author of a plugin needs, without a cluster.

mod bench;
mod build;
mod call;
mod cases;
mod contract;
mod edits;
mod findings;
mod inspect;
mod language;
mod new;
mod records;
mod registry;
mod tool;

use std::{path::Path, process::ExitCode, sync::Arc};

use anyhow::Context;
use towpath_plugin_host as host;

use crate::{failure::Failure, worker::plugin_cache};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Begin a plugin: a project that builds, with a smallest plugin of that kind and a golden case
    New(new::Arguments),
    /// Build a plugin's project into a component, and show what it is
    Build(build::Arguments),
    /// Show what a plugin says of itself: kind, version, configuration keys, needs, digest
    Inspect(inspect::Arguments),
    /// Run a plugin's golden cases, and show every difference; exit code 0 only when there is none
    Test(cases::Arguments),
    /// Measure the calls of a plugin: ns a record in batches of 1, 100 and 1,000
    Bench(bench::Arguments),
}

pub(crate) fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::New(arguments) => new::run(arguments),
        Command::Build(arguments) => build::run(arguments),
        Command::Inspect(arguments) => inspect::run(arguments),
        Command::Test(arguments) => cases::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
    }
}

/// The one plugin in a file. What is wrong with it is wrong input.
fn open(file: &Path) -> Result<Arc<host::Plugin>, Failure> {
    let options = host::Options {
        plugin_path: vec![file.to_owned()],
        cache_dir: plugin_cache(),
        ..host::Options::default()
    };
    if file.is_dir() {
        let sentence = format!(
            "{} is a folder: name a component, a file that ends with .wasm",
            file.display()
        );
        return Err(Failure::Input(vec![sentence]));
    }
    let (host, errors) = host::Host::open(options).context("plugins cannot be run on this machine")?;
    if !errors.is_empty() {
        return Err(Failure::Input(errors.iter().map(ToString::to_string).collect()));
    }
    let plugin = host.plugins().next().map(Arc::clone);
    plugin.ok_or_else(|| Failure::Input(vec![format!("{}: there is no plugin in it", file.display())]))
}
