//! What a handler has: the cluster, and who asks.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicI32, Ordering},
};

use kafka_protocol::messages::ApiKey;
use tokio_util::sync::CancellationToken;

use crate::{ErrorCode, Faults, Options, clock::Clock, state::State, users::Session};

/// What all brokers of a cluster share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    pub(crate) faults: Faults,
    /// Ends with the cluster.
    pub(crate) token: CancellationToken,
    state: Mutex<State>,
}

/// One request being handled.
pub(crate) struct Context {
    pub(crate) shared: Arc<Shared>,
    /// The broker that was asked.
    pub(crate) broker: i32,
    pub(crate) api: ApiKey,
    pub(crate) client: Client,
    throttle_ms: AtomicI32,
    silent: AtomicBool,
    hang_up: AtomicBool,
    close: AtomicBool,
}

/// Who asks: one connection.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// The request's `client.id`, empty when there is none.
    pub(crate) id: String,
    /// The peer's address, without its port.
    pub(crate) host: String,
    /// `User:ANONYMOUS` where nobody has to authenticate.
    pub(crate) principal: String,
    pub(crate) session: Arc<Session>,
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(options: Options, state: State, token: CancellationToken) -> Self {
        Self {
            options,
            clock: Clock::default(),
            faults: Faults::default(),
            token,
            state: Mutex::new(state),
        }
    }

    /// Never held over an await. A handler that panicked has spoilt at most its own answer: the lock goes on.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Context ===

impl Context {
    pub(crate) fn new(shared: Arc<Shared>, broker: i32, api: ApiKey, client: Client) -> Self {
        Self {
            shared,
            broker,
            api,
            client,
            throttle_ms: AtomicI32::new(0),
            silent: AtomicBool::new(false),
            hang_up: AtomicBool::new(false),
            close: AtomicBool::new(false),
        }
    }

    /// See [`Shared::state`].
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.shared.clock.now_ms()
    }

    /// The error that a fault wants for this partition, asked once for each partition of a request.
    pub(crate) fn refused(&self, topic: &str, partition: i32) -> Option<ErrorCode> {
        self.shared
            .faults
            .refused(self.api, self.broker, topic, partition)
    }

    /// The answer will say that the client is throttled for at least so long, and the broker then ignores it for that time (KIP-219).
    pub(crate) fn throttle(&self, ms: i32) {
        self.throttle_ms.fetch_max(ms, Ordering::Relaxed);
    }

    pub(crate) fn throttled_ms(&self) -> i32 {
        self.throttle_ms.load(Ordering::Relaxed)
    }

    /// Nothing is answered: a Produce with `acks=0`.
    pub(crate) fn answer_nothing(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }

    /// The connection is closed instead of an answer: how a failed Produce with `acks=0` shows.
    pub(crate) fn hang_up(&self) {
        self.hang_up.store(true, Ordering::Relaxed);
    }

    pub(crate) fn hangs_up(&self) -> bool {
        self.hang_up.load(Ordering::Relaxed)
    }

    /// The connection is closed behind the answer: somebody was not let in.
    pub(crate) fn close(&self) {
        self.close.store(true, Ordering::Relaxed);
    }

    pub(crate) fn closes(&self) -> bool {
        self.close.load(Ordering::Relaxed)
    }
}
