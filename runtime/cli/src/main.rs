//! `towpath`: the command line, where everything is put together.
#![forbid(unsafe_code)]

mod failure;
mod topic;
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Moves workloads from one Kafka cluster to another while both stay in service.
///
/// Exit codes: 0 done, 1 failed or different, 2 wrong input (nothing was changed).
#[derive(Parser)]
#[command(name = "towpath", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run mirroring pipelines until SIGTERM or ctrl-c
    Worker(worker::Arguments),
    /// Look at topics
    #[command(subcommand)]
    Topic(topic::Command),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_log();
    let result = match arguments.command {
        Command::Worker(arguments) => worker::run(&arguments),
        Command::Topic(command) => topic::run(&command),
    };
    match result {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

/// To stderr; `RUST_LOG` chooses levels as everywhere in Rust.
fn start_log() {
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing_subscriber::filter::LevelFilter::INFO.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
}
