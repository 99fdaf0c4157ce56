//! `towpath worker offsets`: where a connector's partitions go on, listed and changed while no worker runs it. Connect's bodies (KIP-875).

use std::{path::PathBuf, process::ExitCode};

use anyhow::anyhow;
use towpath_domain::config::Problem;
use towpath_mirror::resolve::{
    Mode,
    offsets::{Changes, Offsets},
};

use super::{
    deciding::{prepare, print, refused},
    properties::Properties,
};
use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The worker's properties, with Connect's key names
    #[arg(long, value_name = "worker.properties")]
    pub(super) config: PathBuf,
    /// The connector whose positions are meant: Connect's {"name", "config"}
    #[arg(long = "connector", value_name = "FILE.json")]
    connector: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Print the stored positions, as JSON that alter takes
    List,
    /// Set positions: {"offsets": [{"partition": {"cluster": "source", "topic": "orders", "partition": 0}, "offset": {"offset": 100}}]}; with "offset": null a position is taken away
    Alter {
        #[arg(value_name = "OFFSETS.json")]
        file: PathBuf,
        /// Say what would be done, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Take all positions away: the connector begins as if it had never run
    Reset {
        /// Say what would be done, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

pub(super) async fn run(arguments: &Arguments, properties: Properties) -> Result<ExitCode, Failure> {
    let path = &arguments.connector;
    let (changes, dry_run) = match &arguments.what {
        What::List => {
            let connector = prepare((&arguments.config, path), &properties).await?;
            let offsets = connector.offsets().await.map_err(|error| refused(path, error))?;
            let text = serde_json::to_string_pretty(&offsets).map_err(|error| anyhow!(error))?;
            println!("{text}");
            return Ok(ExitCode::SUCCESS);
        }
        What::Alter { file, dry_run } => (Changes::These(read(file)?), *dry_run),
        What::Reset { dry_run } => (Changes::Reset, *dry_run),
    };
    let mode = if dry_run { Mode::DryRun } else { Mode::Write };
    let connector = prepare((&arguments.config, path), &properties).await?;
    let changed = connector.change_offsets(&changes, mode).await;
    print(&changed.map_err(|error| refused(path, error))?, dry_run);
    Ok(ExitCode::SUCCESS)
}

fn read(file: &PathBuf) -> Result<Offsets, Failure> {
    let content = std::fs::read(file)
        .map_err(|error| Failure::Input(vec![format!("{}: cannot be read: {error}", file.display())]))?;
    serde_json::from_slice(&content).map_err(|error| {
        let remedy = "write them as `towpath worker offsets ... list` prints them";
        let problem = Problem::new(
            "offsets",
            None,
            format!("no offsets as Connect has them: {error}"),
            remedy,
        );
        Failure::input(file.display(), &[problem])
    })
}
