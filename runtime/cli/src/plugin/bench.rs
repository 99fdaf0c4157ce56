//! `towpath plugin bench`: host and guest together, without Kafka.

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use towpath_plugin_cases::{Case, Input};
use towpath_plugin_host as host;

use super::{
    call::{Configured, kind},
    open,
    records::Records,
};
use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The component
    file: PathBuf,
    /// A case: its configuration is taken, and its records are repeated to fill a batch
    #[arg(long, value_name = "FOLDER")]
    case: PathBuf,
    /// How long each batch size is measured, ms
    #[arg(long, default_value_t = 1000)]
    millis: u64,
}

const SIZES: [usize; 3] = [1, 100, 1000];

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let plugin = open(&arguments.file)?;
    let wrong = |what: String| Failure::Input(vec![what]);
    let kind = kind(plugin.kind());
    let case = Case::read(&arguments.case, kind).map_err(|error| wrong(error.to_string()))?;
    let Ok(Input::Records(input)) = case.require_input() else {
        return Err(wrong(format!(
            "{}: has no batch of records; transformations and predicates are measured",
            arguments.case.display()
        )));
    };
    let mut configured = Configured::new(&super::registry::granted(&plugin, &case), kind, &case.config)
        .map_err(|error| wrong(error.to_string()))?;
    println!("{} with the records of {}", plugin.reference(), case.name);
    for size in SIZES {
        let mut batch = input.clone();
        batch.records = input.records.iter().cycle().take(size).cloned().collect();
        let bytes: usize = batch
            .records
            .iter()
            .filter_map(|record| record.value.as_ref())
            .map(Vec::len)
            .sum();
        let shown = Arc::new(Records {
            batch,
            has_offsets: true,
        });
        let each = measure(&mut configured, &shown, Duration::from_millis(arguments.millis))
            .map_err(|error| anyhow!(error))?;
        println!(
            "batches of {size:>4}: {:>8.0} ns a record, values of {} bytes",
            each.as_nanos() as f64 / size as f64,
            bytes / size
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The mean time of a call.
fn measure(
    configured: &mut Configured,
    batch: &Arc<Records>,
    during: Duration,
) -> Result<Duration, host::CallError> {
    let mut once = || -> Result<(), host::CallError> {
        let batch = Arc::clone(batch) as Arc<dyn host::Records>;
        match configured {
            Configured::Transformation(plugin) => plugin.transform(batch).map(drop),
            Configured::Predicate(plugin) => plugin.matching(batch).map(drop),
            _ => Ok(()),
        }
    };
    for _ in 0..10 {
        once()?;
    }
    let (started, mut calls) = (Instant::now(), 0_u32);
    while started.elapsed() < during {
        once()?;
        calls += 1;
    }
    Ok(started.elapsed() / calls.max(1))
}
