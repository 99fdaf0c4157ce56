//! `towpath worker`: connectors from files, or managed by the REST API, mirrored until the worker is told to stop.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use towpath_mirror::{claims::Claims, connector, ownership::Ownership};
use towpath_plugin_host as host;
use towpath_server::{herd::Loggers, listeners::LISTENERS};
use towpath_wire::Environment;

mod buckets;
mod connectors;
pub(crate) mod deciding;
mod file;
mod limits;
mod managed;
mod offsets;
mod progress;
mod properties;
mod resolve;
mod shown;
mod signals;
mod status_file;

use crate::failure::Failure;
use buckets::BucketsFile;
use connectors::Connectors;
use properties::Properties;
use shown::Shown;
use signals::Signals;

pub(crate) use file::parse as connector_from;
pub(crate) use properties::default_cache as plugin_cache;
pub(crate) use towpath_server::class::{Connector, Handle};

/// To run, or to decide about what has stopped.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Worker {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Option<Arguments>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Decide about partitions that have stopped, while no worker runs their connector
    Resolve(resolve::Arguments),
    /// List or change where a connector's partitions go on, while no worker runs it
    Offsets(offsets::Arguments),
}

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The worker's properties, with Connect's key names
    #[arg(long, value_name = "worker.properties")]
    config: PathBuf,
    /// A connector: Connect's {"name", "config"}; may be given more than once. Read again, checked and applied when it changes. Without one, worker.properties has
    /// listeners, and connectors are managed by the REST API
    #[arg(long = "connector", value_name = "FILE.json")]
    connectors: Vec<PathBuf>,
    /// Where to write the state of connectors, tasks and partitions as JSON: twice a second, and above 500 partitions every millisecond times their number
    #[arg(long, value_name = "FILE.json")]
    status_file: Option<PathBuf>,
}

const TICK: Duration = Duration::from_millis(500);
/// The state of thousands of partitions is shown less often, so that showing it stays beside the work: a millisecond a partition, at most this.
const SLOWEST_TICK: Duration = Duration::from_secs(5);
/// How long a worker that was told to stop may take; a second signal ends it at once.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

pub(crate) fn run(worker: &Worker, environment: &Environment, loggers: Loggers) -> Result<ExitCode, Failure> {
    match worker {
        Worker {
            command: Some(Command::Resolve(arguments)),
            ..
        } => resolve::run(arguments, environment),
        Worker {
            command: Some(Command::Offsets(arguments)),
            ..
        } => {
            let properties = Properties::read(&arguments.config, environment)?;
            block_on(offsets::run(arguments, properties))
        }
        Worker {
            run: Some(arguments), ..
        } => {
            let properties = Properties::read(&arguments.config, environment)?;
            match (&properties.rest, arguments.connectors.as_slice()) {
                (Some(rest), []) => block_on(managed::work(arguments, &properties, rest, loggers)),
                (None, [_, ..]) => block_on(work(arguments, properties)),
                (Some(_), [file, ..]) => Err(Failure::Input(vec![format!(
                    "--connector {}: worker.properties has {LISTENERS}, so connectors are kept in config.storage.topic, and a file could say something else; leave it \
                     out and post it to /connectors, or remove {LISTENERS}",
                    file.display()
                )])),
                (None, []) => Err(Failure::Input(vec![format!(
                    "--config {}: there is nothing to run; name a connector by --connector FILE.json, or add {LISTENERS}=http://127.0.0.1:8083 to manage connectors by \
                     the REST API",
                    arguments.config.display()
                )])),
            }
        }
        // Not reached: without a subcommand --config is required.
        Worker { .. } => Err(anyhow::anyhow!("--config is missing").into()),
    }
}

