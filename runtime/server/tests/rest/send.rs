//! Requests to the router, without a connection.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Request, StatusCode, request::Builder},
};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use towpath_server::{
    Limits,
    rest::{Reach, router},
};

use crate::fake::Fake;

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

// === impl Answer ===

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&self.body)))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    /// Its message, when it is an error as all have to be.
    pub fn error(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/json"));
        let body = self.json();
        assert_eq!(body["error_code"], self.status.as_u16(), "{body}");
        assert_eq!(body.as_object().expect("an object").len(), 2, "{body}");
        body["message"].as_str().expect("a message").to_owned()
    }
}

pub fn api(fake: Fake) -> Router {
    router(Arc::new(fake), Limits::default(), Reach::Loopback)
}

pub fn request(method: &str, path: &str) -> Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "127.0.0.1:18083")
}

pub async fn send(api: &Router, request: Request<Body>) -> Answer {
    let response = api.clone().oneshot(request).await.expect("it is infallible");
    let (parts, body) = response.into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await.expect("it is in memory").to_bytes(),
    }
}

/// Without a body.
pub async fn plain(api: &Router, method: &str, path: &str) -> Answer {
    send(api, request(method, path).body(Body::empty()).expect("a request")).await
}

pub async fn json(api: &Router, method: &str, path: &str, body: &str) -> Answer {
    let request = request(method, path)
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()));
    send(api, request.expect("a request")).await
}
