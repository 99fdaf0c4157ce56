//! A broker: a listener, and the connections it has taken.

use std::{net::Ipv4Addr, sync::Arc};

use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{Error, connection, context::Shared};

/// A broker that runs. Ends with its token, or when it is dropped.
#[derive(Debug)]
pub(crate) struct Broker {
    token: CancellationToken,
    tasks: JoinSet<()>,
}

// === impl Broker ===

impl Broker {
    /// Listens on a port of loopback; 0 is any free one. Answers the port.
    pub(crate) async fn bind(id: i32, port: u16) -> Result<(TcpListener, u16), Error> {
        let failed = |source| Error::Listen {
            broker: id,
            port,
            source,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok((listener, port))
    }

    pub(crate) fn start(shared: Arc<Shared>, id: i32, listener: TcpListener) -> Self {
        let token = shared.token.child_token();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(shared, id, listener, token.clone()));
        Self { token, tasks }
    }

    /// Closes the port and every connection, whatever they are doing.
    pub(crate) async fn stop(mut self) {
        self.token.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn accept(shared: Arc<Shared>, id: i32, listener: TcpListener, token: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = token.cancelled() => break,
            // So that those that have ended do not pile up.
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let served = connection::serve(Arc::clone(&shared), id, stream, peer);
                    connections.spawn(token.clone().run_until_cancelled_owned(async move { served.await; }));
                }
                Err(error) => {
                    // No file handles are left, or the peer was gone before it was taken.
                    tracing::warn!(broker = id, %error, "a connection could not be accepted");
                    tokio::task::yield_now().await;
                }
            }
        }
    }
    drop(listener);
    connections.shutdown().await;
}
