//! One direction of a connection: read, kept back as the network says, written.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

use super::{Ended, Shared, State};

/// A delay must not stop the next bytes from being read, so they wait in a queue; it is short, as a window of TCP is.
const QUEUE: usize = 64;
const PIECE: usize = 16 * 1024;

/// Ends with either side, or after `limit` bytes.
pub(super) async fn run(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    shared: &Shared,
    limit: Option<u64>,
) -> Ended {
    let (queue, mut queued) = mpsc::channel::<(Instant, Vec<u8>)>(QUEUE);
    let read = async move {
        let mut buffer = vec![0; PIECE];
        loop {
            open(shared).await;
            match from.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(count) => {
                    let due = Instant::now() + shared.network.borrow().delay;
                    if queue.send((due, buffer[..count].to_vec())).await.is_err() {
                        return;
                    }
                }
            }
        }
    };
    let write = async move {
        let mut passed = 0;
        while let Some((due, bytes)) = queued.recv().await {
            sleep_until(due).await;
            open(shared).await;
            let rate = shared.network.borrow().bytes_per_second;
            if let Some(rate) = rate {
                pause(bytes.len(), rate).await;
            }
            if to.write_all(&bytes).await.is_err() {
                break;
            }
            passed += bytes.len() as u64;
            shared.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            if limit.is_some_and(|limit| passed >= limit) {
                return Ended::Cut;
            }
        }
        Ended::Closed
    };
    tokio::pin!(write);
    tokio::select! {
        ended = &mut write => ended,
        // What was read is written before the end: the queue closes with its reader.
        () = read => write.await,
    }
}

async fn open(shared: &Shared) {
    let mut network = shared.network.subscribe();
    // The sender is there as long as the proxy.
    let _ = network.wait_for(|network| network.state != State::Silent).await;
}

#[expect(clippy::cast_precision_loss, reason = "pieces are far below 2^52 bytes")]
async fn pause(bytes: usize, per_second: u32) {
    sleep(Duration::from_secs_f64(
        bytes as f64 / f64::from(per_second.max(1)),
    ))
    .await;
}
