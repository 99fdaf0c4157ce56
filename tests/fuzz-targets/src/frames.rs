use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    runtime::{Builder, Runtime},
    time::timeout,
};
use towpath_domain::{LeaderEpoch, Offset, TopicId, TopicPartition};
use towpath_wire::{
    FetchPartition,
    batch::{Compression, Encoder, Headers, Record, SourceSpan},
    fuzzing,
};

/// Larger answers are refused by their length alone.
const MAX_FRAME: usize = 1 << 20;
/// In memory nothing takes long; a connection that waits for more has hung.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client that asks nothing more for so long waits for the end of what the first part began.
const QUIET: Duration = Duration::from_millis(10);

/// Everything a broker says on a connection, in two parts behind the first one's length (two bytes): in answer to the negotiation of versions, and, to the
/// three requests that follow at once, the rest. Then it closes. The connection ends with answers or errors for all, and does not wait for more.
pub fn frames(data: &[u8]) {
    let Some((length, said)) = data.split_first_chunk() else {
        return;
    };
    let length = usize::from(u16::from_be_bytes(*length)).min(said.len());
    let (first, rest) = said.split_at(length);
    let conversation = async {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let broker = say(theirs, first, rest);
        let client = fuzzing::converse(tokio::io::split(ours), MAX_FRAME, fetched(), produced());
        tokio::join!(broker, client)
    };
    let ended = RUNTIME.with(|runtime| runtime.block_on(async { timeout(PATIENCE, conversation).await }));
    assert!(ended.is_ok(), "the connection hangs");
}

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without I/O needs nothing of the system");
}

/// After the first request the first part; after those that follow, which leave together, the rest. Of an API that the broker seems not to have, none comes.
async fn say(mut stream: DuplexStream, first: &[u8], rest: &[u8]) {
    for part in [first, rest] {
        if let Ok(Err(_)) = timeout(QUIET, request(&mut stream)).await {
            return;
        }
        loop {
            tokio::select! {
                biased;
                Ok(()) = request(&mut stream) => {}
                () = std::future::ready(()) => break,
            }
        }
        if stream.write_all(part).await.is_err() {
            return;
        }
    }
}

async fn request(stream: &mut DuplexStream) -> io::Result<()> {
    let length = stream.read_u32().await?;
    let mut request = vec![0; length as usize];
    stream.read_exact(&mut request).await.map(drop)
}

fn fetched() -> FetchPartition {
    FetchPartition {
        topic: "orders".into(),
        topic_id: TopicId::ZERO,
        partition: towpath_domain::Partition(0),
        fetch_offset: Offset(0),
        current_leader_epoch: LeaderEpoch(-1),
        last_fetched_epoch: LeaderEpoch(-1),
        max_bytes: 1 << 20,
    }
}

fn produced() -> (TopicPartition, towpath_wire::batch::Outgoing) {
    let record = Record {
        offset: Offset(0),
        timestamp: 0,
        key: None,
        value: Some(b"a"),
        headers: Headers::EMPTY,
    };
    let span = SourceSpan {
        first: Offset(0),
        next: Offset(1),
    };
    let mut encoder = Encoder::new(Compression::None);
    encoder.push(&record).expect("one small record");
    let outgoing = encoder.finish(span).expect("a record was pushed");
    (TopicPartition::new("orders", 0), outgoing)
}
