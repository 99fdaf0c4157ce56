//! `towpath-lab demo`: the product's own demo, on two real brokers.

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result};
use towpath_lab::{broker::Pair, kafka, plugins, towpath};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Orders of 1 KiB to mirror; a fifth as many payments go beside them
    #[arg(long, default_value_t = 500_000)]
    records: u64,
    /// Orders written per second, while they are being mirrored
    #[arg(long, default_value_t = 50_000)]
    rate: u64,
    /// A folder with the components; they are built when missing
    #[arg(long)]
    plugins: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plugins = match &arguments.plugins {
        Some(folder) => folder.clone(),
        None => plugins::folder()?,
    };
    let name = format!("Apache Kafka {}", kafka::VERSION);
    println!("starting two brokers, {name}");
    let pair = Pair::start()?;
    let status = Command::new(towpath::binary()?)
        .arg("demo")
        .args(["--source-bootstrap-servers", pair.source.bootstrap()])
        .args(["--target-bootstrap-servers", pair.target.bootstrap()])
        .args(["--clusters", &name])
        .args(["--records", &arguments.records.to_string()])
        .args(["--rate", &arguments.rate.to_string()])
        .arg("--plugins")
        .arg(&plugins)
        .status()
        .context("the demo cannot be started")?;
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1);
    Ok(ExitCode::from(code))
}
