//! What the tasks of a connection share: the requests that wait for an answer, and why the connection ended.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

use crate::{Error, Peer};

/// See the module.
#[derive(Debug)]
pub(super) struct State {
    peer: Peer,
    closed: CancellationToken,
    permits: Arc<Semaphore>,
    earlier_deadline: Notify,
    inner: Mutex<Inner>,
}

/// A request that was written, or is being written.
pub(super) struct Pending {
    pub(super) correlation: i32,
    pub(super) api: &'static str,
    pub(super) timeout: Duration,
    pub(super) deadline: Instant,
    pub(super) deliver: Deliver,
    pub(super) _permit: OwnedSemaphorePermit,
}

/// Decodes the answer (a frame without its length), or takes the error there is instead, and tells whoever asked.
pub(super) type Deliver = Box<dyn FnOnce(Result<Bytes, Error>) -> Delivered + Send>;

pub(super) enum Delivered {
    Answer {
        throttle_ms: i32,
    },
    /// Not told yet: `fail` does.
    Undecodable {
        what: String,
        fail: Box<dyn FnOnce(Error) + Send>,
    },
}

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum Cause {
    /// Either side closed it, or the network did.
    Lost(String),
    /// An alert: with TLS 1.3 a broker looks at our certificate when we think that all is well.
    Tls(Arc<str>),
    /// What came is not the answer to the first request that waits.
    Protocol(String),
    /// An answer that was decoded in vain; whoever waited for it was told.
    Undecodable(String),
    TooLarge {
        bytes: u32,
        limit: usize,
    },
    /// A request's deadline is over.
    Expired,
}

#[derive(Default)]
struct Inner {
    pending: VecDeque<Pending>,
    /// The broker asked for silence until then.
    not_before: Option<Instant>,
    /// When the watching task looks again by itself.
    watched: Option<Instant>,
    ended: Option<Arc<str>>,
}

/// A broker's longest throttle is that of its quota window, seconds. Anything above this is taken for a mistake.
const MAX_THROTTLE: Duration = Duration::from_secs(300);

// === impl State ===

impl State {
    pub(super) fn new(peer: Peer, closed: CancellationToken, permits: Arc<Semaphore>) -> Self {
        Self {
            peer,
            closed,
            permits,
            earlier_deadline: Notify::new(),
            inner: Mutex::default(),
        }
    }

    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    pub(super) fn is_open(&self) -> bool {
        !self.closed.is_cancelled()
    }

    pub(super) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// A request is about to be written.
    pub(super) fn register(&self, pending: Pending) {
        let mut inner = self.lock();
        if inner.ended.is_some() {
            // Closed between queue and socket: dropping it tells whoever asked.
            drop(inner);
            drop(pending);
            return;
        }
        let earlier = inner.watched.is_none_or(|watched| pending.deadline < watched);
        inner.pending.push_back(pending);
        if earlier {
            self.earlier_deadline.notify_one();
        }
    }

    /// An answer came: brokers answer in the order of the requests.
    pub(super) fn answer(&self, frame: Bytes) -> Result<(), Cause> {
        let Some(correlation) = frame.first_chunk().map(|bytes| i32::from_be_bytes(*bytes)) else {
            return Err(Cause::Protocol(format!(
                "it has {} bytes, too few for a correlation id",
                frame.len()
            )));
        };
        let pending = {
            let mut inner = self.lock();
            match inner.pending.front() {
                None => {
                    return Err(Cause::Protocol(format!(
                        "nothing was asked, correlation id {correlation} came"
                    )));
                }
                Some(first) if first.correlation != correlation => {
                    let expected = first.correlation;
                    let what = format!("correlation id {correlation} instead of {expected}");
                    return Err(Cause::Protocol(what));
                }
                Some(_) => inner.pending.pop_front().expect("there is a first one"),
            }
        };
        match (pending.deliver)(Ok(frame)) {
            Delivered::Answer { throttle_ms } => {
                self.throttle(Duration::from_millis(throttle_ms.max(0) as u64).min(MAX_THROTTLE));
                Ok(())
            }
            Delivered::Undecodable { what, fail } => {
                fail(Error::Protocol {
                    peer: self.peer.clone(),
                    api: pending.api,
                    what: what.clone(),
                });
                Err(Cause::Undecodable(what))
            }
        }
    }

