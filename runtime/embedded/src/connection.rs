//! One connection of a client: requests one after the other, as Kafka's socket server takes them.
//!
//! A connection's next request is read when the one before is answered. A long poll therefore holds up what is behind it on the same
//! connection, and nothing else.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{ApiKey, ApiVersionsResponse, RequestHeader},
    protocol::Decodable,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    Action, ErrorCode,
    api::{self, Malformed, Refusal, Row},
    context::{Client, Context, Shared},
    users::Session,
};

/// Why a connection ends from this side.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{0}")]
    Io(#[from] io::Error),

    #[error("a request of {size} bytes; at most {limit} are taken")]
    Size { size: i32, limit: usize },

    #[error("the header of a request of {size} bytes cannot be read: {reason}")]
    Header { size: usize, reason: String },

    #[error("API {key} is not served")]
    NotServed { key: i16 },

    #[error("{api:?} version {version} is not served")]
    Version { api: ApiKey, version: i16 },

    #[error(transparent)]
    Malformed(#[from] Malformed),

    #[error("a fault")]
    Fault,

    #[error("a failed Produce without an answer")]
    Unanswered,

    #[error("{api:?} before authentication, or after it has ended")]
    Unauthenticated { api: ApiKey },

    #[error("authentication failed")]
    NotLetIn,
}

/// A frame behind its length.
struct Request {
    row: &'static Row,
    header: RequestHeader,
    body: Bytes,
}

struct Connection {
    shared: Arc<Shared>,
    broker: i32,
    stream: TcpStream,
    client: Client,
}

/// Until the client closes it, a fault or something unreadable does.
pub(crate) async fn serve(shared: Arc<Shared>, broker: i32, stream: TcpStream, peer: SocketAddr) {
    let session = if shared.options.users.is_empty() {
        Session::anonymous()
    } else {
        Session::unknown()
    };
    let mut connection = Connection {
        shared,
        broker,
        stream,
        client: Client {
            id: String::new(),
            host: peer.ip().to_string(),
            principal: session.principal().unwrap_or_default(),
            session: Arc::new(session),
        },
    };
    if let Err(error) = connection.run().await {
        tracing::debug!(broker, %peer, %error, "connection closed");
    }
}

// === impl Connection ===

impl Connection {
    async fn run(&mut self) -> Result<(), Error> {
        self.stream.set_nodelay(true)?;
        while let Some(frame) = self.read().await? {
            if let Some(request) = self.parse(frame).await? {
                self.answer(request).await?;
            }
        }
        Ok(())
    }

    /// The next frame; `None` when the client has closed the connection between two.
    async fn read(&mut self) -> Result<Option<Bytes>, Error> {
        let size = match self.stream.read_i32().await {
            Ok(size) => size,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let limit = self.shared.options.max_request;
        let length = usize::try_from(size)
            .ok()
            .filter(|length| *length <= limit)
            .ok_or(Error::Size { size, limit })?;
        // Memory grows with what really comes, not with what is claimed.
        let mut frame = BytesMut::with_capacity(length.min(1 << 20));
        while frame.len() < length {
            let missing = (length - frame.len()) as u64;
            if (&mut self.stream).take(missing).read_buf(&mut frame).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
        Ok(Some(frame.freeze()))
    }

    /// `None` when the request was answered already: ApiVersions in a version from the future.
    async fn parse(&mut self, mut frame: Bytes) -> Result<Option<Request>, Error> {
        let size = frame.len();
        let unreadable = |reason: &str| Error::Header {
            size,
            reason: reason.to_owned(),
        };
        if size < 8 {
            return Err(unreadable("it is shorter than a header"));
        }
        let key = i16::from_be_bytes([frame[0], frame[1]]);
        let version = i16::from_be_bytes([frame[2], frame[3]]);
        let row = Row::of(key).ok_or(Error::NotServed { key })?;
        if !(row.min..=row.max).contains(&version) {
            if row.key == ApiKey::ApiVersions {
                // The one request whose version cannot have been negotiated: the answer is in version 0, with what there is (KIP-511).
                let correlation = (&frame[4..]).get_i32();
                let answer = api::versions(Some(ErrorCode::UnsupportedVersion));
                self.answer_api_versions(correlation, &answer).await?;
                return Ok(None);
            }
            return Err(Error::Version {
                api: row.key,
                version,
            });
        }
        let header = RequestHeader::decode(&mut frame, row.key.request_header_version(version))
            .map_err(|error| unreadable(&error.to_string()))?;
        Ok(Some(Request {
            row,
            header,
            body: frame,
        }))
    }

    async fn answer(&mut self, request: Request) -> Result<(), Error> {
        let Request { row, header, body } = request;
        if let Some(id) = &header.client_id
            && *self.client.id != **id
        {
            self.client.id = id.to_string();
        }
        match self.client.session.principal() {
            Some(principal) => self.client.principal = principal,
            None if is_for_anybody(row.key) => {}
            None => return Err(Error::Unauthenticated { api: row.key }),
        }
        let ctx = Context::new(
            Arc::clone(&self.shared),
            self.broker,
            row.key,
            self.client.clone(),
        );
        let version = header.request_api_version;
        let request = row.decode(&ctx, body, version)?;
        let fault = self
            .shared
            .faults
            .judge(row.key, self.broker, || request.topics(&ctx));
        let mut refusal = Refusal::No;
        match fault {
            Some(Action::Error(code)) => refusal = Refusal::Before(code),
            Some(Action::ErrorAfter(code)) => refusal = Refusal::After(code),
            Some(Action::DropBefore) => return Err(Error::Fault),
            Some(Action::Delay(time)) => tokio::time::sleep(time).await,
            Some(Action::Throttle(time)) => ctx.throttle(time.as_millis() as i32),
            Some(Action::Hang) => std::future::pending().await,
            _ => {}
        }
        let answer = request.serve(&ctx, version, refusal).await?;
        if ctx.hangs_up() {
            return Err(Error::Unanswered);
        }
        if fault == Some(Action::DropAfter) {
            return Err(Error::Fault);
        }
        if !ctx.is_silent() {
            self.write(header.correlation_id, answer, fault).await?;
        }
        if ctx.closes() {
            return Err(Error::NotLetIn);
        }
        if ctx.throttled_ms() > 0 {
            tokio::time::sleep(Duration::from_millis(ctx.throttled_ms() as u64)).await;
        }
        Ok(())
    }

    async fn write(
        &mut self,
        correlation: i32,
        mut answer: BytesMut,
        fault: Option<Action>,
    ) -> Result<(), Error> {
        let mut correlation = correlation;
        let mut length = answer.len() + 4;
        match fault {
            Some(Action::WrongCorrelation) => correlation ^= 0x4000_0000,
            Some(Action::ShortFrame) => length += 1 + answer.len(),
            Some(Action::Garbage) => {
                let mut noise: u8 = 0x5a;
                for byte in answer.iter_mut() {
                    noise = noise.wrapping_mul(197).wrapping_add(89);
                    *byte ^= noise;
                }
            }
            _ => {}
        }
        let mut head = [0; 8];
        (&mut head[..4]).put_u32(length as u32);
        (&mut head[4..]).put_i32(correlation);
        let mut frame = Buf::chain(&head[..], answer);
        self.stream.write_all_buf(&mut frame).await?;
        if fault == Some(Action::ShortFrame) {
            return Err(Error::Fault);
        }
        Ok(())
    }

    async fn answer_api_versions(
        &mut self,
        correlation: i32,
        answer: &ApiVersionsResponse,
    ) -> Result<(), Error> {
        match api::encode(answer, 0) {
            Ok(answer) => self.write(correlation, answer, None).await,
            Err(_) => Err(Error::NotServed {
                key: ApiKey::ApiVersions as i16,
            }),
        }
    }
}

/// What may be asked before authentication.
fn is_for_anybody(api: ApiKey) -> bool {
    matches!(
        api,
        ApiKey::ApiVersions | ApiKey::SaslHandshake | ApiKey::SaslAuthenticate
    )
}
