//! The commands of `towpath-lab`.

mod brokers;
mod comparison;
mod demo;
mod traffic;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Subcommand;
use towpath_lab::{kafka::Kafka, plugins};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Mirror generated orders between two real brokers through plugins, and compare what arrived; exit code 0 only when it is equal
    Demo(demo::Arguments),
    /// Fetch Apache Kafka into the cache and print the folder of its jars
    Kafka,
    /// Start brokers and keep them until ctrl-c
    Broker(brokers::Arguments),
    /// Write traffic with known contents into a topic
    Generate(traffic::Arguments),
    /// Compare two topics record by record; exit code 0 only when they are equal
    Compare(comparison::Arguments),
    /// Build the shipped plugins into a folder
    Plugins {
        /// Where the components go
        folder: PathBuf,
    },
}

pub(crate) fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Demo(arguments) => return demo::run(&arguments),
        Command::Compare(arguments) => return comparison::run(&arguments),
        Command::Kafka => println!("{}", Kafka::fetch()?.libs().display()),
        Command::Broker(arguments) => brokers::run(&arguments)?,
        Command::Generate(arguments) => traffic::run(&arguments)?,
        Command::Plugins { folder } => plugins::build(&folder)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A number with thousands apart, as people read it.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