    /// Waits until the broker wants to hear from us again (KIP-219).
    pub(super) async fn unthrottled(&self) {
        loop {
            let not_before = self.lock().not_before.filter(|until| *until > Instant::now());
            match not_before {
                Some(until) => tokio::time::sleep_until(until).await,
                None => return,
            }
        }
    }

    /// The earliest deadline, which the caller is going to watch.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let mut inner = self.lock();
        inner.watched = inner.pending.iter().map(|pending| pending.deadline).min();
        inner.watched
    }

    /// Resolves when a deadline came up that is earlier than the watched one.
    pub(super) async fn earlier_deadline(&self) {
        self.earlier_deadline.notified().await;
    }

    pub(super) fn has_expired(&self) -> bool {
        let now = Instant::now();
        self.lock().pending.iter().any(|pending| pending.deadline <= now)
    }

    /// Ends the connection; the first cause counts. The request that is to blame gets the cause itself, the others a retriable error.
    pub(super) fn close(&self, cause: Cause) {
        let pending = {
            let mut inner = self.lock();
            if inner.ended.is_some() {
                return;
            }
            inner.ended = Some(cause.to_string().into());
            std::mem::take(&mut inner.pending)
        };
        self.closed.cancel();
        self.permits.close();
        let now = Instant::now();
        for (index, pending) in pending.into_iter().enumerate() {
            let (peer, api) = (self.peer.clone(), pending.api);
            let error = match &cause {
                Cause::Protocol(what) if index == 0 => Error::Protocol {
                    peer,
                    api,
                    what: what.clone(),
                },
                Cause::TooLarge { bytes, limit } if index == 0 => Error::FrameTooLarge {
                    peer,
                    api,
                    bytes: *bytes,
                    limit: *limit,
                },
                Cause::Tls(what) => Error::Tls {
                    peer,
                    what: Arc::clone(what),
                },
                Cause::Expired if pending.deadline <= now => Error::Timeout {
                    peer,
                    api,
                    after: pending.timeout,
                },
                _ => self.lost(api),
            };
            (pending.deliver)(Err(error));
        }
    }

    /// The error of a request that has no answer.
    pub(super) fn lost(&self, api: &'static str) -> Error {
        let cause = self
            .lock()
            .ended
            .clone()
            .unwrap_or_else(|| "it was closed here".into());
        Error::Disconnected {
            peer: self.peer.clone(),
            api,
            cause,
        }
    }

    /// The broker does not read before the throttle time is over, so what is already written is answered later by as much.
    fn throttle(&self, time: Duration) {
        if time.is_zero() {
            return;
        }
        tracing::debug!(peer = %self.peer, ?time, "throttled by a quota of the broker");
        let mut inner = self.lock();
        inner.not_before = Some(Instant::now() + time);
        for pending in &mut inner.pending {
            pending.deadline += time;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that can panic runs under the lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Cause ===

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(what) => f.write_str(what),
            Self::Tls(what) => write!(f, "TLS: {what}"),
            Self::Protocol(what) => write!(f, "an answer was not what was asked for: {what}"),
            Self::Undecodable(what) => write!(f, "an answer was not understood: {what}"),
            Self::TooLarge { bytes, limit } => {
                write!(f, "an answer of {bytes} bytes was announced, {limit} are allowed")
            }
            Self::Expired => f.write_str("a request before was not answered in time"),
        }
    }
}

// === impl Inner ===

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("pending", &self.pending.len())
            .field("ended", &self.ended)
            .finish()
    }
}