fn block_on(work: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the threads of the worker")?;
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn work(arguments: &Arguments, properties: Properties) -> Result<ExitCode, Failure> {
    let mut signals = Signals::listen()?;
    let mut buckets = properties.buckets.as_deref().map(BucketsFile::open).transpose()?;
    let ownership = buckets
        .as_ref()
        .map_or_else(Ownership::everything, BucketsFile::ownership);
    let worker = opened(
        &arguments.config,
        &properties,
        (worker_id(&properties), ownership),
    )
    .await?;
    let token = CancellationToken::new();
    let mut connectors = Connectors::new(worker, properties.defaults.clone(), token.clone());
    tokio::select! {
        opened = connectors.open(&arguments.connectors) => opened?,
        () = signals.next() => return Ok(ExitCode::SUCCESS),
    }
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut shown = Shown::new(arguments.status_file.as_deref());
    loop {
        tokio::select! {
            () = signals.next() => break,
            _ = tick.tick() => {
                let statuses = connectors.statuses();
                shown.show(&statuses);
                connectors.reread();
                if let Some(buckets) = &mut buckets {
                    buckets.reread();
                }
                tick.reset_after(pause(&statuses));
            }
        }
    }
    token.cancel();
    stopped(&mut signals, connectors.ended()).await?;
    shown.end(&connectors.statuses())?;
    Ok(ExitCode::SUCCESS)
}

/// Waits for what was told to stop, for as long as a user may be expected to.
async fn stopped(signals: &mut Signals, ended: impl Future<Output = ()>) -> Result<(), Failure> {
    tracing::info!("stopping: waiting for what was sent, and storing positions");
    tokio::select! {
        () = ended => Ok(()),
        () = signals.next() => {
            Err(anyhow::anyhow!("ended by a second signal: what was not stored is mirrored again").into())
        }
        () = tokio::time::sleep(STOP_DEADLINE) => {
            Err(anyhow::anyhow!("connectors did not stop within {} s: what was not stored is mirrored again", STOP_DEADLINE.as_secs()).into())
        }
    }
}

/// Until the state is shown again.
fn pause(statuses: &[connectors::Status]) -> Duration {
    let tasks = statuses.iter().flat_map(|status| &status.connector.tasks);
    let groups = statuses.iter().flat_map(|status| &status.connector.groups);
    let partitions =
        tasks.map(|task| task.partitions.len()).sum::<usize>() + groups.map(Vec::len).sum::<usize>();
    Duration::from_millis(partitions as u64).clamp(TICK, SLOWEST_TICK)
}

/// What a worker without a REST API calls itself.
fn worker_id(properties: &Properties) -> String {
    format!("{}:{}", properties.client_id, std::process::id())
}

/// What connectors are given, with the plugins compiled.
async fn opened(
    config: &Path,
    properties: &Properties,
    (id, ownership): (String, Ownership),
) -> Result<connector::Worker, Failure> {
    let host = open_plugins(config, properties).await?;
    Ok(connector::Worker {
        id,
        client_id: properties.client_id.clone(),
        request_timeout: properties.request_timeout,
        positions_topic: properties.offset_storage_topic.clone(),
        positions_replication_factor: properties.offset_storage_replication_factor,
        flush_interval: properties.offset_flush_interval,
        open_transaction_told_after: connector::OPEN_TRANSACTION_TOLD_AFTER,
        registries_granted_to: properties.registries_granted_to.clone(),
        host: Arc::new(host),
        claims: Claims::default(),
        ownership,
    })
}

/// Compiles the plugins on a thread that may block: the first time a component is seen takes a while.
async fn open_plugins(config: &Path, properties: &Properties) -> Result<host::Host, Failure> {
    let options = properties.plugins.clone();
    let work = tokio::task::spawn_blocking(move || host::Host::open(options));
    let opened = work.await.context("the thread that compiles plugins ended")?;
    let (host, errors) = opened.context("plugins cannot be run on this machine")?;
    if errors.is_empty() {
        let strangers = properties.named.strangers(&host);
        return if strangers.is_empty() {
            Ok(host)
        } else {
            Err(Failure::input(config.display(), &strangers))
        };
    }
    Err(Failure::Input(
        errors
            .iter()
            .map(|error| format!("{}: plugin.path: {error}", config.display()))
            .collect(),
    ))
}

#[cfg(test)]
mod tests;
