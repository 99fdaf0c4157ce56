//! The writing task: queued requests leave together, payload from where it is.

use std::{collections::VecDeque, future::poll_fn, io, io::IoSlice, pin::Pin, sync::Arc, task::Poll};

use bytes::{Buf, Bytes};
use tokio::{
    io::AsyncWrite,
    sync::mpsc,
    time::{Duration, Instant, timeout},
};

use crate::Lease;

use super::{
    link::Queued,
    state::{Cause, Pending, State},
};

/// Slices handed to one system call; more than the segments of any usual request.
const SLICES: usize = 128;
/// How long the reading task may take to find out why nothing can be written.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Writes requests for as long as they come.
pub(super) async fn write<W: AsyncWrite + Unpin>(
    state: Arc<State>,
    mut stream: W,
    mut queue: mpsc::Receiver<Queued>,
) -> Cause {
    let mut correlation = 0_i32;
    let mut segments = VecDeque::new();
    let mut leases = Vec::new();
    while let Some(first) = queue.recv().await {
        state.unthrottled().await;
        let mut next = Some(first);
        while let Some(request) = next {
            correlation = correlation.wrapping_add(1);
            leases.extend(request.frame.lease.clone());
            take(&state, request, correlation, &mut segments);
            next = queue.try_recv().ok();
        }
        if let Err(cause) = write_all(&mut stream, &mut segments, &leases).await {
            // What the broker said last is still to be read, and says more: an alert of TLS, for one.
            let _ = timeout(LAST_WORDS, state.closed()).await;
            return Cause::Lost(cause.to_string());
        }
        leases.clear();
    }
    Cause::Lost("it was closed here".to_owned())
}

/// From here on the request's deadline counts: the time to write it is part of it, waiting for a throttle to end is not.
fn take(state: &State, request: Queued, correlation: i32, segments: &mut VecDeque<Bytes>) {
    let Queued {
        api,
        mut frame,
        timeout,
        deliver,
        permit,
    } = request;
    // Behind length, API key and version.
    frame.head[8..12].copy_from_slice(&correlation.to_be_bytes());
    segments.push_back(frame.head.freeze());
    segments.extend(frame.rest.into_iter().filter(|segment| !segment.is_empty()));
    let deadline = Instant::now() + timeout;
    state.register(Pending {
        correlation,
        api,
        timeout,
        deadline,
        deliver,
        _permit: permit,
    });
}

/// Leases are looked at right before each system call. A process that was frozen since finds them over, and a broker does not handle a request of which it has a part.
async fn write_all<W: AsyncWrite + Unpin>(
    stream: &mut W,
    segments: &mut VecDeque<Bytes>,
    leases: &[Lease],
) -> io::Result<()> {
    while !segments.is_empty() {
        let mut slices = [IoSlice::new(&[]); SLICES];
        for (slice, segment) in slices.iter_mut().zip(segments.iter()) {
            *slice = IoSlice::new(segment);
        }
        let slices = &slices[..segments.len().min(SLICES)];
        let mut written = poll_fn(|context| match hold(leases) {
            Ok(()) => Pin::new(&mut *stream).poll_write_vectored(context, slices),
            Err(over) => Poll::Ready(Err(over)),
        })
        .await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        while let Some(first) = segments.front_mut() {
            if written < first.len() {
                first.advance(written);
                break;
            }
            written -= first.len();
            segments.pop_front();
        }
    }
    poll_fn(|context| match hold(leases) {
        Ok(()) => Pin::new(&mut *stream).poll_flush(context),
        Err(over) => Poll::Ready(Err(over)),
    })
    .await
}

fn hold(leases: &[Lease]) -> io::Result<()> {
    if leases.is_empty() {
        return Ok(());
    }
    let now = std::time::Instant::now();
    match leases.iter().any(|lease| lease.is_over(now)) {
        true => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "what was to be written may not be any more: its lease is over",
        )),
        false => Ok(()),
    }
}
