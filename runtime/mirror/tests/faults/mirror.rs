//! A connector in this process.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use towpath_domain::{config::Config, state::Run};
use towpath_mirror::{
    claims::Claims,
    config::MirrorSource,
    connector::{Connector, Handle, Worker},
    ownership::Ownership,
    status::ConnectorStatus,
};
use towpath_plugin_host::Host;

use super::pair::{PATIENCE, Pair, TOPIC};

pub struct Mirror {
    handle: Handle,
    token: CancellationToken,
    running: JoinSet<()>,
}

pub const POSITIONS: &str = "towpath-offsets";
/// Short: a request that is not answered is to be found out within the test.
pub const REQUEST_TIMEOUT: Duration = Duration::from_millis(700);

/// Of the source, until status tells of it.
pub const OPEN_TRANSACTION_TOLD_AFTER: Duration = Duration::from_millis(500);

/// Without plugins; made once, since an engine takes its time.
static HOST: LazyLock<Arc<Host>> =
    LazyLock::new(|| Arc::new(Host::open(towpath_plugin_host::Options::default()).unwrap().0));

/// Checked, not yet running.
pub async fn prepare(pair: &Pair) -> Result<Connector, String> {
    prepare_as(pair, "faults", &[]).await
}

/// With further keys of the connector.
pub async fn prepare_with(pair: &Pair, more: &[(&str, &str)]) -> Result<Connector, String> {
    prepare_as(pair, "faults", more).await
}

/// Under another name, by which its positions are found.
pub async fn prepare_as(pair: &Pair, name: &str, more: &[(&str, &str)]) -> Result<Connector, String> {
    prepare_owning(pair, name, more, Ownership::everything()).await
}

/// On a worker that has only some of it.
pub async fn prepare_owning(
    pair: &Pair,
    name: &str,
    more: &[(&str, &str)],
    ownership: Ownership,
) -> Result<Connector, String> {
    let more = more.iter().map(|(key, value)| (*key, (*value).to_owned()));
    let config: Config = [
        ("connector.class", "MirrorSource".to_owned()),
        ("topics", TOPIC.to_owned()),
        // What a test does not ask for must not depend on what `auto` finds.
        ("offsets.mode", "translate".to_owned()),
        ("refresh.topics.interval.seconds", "1".to_owned()),
        ("source.consumer.fetch.max.wait.ms", "100".to_owned()),
        ("source.consumer.max.partition.fetch.bytes", "2000".to_owned()),
    ]
    .into_iter()
    .chain(pair.clusters())
    .chain(more)
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    let config = MirrorSource::parse(&config, &towpath_mirror::config::Defaults::default()).unwrap();
    let worker = Worker {
        id: "towpath:1".to_owned(),
        client_id: "towpath".to_owned(),
        request_timeout: REQUEST_TIMEOUT,
        positions_topic: POSITIONS.to_owned(),
        positions_replication_factor: -1,
        flush_interval: Duration::from_millis(100),
        open_transaction_told_after: OPEN_TRANSACTION_TOLD_AFTER,
        registries_granted_to: Vec::new(),
        host: Arc::clone(&HOST),
        claims: Claims::default(),
        ownership,
    };
    let prepared = Connector::prepare(name.to_owned(), config, worker).await;
    prepared.map_err(|problems| format!("{problems:?}"))
}

/// A start checks everything first and gives up on what does not answer, as the command line does: whoever runs it starts it again, as long as there
/// is a reason for a refusal.
pub async fn started(pair: &Pair, may_be_refused: impl Fn() -> bool) -> Result<Connector, String> {
    started_with(pair, &[], may_be_refused).await
}

/// With further keys of the connector.
pub async fn started_with(
    pair: &Pair,
    more: &[(&str, &str)],
    may_be_refused: impl Fn() -> bool,
) -> Result<Connector, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match prepare_with(pair, more).await {
            Ok(connector) => return Ok(connector),
            Err(what) if !may_be_refused() => return Err(format!("it is refused without a reason: {what}")),
            Err(what) if Instant::now() > deadline => return Err(format!("it does not start: {what}")),
            Err(_) => {}
        }
    }
}

// === impl Mirror ===

impl Mirror {
    pub fn run(connector: Connector) -> Self {
        let (handle, token) = (connector.handle(), CancellationToken::new());
        let mut running = JoinSet::new();
        running.spawn(connector.run(token.clone()));
        Self {
            handle,
            token,
            running,
        }
    }

    pub fn status(&self) -> ConnectorStatus {
        self.handle.status()
    }

    /// Why it cannot go on: the trace of the connector or of a task that failed.
    pub fn failed(&self) -> Option<String> {
        let status = self.status();
        let tasks = status.tasks.iter().map(|task| &task.run);
        std::iter::once(&status.connector)
            .chain(tasks)
            .find(|run| run.state == Run::Failed)
            .map(|run| run.trace.clone().unwrap_or_default())
    }

    /// The states of the partitions there are, by partition.
    pub fn states(&self) -> Vec<&'static str> {
        let status = self.status();
        let mut partitions: Vec<_> = status.tasks.iter().flat_map(|task| &task.partitions).collect();
        partitions.sort_by_key(|partition| partition.partition);
        partitions.iter().map(|partition| partition.state).collect()
    }

    /// As SIGTERM does: what is on the wire is waited for, positions are stored.
    pub async fn stop(mut self) {
        self.token.cancel();
        let ended = timeout(PATIENCE, self.running.join_next()).await;
        ended.expect("the connector does not stop").unwrap().unwrap();
    }

    /// As a kill does: nothing is waited for.
    pub async fn kill(mut self) {
        self.running.shutdown().await;
    }
}
