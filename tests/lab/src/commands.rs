//! The commands of `towpath-lab`.

mod bench;
mod brokers;
mod chaos;
mod comparison;
mod demo;
mod traffic;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Subcommand;
pub(crate) use towpath_lab::number::grouped;
use towpath_lab::{bench::rdkafka_mirror, kafka::Kafka, plugins};

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
    /// Let workers, brokers and networks fail by a schedule drawn from a seed, while a source is mirrored; exit code 0 only when everything is as it must be in the end
    Chaos(chaos::Arguments),
    /// Measure Towpath beside MirrorMaker 2 or a mirror made of librdkafka: same brokers, same data, every copy compared
    Bench(bench::Arguments),
    /// The mirror made of librdkafka that `bench --against rdkafka` measures; it runs until it is ended
    RdkafkaMirror(rdkafka_mirror::Options),
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
        Command::Chaos(arguments) => return chaos::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments)?,
        Command::RdkafkaMirror(options) => rdkafka_mirror::run(&options)?,
        Command::Kafka => println!("{}", Kafka::fetch()?.libs().display()),
        Command::Broker(arguments) => brokers::run(&arguments)?,
        Command::Generate(arguments) => traffic::run(&arguments)?,
        Command::Plugins { folder } => plugins::build(&folder)?,
    }
    Ok(ExitCode::SUCCESS)
}
