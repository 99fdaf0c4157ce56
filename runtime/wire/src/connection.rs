//! One connection to a broker: versions negotiated, requests in flight, answers in order.

mod authentication;
mod link;
mod state;
mod write;

#[cfg(test)]
mod tests;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use kafka_protocol::{
    messages::{ApiVersionsRequest, ApiVersionsResponse, RequestHeader},
    protocol::{Encodable, StrBytes},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::oneshot,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Error, KafkaError, Options, Peer, Versions, answer,
    api::{Api, Call},
    transport::{self, Transport},
};
use link::{Link, Lost};
use state::Delivered;

pub(crate) use link::Frame;

/// A connection to one broker. Cheap to clone; when the last clone is dropped the connection is closed.
///
/// Requests are written in the order of the calls and answered in that order. At most `max_in_flight` are unanswered; further callers
/// wait. A request that is not answered in time closes the connection, and everything else in flight fails with a retriable error.
/// A throttle time in an answer (KIP-219) delays the next request and extends the deadlines of those already written.
#[derive(Clone, Debug)]
pub struct Connection(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    link: Link,
    /// (key, min, max) of the broker, by key.
    versions: Arc<[(i16, i16, i16)]>,
    client_id: StrBytes,
    request_timeout: Duration,
    /// For messages about missing ACLs.
    principal: Option<Arc<str>>,
}

/// The answer of a request that was queued. Dropping it does not take the request back.
#[derive(Debug)]
#[must_use = "the answer says whether the request succeeded"]
pub struct InFlight<A> {
    answer: oneshot::Receiver<Result<A, Error>>,
    lost: Lost,
}

// === impl Connection ===

impl Connection {
    /// Connects, negotiates versions and authenticates. Ends when `token` is cancelled.
    pub(crate) async fn open(peer: Peer, options: &Options, token: CancellationToken) -> Result<Self, Error> {
        let login = authentication::begin(&peer, options).await?;
        let transport = transport::open(&peer.address, options)
            .await
            .map_err(|cause| Error::from_connecting(&peer, cause))?;
        match transport {
            Transport::Plain(reader, writer) => {
                Self::over((reader, writer), login, peer, options, token).await
            }
            Transport::Tls(reader, writer) => Self::over((reader, writer), login, peer, options, token).await,
        }
    }

