//! `towpath worker resolve`: what an operator decides about partitions that have stopped.

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use clap::ValueEnum;
use towpath_domain::{Decision, Partition, TopicName, config::Problem};
use towpath_mirror::resolve::{Existing, Mode, Request};
use towpath_wire::Environment;

use super::deciding;
use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The worker's properties, with Connect's key names
    #[arg(long, value_name = "worker.properties")]
    config: PathBuf,
    /// The connector whose partitions are decided about: Connect's {"name", "config"}
    #[arg(long = "connector", value_name = "FILE.json")]
    connector: PathBuf,
    /// Only this topic of the source; else every partition that has stopped
    #[arg(long)]
    topic: Option<String>,
    /// Only this partition of the topic
    #[arg(long, value_name = "NUMBER", requires = "topic", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// Restart although the target has records of the partition: what of the source is among them is there twice
    #[arg(long)]
    onto_existing: bool,
    /// Say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[arg(value_enum)]
    decision: Choice,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// Go on from where it is possible: what is lost or differs stays so
    Accept,
    /// Mirror from the source's first record again
    Restart,
    /// Leave it stopped, until it is decided otherwise
    Abort,
}

pub(super) fn run(arguments: &Arguments, environment: &Environment) -> Result<ExitCode, Failure> {
    if arguments.onto_existing && arguments.decision != Choice::Restart {
        let message = "only restart writes onto records that are there";
        let problem = Problem::new("--onto-existing", None, message, "leave it out, or use restart");
        return Err(Failure::Input(vec![problem.to_string()]));
    }
    let files = (arguments.config.as_path(), arguments.connector.as_path());
    deciding::run(files, arguments.dry_run, environment, async |connector| {
        connector.resolve(&arguments.request()).await
    })
}

// === impl Arguments ===

impl Arguments {
    fn request(&self) -> Request {
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO);
        Request {
            decision: match self.decision {
                Choice::Accept => Decision::Accept,
                Choice::Restart => Decision::Restart,
                Choice::Abort => Decision::Abort,
            },
            topic: self.topic.as_deref().map(TopicName::new),
            partition: self.partition.map(Partition),
            existing: if self.onto_existing {
                Existing::Doubled
            } else {
                Existing::Refused
            },
            mode: if self.dry_run { Mode::DryRun } else { Mode::Write },
            at: since.as_millis() as i64,
        }
    }
}
