//! A TLS server before the scripted broker.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion, crypto::ring, server::WebPkiClientVerifier,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::{Authority, authority::Certified};
use crate::{Address, scripted::Broker};

/// Ends when it is dropped.
pub(super) struct Server {
    port: u16,
    received: Arc<AtomicUsize>,
    last_client: Arc<Mutex<Option<String>>>,
    _tasks: JoinSet<()>,
}

pub(super) struct Wishes<'a> {
    versions: Vec<&'static SupportedProtocolVersion>,
    clients_of: Option<&'a Authority>,
}

/// Counts what comes in, encrypted.
struct Counted(TcpStream, Arc<AtomicUsize>);

// === impl Server ===

impl Server {
    pub(super) async fn start<'a>(
        broker: &Broker,
        own: Certified,
        wishes: impl FnOnce(Wishes<'a>) -> Wishes<'a>,
    ) -> Self {
        let wishes = wishes(Wishes {
            versions: rustls::ALL_VERSIONS.to_vec(),
            clients_of: None,
        });
        let acceptor = TlsAcceptor::from(Arc::new(wishes.config(&own)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (received, last_client) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None)));
        let behind = broker.address.to_string();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(
            listener,
            acceptor,
            behind,
            Arc::clone(&received),
            Arc::clone(&last_client),
        ));
        Self {
            port,
            received,
            last_client,
            _tasks: tasks,
        }
    }

    pub(super) fn address(&self, host: &str) -> Address {
        Address {
            host: host.to_owned(),
            port: self.port,
        }
    }

    /// Bytes on the wire so far.
    pub(super) fn received(&self) -> usize {
        self.received.load(Ordering::SeqCst)
    }

    /// The subject of the certificate that the last client showed.
    pub(super) fn last_client(&self) -> Option<String> {
        self.last_client.lock().unwrap().clone()
    }
}

// === impl Wishes ===

impl<'a> Wishes<'a> {
    pub(super) fn versions(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.versions = vec![version];
        self
    }

    pub(super) fn wants_clients_of(mut self, authority: &'a Authority) -> Self {
        self.clients_of = Some(authority);
        self
    }

    fn config(&self, own: &Certified) -> ServerConfig {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&self.versions)
            .unwrap();
        let builder = match self.clients_of {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                let certificate = CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap();
                roots.add(certificate).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.unwrap())
            }
        };
        let certificate = CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
        builder.with_single_cert(vec![certificate], key).unwrap()
    }
}

/// Whatever goes wrong with a connection is the client's to tell.
async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    behind: String,
    received: Arc<AtomicUsize>,
    last_client: Arc<Mutex<Option<String>>>,
) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, behind) = (acceptor.clone(), behind.clone());
        let (received, last_client) = (Arc::clone(&received), Arc::clone(&last_client));
        connections.spawn(async move {
            let Ok(mut tls) = acceptor.accept(Counted(stream, received)).await else {
                return;
            };
            let client = tls.get_ref().1.peer_certificates().and_then(<[_]>::first);
            *last_client.lock().unwrap() = client.map(super::super::subject);
            if let Ok(mut broker) = TcpStream::connect(behind).await {
                let _ = copy_bidirectional(&mut tls, &mut broker).await;
            }
        });
    }
}

// === impl Counted ===

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.0).poll_read(context, buffer);
        self.1.fetch_add(buffer.filled().len() - before, Ordering::SeqCst);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