    /// Negotiates versions on an open stream, and says who we are.
    pub(crate) async fn over<R, W>(
        (reader, writer): (R, W),
        login: Option<authentication::Login>,
        peer: Peer,
        options: &Options,
        token: CancellationToken,
    ) -> Result<Self, Error>
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let mut connection = Inner {
            link: Link::start(peer, reader, writer, options, token),
            versions: Arc::default(),
            client_id: StrBytes::from_string(options.client_id.clone()),
            request_timeout: options.request_timeout,
            principal: None,
        };
        connection.versions = connection.negotiate().await?.into();
        if let Some(login) = login {
            connection.log_in(login, options).await?;
        }
        connection.principal = options.security.principal().map(Arc::from);
        Ok(Self(Arc::new(connection)))
    }

    /// Whether requests can still be made. A dead connection stays dead: open another one.
    pub fn is_alive(&self) -> bool {
        self.0.link.is_alive()
    }

    /// Whether a request would be written now. Otherwise it waits: for the answer of one of `max_in_flight` others, or for the broker to be
    /// told again who this is.
    pub fn has_room(&self) -> bool {
        self.0.link.has_room()
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        self.0.link.peer()
    }

    /// The highest version of an API that both sides have, at most `max`.
    pub(crate) fn version(&self, api: Api, max: i16) -> Result<i16, Error> {
        self.0.version(api, max)
    }

    /// The highest version of an API that the broker has, whatever we have.
    pub(crate) fn highest(&self, key: i16) -> Option<i16> {
        self.0
            .versions
            .iter()
            .find(|(known, ..)| *known == key)
            .map(|&(.., high)| high)
    }

    /// Asks and waits for the answer.
    /// Boxed: the compiler does not prove by itself that what awaits the bare future is `Send`.
    pub(crate) fn call<'a, Q: Call + Sync>(
        &'a self,
        request: &'a Q,
        version: i16,
    ) -> BoxFuture<'a, Result<Q::Answer, Error>> {
        Box::pin(async move {
            self.0
                .call(request, version, Duration::ZERO, |answer, _| answer)
                .await?
                .await
        })
    }

    /// As [`Connection::call`], for a request that the broker may hold for `patience` before it answers; `convert` also gets
    /// the size of the answer in bytes.
    pub(crate) async fn call_with<Q: Call, A: Send + 'static>(
        &self,
        request: &Q,
        version: i16,
        patience: Duration,
        convert: impl FnOnce(Q::Answer, usize) -> A + Send + 'static,
    ) -> Result<A, Error> {
        self.0.call(request, version, patience, convert).await?.await
    }

    /// Queues an encoded request. `decode` turns its answer, which begins with the correlation id, into a value and a throttle
    /// time in ms.
    pub(crate) async fn send<A: Send + 'static>(
        &self,
        api: Api,
        frame: Frame,
        patience: Duration,
        decode: impl FnOnce(Bytes) -> Result<(A, i32), String> + Send + 'static,
    ) -> Result<InFlight<A>, Error> {
        self.0.send(api, frame, patience, decode).await
    }

    /// The beginning of a request: length (to be filled in by the frame) and header, whose version is 1, and 2 for flexible requests.
    pub(crate) fn header(&self, api: Api, version: i16, header_version: i16) -> Result<BytesMut, Error> {
        self.0.header(api, version, header_version)
    }

    /// An answer in which the broker refused the whole request.
    pub(crate) fn refusal(
        &self,
        api: Api,
        on: Option<String>,
        error: KafkaError,
        message: Option<String>,
    ) -> Error {
        let message = match (api.grant(error), message) {
            (Some(grant), message) => {
                let said = message.map_or(String::new(), |message| format!("{message} "));
                let to = self.0.principal.as_deref().unwrap_or("the client's principal");
                Some(format!("{said}grant {grant} to {to}"))
            }
            (None, message) => message,
        };
        Error::Kafka {
            peer: self.peer().clone(),
            api: api.name,
            on,
            error,
            message,
        }
    }
}

// === impl Inner ===

impl Inner {
    fn version(&self, api: Api, max: i16) -> Result<i16, Error> {
        let theirs = self.versions.iter().find(|(key, ..)| *key == api.key);
        match theirs {
            Some(&(_, low, high)) if api.max.min(max).min(high) >= api.min.max(low) => {
                Ok(api.max.min(max).min(high))
            }
            _ => Err(Error::UnsupportedApi {
                peer: self.link.peer().clone(),
                api: api.name,
                ours: Versions::Range(api.min, api.max.min(max)),
                theirs: theirs.map_or(Versions::None, |&(_, low, high)| Versions::Range(low, high)),
            }),
        }
    }

    /// The same connection for a task of its own, see [`Link::beside`].
    fn beside(&self) -> Self {
        Self {
            link: self.link.beside(),
            versions: self.versions.clone(),
            client_id: self.client_id.clone(),
            request_timeout: self.request_timeout,
            principal: None,
        }
    }

