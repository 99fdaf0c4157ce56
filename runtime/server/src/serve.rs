//! Serves the REST API: connections, how long they may be silent, and their end.

use std::{io, pin::Pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{
    herder::Herder,
    limits::Limits,
    rest::{self, Reach},
};

/// After the machine could not give a connection: it may be out of file descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves a listener until cancelled; then what is under way is finished, as long as [`Limits::shutdown`] allows.
pub async fn serve<H: Herder>(
    listener: TcpListener,
    herder: Arc<H>,
    limits: Limits,
    token: CancellationToken,
) -> io::Result<()> {
    let reach = if listener.local_addr()?.ip().is_loopback() {
        Reach::Loopback
    } else {
        Reach::Network
    };
    let router = rest::router(herder, limits, reach);
    let slots = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    while let Some((stream, slot)) = accept(&listener, &slots, &token).await {
        let connection = connect(stream, router.clone(), limits);
        let watched = graceful.watch(connection);
        connections.spawn(async move {
            // Clients that go away or are too slow are nothing to tell.
            if let Err(error) = watched.await {
                tracing::debug!("a connection ended: {error}");
            }
            drop(slot);
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    if timeout(limits.shutdown, graceful.shutdown()).await.is_err() {
        while connections.try_join_next().is_some() {}
        tracing::warn!(
            connections = connections.len(),
            "connections are cut off in the middle of a request"
        );
    }
    connections.shutdown().await;
    Ok(())
}

/// The next connection, when there may be one more. `None`: cancelled.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    token: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let accepting = async {
        // Never closed, so there is always one in the end.
        let slot = Arc::clone(slots).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, slot)),
                Err(error) => {
                    tracing::warn!("a connection could not be accepted: {error}");
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    };
    token.run_until_cancelled(accepting).await.flatten()
}

type Io = TokioIo<Pin<Box<TimeoutStream<TcpStream>>>>;
type Service = TowerToHyperService<tower::util::MapRequest<Router, fn(Request<Incoming>) -> Request>>;

fn connect(stream: TcpStream, router: Router, limits: Limits) -> http1::Connection<Io, Service> {
    // Small answers must not wait for more.
    drop(stream.set_nodelay(true));
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.arrival));
    let service = router.map_request((|request| request.map(Body::new)) as fn(Request<Incoming>) -> Request);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.arrival)
        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(service))
}
