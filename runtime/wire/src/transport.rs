//! Opening the stream to a broker: the one place that knows what lies below the protocol. TLS and SASL come in here.

use std::io;

use tokio::{
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

use crate::{Address, Options};

/// Resolves, connects (each resolved address in turn) within `connect_timeout`, and splits the stream.
pub(crate) async fn open(
    address: &Address,
    options: &Options,
) -> io::Result<(OwnedReadHalf, OwnedWriteHalf)> {
    let connecting = TcpStream::connect((address.host.as_str(), address.port));
    let stream = timeout(options.connect_timeout, connecting).await.map_err(|_| {
        let limit = options.connect_timeout.as_millis();
        io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no connection within {limit} ms"),
        )
    })??;
    // Requests are written whole; waiting for more to say only delays them.
    stream.set_nodelay(true)?;
    Ok(stream.into_split())
}