    /// Which versions the broker has. One that does not know our version of ApiVersions itself answers error 35 in version 0.
    async fn negotiate(&self) -> Result<Vec<(i16, i16, i16)>, Error> {
        let api = ApiVersionsRequest::API;
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("towpath"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let mut answer = self.api_versions(&request, api.max).await?;
        if KafkaError::of(answer.error_code) == Some(KafkaError::UNSUPPORTED_VERSION) {
            answer = self.api_versions(&ApiVersionsRequest::default(), api.min).await?;
        }
        match KafkaError::of(answer.error_code) {
            Some(error) => Err(Error::Kafka {
                peer: self.link.peer().clone(),
                api: api.name,
                on: None,
                error,
                message: None,
            }),
            None => Ok(answer
                .api_keys
                .iter()
                .map(|api| (api.api_key, api.min_version, api.max_version))
                .collect()),
        }
    }

    async fn api_versions(
        &self,
        request: &ApiVersionsRequest,
        version: i16,
    ) -> Result<ApiVersionsResponse, Error> {
        let api = ApiVersionsRequest::API;
        let frame = self.frame(request, version)?;
        let decode = move |bytes: Bytes| {
            let unsupported = bytes.get(4..6) == Some(&KafkaError::UNSUPPORTED_VERSION.code().to_be_bytes());
            let version = if unsupported { 0 } else { version };
            answer::decode::<ApiVersionsResponse>(bytes, version).map(|answer| (answer, 0))
        };
        self.send(api, frame, Duration::ZERO, decode).await?.await
    }

    async fn call<Q: Call, A: Send + 'static>(
        &self,
        request: &Q,
        version: i16,
        patience: Duration,
        convert: impl FnOnce(Q::Answer, usize) -> A + Send + 'static,
    ) -> Result<InFlight<A>, Error> {
        let frame = self.frame(request, version)?;
        let decode = move |bytes: Bytes| {
            let size = bytes.len();
            let answer = answer::decode::<Q::Answer>(bytes, version)?;
            let throttle = Q::throttle(&answer);
            Ok((convert(answer, size), throttle))
        };
        self.send(Q::API, frame, patience, decode).await
    }

    async fn send<A: Send + 'static>(
        &self,
        api: Api,
        frame: Frame,
        patience: Duration,
        decode: impl FnOnce(Bytes) -> Result<(A, i32), String> + Send + 'static,
    ) -> Result<InFlight<A>, Error> {
        let (reply, answer) = oneshot::channel();
        let deliver = Box::new(move |answer: Result<Bytes, Error>| {
            // Whoever asked may be gone: then nobody is told, and nothing is wrong.
            match answer.map(decode) {
                Ok(Ok((answer, throttle))) => {
                    let _ = reply.send(Ok(answer));
                    Delivered::Answer {
                        throttle_ms: throttle,
                    }
                }
                Ok(Err(what)) => Delivered::Undecodable {
                    what,
                    fail: Box::new(|error| drop(reply.send(Err(error)))),
                },
                Err(error) => {
                    let _ = reply.send(Err(error));
                    Delivered::Answer { throttle_ms: 0 }
                }
            }
        });
        let lost = self
            .link
            .enqueue(api.name, frame, self.request_timeout + patience, deliver)
            .await?;
        Ok(InFlight { answer, lost })
    }

    fn frame<Q: Call>(&self, request: &Q, version: i16) -> Result<Frame, Error> {
        let mut head = self.header(Q::API, version, Q::header_version(version))?;
        request
            .encode(&mut head, version)
            .map_err(|cause| invalid(Q::API, &cause))?;
        Frame::new(Q::API, head, Vec::new())
    }

    fn header(&self, api: Api, version: i16, header_version: i16) -> Result<BytesMut, Error> {
        let mut head = BytesMut::with_capacity(512);
        head.extend_from_slice(&[0; 4]);
        RequestHeader::default()
            .with_request_api_key(api.key)
            .with_request_api_version(version)
            .with_client_id(Some(self.client_id.clone()))
            .encode(&mut head, header_version)
            .map_err(|cause| invalid(api, &cause))?;
        Ok(head)
    }
}

// === impl InFlight ===

impl<A> Future for InFlight<A> {
    type Output = Result<A, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer)
            .poll(context)
            .map(|answer| answer.unwrap_or_else(|_| Err(self.lost.error())))
    }
}

fn invalid(api: Api, cause: &dyn std::fmt::Display) -> Error {
    Error::Invalid {
        api: api.name,
        what: format!("the request cannot be encoded: {cause}"),
    }
}
