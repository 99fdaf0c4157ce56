//! `towpath worker resolve`: what an operator decides about partitions that have stopped.

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use anyhow::anyhow;
use clap::ValueEnum;
use towpath_domain::{Decision, Partition, TopicName, config::Problem};
use towpath_mirror::{
    config::Class,
    connector::Connector,
    resolve::{Error, Existing, Mode, Request},
};

use super::{
    file::{self, ConnectorFile},
    opened,
    properties::Properties,
};
use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The worker's properties, with Connect's key names
    #[arg(long, value_name = "worker.properties")]
    pub(super) config: PathBuf,
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

pub(super) async fn run(arguments: &Arguments, properties: Properties) -> Result<ExitCode, Failure> {
    let path = &arguments.connector;
    if arguments.onto_existing && arguments.decision != Choice::Restart {
        let message = "only restart writes onto records that are there";
        let problem = Problem::new("--onto-existing", None, message, "leave it out, or use restart");
        return Err(Failure::Input(vec![problem.to_string()]));
    }
    let content = file::read(path).map_err(|error| Failure::Input(vec![file::unreadable(path, &error)]))?;
    let ConnectorFile { name, config, .. } = file::parse(&content, &properties.defaults)
        .map_err(|problems| Failure::input(path.display(), &problems))?;
    let Class::MirrorSource(config) = config else {
        let message = "it mirrors no partitions, so none has stopped";
        let remedy = "name the file of a MirrorSource";
        let problem = Problem::new("connector.class", Some("MirrorCheckpoint"), message, remedy);
        return Err(Failure::input(path.display(), &[problem]));
    };
    let worker = opened(&arguments.config, &properties).await?;
    let connector = Connector::prepare(name, *config, worker)
        .await
        .map_err(|problems| Failure::input(path.display(), &problems))?;
    let resolutions = connector
        .resolve(&arguments.request())
        .await
        .map_err(|error| match error {
            Error::Refused(problems) => Failure::input(path.display(), &problems),
            error => Failure::Failed(anyhow!(error)),
        })?;
    for resolution in resolutions {
        let dry = if arguments.dry_run {
            " (dry run, nothing is changed)"
        } else {
            ""
        };
        println!("{}: {}{dry}", resolution.partition, resolution.told);
    }
    Ok(ExitCode::SUCCESS)
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
