//! `towpath-lab compare`: two topics by hand, with the lab's masker where values were masked.

use std::process::ExitCode;

use anyhow::Result;
use towpath_kafka::verify;
use towpath_lab::{compare, mask::Masker};

use super::grouped;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The source broker, host:port
    source: String,
    /// The target broker, host:port
    target: String,
    topic: String,
    /// The topic's name on the target, when it is another
    #[arg(long)]
    target_topic: Option<String>,
    /// A JSON path whose value is masked on the target, like $.customer.card; may be given more than once
    #[arg(long = "masked", value_name = "PATH")]
    masked: Vec<String>,
    /// What stands in its place
    #[arg(long, default_value = "***")]
    replacement: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let target_topic = arguments.target_topic.as_ref().unwrap_or(&arguments.topic);
    let options = compare::options(
        (&arguments.source, &arguments.topic),
        (&arguments.target, target_topic),
    );
    let paths: Vec<&str> = arguments.masked.iter().map(String::as_str).collect();
    let masker = Masker::new(&paths, &arguments.replacement)?;
    let mask = |value: &[u8], out: &mut Vec<u8>| masker.apply(value, out);
    let report = verify::compare(&options, (!paths.is_empty()).then_some(&mask), |_, _| {})?;
    let seconds = report.elapsed.as_secs_f64();
    println!(
        "{} records of {} are equal, compared in {seconds:.1} s",
        grouped(report.compared()),
        grouped(report.source_records())
    );
    match report.first_difference() {
        None => Ok(ExitCode::SUCCESS),
        Some(difference) => {
            println!("{difference}");
            Ok(ExitCode::FAILURE)
        }
    }
}
