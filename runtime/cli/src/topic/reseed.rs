//! `towpath topic reseed`: a topic that is mirrored again from nothing, while no worker runs its connector.

use std::{path::PathBuf, process::ExitCode};

use towpath_domain::TopicName;
use towpath_mirror::resolve::{Mode, reseed::Request};
use towpath_wire::Environment;

use crate::{failure::Failure, worker::deciding};

#[derive(clap::Args)]
pub(crate) struct Reseed {
    /// The worker's properties, with Connect's key names
    #[arg(long, value_name = "worker.properties")]
    config: PathBuf,
    /// The connector that mirrors the topic: Connect's {"name", "config"}
    #[arg(long = "connector", value_name = "FILE.json")]
    connector: PathBuf,
    /// The topic of the source
    #[arg(long)]
    topic: String,
    /// The topic that is deleted on the target, with all its records: its name is written by whoever wants that
    #[arg(long, value_name = "TOPIC", required_unless_present = "dry_run")]
    delete_target_topic: Option<String>,
    /// Say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(arguments: &Reseed, environment: &Environment) -> Result<ExitCode, Failure> {
    let request = Request {
        topic: TopicName::new(&arguments.topic),
        delete: arguments.delete_target_topic.as_deref().map(TopicName::new),
        mode: if arguments.dry_run {
            Mode::DryRun
        } else {
            Mode::Write
        },
    };
    let files = (arguments.config.as_path(), arguments.connector.as_path());
    deciding::run(files, arguments.dry_run, environment, async |connector| {
        connector.reseed(&request).await
    })
}
