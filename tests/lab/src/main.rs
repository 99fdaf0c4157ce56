//! `towpath-lab`: the lab from a terminal.
#![forbid(unsafe_code)]

mod commands;

use std::process::ExitCode;

use clap::Parser;

/// Real Kafka brokers on loopback to run Towpath against. Not part of the product.
#[derive(Parser)]
#[command(name = "towpath-lab", version)]
struct Arguments {
    #[command(subcommand)]
    command: commands::Command,
}

fn main() -> ExitCode {
    match commands::run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("towpath-lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}
