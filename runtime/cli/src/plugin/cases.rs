//! `towpath plugin test`: golden cases, run on the component as a worker runs it.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use towpath_plugin_cases::{Case, Kind, Outcome, read_all};
use towpath_plugin_host as host;

use super::{
    call::{Configured, kind},
    open, registry,
};
use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The component
    file: PathBuf,
    /// The folder of the cases: each is a folder with config.json, input.json, and expected.json or error.txt. By default the folder `cases` beside the
    /// component, or else in the current folder
    #[arg(long, value_name = "FOLDER")]
    cases: Option<PathBuf>,
    /// Write what the plugin does now as what is expected of it: read the diff
    #[arg(long)]
    bless: bool,
}

// === impl Arguments ===

impl Arguments {
    fn folder(&self) -> PathBuf {
        let beside = self.file.with_file_name("cases");
        match &self.cases {
            Some(cases) => cases.clone(),
            None if beside.is_dir() => beside,
            None => PathBuf::from("cases"),
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let plugin = open(&arguments.file)?;
    let kind = kind(plugin.kind());
    let cases = read_all(&arguments.folder(), kind)
        .map_err(|errors| Failure::Input(errors.0.iter().map(ToString::to_string).collect()))?;
    let mut failed = 0;
    for case in &cases {
        match settled(&plugin, kind, case, arguments.bless) {
            Ok(what) => println!("{what:<8} {}", case.name),
            Err(problem) => {
                failed += 1;
                println!("FAILED   {}\n{problem}\n", case.name);
            }
        }
    }
    println!("{} passed, {failed} failed", cases.len() - failed);
    Ok(match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn settled(plugin: &Arc<host::Plugin>, kind: Kind, case: &Case, bless: bool) -> Result<&'static str, String> {
    let plugin = &registry::granted(plugin, case);
    let outcome = match Configured::new(plugin, kind, &case.config) {
        Ok(mut configured) => {
            let input = case.require_input().map_err(|error| error.to_string())?;
            configured.call(input)?
        }
        Err(host::InitError::Config(mistakes)) => Outcome::Refused(mistakes.iter().map(mistake).collect()),
        Err(error) => return Err(error.to_string()),
    };
    if bless {
        let written = case.bless(&outcome).map_err(|error| error.to_string())?;
        return Ok(if written { "written" } else { "same" });
    }
    case.require_expected().map_err(|error| error.to_string())?;
    case.compare(&outcome).map_err(|mismatch| mismatch.to_string())?;
    Ok("passed")
}

/// As cases have it: without the value, which the case's configuration shows.
fn mistake(error: &host::ConfigError) -> String {
    match error.key.as_str() {
        "" => error.message.clone(),
        key => format!("{key}: {}", error.message),
    }
}
