//! The demo's two connectors, in this process.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use towpath_domain::TopicName;
use towpath_mirror::{
    claims::Claims,
    config::Defaults,
    connector::{OPEN_TRANSACTION_TOLD_AFTER, Worker},
    ownership::Ownership,
};
use towpath_plugin_host as host;

use super::{ORDERS, PAYMENTS, REPLACEMENT, clusters::Clusters};
use crate::{
    failure::Failure,
    worker::{Connector, Handle, connector_from, plugin_cache},
};

pub(super) struct Pipelines {
    handles: Vec<Handle>,
    work: JoinSet<()>,
    token: CancellationToken,
}

/// How far they are.
pub(super) struct Progressed {
    pub(super) records: u64,
    positions: Vec<(TopicName, u64)>,
}

// === impl Pipelines ===

impl Pipelines {
    /// As a worker would start them: checked whole, and none started when anything is wrong.
    pub(super) async fn start(clusters: &Clusters, plugins: &Path) -> Result<Self, Failure> {
        let worker = Worker {
            id: "demo".to_owned(),
            client_id: "towpath-demo".to_owned(),
            request_timeout: Duration::from_secs(30),
            positions_topic: "towpath-offsets".to_owned(),
            positions_replication_factor: -1,
            flush_interval: Duration::from_millis(400),
            open_transaction_told_after: OPEN_TRANSACTION_TOLD_AFTER,
            registries_granted_to: Vec::new(),
            host: Arc::new(open(plugins).await?),
            claims: Claims::default(),
            ownership: Ownership::everything(),
        };
        let defaults = Defaults {
            bootstrap_servers: vec![clusters.target().to_owned()],
            ..Defaults::default()
        };
        let mut connectors = Vec::new();
        for config in configs(clusters.source()) {
            let file = connector_from(config.to_string().as_bytes(), &defaults)
                .map_err(|problems| Failure::input("demo", &problems))?;
            let connector = Connector::prepare(file.name, file.config, worker.clone())
                .await
                .map_err(|problems| Failure::input("demo", &problems))?;
            connectors.push(connector);
        }
        let token = CancellationToken::new();
        let handles = connectors.iter().map(Connector::handle).collect();
        let mut work = JoinSet::new();
        for connector in connectors {
            work.spawn(connector.run(token.child_token()));
        }
        Ok(Self { handles, work, token })
    }

    /// Fails when a partition or a task has stopped.
    pub(super) fn mirrored(&self) -> anyhow::Result<Progressed> {
        let (mut records, mut positions) = (0, Vec::new());
        for status in self.handles.iter().map(Handle::status) {
            let traces = status.tasks.iter().map(|task| &task.run.trace);
            if let Some(trace) = traces.chain([&status.connector.trace]).flatten().next() {
                bail!("{} stopped: {trace}", status.name);
            }
            records += status.mirrored.records;
            for partition in status.tasks.into_iter().flat_map(|task| task.partitions) {
                let position = partition
                    .position
                    .and_then(|position| u64::try_from(position).ok());
                positions.push((partition.topic, position.unwrap_or(0)));
            }
        }
        Ok(Progressed { records, positions })
    }

    /// Waits until both have stored their positions.
    pub(super) async fn stop(&mut self) {
        self.token.cancel();
        while self.work.join_next().await.is_some() {}
    }
}

// === impl Progressed ===

impl Progressed {
    /// Records of a topic that are on the target: its partitions were empty, and their offsets have no gaps.
    pub(super) fn position(&self, topic: &str) -> u64 {
        let of_topic = self.positions.iter().filter(|(name, _)| name.as_str() == topic);
        of_topic.map(|(_, position)| position).sum()
    }
}

fn configs(source: &str) -> [serde_json::Value; 2] {
    [
        json!({"name": "orders", "config": {
            "connector.class": "MirrorSource",
            "source.cluster.bootstrap.servers": source,
            "topics": ORDERS.replace('.', r"\."),
            "transforms": "remap,mask",
            "transforms.remap.type": "route-by-regex",
            "transforms.remap.regex": r"^legacy\.(.*)$",
            "transforms.remap.replacement": "$1",
            "transforms.remap.reverse.regex": "^(.*)$",
            "transforms.remap.reverse.replacement": "legacy.$1",
            "transforms.mask.type": "mask-field",
            "transforms.mask.fields": "$.customer.card,$.customer.email",
            "transforms.mask.replacement": REPLACEMENT,
        }}),
        json!({"name": "payments", "config": {
            "connector.class": "MirrorSource",
            "source.cluster.bootstrap.servers": source,
            "topics": PAYMENTS,
        }}),
    ]
}

async fn open(plugins: &Path) -> Result<host::Host, Failure> {
    let options = host::Options {
        plugin_path: vec![plugins.to_owned()],
        cache_dir: plugin_cache(),
        ..host::Options::default()
    };
    let opened = tokio::task::spawn_blocking(move || host::Host::open(options)).await;
    let (host, errors) = opened
        .context("the thread that compiles plugins ended")?
        .context("plugins cannot be run on this machine")?;
    if errors.is_empty() {
        return Ok(host);
    }
    Err(Failure::Input(
        errors.iter().map(|error| format!("--plugins: {error}")).collect(),
    ))
}
