//! A TLS connection as a stream of bytes.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client};

use super::{About, Session};

/// Its errors are sentences ([`Refused`](super::Refused)).
pub(crate) struct Stream {
    tls: client::TlsStream<BufReader<TcpStream>>,
    about: Arc<About>,
}

/// rustls asks for 4 KiB at a time; from here it gets them without a system call for each.
const READ_BUFFER: usize = 64 * 1024;

// === impl Stream ===

impl Stream {
    /// Shakes hands. `host` is the name or address that the certificate must be for.
    pub(crate) async fn connect(session: Session, host: &str, stream: TcpStream) -> io::Result<Self> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{host:?} is no name that a certificate can be for"),
            )
        })?;
        let about = session.about;
        let stream = BufReader::with_capacity(READ_BUFFER, stream);
        match TlsConnector::from(session.config).connect(name, stream).await {
            Ok(tls) => Ok(Self { tls, about }),
            Err(error) => Err(about.explain_handshake(error)),
        }
    }

    fn tls(self: Pin<&mut Self>) -> (Pin<&mut client::TlsStream<BufReader<TcpStream>>>, &About) {
        let this = self.get_mut();
        (Pin::new(&mut this.tls), &this.about)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (tls, about) = self.tls();
        tls.poll_read(context, buffer)
            .map_err(|error| about.explain(error))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let (tls, about) = self.tls();
        tls.poll_write(context, bytes)
            .map_err(|error| about.explain(error))
    }

    /// rustls gathers the slices into records of 16 KiB.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let (tls, about) = self.tls();
        tls.poll_write_vectored(context, slices)
            .map_err(|error| about.explain(error))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (tls, about) = self.tls();
        tls.poll_flush(context).map_err(|error| about.explain(error))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tls().0.poll_shutdown(context)
    }
}
