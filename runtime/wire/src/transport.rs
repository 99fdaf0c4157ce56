//! Opening the stream to a broker: the one place that knows what lies below the protocol. TLS and SASL come in here.

use std::io;

use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::{Address, Options, dial::dial};

/// Resolves, connects within `connect_timeout`, and splits the stream.
pub(crate) async fn open(
    address: &Address,
    options: &Options,
) -> io::Result<(OwnedReadHalf, OwnedWriteHalf)> {
    let stream = dial(address, options.connect_timeout).await?;
    // Requests are written whole; waiting for more to say only delays them.
    stream.set_nodelay(true)?;
    Ok(stream.into_split())
}
