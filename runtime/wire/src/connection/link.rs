//! The stream as a pipeline of frames: a task that writes, one that reads, one that watches deadlines.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, BufReader},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

use super::{
    state::{Cause, Deliver, State},
    write,
};
use crate::{Error, Lease, Options, Peer, api::Api, error::refused};

/// The tasks of a connection and the queue to them. Dropping it ends them.
#[derive(Debug)]
pub(super) struct Link {
    state: Arc<State>,
    queue: mpsc::Sender<Queued>,
    /// One for each request from its queuing to its answer: what bounds the memory of a connection.
    permits: Arc<Semaphore>,
    /// Those of everybody else, for a link beside another one.
    others: Arc<Semaphore>,
    max_in_flight: u32,
    tasks: JoinSet<()>,
}

/// A request on its way to the writer.
pub(super) struct Queued {
    pub(super) api: &'static str,
    pub(super) frame: Frame,
    pub(super) timeout: Duration,
    pub(super) deliver: Deliver,
    pub(super) permit: OwnedSemaphorePermit,
}

/// A request as bytes: what was encoded, and payload that is written from where it is.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Length, API key, version, correlation id (filled in when it is written), and the rest of the header at least.
    pub(super) head: BytesMut,
    pub(super) rest: Vec<Bytes>,
    /// When it is over, nothing more of the request is written.
    pub(super) lease: Option<Lease>,
}

/// Tells a request whose answer will not come why.
#[derive(Debug)]
pub(super) struct Lost {
    state: Arc<State>,
    api: &'static str,
}

/// Most answers but fetches fit: one system call reads length and answer together. Larger ones are read past the buffer.
const READ_BUFFER: usize = 4096;

/// More requests than any broker would hold.
const MOST_IN_FLIGHT: u32 = 100_000;

// === impl Link ===

impl Link {
    pub(super) fn start<R, W>(
        peer: Peer,
        reader: R,
        writer: W,
        options: &Options,
        token: CancellationToken,
    ) -> Self
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let max_in_flight = u32::try_from(options.max_in_flight)
            .unwrap_or(u32::MAX)
            .clamp(1, MOST_IN_FLIGHT);
        let permits = Arc::new(Semaphore::new(max_in_flight as usize));
        // Whoever has a permit has a place in the queue.
        let (queue, queued) = mpsc::channel(max_in_flight as usize);
        let state = Arc::new(State::new(peer, token.child_token(), permits.clone()));
        let mut tasks = JoinSet::new();
        tasks.spawn(run(state.clone(), read(state.clone(), reader, options.max_frame)));
        tasks.spawn(run(state.clone(), write::write(state.clone(), writer, queued)));
        tasks.spawn(run(state.clone(), watch(state.clone())));
        Self {
            state,
            queue,
            others: permits.clone(),
            permits,
            max_in_flight,
            tasks,
        }
    }

    /// The same stream for a task of [`Link::spawn`] that has something to say of its own: its requests, one at a time, do not wait for
    /// the permits of the others. They may be made in a [`silence`](Link::silence) only.
    pub(super) fn beside(&self) -> Self {
        Self {
            state: self.state.clone(),
            queue: self.queue.clone(),
            permits: Arc::new(Semaphore::new(1)),
            others: self.others.clone(),
            max_in_flight: self.max_in_flight,
            tasks: JoinSet::new(),
        }
    }

    /// Waits until every request before is answered, and keeps those that come now waiting in their order for as long as the permit is
    /// held. `None` when the connection is closed.
    pub(super) async fn silence(&self) -> Option<OwnedSemaphorePermit> {
        let all = self.others.clone().acquire_many_owned(self.max_in_flight);
        all.await.ok()
    }

    /// A further task of the connection: when it ends the connection does, and the other way round.
    pub(super) fn spawn(&mut self, task: impl Future<Output = Cause> + Send + 'static) {
        self.tasks.spawn(run(self.state.clone(), task));
    }

    pub(super) fn peer(&self) -> &Peer {
        self.state.peer()
    }

    pub(super) fn is_alive(&self) -> bool {
        self.state.is_open()
    }

    pub(super) fn has_room(&self) -> bool {
        // Whoever waits for all of them has what there is.
        self.permits.available_permits() > 0
    }

    /// Waits for a permit and queues the request. Permits are given in the order of the calls, and nothing is awaited between
    /// permit and queue: so requests leave in that order too.
    pub(super) async fn enqueue(
        &self,
        api: &'static str,
        frame: Frame,
        timeout: Duration,
        deliver: Deliver,
    ) -> Result<Lost, Error> {
        let lost = Lost {
            state: self.state.clone(),
            api,
        };
        // The semaphore is closed, and the queue's other end dropped, when the connection is lost.
        let Ok(permit) = self.permits.clone().acquire_owned().await else {
            return Err(lost.error());
        };
        match self.queue.try_send(Queued {
            api,
            frame,
            timeout,
            deliver,
            permit,
        }) {
            Ok(()) => Ok(lost),
            Err(_) => Err(lost.error()),
        }
    }
}

