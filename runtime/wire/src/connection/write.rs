//! The writing task: queued requests leave together, payload from where it is.

use std::{collections::VecDeque, io, io::IoSlice, sync::Arc};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    time::{Duration, Instant, timeout},
};

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
    while let Some(first) = queue.recv().await {
        state.unthrottled().await;
        let mut next = Some(first);
        while let Some(request) = next {
            correlation = correlation.wrapping_add(1);
            take(&state, request, correlation, &mut segments);
            next = queue.try_recv().ok();
        }
        if let Err(cause) = write_all(&mut stream, &mut segments).await {
            // What the broker said last is still to be read, and says more: an alert of TLS, for one.
            let _ = timeout(LAST_WORDS, state.closed()).await;
            return Cause::Lost(cause.to_string());
        }
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

async fn write_all<W: AsyncWrite + Unpin>(stream: &mut W, segments: &mut VecDeque<Bytes>) -> io::Result<()> {
    while !segments.is_empty() {
        let mut slices = [IoSlice::new(&[]); SLICES];
        for (slice, segment) in slices.iter_mut().zip(segments.iter()) {
            *slice = IoSlice::new(segment);
        }
        let mut written = stream
            .write_vectored(&slices[..segments.len().min(SLICES)])
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
    stream.flush().await
}
