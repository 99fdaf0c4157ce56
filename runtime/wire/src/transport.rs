//! Opening the stream to a broker: the one place that knows what lies below the protocol.

use std::{io, time::Duration};

use tokio::{
    io::{ReadHalf, WriteHalf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::{Instant, timeout_at},
};

use crate::{
    Address, Options,
    dial::dial,
    security::{Refused, Stream, Tls},
};

/// Both directions of a connection, for a task each.
pub(crate) enum Transport {
    Plain(OwnedReadHalf, OwnedWriteHalf),
    /// They share a lock, which each holds while it encrypts or decrypts what one system call moves. A connection that fetches hardly writes,
    /// and one that produces hardly reads.
    Tls(ReadHalf<Stream>, WriteHalf<Stream>),
}

/// Resolves, connects and, with TLS, shakes hands: all within `connect_timeout`.
pub(crate) async fn open(address: &Address, options: &Options) -> io::Result<Transport> {
    open_to(address, options.security.tls.as_ref(), options.connect_timeout).await
}

/// As [`open`], to anybody.
pub(crate) async fn open_to(address: &Address, tls: Option<&Tls>, limit: Duration) -> io::Result<Transport> {
    let until = Instant::now() + limit;
    let stream = dial(address, limit).await?;
    // Requests are written whole; waiting for more to say only delays them.
    stream.set_nodelay(true)?;
    match tls {
        None => {
            let (reader, writer) = stream.into_split();
            Ok(Transport::Plain(reader, writer))
        }
        Some(tls) => {
            let stream = timeout_at(until, encrypted(tls, &address.host, stream))
                .await
                .map_err(|_| {
                    let limit = limit.as_millis();
                    let what = format!("connected, and no TLS within {limit} ms");
                    io::Error::new(io::ErrorKind::TimedOut, what)
                })??;
            let (reader, writer) = tokio::io::split(stream);
            Ok(Transport::Tls(reader, writer))
        }
    }
}

async fn encrypted(tls: &Tls, host: &str, stream: TcpStream) -> io::Result<Stream> {
    let tls = tls.clone();
    let session = tokio::task::spawn_blocking(move || tls.session())
        .await
        .map_err(io::Error::other)?
        .map_err(|problems| {
            let sentences: Vec<_> = problems.iter().map(ToString::to_string).collect();
            io::Error::other(Refused(sentences.join("; ")))
        })?;
    Stream::connect(session, host, stream).await
}
