//! A worker that is managed by the REST API: connectors are kept in `config.storage.topic`, and run as it says.

use std::{process::ExitCode, sync::Arc};

use anyhow::{Context, anyhow};
use tokio::{net::TcpListener, task::JoinSet, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use towpath_mirror::ownership::Ownership;
use towpath_server::{
    Limits,
    herd::{self, Handle, Herd, Loggers},
    serve,
};
use towpath_wire::{Client, Options};

use super::{
    Arguments, Shown, Signals, TICK,
    connectors::Status,
    opened, pause,
    properties::{Properties, Rest},
    stopped,
};
use crate::failure::Failure;

pub(super) async fn work(
    arguments: &Arguments,
    properties: &Properties,
    rest: &Rest,
    loggers: Loggers,
) -> Result<ExitCode, Failure> {
    let mut signals = Signals::listen()?;
    let opening = open(arguments, properties, rest, loggers);
    let (listeners, herd) = tokio::select! {
        opened = opening => opened?,
        () = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    let handle = herd.handle();
    let token = CancellationToken::new();
    let mut servers = JoinSet::new();
    for listener in listeners {
        let address = listener.local_addr().context("a listener has no address")?;
        tracing::info!("the REST API is at http://{address}");
        servers.spawn(serve(
            listener,
            Arc::new(handle.clone()),
            Limits::default(),
            token.clone(),
        ));
    }
    let mut work = JoinSet::new();
    work.spawn(herd.run(token.clone()));
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shown = Shown::new(arguments.status_file.as_deref());
    let ended = loop {
        tokio::select! {
            () = signals.next() => break None,
            Some(ended) = work.join_next() => break Some(ended),
            _ = tick.tick() => {
                let statuses = statuses(&handle);
                shown.show(&statuses);
                tick.reset_after(pause(&statuses));
            }
        }
    };
    token.cancel();
    let all = async {
        while work.join_next().await.is_some() {}
        while servers.join_next().await.is_some() {}
    };
    stopped(&mut signals, all).await?;
    shown.end(&statuses(&handle))?;
    match ended {
        None | Some(Ok(Ok(()))) => Ok(ExitCode::SUCCESS),
        Some(Ok(Err(error))) => Err(anyhow!(error).into()),
        Some(Err(error)) => Err(anyhow!(error).context("the herder ended").into()),
    }
}

/// Nobody else's worker is stopped unless this one can serve.
async fn open(
    arguments: &Arguments,
    properties: &Properties,
    rest: &Rest,
    loggers: Loggers,
) -> Result<(Vec<TcpListener>, Herd), Failure> {
    let mut listeners = Vec::new();
    for listener in &rest.listeners {
        let bound = listener.bind().await;
        listeners.push(bound.map_err(|error| Failure::Failed(anyhow!(error)))?);
    }
    // Connect's worker ids are where a worker can be asked.
    let id = match listeners.first().map(TcpListener::local_addr) {
        Some(Ok(address)) => address.to_string(),
        _ => super::worker_id(properties),
    };
    let worker = opened(&arguments.config, properties, (id, Ownership::everything())).await?;
    let options = Options {
        bootstrap_servers: properties.defaults.bootstrap_servers.clone(),
        client_id: properties.client_id.clone(),
        request_timeout: properties.request_timeout,
        security: properties.defaults.security.clone(),
        ..Options::default()
    };
    let client = Client::connect(options).await.context("bootstrap.servers")?;
    let herd = Herd::open(herd::Options {
        worker,
        defaults: properties.defaults.clone(),
        client,
        topic: rest.topic.clone(),
        replication_factor: rest.replication_factor,
        loggers,
    });
    let herd = herd.await.map_err(|error| Failure::Failed(anyhow!(error)))?;
    Ok((listeners, herd))
}

fn statuses(handle: &Handle) -> Vec<Status> {
    let statuses = handle.statuses().into_iter();
    statuses
        .map(|connector| Status {
            connector,
            rejected: Vec::new(),
        })
        .collect()
}
