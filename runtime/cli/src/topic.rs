//! `towpath topic`: commands about topics.

mod client;
mod reseed;

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::ValueEnum;
use towpath_kafka::verify::{self, Endpoint, Error, Isolation, Options, Report, Timestamps};
use towpath_wire::Environment;

use crate::failure::Failure;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Compare two topics record by record, and show the first difference; exit code 0 only when they are equal
    Verify(Verify),
    /// Mirror a topic anew: delete it on the target and forget what was mirrored, while no worker runs its connector
    Reseed(reseed::Reseed),
}

#[derive(clap::Args)]
pub(crate) struct Verify {
    /// Brokers of the source cluster, host:port separated by commas
    #[arg(long, value_name = "SERVERS")]
    source_bootstrap_servers: String,
    /// Brokers of the target cluster, host:port separated by commas
    #[arg(long, value_name = "SERVERS")]
    target_bootstrap_servers: String,
    /// Kafka client properties for the source: security.protocol, ssl.*, sasl.*
    #[arg(long, value_name = "FILE")]
    source_config: Option<PathBuf>,
    /// Kafka client properties for the target
    #[arg(long, value_name = "FILE")]
    target_config: Option<PathBuf>,
    /// The topic on the source
    #[arg(long)]
    topic: String,
    /// The topic's name on the target, when a router renamed it
    #[arg(long)]
    target_topic: Option<String>,
    #[arg(long, value_enum, default_value = "read-committed")]
    isolation_level: Level,
    /// How far timestamps are compared: `value` leaves out who set them, for a LogAppendTime source and a CreateTime target
    #[arg(long, value_enum, default_value = "exact")]
    timestamps: Compared,
    /// Give up when nothing comes for this long, s
    #[arg(long, default_value_t = 60)]
    stall_timeout: u64,
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

#[derive(Clone, Copy, ValueEnum)]
enum Level {
    ReadCommitted,
    ReadUncommitted,
}

#[derive(Clone, Copy, ValueEnum)]
enum Compared {
    Exact,
    Value,
    Ignored,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

pub(crate) fn run(command: &Command, environment: &Environment) -> Result<ExitCode, Failure> {
    match command {
        Command::Verify(arguments) => verify(arguments, environment),
        Command::Reseed(arguments) => reseed::run(arguments, environment),
    }
}

fn verify(arguments: &Verify, environment: &Environment) -> Result<ExitCode, Failure> {
    let target = arguments.target_topic.as_ref().unwrap_or(&arguments.topic);
    let endpoint = |servers, topic, config: Option<&Path>| -> Result<Endpoint, Vec<String>> {
        Ok(Endpoint {
            properties: config.map_or(Ok(Vec::new()), |config| client::read(config, environment))?,
            ..Endpoint::new(servers, topic)
        })
    };
    let source = endpoint(
        &arguments.source_bootstrap_servers,
        &arguments.topic,
        arguments.source_config.as_deref(),
    );
    let target = endpoint(
        &arguments.target_bootstrap_servers,
        target,
        arguments.target_config.as_deref(),
    );
    let (source, target) = match (source, target) {
        (Ok(source), Ok(target)) => (source, target),
        (source, target) => {
            let mistakes = [source.err(), target.err()];
            return Err(Failure::Input(mistakes.into_iter().flatten().flatten().collect()));
        }
    };
    let options = Options {
        isolation: match arguments.isolation_level {
            Level::ReadCommitted => Isolation::ReadCommitted,
            Level::ReadUncommitted => Isolation::ReadUncommitted,
        },
        timestamps: match arguments.timestamps {
            Compared::Exact => Timestamps::Exact,
            Compared::Value => Timestamps::Value,
            Compared::Ignored => Timestamps::Ignored,
        },
        stall_timeout: Duration::from_secs(arguments.stall_timeout),
        ..Options::new(source, target)
    };
    let shows = std::io::stderr().is_terminal();
    let report = verify::compare(&options, None, |passed, total| {
        if shows {
            // A closed terminal is no reason to stop comparing.
            let _ = write!(std::io::stderr(), "\r\x1b[2Kcompared {passed} of {total} offsets");
        }
    });
    if shows {
        eprintln!();
    }
    let report = report.map_err(|error| match error {
        Error::NoSuchTopic { .. }
        | Error::PartitionCount { .. }
        | Error::Metadata { .. }
        | Error::Client { .. } => Failure::Input(vec![error.to_string()]),
        error => Failure::Failed(error.into()),
    })?;
    match arguments.output {
        Output::Text => print_text(&report),
        Output::Json => print_json(&report),
    }
    Ok(if report.is_equal() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print_text(report: &Report) {
    println!(
        "compared {} records of {} partitions in {:.1} s: source has {}, target has {}",
        report.compared(),
        report.partitions.len(),
        report.elapsed.as_secs_f64(),
        report.source_records(),
        report.target_records()
    );
    match report.first_difference() {
        None => println!("equal"),
        Some(difference) => println!("different: {difference}"),
    }
}

fn print_json(report: &Report) {
    let partitions: Vec<serde_json::Value> = report
        .partitions
        .iter()
        .map(|partition| {
            serde_json::json!({
                "partition": partition.partition.0,
                "compared": partition.compared,
                "source_records": partition.source.records,
                "target_records": partition.target.records,
                "difference": partition.difference.as_ref().map(ToString::to_string),
            })
        })
        .collect();
    println!(
        "{}",
        serde_json::json!({ "equal": report.is_equal(), "partitions": partitions })
    );
}
