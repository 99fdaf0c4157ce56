//! `towpath-lab bench`.

use anyhow::{Result, bail};
use clap::ValueEnum;
use towpath_lab::bench::{Contender, Options, Row, What};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The mirror to measure beside Towpath; Towpath alone when missing
    #[arg(long, value_enum)]
    against: Option<Contender>,
    /// What to measure, separated by commas: 1k, 100b, mask, tls, latency, idle, partitions; all of them when missing
    #[arg(long, value_delimiter = ',', value_name = "NAMES", conflicts_with_all = ["size", "plugin"])]
    rows: Vec<String>,
    /// Records of each row; each row's own number when missing
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    records: Option<u64>,
    /// Measure records with values of this size alone, bytes
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    size: Option<u32>,
    /// Measure this plugin alone
    #[arg(long, value_enum)]
    plugin: Option<Plugin>,
    /// Partitions of each row but `partitions`; each row's own number when missing
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..=5000))]
    partitions: Option<i32>,
    /// Rounds of each row; who is first alternates
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeat: u32,
    /// How long latency is measured, and then idleness, s
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
    /// Change this record in the other mirror's copy: for the test that a false copy is found
    #[arg(long, hide = true)]
    falsify: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Plugin {
    MaskField,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    Text,
    Json,
    /// The tables of BENCHMARKS.md
    Markdown,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut rows = rows(arguments)?;
    for row in &mut rows {
        row.records = arguments.records.unwrap_or(row.records);
        row.partitions = arguments.partitions.unwrap_or(row.partitions);
        row.seconds = arguments.seconds;
    }
    let options = Options {
        against: arguments.against,
        rows,
        rounds: arguments.repeat,
        falsify: arguments.falsify,
    };
    let report = options.run(|line| eprintln!("{line}"))?;
    if !report.rows.is_empty() {
        match arguments.output {
            Output::Text => print!("{}", report.text()),
            Output::Json => println!("{:#}", report.json()),
            Output::Markdown => print!("{}", report.markdown()),
        }
    }
    if !report.failed.is_empty() {
        bail!("{}", report.failed.join("\ntowpath-lab: "));
    }
    Ok(())
}

fn rows(arguments: &Arguments) -> Result<Vec<Row>> {
    let named = |name: &str| match Row::named(name) {
        Some(row) => Ok(row),
        None => bail!(
            "--rows {name}: there is no such row; write some of {}",
            Row::NAMES.join(", ")
        ),
    };
    let bytes = arguments.size.map(usize::try_from).transpose()?;
    if bytes.is_some() || arguments.plugin.is_some() {
        let mut row = named(if arguments.plugin.is_some() { "mask" } else { "1k" })?;
        if let Some(bytes) = bytes {
            if row.what == What::Mask && bytes < SMALLEST_ORDER {
                bail!("--size {bytes}: the JSON records have at least {SMALLEST_ORDER} bytes");
            }
            row.value_bytes = bytes;
        }
        return Ok(vec![row]);
    }
    if arguments.rows.is_empty() {
        return Row::NAMES.iter().map(|name| named(name)).collect();
    }
    arguments.rows.iter().map(|name| named(name.trim())).collect()
}

/// Bytes of the longest order without a note.
const SMALLEST_ORDER: usize = 300;
