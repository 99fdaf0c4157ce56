//! `towpath`: the command line, where everything is put together.
#![forbid(unsafe_code)]

mod demo;
mod failure;
mod number;
mod plugin;
mod topic;
mod worker;

use std::{io::IsTerminal, process::ExitCode};

use clap::{Parser, Subcommand};
use towpath_server::herd::Loggers;
use towpath_wire::Environment;
use tracing_subscriber::EnvFilter;

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
    Worker(worker::Worker),
    /// Mirror generated records between two embedded clusters through two plugins, and compare every one; needs nothing else
    Demo(demo::Arguments),
    /// Compare topics, and mirror them anew
    #[command(subcommand)]
    Topic(topic::Command),
    /// Begin, build, test, inspect and measure plugins; needs no cluster
    #[command(subcommand)]
    Plugin(plugin::Command),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let loggers = start_log(match arguments.command {
        // It says itself what it does.
        Command::Demo(_) | Command::Plugin(_) => "warn,librdkafka=off,rdkafka=off",
        _ => "info,librdkafka=off,rdkafka=off",
    });
    let environment = environment();
    let result = match arguments.command {
        Command::Worker(arguments) => worker::run(&arguments, &environment, loggers),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Topic(command) => topic::run(&command, &environment),
        Command::Plugin(command) => plugin::run(&command),
    };
    match result {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

/// For `${env:NAME}` in configurations. What is no text cannot be referred to.
fn environment() -> Environment {
    Environment::new(
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
    )
}

/// To stderr; `RUST_LOG` chooses levels as everywhere in Rust. librdkafka's own lines are left out: it logs each attempt to connect, and
/// what matters of it comes back as an error.
fn start_log(default: &str) -> Loggers {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let directives = filter.to_string();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_filter_reloading();
    let handle = subscriber.reload_handle();
    subscriber.init();
    let apply = move |directives: &str| {
        let filter = EnvFilter::try_new(directives).map_err(|error| error.to_string())?;
        handle.reload(filter).map_err(|error| error.to_string())
    };
    Loggers::new(&directives, Box::new(apply))
}
