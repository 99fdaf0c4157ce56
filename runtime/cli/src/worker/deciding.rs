//! Deciding about a connector that no worker runs.

use std::{path::Path, process::ExitCode};

use anyhow::anyhow;
use towpath_domain::config::Problem;
use towpath_mirror::{
    config::Class,
    connector::Connector,
    ownership::Ownership,
    resolve::{Error, Resolution},
};
use towpath_wire::Environment;

use super::{
    block_on,
    file::{self, ConnectorFile},
    opened,
    properties::Properties,
    worker_id,
};
use crate::failure::Failure;

/// Opens the connector by the worker's properties and its own file, and prints what becomes of its partitions.
pub(crate) fn run(
    (worker_properties, path): (&Path, &Path),
    dry_run: bool,
    environment: &Environment,
    decide: impl AsyncFnOnce(Connector) -> Result<Vec<Resolution>, Error>,
) -> Result<ExitCode, Failure> {
    let properties = Properties::read(worker_properties, environment)?;
    block_on(async {
        let connector = prepare((worker_properties, path), &properties).await?;
        let resolutions = decide(connector).await.map_err(|error| refused(path, error))?;
        print(&resolutions, dry_run);
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn print(resolutions: &[Resolution], dry_run: bool) {
    let dry = match dry_run {
        true => " (dry run, nothing is changed)",
        false => "",
    };
    for resolution in resolutions {
        println!("{}: {}{dry}", resolution.partition, resolution.told);
    }
}

/// A `MirrorSource` by its file, checked as a start would check it, and not run.
pub(super) async fn prepare(
    (worker_properties, path): (&Path, &Path),
    properties: &Properties,
) -> Result<Connector, Failure> {
    let content = file::read(path).map_err(|error| Failure::Input(vec![file::unreadable(path, &error)]))?;
    let ConnectorFile { name, config, .. } = file::parse(&content, &properties.defaults)
        .map_err(|problems| Failure::input(path.display(), &problems))?;
    let Class::MirrorSource(source) = config else {
        let message = "it mirrors no partitions: none has stopped or has an offset";
        let remedy = "name the file of a MirrorSource";
        let problem = Problem::new("connector.class", Some("MirrorCheckpoint"), message, remedy);
        return Err(Failure::input(path.display(), &[problem]));
    };
    let given = (worker_id(properties), Ownership::everything());
    let worker = opened(worker_properties, properties, given).await?;
    Connector::prepare_to_decide(name, *source, worker)
        .await
        .map_err(|problems| Failure::input(path.display(), &problems))
}

/// What was wrong with what was asked, or has failed.
pub(super) fn refused(path: &Path, error: Error) -> Failure {
    match error {
        Error::Refused(problems) => Failure::input(path.display(), &problems),
        error => Failure::Failed(anyhow!(error)),
    }
}
