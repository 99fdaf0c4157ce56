//! `towpath-lab chaos`: everything fails by a schedule, and nothing may be lost.

use std::{process::ExitCode, time::Duration};

use anyhow::Result;
use towpath_lab::{
    chaos::{self, Schedule, Setting, Stage},
    kafka,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long things fail; what comes afterwards (catching up, comparing) takes its own time
    #[arg(long, default_value_t = 2.0)]
    minutes: f64,
    /// The same seed draws the same schedule
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Runs with this seed and those that follow, one after another on the same brokers; the first that fails is the last
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// Worker processes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=5))]
    workers: u8,
    /// Brokers of each cluster: 1, or 3, whose leaders move as well
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
    brokers: u8,
    /// Print the schedule and do nothing
    #[arg(long)]
    schedule: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let brokers = i32::from(arguments.brokers);
    let setting = |seed| Setting {
        seed,
        duration: Duration::from_secs_f64(arguments.minutes.max(0.0) * 60.0),
        workers: usize::from(arguments.workers),
        brokers,
    };
    let seeds = arguments.seed..arguments.seed + arguments.runs;
    if arguments.schedule {
        for seed in seeds {
            println!("seed {seed}:\n{}", Schedule::draw(&setting(seed)));
        }
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "starting {brokers} + {brokers} brokers, Apache Kafka {}",
        kafka::VERSION
    );
    let mut stage = Stage::start(brokers)?;
    for seed in seeds {
        println!("seed {seed}:\n{}", Schedule::draw(&setting(seed)));
        let report = chaos::run(&mut stage, &setting(seed))?;
        println!("\n{report}\n");
        if !report.is_right() {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}
