//! What a hostile broker reaches, without a network: doors for the fuzz targets, and no part of the API.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use towpath_domain::{Offset, TopicId, TopicPartition};
use uuid::Uuid;

use crate::{
    Address, Connection, Error, FetchOptions, FetchPartition, Isolation, Options, Peer, ProducePartition,
    ProduceRequest,
    api::{ANSWERS, Api, PRODUCE, PRODUCE_BY_ID},
    batch::Outgoing,
    client, positions, produce,
};

/// Key, lowest and highest version of each API whose answers are decoded.
pub fn apis() -> Vec<(i16, i16, i16)> {
    let others = ANSWERS.iter().map(|(api, _)| *api);
    // With the versions between, which are not asked for and decoded all the same.
    let produce = Api {
        max: PRODUCE_BY_ID.max,
        ..PRODUCE
    };
    others
        .chain([produce])
        .map(|api| (api.key, api.min, api.max))
        .collect()
}

/// Decodes an answer as a connection does. It begins with its correlation id.
pub fn answer(key: i16, version: i16, bytes: Bytes) -> Result<(), String> {
    match ANSWERS.iter().find(|(api, _)| api.key == key) {
        Some((_, decode)) => decode(bytes, version),
        None => produce::decode(bytes, version, &produce::Names::new()).map(drop),
    }
}

/// Reads a row of the table of positions, and writes what was read.
pub fn position(key: &[u8], value: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let key = positions::stored::decode_key(key)?;
    let position = positions::stored::decode_value(value).ok()?;
    Some((
        positions::stored::encode_key(&key),
        positions::stored::encode_value(&position),
    ))
}

/// Negotiates on a stream, then asks for metadata, fetches and produces at once, and waits for all three.
pub async fn converse<R, W>(
    stream: (R, W),
    max_frame: usize,
    fetched: FetchPartition,
    (partition, batch): (TopicPartition, Outgoing),
) -> Result<(), Error>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let peer = Peer {
        address: Address {
            host: "hostile".to_owned(),
            port: 9092,
        },
        node: None,
    };
    let options = Options {
        max_frame,
        ..Options::default()
    };
    let connection = Connection::over(stream, None, peer, &options, CancellationToken::new()).await?;
    let options = FetchOptions {
        isolation: Isolation::ReadCommitted,
        max_wait: Duration::ZERO,
        min_bytes: 1,
        max_bytes: 1 << 20,
        rack: None,
    };
    let partitions = [FetchPartition {
        fetch_offset: Offset(0),
        ..fetched
    }];
    let produce = async {
        let request = ProduceRequest {
            transactional_id: None,
            acks: -1,
            timeout: Duration::ZERO,
            // By id, where the broker claims to take that.
            partitions: vec![ProducePartition {
                partition,
                topic_id: TopicId(Uuid::from_u128(42)),
                batch,
            }],
        };
        connection.produce(request).await?.await.map(drop)
    };
    let metadata = client::Topics::All;
    let (asked, fetched, produced) = tokio::join!(
        client::ask(&connection, &metadata),
        connection.fetch(options, &partitions),
        produce
    );
    if let Ok(answer) = &asked {
        client::take_over(answer);
    }
    asked.map(drop).and(fetched.map(drop)).and(produced)
}
