//! Parts of a request: names in its path, its query, its JSON body.

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::error::Error;
use crate::limits::Limits;

/// The names in the path, percent-decoded. What has no such form is an unknown path, as Connect says it.
pub(super) struct Names<T>(pub T);

/// The query's pairs, in their order.
pub(super) struct Pairs(Vec<(String, String)>);

/// A body: a JSON object.
pub(super) struct Json<T>(pub T);

/// What a client that sends too much may send before it is hung up on: it reads its answer only then.
const DRAINED: usize = 16 << 20;

// === impl Names ===

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Names<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(names)) => Ok(Self(names)),
            Err(_) => Err(Error::plain(StatusCode::NOT_FOUND)),
        }
    }
}

// === impl Pairs ===

impl Pairs {
    /// Java's way: whatever is not `true` is false.
    pub(super) fn is_true(&self, name: &str) -> Option<bool> {
        self.first(name).map(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(super) fn first(&self, name: &str) -> Option<&str> {
        let pair = self.0.iter().find(|(key, _)| key == name)?;
        Some(&pair.1)
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Pairs {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(pairs)) => Ok(Self(pairs)),
            Err(error) => Err(Error::bad_request(format!("the query cannot be read: {error}"))),
        }
    }
}

// === impl Json ===

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        let limits = request.extensions().get::<Limits>().copied().unwrap_or_default();
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            return Err(Error::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let bytes = read(&parts.headers, body, limits).await?;
        if bytes.is_empty() {
            return Err(Error::bad_request(
                "the body is empty: send a JSON object, see REST.md for what is in it",
            ));
        }
        // An array would be taken for an object's fields in their order.
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Err(Error::bad_request("the body is not a JSON object"));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let sentence = if error.is_data() {
                "the body is not what this request takes"
            } else {
                "the body is not JSON"
            };
            Error::bad_request(format!("{sentence}: {error}"))
        })
    }
}

async fn read(headers: &HeaderMap, body: Body, limits: Limits) -> Result<Bytes, Error> {
    let waits = headers.contains_key(header::EXPECT);
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if waits && announced.is_some_and(|length| length > limits.body) {
        return Err(Error::too_large(limits.body));
    }
    match timeout(limits.arrival, collect(body, limits.body)).await {
        Ok(bytes) => bytes,
        Err(_) => Err(Error::slow()),
    }
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, Error> {
    let mut bytes = Vec::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::bad_request(format!("the body did not arrive: {error}")))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        seen += data.len();
        if seen > DRAINED {
            break;
        }
        if seen <= limit {
            bytes.extend_from_slice(&data);
        }
    }
    if seen > limit {
        return Err(Error::too_large(limit));
    }
    Ok(bytes.into())
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}