// === impl Frame ===

impl Frame {
    /// Fills in the length. `head` begins with four bytes for it.
    pub(crate) fn new(api: Api, mut head: BytesMut, rest: Vec<Bytes>) -> Result<Self, Error> {
        let size = head.len() - 4 + rest.iter().map(Bytes::len).sum::<usize>();
        let length = i32::try_from(size).map_err(|_| Error::Invalid {
            api: api.name,
            what: format!("the request has {size} bytes, more than a frame can have"),
        })?;
        head[..4].copy_from_slice(&length.to_be_bytes());
        Ok(Self {
            head,
            rest,
            lease: None,
        })
    }

    pub(crate) fn under(self, lease: Option<Lease>) -> Self {
        Self { lease, ..self }
    }

    #[cfg(test)]
    pub(crate) fn parts(&self) -> (&[u8], &[Bytes]) {
        (&self.head, &self.rest)
    }
}

// === impl Lost ===

impl Lost {
    pub(super) fn error(&self) -> Error {
        self.state.lost(self.api)
    }
}

/// Runs one of the three tasks until it ends or the connection does. However it ends, even by a panic, the connection is closed, so
/// that nobody waits for an answer that nobody reads.
async fn run(state: Arc<State>, task: impl Future<Output = Cause>) {
    struct Ended(Arc<State>);
    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.close(Cause::Lost("it was closed here".to_owned()));
        }
    }
    let ended = Ended(state.clone());
    tokio::select! {
        () = state.closed() => {}
        cause = task => state.close(cause),
    }
    drop(ended);
}

/// Reads answers for as long as they are what was asked for.
async fn read<R: AsyncRead + Unpin>(state: Arc<State>, stream: R, max_frame: usize) -> Cause {
    let mut stream = BufReader::with_capacity(READ_BUFFER, stream);
    loop {
        let answered = match frame(&mut stream, max_frame).await {
            Ok(frame) => state.answer(frame),
            Err(cause) => Err(cause),
        };
        if let Err(cause) = answered {
            return cause;
        }
    }
}

/// One frame, in a buffer of exactly its size: what is decoded from it shares that buffer.
async fn frame<R: AsyncRead + Unpin>(stream: &mut BufReader<R>, max_frame: usize) -> Result<Bytes, Cause> {
    let lost = |cause: std::io::Error| match (refused(&cause), cause.kind()) {
        (Some(what), _) => Cause::Tls(what),
        (None, std::io::ErrorKind::UnexpectedEof) => Cause::Lost("the broker closed it".to_owned()),
        (None, _) => Cause::Lost(cause.to_string()),
    };
    let length = stream.read_u32().await.map_err(lost)?;
    let size = length as usize;
    if size > max_frame {
        return Err(Cause::TooLarge {
            bytes: length,
            limit: max_frame,
        });
    }
    let mut buffer = BytesMut::with_capacity(size);
    let mut rest = stream.take(u64::from(length));
    while buffer.len() < size {
        if rest.read_buf(&mut buffer).await.map_err(lost)? == 0 {
            let what = format!(
                "the broker closed it after {} of {size} bytes of an answer",
                buffer.len()
            );
            return Err(Cause::Lost(what));
        }
    }
    Ok(buffer.freeze())
}

/// Closes the connection when a request is not answered in time: a late answer would be taken for that of the next request.
async fn watch(state: Arc<State>) -> Cause {
    loop {
        match state.next_deadline() {
            Some(deadline) => tokio::select! {
                () = tokio::time::sleep_until(deadline) => {}
                () = state.earlier_deadline() => {}
            },
            None => state.earlier_deadline().await,
        }
        if state.has_expired() {
            return Cause::Expired;
        }
    }
}
