//! Requests that librdkafka has no call for, and whose console tools would each start a JVM.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::{ApiKey, RequestHeader, ResponseHeader},
    protocol::{Decodable, Encodable, HeaderVersion},
};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Asks the first of the brokers that can be reached, over a connection for this request alone. Brokers pass on what is the controller's.
pub(super) fn call<Q, A>(bootstrap: &str, api: ApiKey, request: &Q, version: i16) -> Result<A>
where
    Q: Encodable + HeaderVersion,
    A: Decodable + HeaderVersion,
{
    let mut stream = connect(bootstrap)?;
    let mut frame = BytesMut::from(&[0; 4][..]);
    RequestHeader::default()
        .with_request_api_key(api as i16)
        .with_request_api_version(version)
        .encode(&mut frame, Q::header_version(version))?;
    request.encode(&mut frame, version)?;
    let length = u32::try_from(frame.len() - 4)?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    stream.write_all(&frame)?;

    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length))?];
    stream.read_exact(&mut answer)?;
    let mut answer = Bytes::from(answer);
    ResponseHeader::decode(&mut answer, A::header_version(version))?;
    A::decode(&mut answer, version)
}

fn connect(bootstrap: &str) -> Result<TcpStream> {
    let mut streams = bootstrap.split(',').map(TcpStream::connect);
    let stream = streams
        .find_map(Result::ok)
        .with_context(|| format!("none of {bootstrap} can be reached"))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}
