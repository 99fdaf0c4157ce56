//! One HTTP exchange at a time, each on a connection of its own: token endpoints and schema registries. No pool, no proxy, no redirect.

use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, StatusCode, Uri,
    header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, join},
    time::timeout,
};

use crate::{
    Address, Tls,
    error::refused,
    transport::{self, Transport},
};

/// A request, and how much of an answer is taken.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    pub method: Method,
    pub uri: Uri,
    pub accept: &'static str,
    /// The content type and the body.
    pub body: Option<(&'static str, Bytes)>,
    pub authorization: Option<Authorization>,
    pub longest_answer: usize,
}

/// The `Authorization` header.
#[derive(Clone)]
pub enum Authorization {
    /// user and password (RFC 7617)
    Basic(String, String),
    /// a token (RFC 6750)
    Bearer(String),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// TLS, in a sentence that says what to change.
    #[error("{0}")]
    Tls(String),
    #[error("{0}")]
    Unreachable(String),
}

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    pub connect: Duration,
    pub answer: Duration,
}

// === impl HttpRequest ===

impl HttpRequest {
    /// Asks, by `tls` where it is https; with the system's authorities where that is none.
    pub async fn ask(&self, tls: Option<&Tls>, patience: Patience) -> Result<(StatusCode, Bytes), HttpError> {
        let tls = tls.filter(|_| self.uri.scheme_str() == Some("https"));
        let transport = transport::open_to(&address(&self.uri), tls, patience.connect)
            .await
            .map_err(|cause| match refused(&cause) {
                Some(what) => HttpError::Tls(what.to_string()),
                None => HttpError::Unreachable(cause.to_string()),
            })?;
        let asking = async {
            match transport {
                Transport::Plain(reader, writer) => self.exchange(join(reader, writer)).await,
                Transport::Tls(reader, writer) => self.exchange(join(reader, writer)).await,
            }
        };
        timeout(patience.answer, asking)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} ms", patience.answer.as_millis())))
            .map_err(HttpError::Unreachable)
    }

    async fn exchange<S>(&self, stream: S) -> Result<(StatusCode, Bytes), String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let request = self.request()?;
        let asking = async {
            let answer = sender
                .send_request(request)
                .await
                .map_err(|error| error.to_string())?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), self.longest_answer)
                .collect()
                .await
                .map_err(|error| error.to_string())?;
            Ok((status, body.to_bytes()))
        };
        // The connection is driven beside the question and ends with the answer.
        tokio::pin!(asking, connection);
        tokio::select! {
            biased;
            answer = &mut asking => answer,
            ended = &mut connection => match ended {
                // What it has brought by then may be the whole answer.
                Ok(()) => asking.await,
                Err(error) => Err(error.to_string()),
            },
        }
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, String> {
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(path)
            .header(HOST, authority)
            .header(ACCEPT, self.accept)
            .header(CONNECTION, "close");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.header());
        }
        let body = match &self.body {
            None => Bytes::new(),
            Some((content_type, body)) => {
                request = request.header(CONTENT_TYPE, *content_type);
                body.clone()
            }
        };
        request.body(Full::new(body)).map_err(|error| error.to_string())
    }
}

// === impl Authorization ===

impl Authorization {
    fn header(&self) -> String {
        match self {
            Self::Basic(user, password) => {
                format!("Basic {}", BASE64.encode(format!("{user}:{password}").as_bytes()))
            }
            Self::Bearer(token) => format!("Bearer {token}"),
        }
    }
}

impl std::fmt::Debug for Authorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Basic(..) => "Basic [redacted]",
            Self::Bearer(_) => "Bearer [redacted]",
        })
    }
}

/// An absolute URL of http or https without user and password. The error is a sentence to show.
pub fn parse_url(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|error| format!("is no URL: {error}"))?;
    match uri.scheme_str() {
        Some("http" | "https") => {}
        _ => return Err("begins neither with https:// nor with http://".to_owned()),
    }
    match uri.authority() {
        // It would be shown in messages.
        Some(authority) if authority.as_str().contains('@') => {
            Err("has a user or a password in it".to_owned())
        }
        Some(authority) if !authority.host().is_empty() => Ok(uri),
        _ => Err("names no host".to_owned()),
    }
}

fn address(uri: &Uri) -> Address {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = uri.port_u16();
    Address {
        host: host.to_owned(),
        port: port.unwrap_or(if uri.scheme_str() == Some("https") {
            443
        } else {
            80
        }),
    }
}
