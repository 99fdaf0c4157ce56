//! A network between a client and a broker that can be made bad: delayed, slow, silent, cut.
//!
//! ```no_run
//! # use towpath_lab::{broker::{Broker, BrokerOptions, Listener}, proxy::{Network, Proxy}};
//! let proxy = Proxy::start()?;
//! let broker = Broker::start(BrokerOptions::named("source").listener(proxy.listener("VIA")))?;
//! proxy.forward_to(broker.bind_address_of("VIA")?);
//! proxy.set(Network::default().silent());
//! # anyhow::Ok(())
//! ```

mod pipe;

use std::{
    fmt,
    net::TcpListener,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::{
    net::{TcpListener as Listener, TcpStream},
    runtime::Runtime,
    sync::watch,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::broker::{self, ports};

/// Listens on a loopback port of its own and forwards each connection. Dropping it cuts them all.
pub struct Proxy {
    address: String,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

/// What becomes of bytes on their way, in either direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Each byte takes this long.
    pub delay: Duration,
    /// As much passes of each connection in each direction; `None`: no limit.
    pub bytes_per_second: Option<u32>,
    /// A connection is cut when this much has come from the broker; `None`: never.
    pub cut_after: Option<u64>,
    pub state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    #[default]
    Open,
    /// Nothing arrives, and nobody is told. What was sent arrives later, when it is open again, as TCP sends again what is lost.
    Silent,
    /// Connections are cut, and new ones too, at once (RST).
    Cut,
}

struct Shared {
    upstream: Mutex<Option<String>>,
    network: watch::Sender<Network>,
    /// Of the connections that are open now.
    cut: Mutex<CancellationToken>,
    opened: AtomicU64,
    bytes: AtomicU64,
}

// === impl Network ===

impl Network {
    #[must_use]
    pub fn delayed(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    #[must_use]
    pub fn limited(self, bytes_per_second: u32) -> Self {
        Self {
            bytes_per_second: Some(bytes_per_second),
            ..self
        }
    }

    #[must_use]
    pub fn cut_after(self, bytes: u64) -> Self {
        Self {
            cut_after: Some(bytes),
            ..self
        }
    }

    #[must_use]
    pub fn silent(self) -> Self {
        Self {
            state: State::Silent,
            ..self
        }
    }

    #[must_use]
    pub fn cut(self) -> Self {
        Self {
            state: State::Cut,
            ..self
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        match self.state {
            State::Open => {}
            State::Silent => parts.push("silent".to_owned()),
            State::Cut => parts.push("cut".to_owned()),
        }
        if self.delay > Duration::ZERO {
            parts.push(format!("delayed by {} ms", self.delay.as_millis()));
        }
        if let Some(rate) = self.bytes_per_second {
            parts.push(format!("{rate} bytes a second"));
        }
        if let Some(bytes) = self.cut_after {
            parts.push(format!("each connection is cut after {bytes} bytes of answers"));
        }
        f.write_str(&parts.join(", "))
    }
}

// === impl Proxy ===

impl Proxy {
    /// Listens; connections are cut until there is somewhere to forward them to.
    pub fn start() -> Result<Self> {
        Self::start_at("127.0.0.1", ports::free(1)?[0])
    }

    /// As [`Proxy::start`], on this loopback address and port.
    pub fn start_at(host: &str, port: u16) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let listener = TcpListener::bind((host, port))?;
        listener.set_nonblocking(true)?;
        let shared = Arc::new(Shared {
            upstream: Mutex::default(),
            network: watch::Sender::new(Network::default()),
            cut: Mutex::default(),
            opened: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        });
        let listener = runtime.block_on(async { Listener::from_std(listener) })?;
        let accepting = accept(listener, Arc::clone(&shared));
        // Owned by the runtime, which is the proxy's own and ends with it.
        drop(runtime.spawn(accepting));
        Ok(Self {
            address: format!("{host}:{port}"),
            shared,
            _runtime: runtime,
        })
    }

    /// Where clients go.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A listener of a broker whose clients are sent here.
    pub fn listener(&self, name: &'static str) -> broker::Listener {
        broker::Listener::Via {
            name,
            host: "127.0.0.1",
            advertised: Some(self.address.clone()),
        }
    }

    /// New connections go there; those that are open stay.
    pub fn forward_to(&self, upstream: &str) {
        *lock(&self.shared.upstream) = Some(upstream.to_owned());
    }

    /// What the network does from now on, to open connections too.
    pub fn set(&self, network: Network) {
        self.shared.network.send_replace(network);
        if network.state == State::Cut {
            self.cut();
        }
    }

    /// Cuts the connections that are open now (RST).
    pub fn cut(&self) {
        std::mem::take(&mut *lock(&self.shared.cut)).cancel();
    }

    /// Connections that were made so far.
    pub fn opened(&self) -> u64 {
        self.shared.opened.load(Ordering::Relaxed)
    }

    /// Bytes that have passed so far, in both directions.
    pub fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }
}

async fn accept(listener: Listener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(forward(stream, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn forward(mut client: TcpStream, shared: Arc<Shared>) {
    let cut = lock(&shared.cut).clone();
    let upstream = lock(&shared.upstream).clone();
    let is_cut = shared.network.borrow().state == State::Cut;
    if let Some(upstream) = upstream.filter(|_| !is_cut)
        && let Ok(mut broker) = TcpStream::connect(upstream).await
    {
        shared.opened.fetch_add(1, Ordering::Relaxed);
        let _ = (client.set_nodelay(true), broker.set_nodelay(true));
        let ended = {
            let (from_client, to_client) = client.split();
            let (from_broker, to_broker) = broker.split();
            let up = pipe::run(from_client, to_broker, &shared, None);
            let limit = shared.network.borrow().cut_after;
            let down = pipe::run(from_broker, to_client, &shared, limit);
            tokio::select! {
                () = cut.cancelled() => Ended::Cut,
                ended = async { tokio::select! { ended = up => ended, ended = down => ended } } => ended,
            }
        };
        if ended == Ended::Closed {
            return;
        }
        let _ = broker.set_zero_linger();
    }
    let _ = client.set_zero_linger();
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// One side has closed it: the other one sees that.
    Closed,
    Cut,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
